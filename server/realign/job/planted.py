"""Planted items: every machine of a launch answers the same item each round, and one that differs is found out.

    odd_ones([answer of rank 0, answer of rank 1, ...])      -> (1,) when rank 1 stands alone against the others

Answers are batches as plain values (wire.py). Numbers must agree within a tolerance: machines round differently. Texts
that a model drew may part at a near-tie, so of those it is enough that one begins alike; other weights or another
program agree nowhere.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from statistics import median
from typing import Any

NUMBERS = 0.05  # median difference of scores in 0..1: float16 and float32 readings of one model stay below 0.02
TEXTS = 0.2  # share of the longer text, from its beginning, that must be the same


def odd_ones(answers: Sequence[dict[str, Any] | None]) -> tuple[int, ...]:
    """Places of the answers that most others disagree with; None is a machine that was not asked.

    With two that differ nobody can say which is wrong: both are given.
    """
    asked = [place for place, answer in enumerate(answers) if answer is not None]
    friends = {a: sum(agree(answers[a] or {}, answers[b] or {}) for b in asked if b != a) for a in asked}
    return tuple(a for a in asked if friends[a] * 2 < len(asked) - 1)


def agree(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two machines answered alike."""
    if one == other:
        return True
    mine, theirs = [[json.loads(body) for _, body in answer["records"]] for answer in (one, other)]
    if len(mine) != len(theirs) or not mine:
        return False
    numbers = [abs(a - b) for a, b in zip(_numbers(mine), _numbers(theirs), strict=False)]
    alike = [_common(a, b) for a, b in zip(_texts(mine), _texts(theirs), strict=False)]
    return (not numbers or median(numbers) <= NUMBERS) and (not alike or max(alike) >= TEXTS)


def _numbers(value: Any) -> list[float]:
    """Every measured number in a record; whole numbers (offsets, seeds) are none."""
    if isinstance(value, float):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [number for item in inner for number in _numbers(item)]


def _texts(records: Sequence[dict[str, Any]]) -> list[str]:
    return [record["text"] for record in records if record.get("text")]


def _common(one: str, other: str) -> float:
    longest = max(len(one), len(other))
    return (
        next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
        / longest
    )
