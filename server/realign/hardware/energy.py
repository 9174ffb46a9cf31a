"""Joules of the work that goes on, where the operating system lets this user read them.

    with metered() as energy:
        work()
    energy.joules, energy.seconds, energy.source        # joules None: not measured, and `source` says why

Linux counts the energy of the processor's packages (RAPL: /sys/class/powercap). That is all processes on them, with the
memory where the counter has it, and without GPU, disks and power supply. macOS tells its power to root alone.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
SAMPLE_EVERY = 30.0  # seconds; a counter of 262 kJ wraps after 20 minutes at 200 W
NOT_ON_MACOS = "macOS tells its power to root alone"


@dataclass(slots=True)
class Energy:
    """What was used while it was metered. joules: None where nothing can be read; source: the counter, or why none."""

    joules: float | None = None
    seconds: float = 0.0
    source: str = ""


@dataclass(frozen=True, slots=True)
class Counter:
    """One counter of microjoules, which starts again from 0 after `limit`."""

    file: Path
    limit: int


@contextlib.contextmanager
def metered(powercap: Path = POWERCAP, every: float = SAMPLE_EVERY) -> Iterator[Energy]:
    """Meter what is done in the block; the figures stand when it has ended, however it ended."""
    counters, source = find_counters(powercap)
    energy, began, stop = Energy(0.0 if counters else None, source=source), time.monotonic(), threading.Event()
    first = [_microjoules(counter) for counter in counters]
    reader = threading.Thread(target=_count, args=(counters, first, energy, stop, every), daemon=True)
    reader.start()
    try:
        yield energy
    finally:
        stop.set()
        reader.join()
        energy.seconds = time.monotonic() - began


def find_counters(powercap: Path = POWERCAP) -> tuple[tuple[Counter, ...], str]:
    """(the counters that together are this machine's processors, what they are), or (none, why there are none).

    The counter of the whole platform alone where there is one; else every package, and memory where it is apart.
    """
    if sys.platform == "darwin":
        return (), NOT_ON_MACOS
    zones = {path: _read(path / "name") for path in sorted(powercap.glob("intel-rapl:*"))}
    platform = [path for path, name in zones.items() if name == "psys"]
    chosen = platform or [path for path, name in zones.items() if name.startswith("package") or name == "dram"]
    if not chosen:
        return (), "no energy counter (RAPL) on this machine"
    counters = [Counter(path / "energy_uj", int(_read(path / "max_energy_range_uj") or 0)) for path in chosen]
    if any(_microjoules(counter) is None for counter in counters):
        return (), "the energy counter (RAPL) can be read by root alone"
    names = " + ".join(dict.fromkeys(zones[path].split("-")[0] for path in chosen))
    return tuple(counters), f"RAPL counter of {names}, all processes"


def difference(before: int, after: int, limit: int) -> int:
    """Microjoules between two readings of a counter that may have started again from 0 once."""
    return after - before if after >= before else after + limit - before


def _count(
    counters: tuple[Counter, ...], before: list[int | None], energy: Energy, stop: threading.Event, every: float
) -> None:
    """Add up what the counters move, often enough that none wraps twice between two readings."""
    ended = False
    while not ended and energy.joules is not None:
        ended = stop.wait(every)
        now = [_microjoules(counter) for counter in counters]
        for counter, first, last in zip(counters, before, now, strict=True):
            if first is None or last is None:
                energy.joules, energy.source = None, "the energy counter (RAPL) could not be read to the end"
                return
            energy.joules += difference(first, last, counter.limit) / 1e6
        before = now


def _microjoules(counter: Counter) -> int | None:
    text = _read(counter.file)
    return int(text) if text.isdigit() else None


def _read(path: Path) -> str:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return path.read_text(encoding="utf-8").strip()
    return ""
