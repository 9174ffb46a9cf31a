"""Start a room under its hard limits: `answer`, `tests`, or `probe`, which tries what a room must not be able to do.

python -I -S -B -c "..." answer|tests|probe SECONDS MEGABYTES        (sandbox.py writes this line)
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable

from . import answer, tests
from .wire import Channel


def main() -> None:
    """Limit this process before anything untrusted is read, then serve."""
    role, seconds, megabytes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    limit(seconds, megabytes)
    serve: dict[str, Callable[[Channel], None]] = {"answer": answer.serve, "tests": tests.serve, "probe": probe}
    serve[role](Channel())


def limit(seconds: int, megabytes: int) -> None:
    """Processor time, memory, files, processes, no core dump. The hard limits are the same, so none can be raised."""
    limits = {
        "CPU": seconds, "AS": megabytes << 20, "FSIZE": 0, "NOFILE": 32, "CORE": 0, "NPROC": 1, "MSGQUEUE": 0,
        "MEMLOCK": 0, "NICE": 0, "RTPRIO": 0,
    }  # fmt: skip
    for name, value in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}", None)
        if kind is not None:
            try:
                resource.setrlimit(kind, (value, value))
            except (ValueError, OSError):  # macOS does not limit address space
                continue


def probe(channel: Channel) -> None:
    """Say what can be done here that must not be: nothing, in a sandbox that works."""
    place = channel.hear()
    tried: dict[str, Callable[[], None]] = {
        "reach a server": lambda: reach(place["port"]),
        "start a process": start_process,
        "write a file": write_file,
        "see other processes": lambda: open("/proc/1/stat").close(),
        "see the home folder": lambda: see(place["home"], place["python"]),
    }
    found = []
    for name, attempt in tried.items():
        try:
            attempt()
        except OSError:
            continue
        found.append(name)
    channel.ask({"can": found})


def reach(port: int) -> None:
    """Connect to a server that listens outside, on this machine."""
    import socket

    socket.create_connection(("127.0.0.1", port), 5).close()


def start_process() -> None:
    """Fork; the child ends at once."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def write_file() -> None:
    """Write one byte somewhere."""
    for folder in ("/", "/tmp", "/dev", "/dev/shm"):
        try:
            with open(os.path.join(folder, "written"), "wb", buffering=0) as file:  # noqa: PTH118
                file.write(b"x")
            return
        except OSError:
            continue
    raise PermissionError


def see(home: str, python: str) -> None:
    """List the home folder; Python itself may lie in it, and that one name is no finding."""
    if set(os.listdir(home)) <= {python}:  # noqa: PTH208
        raise PermissionError
