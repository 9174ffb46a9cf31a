"""What the models of a run do on this machine, asked of every machine before a distributed launch:

    python -P -m realign.job.vitals '{"models": ["/models/qwen"]}'

    {"probe": "beat"}                    every second, while a model loads and works
    {"probe": "answer", "models": {"/models/qwen": {"gradients": [...], "answers": [...], "rate": 3.8, ...}}}

One model is in memory at a time. A model that can't be used is a problem in the answer, no error.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from realign.errors import ModelError
from realign.hardware.facts import Measured, Vitals
from realign.hardware.probe import answer

TIMING_SECONDS = 30.0  # of repeating the calibrated batch


def measure_all(models: Iterable[str]) -> Measured:
    """Load one model after the other and measure it."""
    return Measured(models={folder: measure(Path(folder)) for folder in models})


def measure(folder: Path) -> Vitals:
    """One model's vitals."""
    from realign.engine import OFFLINE

    os.environ.update(OFFLINE)  # read by the libraries when they are imported, so before the imports below
    from realign.engine import mlx, vitals
    from realign.engine.accel import use_fast_blas

    use_fast_blas()
    try:
        loaded = mlx.load(folder)
    except ModelError as error:
        return Vitals(problem=error.found)
    items = vitals.planted_items(loaded)
    answers = [[_number(value) for value in row] for row in vitals.answer_logprobs(loaded, items)]
    gradients, no_gradients = list[float](), ""
    try:
        gradients = vitals.gradient_norms(loaded.model, items)
    except (RuntimeError, ValueError, NotImplementedError) as error:  # an operation without a gradient
        no_gradients = f"{type(error).__name__}: {error}"
    return Vitals(
        type=vitals.logits_type(loaded.model), answers=tuple(map(tuple, answers)),
        gradients=tuple(map(_number, gradients)), no_gradients=no_gradients, rate=time_again(loaded, folder),
    )  # fmt: skip


def time_again(loaded: Any, folder: Path) -> float | None:
    """Examples/s now, at the batch size and on the work that this machine's calibration rests on; None without one."""
    from realign import settings
    from realign.curate.judges.model import rating_question
    from realign.engine import sweep
    from realign.hardware.calibration import find_calibration
    from realign.hardware.machines import this_machine
    from realign.hardware.models import measure_model
    from realign.job.measure import make_case

    found = find_calibration(this_machine(), measure_model(str(folder)))
    if found is None:
        return None
    scale, batch_size = settings.Judge().scale, found.best_scoring
    questions = [rating_question(make_case(n), False, scale) for n in range(batch_size)]
    return sweep.timed(sweep.rating(loaded, questions))(batch_size, TIMING_SECONDS).examples_per_second


def _number(value: float) -> float | None:
    """Six decimals of a number; None for infinity and for what is none."""
    return round(float(value), 6) if math.isfinite(value) else None


if __name__ == "__main__":
    sys.exit(answer(sys.argv[1:], lambda request: measure_all(request["models"])))
