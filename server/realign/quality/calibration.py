"""Calibration: whether answers that say they are 70 % sure are right 70 % of the time.

calibration_error([0.7, 0.9, ...], [True, False, ...]) -> Measure(value=0.04, n=212, low=0.03, high=0.09)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from realign.errors import EmptyInput
from realign.quality.metrics import RESAMPLES, Measure

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]
BINS = 10


def calibration_error(confidences: Sequence[float], truths: Sequence[bool], bins: int = BINS, seed: int = 0) -> Measure:
    """Expected calibration error over equal bins, in 0..1: sum of n_b / N * |accuracy_b - mean confidence_b|.

    0 is perfect; stating 95 % and being right half the time gives 0.45. A confidence of 1 belongs to the last bin.
    The interval is a bootstrap over answers. Details: each bin that holds one, with its count, confidence and accuracy.
    Source: Guo et al., 1706.04599. Raises EmptyInput for no answers, ValueError for a confidence outside 0..1.
    """
    import numpy as np

    if not confidences:
        raise EmptyInput("No answer states a confidence whose truth is known", "at least one")
    stated, true = np.asarray(confidences, dtype=np.float64), np.asarray(truths, dtype=np.float64)
    if len(stated) != len(true) or stated.min() < 0 or stated.max() > 1:
        raise ValueError("confidences must be in 0..1, one truth each")
    places = np.minimum((stated * bins).astype(int), bins - 1)

    def error(chosen: Array) -> float:
        sums = np.bincount(places[chosen], true[chosen] - stated[chosen], bins)
        return float(np.abs(sums).sum() / len(chosen))

    n, rng = len(stated), np.random.default_rng(seed)
    errors = [error(rng.integers(0, n, n)) for _ in range(RESAMPLES)]
    low, high = (float(edge) for edge in np.quantile(errors, (0.025, 0.975)))
    return Measure(error(np.arange(n)), n, low, high, "share", details={"bins": _bins(places, stated, true, bins)})


def _bins(places: Array, stated: Array, true: Array, bins: int) -> list[dict[str, float]]:
    """The bins that hold an answer: their lower edge, how many, mean confidence and accuracy."""
    return [
        {
            "from": round(b / bins, 4), "n": int(mine.sum()), "confidence": round(float(stated[mine].mean()), 4),
            "accuracy": round(float(true[mine].mean()), 4),
        }
        for b in range(bins) if (mine := places == b).any()
    ]  # fmt: skip
