"""The ranks of a launch in a test: their host file, which process each is, spoiling one and slowing one down."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from processes import listed
from realign.hardware.hosts import LOCAL, Host, Hosts


def hosts(folder: Path, *spoiled: str) -> Hosts:
    """One host a word, all of them this machine; a word is what is done to the program there, "" for nothing."""
    return Hosts(
        "hosts.json", "ring", tuple(Host(LOCAL, (LOCAL,), (), python(folder, n, w)) for n, w in enumerate(spoiled))
    )


def python(folder: Path, number: int, spoiling: str) -> str:
    """An interpreter that does `spoiling` before it starts a rank."""
    if not spoiling:
        return ""
    script, starter = folder / f"python{number}", folder / f"start{number}.py"
    starter.write_text(
        f"import runpy, sys\n{spoiling}\nsys.argv = ['rank', *sys.argv[4:]]\n"
        "runpy.run_module('realign.job.rank', run_name='__main__')\n"
    )
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -P {starter} "$@"\n')
    script.chmod(0o755)
    return str(script)


def ranks_of(coordinator: int) -> dict[int, int]:
    """The process of each living rank that reports to `coordinator`."""
    found = {}
    for line in listed("pid=,stat=,args="):
        pid, state, words = line.split(None, 2)
        if "-m realign.job.rank" in words and words.endswith(f" {coordinator}") and not state.startswith("Z"):
            with contextlib.suppress(OSError):
                variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
                found.update({int(v[9:]): int(pid) for v in variables if v.startswith(b"MLX_RANK=")})
    return found


@contextlib.contextmanager
def at_half_speed(coordinator: int, rank: int) -> Iterator[None]:
    """Stop and continue a rank in turn, a fiftieth of a second each, from its start to the block's end."""
    over = threading.Event()

    def hold_back() -> None:
        while not over.is_set():
            pid = ranks_of(coordinator).get(rank)
            if pid is None:
                over.wait(0.02)
            while pid is not None and not over.is_set():
                try:
                    os.kill(pid, signal.SIGSTOP)
                    time.sleep(0.02)
                    os.kill(pid, signal.SIGCONT)
                    time.sleep(0.02)
                except ProcessLookupError:
                    pid = None

    thread = threading.Thread(target=hold_back)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
