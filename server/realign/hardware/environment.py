"""The environment and the priority of every worker, and what of them is in force.

    env = worker_environment(os.environ)          for the child that will run a stage
    conditions()                                  called by that child first: raises its priority, measures what holds

Standard library only. A job never runs as root and nothing waits for a password: where the right to raise the priority
is missing, the work goes on at normal priority and says so.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

NICE = -10
SUDO_SECONDS = 2.0
# (setting, value, what is true of it)
FACTS: tuple[tuple[str, str, str], ...] = (
    ("MLX_METAL_PREALLOCATE", "1", "set because the user's standard asks for it; MLX 0.32 does not read it"),
    (
        "MLX_METAL_FAST_SYNCH",
        "1",
        "read by MLX on macOS 15 and later; its documentation warns that it can hang the GPU on some set-ups."
        " hardware.fast_synch=false turns it off",
    ),
    ("TOKENIZERS_PARALLELISM", "false", "read by Hugging Face tokenizers; mlx_lm lora sets it to true again by itself"),
    ("OPENBLAS_NUM_THREADS", "1", "unless set already: on a busy machine OpenBLAS threads spin, 7 times slower at two"),
    ("nice", str(NICE), "needs privilege; without it the work goes on at normal priority. Never by running as root"),
)
KEEPS = ("OPENBLAS_NUM_THREADS",)  # a value that the user set wins
USER_INITIATED = 0x19  # macOS quality-of-service classes, sys/qos.h
QOS_NAMES = {0x21: "user-interactive", 0x19: "user-initiated", 0x15: "default", 0x11: "utility", 0x09: "background"}
PRIO_DARWIN_PROCESS = 4  # sys/resource.h; value 0 takes a process out of the background band


@dataclass(frozen=True, slots=True)
class Priority:
    """What raising the priority came to. nice is measured afterwards; how: own right, sudo, or normal."""

    asked: int
    nice: int
    how: str
    qos: str
    note: str


def worker_environment(base: Mapping[str, str], *, fast_synch: bool = True) -> dict[str, str]:
    """`base` with the settings of FACTS. fast_synch=False writes MLX_METAL_FAST_SYNCH=0, whatever `base` has."""
    environment = dict(base)
    for name, value, _ in FACTS:
        if name != "nice" and not (name in KEEPS and name in base):
            environment[name] = value
    if not fast_synch:
        environment["MLX_METAL_FAST_SYNCH"] = "0"
    return environment


def raise_priority(nice: int = NICE) -> Priority:
    """Raise this process's own priority: by its own right, else by password-less sudo, else not at all.

    Takes at most SUDO_SECONDS and never raises. On macOS the quality-of-service class is set too: it weighs more there.
    """
    qos = _raise_qos()
    how = _renice(nice)
    reached = _niceness()
    if reached <= nice:
        return Priority(nice, reached, how, qos, f"nice {reached} in force ({how})")
    note = f"normal priority (nice {reached}): nice {nice} needs privilege, and password-less sudo is not at hand"
    return Priority(nice, reached, "normal", qos, note)


def conditions() -> dict[str, str | int]:
    """Raise this process's priority, and give what then holds in it: for a worker to begin with and to keep."""
    priority = raise_priority()
    return {**in_force(), "priority": priority.note, "system": operating_system()}


def changes(first: Mapping[str, str | int], now: Mapping[str, str | int]) -> dict[str, str]:
    """What does not hold any more: name -> "false at first, true now". A library may set a variable again by itself."""
    return {name: f"{first[name]} at first, {value} now" for name, value in now.items() if first[name] != value}


def operating_system() -> str:
    """The system and its version: macOS by its release, any other by its kernel."""
    release = platform.mac_ver()[0]
    return f"macOS {release}" if release else f"{platform.system()} {platform.release()}"


def in_force() -> dict[str, str | int]:
    """What holds in this process now, measured: niceness, quality-of-service class, and each variable or "not set"."""
    variables = {name: os.environ.get(name, "not set") for name, _, _ in FACTS if name != "nice"}
    return {"nice": _niceness(), "qos": _qos(), **variables}


def _niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)


def _renice(nice: int) -> str:
    if _niceness() <= nice:
        return "as it was started"
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, nice)
        return "own right"
    return "password-less sudo" if _sudo_renice(nice) else "normal"


def _sudo_renice(nice: int) -> bool:
    """Have sudo renice this process, if it can without a password. Gives up after SUDO_SECONDS."""
    sudo, renice = shutil.which("sudo"), shutil.which("renice")
    if not (sudo and renice):
        return False
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        # A new session has no terminal, so that nothing sudo starts can ask for a password there. Not subprocess.run:
        # that waits for ever for a child which, like sudo, a plain user may not kill.
        nothing = subprocess.DEVNULL
        asking = subprocess.Popen(
            [sudo, "-n", renice, str(nice), "-p", str(os.getpid())],
            stdin=nothing,
            stdout=nothing,
            stderr=nothing,
            start_new_session=True,
        )
        try:
            return asking.wait(SUDO_SECONDS) == 0
        finally:
            if asking.returncode is None:
                asking.kill()
    return False


def _raise_qos() -> str:
    """Ask macOS for the user-initiated class and for leaving the background band; gives the class in force."""
    if sys.platform == "darwin":
        with contextlib.suppress(OSError, AttributeError):
            system = ctypes.CDLL(None)
            system.setpriority(PRIO_DARWIN_PROCESS, 0, 0)
            system.pthread_set_qos_class_self_np(ctypes.c_uint(USER_INITIATED), ctypes.c_int(0))
    return _qos()


def _qos() -> str:
    """The calling thread's quality-of-service class; "none" where the system has no such thing."""
    if sys.platform == "darwin":
        with contextlib.suppress(OSError, AttributeError):
            value = ctypes.CDLL(None).qos_class_self()
            return QOS_NAMES.get(value, f"unspecified ({value:#x})")
    return "none"
