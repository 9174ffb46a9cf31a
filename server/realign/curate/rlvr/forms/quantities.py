"""The amounts of a sentence: numbers that count or measure something, with their unit as it is written.

amounts_in("The Moon is about 363,300 kilometers away.") -> (Amount(18, 25, "363,300", "kilometers", "kilometers"),)
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from realign.curate.authors.extractive.closed import MONTHS, NUMBER_WORDS, STOP
from realign.curate.authors.extractive.grammar import NUMBER
from realign.curate.authors.extractive.numbers import other_numbers
from realign.verify.units import parse_unit

WORD_VALUES = dict(zip(NUMBER_WORDS, [*range(2, 21), *range(30, 100, 10)], strict=True))
WRITTEN = re.compile(rf"{NUMBER.pattern}|(?<![\w-])(?:{'|'.join(NUMBER_WORDS)})(?![\w-])", re.IGNORECASE)
SCALE = re.compile(r" (?:hundred|thousand|million|billion|trillion)\b")
RATE = re.compile(r" (?:an?|per|each) [a-z]+\b")
YEAR = re.compile(r"1\d{3}|20\d{2}")
MONTH = "|".join(sorted(MONTHS))
UNIT = re.compile(r" (?P<unit>(?:(?:square|cubic) )?[A-Za-zµ°]{3,})(?![\w-])")


@dataclass(frozen=True, slots=True)
class Amount:
    """Characters start..end hold the number with its scale ("149.6 million"); unit stands right behind it.

    digits: the number as an answer is expected. known: the unit as a verifier understands it, "" for a thing counted
    and for a rate, which is compared as a plain number.
    """

    start: int
    end: int
    digits: str
    unit: str
    known: str

    @property
    def spec(self) -> dict[str, Any]:
        """What the numeric verifier needs besides the answer: a number without a unit is taken in the one asked for."""
        return {"unit": self.known} if self.known else {}

    @property
    def how(self) -> str:
        """How to answer."""
        if YEAR.fullmatch(self.digits) and not self.unit:
            return "Answer with the year."
        if self.unit == "percent":
            return "Answer with a percentage, in digits."
        return f"Answer with a number of {self.unit}, in digits." if self.unit else "Answer with a number, in digits."


@functools.lru_cache(maxsize=1 << 16)  # every sentence of a document is asked about many times
def amounts_in(text: str) -> tuple[Amount, ...]:
    """The amounts of a sentence in order: no label ("step 3"), no day of a month, nothing told before ("the two")."""
    free = {change.start for change in other_numbers(text)}
    found = (match for match in WRITTEN.finditer(text) if match.start() in free and not _day(text, match))
    return tuple(_amount(text, match) for match in found)


def _day(text: str, match: re.Match[str]) -> bool:
    before, after = text[: match.start()], text[match.end() :]
    dated = re.search(rf"\b(?:{MONTH}) $", before) or re.match(rf" (?:{MONTH})\b", after)
    return dated is not None and len(match[0]) <= 2


def _amount(text: str, match: re.Match[str]) -> Amount:
    scale = SCALE.match(text, match.end())
    end = scale.end() if scale else match.end()
    digits = str(WORD_VALUES.get(match[0].lower(), match[0])) + (scale[0] if scale else "")
    if digits[0] == "$":
        return Amount(match.start(), end, digits, "dollars", "$")
    if digits.endswith("%"):
        return Amount(match.start(), end, digits[:-1], "percent", "%")
    unit = unit_after(text[end:])
    rate = RATE.match(text, end + len(unit) + 1) if unit else None
    known = "" if rate else "%" if unit == "percent" else unit
    return Amount(match.start(), end, digits, unit + (rate[0] if rate else ""), known)


def unit_after(text: str) -> str:
    """The unit that a text begins with, as it is written: "kilometers" of " kilometers away"; "" for none.

    A word of three letters or more, after "square" or "cubic": shorter ones are units only by accident.
    """
    match = UNIT.match(text)
    name = match["unit"] if match else ""
    return name if name and name.split()[-1].lower() not in STOP and parse_unit(name) else ""


def numbers_of(text: str) -> Iterator[str]:
    """Every number of a text in digits, whatever it is there for."""
    for match in WRITTEN.finditer(text):
        yield str(WORD_VALUES.get(match[0].lower(), match[0].strip("$%")))
