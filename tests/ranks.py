"""Looking at the ranks of a launch from a test: which process each is, and slowing one down."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from processes import listed


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
