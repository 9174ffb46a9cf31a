"""Looking at processes from a test: who lives in a group, and waiting for something within a bound."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from realign.run import Run

ROOT = Path(__file__).parents[1]
TIDES = ROOT / "examples" / "tides.pdf"
DATASET = ("train.jsonl", "valid.jsonl", "test.jsonl")
# Thresholds that the example passes whatever its author is tuned to: these tests are about doors, not about quality.
EASY: dict[str, float] = {
    "prompt_clarity": 0.3, "enough_completions": 0.5, "gap_high": 0.05, "gap_medium": 0.02, "agreement_high": 0.5,
    "agreement_medium": 0.4, "length_bias": 0.95, "pairs_high": 40, "pairs_medium": 20,
}  # fmt: skip
EASY_WORDS = [f"gates.{name}={value}" for name, value in EASY.items()]
T = TypeVar("T")


def until(found: Callable[[], T], seconds: float = 30.0) -> T:
    """What `found` gives as soon as it is true. Fails the test after `seconds`."""
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.02)
    return value


def listed(columns: str) -> list[str]:
    """A line for each process of the machine."""
    words = ["ps", "-A", "-ww", "-o", columns]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()


def members(group: int) -> list[int]:
    """Ids of the living processes of a group; those that only wait to be reaped don't count."""
    rows = [line.split() for line in listed("pid=,pgid=,stat=")]
    return [int(pid) for pid, pgid, state in rows if int(pgid) == group and not state.startswith("Z")]


def workers_of(folder: Path) -> list[int]:
    """Ids of the living workers of a run."""
    rows = [line.split(None, 2) for line in listed("pid=,stat=,args=")]
    wanted = f"realign.job.worker {folder.resolve()} "
    return [int(pid) for pid, state, words in rows if wanted in words and not state.startswith("Z")]


@contextlib.contextmanager
def ended_for_sure(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """The process, killed at the end if it still lives."""
    try:
        yield process
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.communicate()


def dataset_bytes(folder: Path) -> dict[str, bytes]:
    """The dataset files of a run."""
    return {name: (folder / name).read_bytes() for name in DATASET}


CONTENTS = {
    "records": "SELECT id, kind, stage, parent, body FROM records ORDER BY seq",
    "drops": "SELECT stage, step, record, kind, reason, detail FROM drops ORDER BY seq",
    "done": "SELECT stage, item FROM done ORDER BY stage, item",
}
MORE = {
    "counters": "SELECT stage, name, value FROM counters ORDER BY stage, name",
    "gates": "SELECT stage, name, body FROM gates ORDER BY stage, name",
}


def contents(run: Run, *more: str) -> dict[str, list[Any]]:
    """Everything that a run's stages left in its database, in order, and what `more` names."""
    tables = {**CONTENTS, **{name: MORE[name] for name in more}}
    return {name: list(run.db.execute(query)) for name, query in tables.items()}
