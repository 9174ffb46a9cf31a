"""How far a run is, read from its database: any process may look, and nobody who works is asked.

with Watch(folder) as watch:
    print(watch.look())          source (1 of 6): 120 of 300, 14.2/s, 13 s left
    watch.writer()               "realign (process 4711 on studio)", or "" when nobody writes the run
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from realign.run import PACE, Run, StageState

HUNG_AFTER = 600.0  # seconds without a sign of life before it is said
WINDOW = 30.0  # seconds over which a rate is measured
MOVES = 4  # moves that a rate rests on, however long they took
DOING = "doing"  # the note that says what a worker does before its first stage


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. place counts stages from 1 to `stages`; done and total count the present stage's inputs.

    rate is in inputs a second over the last half minute; rate and seconds_left are None while unknown. quiet is how
    many seconds ago the worker last wrote. news is what happened since the last look, as "stage: what". A stage that
    was running when its worker was killed is "cancelled".
    """

    stage: str
    status: str
    place: int
    stages: int
    done: int
    total: int
    rate: float | None
    seconds_left: float | None
    message: str
    quiet: float
    news: tuple[str, ...] = ()

    @property
    def overall(self) -> float:
        """Stages finished, the present one in part: 0 at the start, `stages` at the end."""
        within = min(self.done / self.total, 1.0) if self.total else 0.0
        return self.place - 1 + (1.0 if self.status in ("passed", "warned") else within)

    @property
    def hung(self) -> bool:
        """True when a running stage has given no sign of life for ten minutes."""
        return self.status == "running" and self.quiet > HUNG_AFTER

    def __str__(self) -> str:
        """One line: the stage, how far, how fast, how much longer."""
        parts = [f"{self.stage} ({self.place} of {self.stages})"]
        parts[0] += f": {self.done:,} of {self.total:,}" if self.total else f": {self.status}"
        parts += [self.status] if self.total and self.status != "running" else []
        if self.status == "running":
            parts += [f"{self.rate:,.1f}/s"] if self.rate else []
            parts += [f"{duration(self.seconds_left)} left"] if self.seconds_left is not None else []
            parts += [self.message] if self.message else []
        if self.hung:
            parts.append(
                f"no sign of life for {duration(self.quiet)}: it may hang; stop it, then go on with the same words"
            )
        return ", ".join(parts)


def duration(seconds: float) -> str:
    """Seconds as people say them: 42 s, 3 min 20 s, 2 h 05 min."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


class Watch:
    """Looks at one run again and again, and remembers enough to know its rate."""

    def __init__(self, folder: Path) -> None:
        self.run = Run.open(folder)
        self.seen: deque[tuple[float, int]] = deque()
        self.stage = ""
        self.heard = len(self.run.events())

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.run.close()

    def writer(self) -> str:
        """Who writes the run now, or "" for nobody."""
        return self.run.holder()

    def look(self) -> Progress:
        """How far the run is now."""
        names = self.run.noted("stages", [])
        states = [self.run.stage(name) for name in names] or [StageState("")]
        place = _present(states)
        doing = self.run.noted(DOING, "")
        if doing and self.writer():
            return Progress(states[place].name, "running", place + 1, len(states), 0, 0, None, None, doing, 0.0)
        state = states[place]
        status = state.status
        if status == "running" and not self.writer():
            status = "cancelled"
        rate = (self._rate(state) or self._told(state)) if state.total else None
        left = (state.total - state.done) / rate if rate and status == "running" and state.total > state.done else None
        quiet = time.time() - (state.updated or time.time())
        done = min(state.done, state.total) if state.total else state.done
        return Progress(
            state.name,
            status,
            place + 1,
            len(states),
            done,
            state.total,
            rate,
            left,
            state.message,
            quiet,
            self._news(),
        )

    def _news(self) -> tuple[str, ...]:
        """Events that this watch has not told yet: an attempt that was rejected, a machine that was lost."""
        events = self.run.events(skip=self.heard)
        self.heard += len(events)
        return tuple(f"{stage}: {message}" for _, stage, message, _ in events)

    def _told(self, state: StageState) -> float | None:
        """The rate that the stage itself told, until this watch has seen one."""
        pace = self.run.noted(PACE, {})
        return float(pace["rate"]) if pace.get("stage") == state.name and state.status == "running" else None

    def _rate(self, state: StageState) -> float | None:
        """Inputs a second in the window, or between the last moves where inputs take longer than that; None before
        anything was seen to move."""
        now = time.monotonic()
        if state.name != self.stage or (self.seen and self.seen[-1][1] > state.done):
            self.seen.clear()
            self.stage = state.name
        if not self.seen or state.done > self.seen[-1][1]:
            self.seen.append((now, state.done))
        while len(self.seen) > MOVES and now - self.seen[0][0] > WINDOW:
            self.seen.popleft()
        (first, before), (last, done) = self.seen[0], self.seen[-1]
        return (done - before) / (last - first) if done > before else None


def _present(states: Sequence[StageState]) -> int:
    """The place of the stage that is running, else of the one that was written last, else the first."""
    running = [place for place, state in enumerate(states) if state.status == "running"]
    return max(running or range(len(states)), key=lambda place: (states[place].updated or 0.0, -place))


def run_lines(folders: Iterable[Path]) -> list[str]:
    """One line a run: its id, how far it is, and its folder."""
    lines = []
    for folder in folders:
        with Watch(folder) as watch:
            lines.append(f"{folder.name}: {watch.look()}; {folder}")
    return lines
