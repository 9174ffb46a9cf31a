"""The knee of a batch sweep: from which batch size on a larger one takes memory for nothing.

knee(found.scoring)             -> 32
explain_knee(found.scoring)     the same in one sentence, with its figures and the noise
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from realign.hardware.calibration import Point

NEAR_BEST = 0.05  # of the best throughput: what a smaller batch size may lack


def knee(points: Sequence[Point]) -> int:
    """The smallest batch size within 5 % of the best examples/s: more memory for less than that is no gain.

    Raises ValueError without points.
    """
    best = max(point.examples_per_second for point in points)
    return min(point.batch_size for point in points if point.examples_per_second >= (1 - NEAR_BEST) * best)


def explain_knee(points: Sequence[Point]) -> str:
    """One sentence: the knee, what it lacks of the best, and how far repetitions differ, with the figures."""
    chosen = next(point for point in points if point.batch_size == knee(points))
    best = max(points, key=lambda point: point.examples_per_second)
    said = f"batch size {chosen.batch_size}, {chosen.examples_per_second:.3g} examples/s, is the fastest"
    if chosen is not best:
        lack = 1 - chosen.examples_per_second / best.examples_per_second
        said = (
            f"batch size {chosen.batch_size} is the smallest within {NEAR_BEST:.0%} of the best:"
            f" {chosen.examples_per_second:.3g} examples/s, {lack:.1%} below {best.examples_per_second:.3g} at"
            f" {best.batch_size}"
        )
    spreads = [point.spread for point in points if point.repetitions > 1]
    if not spreads:
        return f"{said}; measured once, so nothing is known of the noise"
    noise = statistics.median(spreads)
    said += f"; repetitions differ by ±{noise:.1%} (median over the batch sizes)"
    return said + (", more than that margin: on a quieter machine it may move" if noise > NEAR_BEST else "")
