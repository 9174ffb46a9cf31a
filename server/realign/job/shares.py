"""Who does what when several machines share the items of a stage: pure arithmetic, the same on every machine.

Work is cut into portions and done in rounds. Each round every machine gets portions in proportion to the speed that it
was last measured at, dealt like cards, so that each sees an even sample of easy and hard ones; rounds get shorter
towards the end, so that all finish together.
"""

from __future__ import annotations

from collections.abc import Sequence

ROUND_SECONDS = 10.0  # of work in a round: what is lost, at most, when a machine dies


def round_length(left: int, speeds: Sequence[float]) -> int:
    """Portions of the next round, at most `left`. speeds: portions/s of each machine, 0 for one that takes no part.

    About ROUND_SECONDS of everybody's work, at most half of what is left, and all of it once that is two each.
    """
    least = 2 * sum(speed > 0 for speed in speeds)
    if left <= least:
        return left
    return max(least, min(int(sum(speeds) * ROUND_SECONDS), left // 2))


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
