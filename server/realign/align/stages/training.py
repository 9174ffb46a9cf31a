"""What the training stages share: a schedule turned by knobs, a place for the weights, and readings as records."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from realign.align.attempts import Attempt, Knobs
from realign.align.places import attempt_folder, checkpoint_of, state_folder
from realign.records import Checkpoint, Reading, make_id
from realign.settings import Adapter, Settings, Training
from realign.work import Work

if TYPE_CHECKING:
    from realign.align.track import Track
    from realign.engine.mlx import Loaded

HELD_OUT, TRAIN = "held-out", "train"


def track(work: Work, attempt: Attempt, base: Path, parent: str, by: str = "") -> Track:
    """An attempt's own place for its checkpoints, and the run to tell. parent: the checkpoint that it begins with; by:
    what rewards it, where that is not in the data."""
    from realign.align.telling import Telling
    from realign.align.track import Track
    from realign.engine.folders import model_identity

    state = state_folder(work.run, work.stage, attempt.number)
    identity = f"{model_identity(base)} {by}".rstrip()
    return Track(state, identity, Telling(work, attempt.number, parent), work.stopping)


def turned(training: Training, schedule: str, knobs: Knobs) -> Training:
    """The training with a schedule whose rates and steps are multiplied by the knobs `rate` and `steps`."""
    from realign.align.schedule import parse_schedule

    rate, steps = knobs.get("rate", 1.0), knobs.get("steps", 1.0)
    segments = parse_schedule(schedule).segments
    turned = ",".join(f"{max(1, round(count * steps))}:{value * rate:g}" for count, value in segments)
    return training.model_copy(update={"schedule": turned})


def epochs(rows: int, training: Training, rate: float, times: float = 1.0) -> str:
    """A schedule that goes over `rows` rows `times` times."""
    a_step = training.rows * training.accumulate
    return f"{max(1, math.ceil(rows * times / a_step))}:{rate:g}"


def adapter_of(settings: Settings) -> Adapter:
    """Which weights are trained: all of the tiny model's, which begins at random; else what the settings say."""
    return settings.adapter if settings.model else settings.adapter.model_copy(update={"kind": "full"})


def keep_weights(work: Work, attempt: Attempt, loaded: Loaded, base: Path, parent: str) -> Checkpoint:
    """Write what was trained into the attempt's folder, and its record. A killed attempt's leftovers go first."""
    from realign.align.adapters import write_adapter
    from realign.align.models import write_model

    adapter = adapter_of(work.settings)
    folder = attempt_folder(work.run, work.stage, attempt.number) / ("model" if adapter.kind == "full" else "adapter")
    shutil.rmtree(folder, ignore_errors=True)
    if adapter.kind == "full":
        write_model(loaded, base, folder)
    else:
        write_adapter(folder, loaded.model, adapter, base)
    return checkpoint_of(work.run, work.stage, attempt.number, folder, parent, dict(attempt.knobs))


def reading(work: Work, attempt: int, metric: str, part: str, parent: str, values: dict[str, Any]) -> Reading:
    """One measurement as a record."""
    identity = make_id("reading", work.stage, attempt, metric, part, parent)
    numbers = {name: float(value) for name, value in values.items()}
    return Reading(identity, parent, work.stage, attempt, metric, part, numbers)


T = TypeVar("T")


def some(rows: Sequence[T], most: int, seed: int, identity: Any) -> list[T]:
    """At most `most` rows, by a hash of what `identity` gives: the same ones each time, in their order."""
    ranked = sorted(range(len(rows)), key=lambda place: make_id(seed, identity(rows[place])))[:most]
    return [rows[place] for place in sorted(ranked)]
