"""Who does what when several machines share the items of a stage: pure arithmetic, the same on every machine.

Work is cut into portions and done in rounds. Each round every machine gets portions in proportion to the speed that it
was last measured at, dealt like cards, so that each sees an even sample of easy and hard ones; rounds get shorter
towards the end, so that all finish together.
"""

from __future__ import annotations

from collections.abc import Sequence

ROUND_SECONDS = 10.0  # of work in a round, at least; a round is what is lost when a machine dies
LONGEST_ROUND = 300.0  # seconds
FINE = 16  # portions of a round that the slowest machine should have: its share then comes out to within 3 %


def round_length(left: int, speeds: Sequence[float], first: bool = False) -> int:
    """Portions of the next round, at most `left`. speeds: portions/s of each machine, 0 for one that takes no part.

    The first has two portions each, to measure with. Later ones have ROUND_SECONDS of everybody's work, or more where
    the slowest machine would have fewer than FINE portions then; at most half of what is left, and all of it once that
    is two portions each.
    """
    busy = [speed for speed in speeds if speed > 0]
    least = 2 * len(busy)
    if first or left <= least:
        return min(least, left)
    seconds = min(max(ROUND_SECONDS, FINE / min(busy)), LONGEST_ROUND)
    return max(least, min(int(sum(busy) * seconds), left // 2))


def deal(portions: int, speeds: Sequence[float]) -> list[int]:
    """The owner of each of `portions`, by speed: at every place each machine has its share to within one portion."""
    total, dealt, owners = sum(speeds), [0] * len(speeds), []
    for place in range(1, portions + 1):
        owner = max(
            range(len(speeds)), key=lambda m: (speeds[m] * place / total - dealt[m], -m) if speeds[m] else (-1e9, 0)
        )
        dealt[owner] += 1
        owners.append(owner)
    return owners


def measured(speeds: Sequence[float], portions: Sequence[int], seconds: Sequence[float], first: bool) -> list[float]:
    """Each machine's speed after a round, in portions/s: the mean of the last and this one, this one alone at `first`.

    A machine that had nothing to do, or was too quick to be measured, keeps its speed, at `first` in proportion to the
    measured ones; 0 stays 0.
    """
    now = {m: portions[m] / seconds[m] for m, speed in enumerate(speeds) if speed and portions[m] and seconds[m] > 0}
    scale = sum(now.values()) / sum(speeds[m] for m in now) if first and now else 1.0
    return [
        (now[m] if first else (speed + now[m]) / 2) if m in now else speed * scale for m, speed in enumerate(speeds)
    ]
