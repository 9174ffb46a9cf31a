"""A formula in other words, and wrong formulas: signs and numbers changed, terms added. No SymPy is asked."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from realign.verify.check import Check
from realign.verify.symbolic import Unproved, differ, read


def formula_forms(check: Check) -> Iterator[str]:
    """The same formula marked, with a term added and taken away, and as a sum of halves."""
    left, equals, right = check.answer.rpartition("=")
    before = f"{left}= " if equals else ""
    yield f"Answer: {check.answer}"
    yield f"{before}({right}) + 1 - 1"
    yield f"{before}\\frac{{1}}{{2}}*({right}) + ({right})/2"


def wrong_formulas(check: Check, chance: random.Random) -> Iterator[str]:
    """Every sign and number changed, one at a time, as far as the value changes; then terms that must change it."""
    left, equals, right = check.answer.rpartition("=")
    before = f"{left}= " if equals else ""
    spots = list(re.finditer(r"[+-]|\d+", right))
    chance.shuffle(spots)
    for spot in spots:
        new = {"+": "-", "-": "+"}.get(spot[0]) or str(int(spot[0]) + 1)
        changed = f"{before}{right[: spot.start()]}{new}{right[spot.end() :]}"
        if is_other(changed, check.answer):
            yield changed
    yield from (f"{before}({right}) {term}" for term in ("+ 1", "- 1", "+ 2", "- 3", f"+ {chance.randint(4, 99)}"))
    yield f"{check.answer} or {before}({right}) + 1"


def is_other(changed: str, answer: str) -> bool:
    """Whether a changed formula can be read and has another value somewhere."""
    try:
        return differ(read(changed), read(answer))
    except (ValueError, Unproved):
        return False
