"""The machines a plan chooses from: the two whose figures ship with the product, and the one this runs on.

    known_machines()   -> this machine, then M4 Max and M3 Ultra (a shipped one that is this machine counts once)

Every profile says what its figures rest on. None means that nobody has measured it: a plan says so instead of guessing.
No mlx here; the operating system is asked, each question with a time limit.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

SHIPPED = "shipped by the product: measured by its user, model and precision not stated"
ESTIMATE = "estimate: not measured on this machine; calibrate it"


@dataclass(frozen=True, slots=True)
class Machine:
    """What is known of one machine. Memory in GB (1e9 bytes for limits, as sold for memory), rates in examples/s.

    batch_size is the best one known, max_batch the largest a plan may use. batch_curve: batch size -> examples/s, peak
    throughput on the workload of its measurement; only its shape is used for others.
    scoring_rate: LLM scoring. shared_rate: a 30B model run as separate batches, rate_parameters its active parameters.
    share: of the work of the shipped pair, until one of them is calibrated. gpu_gb: max_recommended_working_set_size
    when MLX reported it. watts under load; watts_basis says where they come from.
    """

    name: str
    memory_gb: float
    gpu_cores: int | None = None
    batch_size: int = 8
    max_batch: int = 64
    batch_curve: Mapping[int, float] = field(default_factory=lambda: MappingProxyType({}))
    scoring_rate: float | None = None
    shared_rate: float | None = None
    rate_parameters: float = 30e9
    share: float | None = None
    gflops: float | None = None
    bandwidth_gbs: float | None = None
    watts: float | None = None
    watts_basis: str = ""
    gpu_gb: float | None = None
    system: str = "macOS"
    cores: int | None = None
    basis: str = ESTIMATE


M4_MAX = Machine(
    name="M4 Max",
    memory_gb=128,
    gpu_cores=40,
    batch_size=32,
    max_batch=64,
    batch_curve=MappingProxyType({1: 200.0, 8: 450.0, 16: 620.0, 32: 776.0, 64: 750.0}),
    scoring_rate=3.86,
    shared_rate=1.95,
    share=0.655,
    gflops=12_956,
    bandwidth_gbs=546,
    watts=120,
    watts_basis="a published wall reading of a Mac Studio M4 Max under full CPU load; another workload than this",
    basis=SHIPPED,
)
M3_ULTRA = Machine(
    name="M3 Ultra",
    memory_gb=512,
    gpu_cores=80,
    batch_size=4,
    max_batch=4,
    batch_curve=MappingProxyType({1: 180.0, 4: 278.0, 8: 265.0, 16: 240.0, 32: 210.0}),
    scoring_rate=0.76,
    shared_rate=1.03,
    share=0.345,
    gflops=4_599,
    bandwidth_gbs=819,
    basis=SHIPPED,
)
SHIPPED_MACHINES = (M4_MAX, M3_ULTRA)
SHARDED_30B_RATE = 2.5  # examples/s of a 30B model sharded over both by RDMA; 2.98 as separate batches


def default_gpu_gb(machine: Machine) -> tuple[float, str]:
    """(GB that the GPU may use as the system stands, what that rests on).

    macOS lets the GPU have about 75 % of unified memory above 36 GB, two thirds below; MLX on a CPU takes 0.8 of RAM.
    """
    if machine.gpu_gb is not None:
        return machine.gpu_gb, "max_recommended_working_set_size, reported by MLX"
    if machine.system != "macOS":
        return machine.memory_gb * 0.8, "0.8 of memory, MLX's own limit on a CPU"
    share = 0.75 if machine.memory_gb > 36 else 2 / 3
    return machine.memory_gb * share, f"estimate: macOS lets the GPU have about {share:.0%} of unified memory"


def most_gpu_gb(machine: Machine) -> float:
    """GB that the GPU may use once `iogpu.wired_limit_mb` is raised, leaving the system a 16th and at least 8 GB."""
    default, _ = default_gpu_gb(machine)
    if machine.system != "macOS":
        return default
    return max(default, machine.memory_gb - max(8.0, machine.memory_gb / 16))


@functools.cache
def this_machine() -> Machine:
    """The machine this runs on, by asking its operating system; a chip that ships with figures gets those figures."""
    return _mac() if sys.platform == "darwin" else _linux()


def known_machines() -> tuple[Machine, ...]:
    """This machine first, then the shipped ones that are not this one."""
    here = this_machine()
    return here, *(machine for machine in SHIPPED_MACHINES if machine.name != here.name)


def _ask(*command: str, seconds: float = 2.0) -> str:
    """What a command prints, or "" when it is missing, fails or takes too long."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds)
        return done.stdout.strip() if done.returncode == 0 else ""
    return ""


def _mac() -> Machine:
    """A Mac, from sysctl; the GPU's cores from system_profiler, which may take seconds and may be left out."""
    chip = _ask("sysctl", "-n", "machdep.cpu.brand_string").removeprefix("Apple ") or platform.machine()
    size = _ask("sysctl", "-n", "hw.memsize")
    memory = int(size) / 2**30 if size.isdigit() else 0.0
    wired = _ask("sysctl", "-n", "iogpu.wired_limit_mb")  # 0: the system's default
    raised = int(wired) * 2**20 / 1e9 if wired.isdigit() and int(wired) else None
    shipped = next((machine for machine in SHIPPED_MACHINES if machine.name == chip), None)
    if shipped:
        return dataclasses.replace(shipped, memory_gb=memory or shipped.memory_gb, gpu_gb=raised, cores=os.cpu_count())
    cores = gpu_cores(_ask("system_profiler", "SPDisplaysDataType", "-json", seconds=5.0))
    return Machine(chip, memory, gpu_cores=cores, gpu_gb=raised, cores=os.cpu_count())


def gpu_cores(displays: str) -> int | None:
    """GPU cores from `system_profiler SPDisplaysDataType -json`, or None."""
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        cards: list[dict[str, Any]] = json.loads(displays)["SPDisplaysDataType"]
        return next((int(card["sppci_cores"]) for card in cards if "sppci_cores" in card), None)
    return None


def _linux() -> Machine:
    """A Linux box: MLX runs on its CPU, in float32 (narrower types are 8 to 16 times slower there)."""
    name = _field(Path("/proc/cpuinfo"), "model name") or platform.processor() or platform.machine()
    total = _field(Path("/proc/meminfo"), "MemTotal").split()
    memory = int(total[0]) * 1024 / 1e9 if total else os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return Machine(f"{name} ({sys.platform.capitalize()} CPU)", round(memory, 1), system="Linux", cores=_usable_cores())


def _usable_cores() -> int | None:
    """Cores this process may use, which in a container can be fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _field(path: Path, name: str) -> str:
    """The value after `name:` in a /proc file, or ""."""
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            key, _, value = line.partition(":")
            if key.strip() == name:
                return value.strip()
    return ""
