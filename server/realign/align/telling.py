"""What a training tells while it goes on: the progress line, and the points of its curves, kept as they are made.

    telling = Telling(work, attempt, parent)
    train(..., progress=telling)

A point is the mean of the steps since the one before; there are about POINTS in a training. They are committed at
once, so a killed training keeps its curve, and a resumed one goes on with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from realign.records import Step, make_id
from realign.run import Batch
from realign.work import Work

if TYPE_CHECKING:
    from realign.align.loop import Report

POINTS = 60
IDLE = "idle, for want of rows in a batch"
SHOWN = ("margin", "kl", "accuracy", "reward", "entropy")


class Telling:
    """A progress callback for the loop."""

    def __init__(self, work: Work, attempt: int, parent: str) -> None:
        self.work, self.attempt, self.parent = work, attempt, parent
        self.waiting: list[dict[str, float]] = []
        self.kl: dict[str, float] = {}  # as it was measured last, where steps themselves don't tell it

    def __call__(self, report: Report) -> None:
        """Take one step's report. Raises Interrupted when the stage should stop."""
        self.waiting.append(
            {"loss": report.loss, "learning_rate": report.rate, "grad_norm": report.norm, **report.metrics}
        )
        if report.held_out or report.step % max(1, report.steps // POINTS) == 0 or report.step == report.steps:
            self.keep(report)
        self.kl = {"kl": report.held_out["kl"]} if "kl" in report.held_out else self.kl
        left = report.steps - report.step
        rate = left / report.seconds_left if report.seconds_left else None
        self.work.progress(report.step, report.steps, line(report, self.attempt, self.kl), rate)

    def keep(self, report: Report) -> None:
        """Commit a point of the curve."""
        values = {name: sum(each[name] for each in self.waiting) / len(self.waiting) for name in self.waiting[0]}
        values |= {f"held-out {name}": value for name, value in report.held_out.items()}
        identity = make_id("step", self.work.stage, self.attempt, report.step)
        point = Step(identity, self.parent, self.work.stage, self.attempt, report.step, values)
        self.work.run.commit(self.work.stage, Batch(records=[point]))
        self.waiting.clear()


def line(report: Report, attempt: int, kl: Mapping[str, float]) -> str:
    """loss 0.512, margin 0.31, 1,240 tokens/s, 2.1 GB, and the attempt where it is not the first."""
    told = {**kl, **report.metrics}
    shown = [f"loss {report.loss:.3f}", *(f"{name} {told[name]:.3g}" for name in SHOWN if name in told)]
    shown += [f"{report.tokens_per_second:,.0f} tokens/s", f"{report.memory_gb:.1f} GB"]
    shown += [f"{report.idle} {IDLE}"] if report.idle else []
    return ", ".join(shown + [f"attempt {attempt}"] * (attempt > 1))
