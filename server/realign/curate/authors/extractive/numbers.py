"""Other numbers for a number in a sentence: near enough to be believed, far enough to be wrong.

    other_numbers("The lock has four gates.") -> [Change(13, 17, "three"), Change(13, 17, "five")]

A year stays a year, a day of the month a day, a share at most 100%. "At least 5" only grows and "less than 5" only
shrinks, since the other way round it would still be true. Numbers that name a thing ("Apollo 11") are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from realign.curate.authors.extractive.closed import MONTHS, NUMBER_WORDS, PREPOSITIONS, STOP
from realign.curate.authors.extractive.grammar import NUMBER
from realign.records import make_id

FLOORS = re.compile(
    r"(?:\bat least|\bmore than|\bover|\bexceed(?:s|ed)?|\bgreater than|\blarger than|\blonger than|\bolder than"
    r"|\babove|\bhigher than|\bminimum of) (?:about )?$",
    re.IGNORECASE,
)
CEILINGS = re.compile(
    r"(?:\bless than|\bfewer than|\bat most|\bup to|\bunder|\bno more than|\bwithin|\bsmaller than|\bshorter than"
    r"|\byounger than|\bbelow|\blower than|\bslower than|\bmaximum of) (?:about )?$",
    re.IGNORECASE,
)
OR_MORE = re.compile(r" (?:\w+ )?(?:or|and) (?:more|older|over|greater|above|higher|up)\b")
OR_LESS = re.compile(r" (?:\w+ )?(?:or|and) (?:less|fewer|younger|under|below|lower)\b")
ROUGHLY = re.compile(r"\b(?:about|around|approximately|roughly|nearly|almost|some) $", re.IGNORECASE)
LABELS = frozenset(
    "version step type port page number group part level release stage class grade line row column item question"
    " chapter section exercise problem table figure".split()
)
# "the two", "these two": already told which; "two other" counts from what was told before.
TOLD = frozenset("the these those other first last next all his her their my our its any every another same".split())
FIXED = frozenset("other others or hundred thousand more such of".split())
_COUNTS = "|".join(NUMBER_WORDS) + r"|\d"
RANGE = r"\b(?:between|from) (?:about )?$"
GROW, SHRINK, ROUGH = (1.4, 1.8, 2.5), (0.75, 0.6, 0.4), (0.5, 1.6, 2.0, 0.4)


@dataclass(frozen=True, slots=True)
class Change:
    """What is put in the place of characters start..end of a sentence."""

    start: int
    end: int
    new: str


def other_numbers(text: str) -> list[Change]:
    """Up to two changes for each number of a sentence that can be changed, in their order; [] for none."""
    return [*_digits(text), *_spelled(text)]


def _digits(text: str) -> Iterator[Change]:
    for match in NUMBER.finditer(text):
        before, after = _word_before(text, match.start()), _word_after(text, match.end())
        if _is_label(text, match, before, after):
            continue
        if _is_day(match[0], before, after):
            news = [str(1 + (int(match[0]) + step) % 28) for step in (6, 11)]
        elif _is_year(match[0], after):
            news = _other_years(int(match[0]), text)
        else:
            news = _other_amounts(match, text)
        taken = set(NUMBER.findall(text))
        yield from (Change(match.start(), match.end(), new) for new in news[:2] if new not in taken)


def _word_before(text: str, at: int) -> str:
    match = re.search(r"([\w’'-]+),? $", text[:at])
    return match[1] if match else ""


def _word_after(text: str, at: int) -> str:
    match = re.match(r",? ([\w’'-]+)", text[at:])
    return match[1] if match else ""


def _is_label(text: str, match: re.Match[str], before: str, after: str) -> bool:
    """True for a number that names: "nfs(5)", "Samba 4", "step 3", "the 1733 Molasses Act"."""
    if re.search(r"\w\($", text[: match.start()]) or before.lower() in LABELS:
        return True
    named = before[:1].isupper() and before not in MONTHS and before.lower() not in PREPOSITIONS | STOP
    comma = text[: match.start()].endswith(", ")
    told = after[:1].isupper() and after not in MONTHS and not text[match.end() :].startswith(",")
    return (named and not comma and not _starts(text, before)) or told


def _starts(text: str, word: str) -> bool:
    return text.startswith(word) and word.lower() in PREPOSITIONS | STOP


def _is_day(number: str, before: str, after: str) -> bool:
    return number.isdigit() and 1 <= int(number) <= 31 and (before in MONTHS or after in MONTHS)


def _is_year(number: str, after: str) -> bool:
    if not (number.isdigit() and len(number) == 4 and 1000 <= int(number) <= 2100):
        return False
    counted = after.endswith("s") and after.islower() and after not in STOP
    return not counted


def _other_years(year: int, text: str) -> list[str]:
    """Two years of the same age that keep their order with the other years of the sentence."""
    others = [int(n) for n in NUMBER.findall(text) if n.isdigit() and len(n) == 4 and n != str(year)]
    steps = (-12, 6, -7, 11) if _pick(text, year) % 2 else (9, -4, 14, -8)
    fit = [year + step for step in steps if all((year + step - other) * (year - other) > 0 for other in others)]
    return [str(new) for new in fit if new < 2025 or year >= 2025]


def _other_amounts(match: re.Match[str], text: str) -> list[str]:
    number, left, right = match[0], text[: match.start()], text[match.end() :]
    digits = re.sub(r"[^\d.]", "", number)
    decimals = len(digits.split(".")[1]) if "." in digits else 0
    value = float(digits)
    if re.match(r"0\d", digits):
        return []
    if value == 0 or (value < 2 and not decimals):
        return []
    share = "%" in number or right.lstrip().startswith("percent")
    chance = decimals > 0 and value < 1
    found = []
    for new in _amounts(value, decimals, left, right, number + text):
        if new <= 0 or new == value or (share and value <= 100 < new) or (chance and new >= 1):
            continue
        if not _in_order(new, left, right):
            continue
        shown = f"{new:,.{decimals}f}" if "," in number else f"{new:.{decimals}f}"
        found.append(re.sub(r"\d+(?:,\d{3})*(?:\.\d+)?", shown, number, count=1))
    return list(dict.fromkeys(found))


def _in_order(new: float, left: str, right: str) -> bool:
    """False for a range turned round: "between 6 and 4"."""
    start = re.search(rf"\b(?:between|from) (?:about )?({NUMBER.pattern}) (?:and|to) (?:about )?$", left)
    end = re.match(rf" (?:and|to) (?:about )?({NUMBER.pattern})", right) if re.search(RANGE, left) else None
    low, high = (float(re.sub(r"[^\d.]", "", m[1])) if m else None for m in (start, end))
    return (low is None or new > low) and (high is None or new < high)


def _amounts(value: float, decimals: int, left: str, right: str, key: str) -> list[float]:
    """Other values, as round as this one, in a direction that makes the sentence false."""
    if FLOORS.search(left) or OR_MORE.match(right):
        steps: tuple[float, ...] = GROW
    elif CEILINGS.search(left) or OR_LESS.match(right):
        steps = SHRINK
    elif ROUGHLY.search(left):
        steps = ROUGH
    else:
        steps = (1.4, 0.6, 1.8, 0.8) if _pick(key) % 2 else (0.75, 1.25, 0.5, 1.6)
    if value <= 12 and not decimals:
        near = [round(value + (1 if step > 1 else -1) * n) for n, step in enumerate(steps, 1)]
        return [new for new in near if new >= 2]
    return [_as_round(value * step, value, decimals) for step in steps]


def _as_round(new: float, value: float, decimals: int) -> float:
    """The new value with as many trailing zeros as the old one, or one fewer where they would be equal."""
    whole = str(round(value * 10**decimals))
    zeros = len(whole) - len(whole.rstrip("0"))
    unit = 10.0 ** (zeros - decimals)
    result = round(new / unit) * unit
    return round(new / (unit / 10)) * (unit / 10) if result in (value, 0) and zeros else round(result, decimals)


def _spelled(text: str) -> Iterator[Change]:
    """ "four" becomes "three" or "five", where it counts something and nothing told before which four they are."""
    lows = set(re.findall(r"[a-z]+", text.lower()))
    for match in re.finditer(r"(?<![\w-])[A-Za-z]+(?![\w-])", text):
        word = match[0].lower()
        if word not in NUMBER_WORDS:
            continue
        before, after = _word_before(text, match.start()).lower(), _word_after(text, match.end()).lower()
        listed = re.search(r"\b(?:or|and|to|by) $", text[: match.start()]) and before not in ("to", "by")
        pair = re.match(rf",? (?:and|or) (?:{_COUNTS})\b", text[match.end() :])
        named = re.match(rf" [a-z]+s(?:,? [A-Z]|, (?:one|{_COUNTS})\b)", text[match.end() :])
        if before in TOLD | LABELS or after in FIXED or listed or pair or named or not after:
            continue
        place = NUMBER_WORDS.index(word)
        ups = range(place + 1, min(place + 3, len(NUMBER_WORDS)))
        downs = range(place - 1, max(place - 3, -1), -1)
        floor, ceiling = FLOORS.search(text[: match.start()]), CEILINGS.search(text[: match.start()])
        order = (
            [*ups] if floor else [*downs] if ceiling else [i for pair in zip(ups, downs, strict=False) for i in pair]
        )
        order = order or [*ups]
        news = [NUMBER_WORDS[i] for i in order if NUMBER_WORDS[i] not in lows]
        news = news[:2] if ceiling or _pick(text, word) % 2 else news[:2][::-1]
        yield from (Change(match.start(), match.end(), new) for new in news)


def _pick(*parts: object) -> int:
    return int(make_id(*parts)[:8], 16)
