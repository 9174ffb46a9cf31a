"""How a training is kept track of: what every kind of training is given beside what it learns.

    track = Track("run/checkpoints", base="llama 3f2a", progress=print, stopping=asked_to_stop)
    trained = track.train(("sft", data), model, objective, feed, training)

A training that is found there with the same identity is taken up where it was; one with another is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

import mlx.nn as nn

from realign.align.checkpoints import Checkpoints
from realign.align.loop import Feed, Report, Trained, train
from realign.align.steps import Objective
from realign.records import make_id
from realign.settings import Training


@dataclass(frozen=True, slots=True)
class Track:
    """checkpoints: a folder or an fsspec address, None to keep nothing. base: what else must be the same to resume: the
    identity of the model (engine/folders.py), and of whatever rewards it."""

    checkpoints: str | Path | None = None
    base: str = ""
    progress: Callable[[Report], None] = lambda report: None
    stopping: Callable[[], bool] = lambda: False

    def train(
        self,
        identity: tuple[object, ...],
        model: nn.Module,
        objective: Objective,
        feed: Feed,
        settings: Training,
        evaluate: Callable[[], dict[str, float]] | None = None,
    ) -> Trained:
        """loop.train with all this, and its errors. identity: the kind of training, its data and its settings."""
        name = make_id(*identity, self.base)
        with closing(Checkpoints(self.checkpoints, name)) if self.checkpoints else nullcontext() as kept:
            return train(
                model, objective, feed, settings, checkpoints=kept, evaluate=evaluate, progress=self.progress,
                stopping=self.stopping,
            )  # fmt: skip


UNTRACKED = Track()
