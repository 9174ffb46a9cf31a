"""What a stage is given to work with, and how it says how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from realign.errors import Interrupted
from realign.run import Run
from realign.settings import Settings


@dataclass(slots=True)
class Work:
    """What a stage works with: the run to read from, its settings, and how to say how far it is."""

    run: Run
    settings: Settings
    stage: str
    stopping: Callable[[], bool] = lambda: False
    said: float = field(default=0.0)

    def progress(self, done: int | None, total: int, message: str = "") -> None:
        """Say how far the stage is, at most five times a second. Raises Interrupted when it should stop."""
        if self.stopping():
            raise Interrupted(f"{self.stage} was stopped", fix="the same command goes on where it stopped")
        if done is None or done >= total or time.monotonic() - self.said > 0.2:
            self.run.progress(self.stage, done, total, message)
            self.said = time.monotonic()
