"""The learning rate of every step, from a line like "400:2e-5,400:1e-5,200:2e-6" and a warm-up.

schedule = parse_schedule("400:2e-5,400:1e-5", warmup=0.1)
schedule.steps, rate_at(schedule, 0)         800, 2.5e-07
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from realign.errors import UsageError


@dataclass(frozen=True, slots=True)
class Schedule:
    """Segments of (steps, rate) one after the other, and the steps over which the first rates are reached."""

    segments: tuple[tuple[int, float], ...]
    warmup: int

    @property
    def steps(self) -> int:
        """All steps."""
        return sum(steps for steps, _ in self.segments)


def parse_schedule(text: str, warmup: float = 0.0) -> Schedule:
    """`steps:rate` segments, separated by commas. warmup: share of all steps, in 0..1. Raises UsageError."""
    segments = []
    for part in text.split(","):
        steps, colon, rate = part.strip().partition(":")
        try:
            segment = int(steps), float(rate)
        except ValueError:
            segment = 0, 0.0
        if not colon or segment[0] < 1 or not 0 < segment[1] < math.inf:
            raise UsageError(
                f"{part.strip()!r} in the schedule {text!r} is no segment",
                "steps:rate with a whole number of steps above 0 and a rate above 0",
                "400:2e-5,400:1e-5,200:2e-6",
            )
        segments.append(segment)
    return Schedule(tuple(segments), round(warmup * sum(steps for steps, _ in segments)))


def rate_at(schedule: Schedule, step: int) -> float:
    """The rate of step `step`, counted from 0: the segment's, times (step + 1) / warmup while it warms up."""
    rise = min(1.0, (step + 1) / schedule.warmup) if schedule.warmup else 1.0
    for steps, rate in schedule.segments:
        if step < steps:
            return rate * rise
        step -= steps
    return schedule.segments[-1][1] * rise
