"""Texts for the benchmarks of duplicates and contamination, and a way to time work with its peak memory.

A language of 6,000 made words in which each word is followed by one of 30: phrases repeat, as they do in a textbook,
and every text of about 55 words differs. The same seed gives the same texts anywhere. `measure` runs one side of a
script in a process of its own, so that its peak memory is not that of whatever ran before.
"""

from __future__ import annotations

import importlib.util
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

VOCABULARY, FOLLOWERS = 6_000, 30
TOGETHER = 20_000


def make_texts(count: int, seed: int, mean: float = 55) -> list[str]:
    """`count` texts of 14 to some 150 words, `mean` on average."""
    rng, words = np.random.default_rng(seed), make_words()
    follow = np.random.default_rng(7).integers(0, VOCABULARY, (VOCABULARY, FOLLOWERS))
    texts: list[str] = []
    while len(texts) < count:
        sizes = np.clip(rng.lognormal(np.log(mean) - 0.06, 0.35, TOGETHER).astype(int), 14, None)
        grid = np.empty((TOGETHER, sizes.max()), dtype=int)
        grid[:, 0] = rng.integers(0, VOCABULARY, TOGETHER)
        for column in range(1, sizes.max()):
            likely = (FOLLOWERS * rng.random(TOGETHER) ** 2).astype(int)  # the first followers come most often
            grid[:, column] = follow[grid[:, column - 1], likely]
        texts += [" ".join(map(words.__getitem__, row[:size])) for row, size in zip(grid.tolist(), sizes, strict=True)]
    return texts[:count]


def make_words() -> list[str]:
    rng = random.Random(7)
    syllables = [a + b for a in "bcdfghklmnprstvw" for b in ("a", "e", "i", "o", "u", "ar", "en", "is")]
    made: dict[str, None] = {}
    while len(made) < VOCABULARY:
        made["".join(rng.choices(syllables, k=rng.choice((1, 2, 2, 3))))] = None
    return list(made)


def edit(text: str, share: float, rng: random.Random, words: Sequence[str]) -> str:
    """The text with this share of its words replaced, at least one."""
    found = text.split()
    for place in rng.sample(range(len(found)), max(1, round(share * len(found)))):
        found[place] = rng.choice(words)
    return " ".join(found)


def measure(script: str, side: str, **texts: Sequence[str]) -> dict[str, Any]:
    """{"seconds", "megabytes", "found"} of SIDES[side](**texts) in a new process, or {"missing": why}."""
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "texts.jsonl"
        with given.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps((name, text)) + "\n" for name, group in texts.items() for text in group)
        done = subprocess.run([sys.executable, script, "--side", side, str(given)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def run_side(sides: dict[str, tuple[str, Callable[..., Any]]], arguments: Sequence[str]) -> None:
    """The other end of `measure`: reads the texts, works, prints the result. The peak includes the texts."""
    library, work = sides[arguments[0]]
    if importlib.util.find_spec(library) is None:
        print(json.dumps({"missing": f"{library} is not installed"}))
        return
    texts = defaultdict(list)
    with open(arguments[1], encoding="utf-8") as file:
        for name, text in map(json.loads, file):
            texts[name].append(text)
    start = time.perf_counter()
    found = work(**texts)
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "megabytes": peak_megabytes(), "found": found}))


def peak_megabytes() -> float:
    """Peak resident memory of this process. Linux counts a parent's peak into ru_maxrss, but not into VmHWM."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def report(script: str, sides: Sequence[str], judge: Callable[[Any], str], **texts: Sequence[str]) -> None:
    """One line a side: seconds, how many times the first side's, peak memory, and what `judge` says of its finds."""
    base = 0.0
    for side in sides:
        got = measure(script, side, **texts)
        if "missing" in got:
            print(f"{side:10} not measured: {got['missing']}", flush=True)
            continue
        base = base or got["seconds"]
        times = f"{got['seconds']:8.2f} s {got['seconds'] / base:7.2f}x {got['megabytes']:6.0f} MB"
        print(f"{side:10} {times}  {judge(got['found'])}", flush=True)
