"""The mix of an anti-hallucination dataset: how many of each category, and how much of what was asked for was reached.

mix_sizes({"refusal": 90, "hedged": 20, "confident": 200, "edge": 100}, shares, slack=0.1)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from realign.errors import EmptyInput
from realign.quality import metrics
from realign.quality.metrics import Measure

CATEGORIES = ("refusal", "hedged", "confident", "edge")


def mix_sizes(supply: Mapping[str, int], shares: Mapping[str, float], slack: float) -> dict[str, int]:
    """How many of each category to take: the largest total in which no share exceeds its target by more than `slack`.

    Shares are scaled to a sum of 1. Where no total does (a category is missing altogether), the slack is widened by
    tenths until one does.
    """
    total = sum(shares.values()) or 1.0
    wanted = {category: share / total for category, share in shares.items()}
    for wider in range(11):
        size = _largest(supply, wanted, slack + wider / 10)
        if size:
            return _filled(supply, wanted, slack + wider / 10, size)
    return dict.fromkeys(supply, 0)


def _largest(supply: Mapping[str, int], wanted: Mapping[str, float], slack: float) -> int:
    for size in range(sum(supply.values()), 0, -1):
        if sum(min(supply[c], int((wanted[c] + slack) * size + 1e-9)) for c in supply) >= size:
            return size
    return 0


def _filled(supply: Mapping[str, int], wanted: Mapping[str, float], slack: float, size: int) -> dict[str, int]:
    """Targets first, then one at a time to the category that is least above its own."""
    taken = {c: min(supply[c], int(wanted[c] * size + 1e-9)) for c in supply}
    while sum(taken.values()) < size:
        able = [c for c in supply if taken[c] < min(supply[c], int((wanted[c] + slack) * size + 1e-9))]
        least = min(able, key=lambda c: (taken[c] / size - wanted[c], c))
        taken[least] += 1
    return taken


def mix_reached(categories: Iterable[str], shares: Mapping[str, float]) -> Measure:
    """How much of the mix was reached, in 0..1: the sum over categories of the smaller of share and target.

    1 is the mix exactly; a missing category costs its whole target. Details: both, by category. Raises EmptyInput.
    """
    import numpy as np

    found, total = list(categories), sum(shares.values()) or 1.0
    if not found:
        raise EmptyInput("Nothing to measure", "at least one row")
    wanted = np.array([share / total for share in shares.values()])
    reached = np.array([found.count(category) for category in shares]) / len(found)
    drawn = np.random.default_rng(0).multinomial(len(found), reached / max(reached.sum(), 1e-12), metrics.RESAMPLES)
    overlaps = np.minimum(drawn / len(found), wanted).sum(axis=1)
    low, high = (float(edge) for edge in np.quantile(overlaps, (0.025, 0.975)))
    details = {
        category: {"target": round(float(target), 4), "reached": round(float(share), 4)}
        for category, target, share in zip(shares, wanted, reached, strict=True)
    }
    return Measure(float(np.minimum(reached, wanted).sum()), len(found), low, high, "share", details=details)
