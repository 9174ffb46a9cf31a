"""What a stage is given to work with: the run, its settings, how to say how far it is, and how items are gone through.

    yield from work.each(prompts, 64, prepare, "answering prompts", len(all_prompts))

A stage that treats its items one by one gives them to `each`. Here they are answered in order, by this process; on
several machines (job/ranks.py) each machine answers a part, and the same batches come back in the same order.

A stage that trains is gone through by every machine up to the end of its training (job/lockstep.py); this process takes
up the checkpoint that they left, and measures it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from realign.errors import Interrupted
from realign.run import PACE, Batch, Run
from realign.settings import Settings

Answer = Callable[[Sequence[Any]], Batch]
# (work, items, grain, prepare) -> batches in the items' order; None where this process does it all.
Share = Callable[["Work", Sequence[Any], int, Callable[[], Answer]], Iterator[Batch]]
# (work, attempt) -> nothing: brings an attempt's training to its end on several machines. Raises what ended it earlier.
Lockstep = Callable[["Work", int], None]
T = TypeVar("T")


class Trained(Exception):
    """A rank's part of a stage is done: its training is over, and what follows is for one process."""


@dataclass(slots=True)
class Work:
    """What a stage works with. share: how items are divided among machines, lockstep: how they train together; None
    for this process alone. ranked: this is one of several processes that train together."""

    run: Run
    settings: Settings
    stage: str
    stopping: Callable[[], bool] = lambda: False
    share: Share | None = None
    lockstep: Lockstep | None = None
    ranked: bool = False
    said: float = field(default=0.0)

    def progress(self, done: int | None, total: int | None, message: str = "", rate: float | None = None) -> None:
        """Say how far the stage is, at most five times a second. Raises Interrupted when it should stop.

        None leaves what was said before. rate: inputs a second, where the stage knows it better than who looks on.
        """
        if self.stopping():
            raise Interrupted(f"{self.stage} was stopped", fix="the same command goes on where it stopped")
        if done is None or total is None or done >= total or time.monotonic() - self.said > 0.2:
            self.run.progress(self.stage, done, total, message)
            if rate:
                self.run.note(PACE, {"stage": self.stage, "rate": rate})
            if done is not None:  # after other words, the first count is told at once
                self.said = time.monotonic()

    def say(self, message: str) -> None:
        """Say what the stage does beside its inputs; how far it is stays. Raises Interrupted when it should stop."""
        self.progress(None, None, message)

    def train_together(self, attempt: int) -> None:
        """Have several machines train, where there are several: what they leave is then resumed here, at its end."""
        if self.lockstep:
            self.lockstep(self, attempt)

    def trained(self) -> None:
        """Said once a training is over. On a rank nothing follows it."""
        if self.ranked:
            raise Trained

    def each(
        self,
        items: Sequence[T],
        size: int,
        grain: int,
        prepare: Callable[[], Callable[[Sequence[T]], Batch]],
        message: str,
        total: int,
    ) -> Iterator[Batch]:
        """Answer `items`, each on its own, and give the batches in their order.

        size: items of a batch that is committed at once. grain: fewest items that a machine answers at once without
        losing speed. prepare opens what answering needs (a model), and is called only where items are answered.
        """
        answered = self.share(self, items, grain, prepare) if self.share else in_order(items, size, prepare)
        self.progress(None, total, message)
        for batch in answered:
            yield batch
            self.progress(None, total, message)


def in_order(items: Sequence[T], size: int, prepare: Callable[[], Callable[[Sequence[T]], Batch]]) -> Iterator[Batch]:
    """Answer all items in this process, `size` at a time."""
    if items:
        answer = prepare()
        for start in range(0, len(items), size):
            yield answer(items[start : start + size])
