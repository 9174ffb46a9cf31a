"""What a stage is given to work with: the run, its settings, how to say how far it is, and how items are gone through.

    yield from work.each(prompts, 64, prepare, "answering prompts", len(all_prompts))

A stage that treats its items one by one gives them to `each`. Here they are answered in order, by this process; on
several machines (job/ranks.py) each machine answers a part, and the same batches come back in the same order.
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
T = TypeVar("T")


@dataclass(slots=True)
class Work:
    """What a stage works with. share: how items are divided among machines, None for this process alone."""

    run: Run
    settings: Settings
    stage: str
    stopping: Callable[[], bool] = lambda: False
    share: Share | None = None
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
            self.said = time.monotonic()

    def say(self, message: str) -> None:
        """Say what the stage does beside its inputs; how far it is stays. Raises Interrupted when it should stop."""
        self.progress(None, None, message)

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
