"""Ordering tasks: what the text itself orders, by year, by size, as numbers, or by where it stands.

The items are shown in an order that a hash decides and that is never the right one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from realign.curate.authors.extractive.grammar import words
from realign.curate.authors.extractive.wh import inside
from realign.curate.authors.extractive.wording import seed_of
from realign.curate.rlvr.forms.computed import LISTED, listed, read_number
from realign.curate.rlvr.forms.material import Material, Told
from realign.curate.rlvr.forms.quantities import amounts_in
from realign.curate.rlvr.posed import Posed, by_hash
from realign.records import make_id

HOW = "Answer with the items in order, separated by semicolons."
FEWEST, MOST = 3, 6
WHEN = re.compile(r"\b(?:in|of|since|by) (?:[A-Z][a-z]+ )?(?P<year>1\d{3}|20\d{2})\b(?!s)")
MENTIONED = "In which order does the text first mention these?"


def dates(material: Material) -> Iterator[Posed]:
    """Who or what belongs to which year, the earliest first: three or more sentences with a year each."""
    found: dict[str, tuple[float, Told]] = {}
    for told in material.told:
        years = {match["year"] for match in WHEN.finditer(told.sentence.text)}
        if len(years) == 1 and (name := _name(told, material)):
            found.setdefault(name, (float(years.pop()), told))
    yield from _ranked("dates", "Put these in the order of the years that the text gives for them, the earliest first:",
                       found, material)  # fmt: skip


def sizes(material: Material) -> Iterator[Posed]:
    """What is how large, the smallest first: three or more sentences with an amount each, all in one unit."""
    by_unit: dict[str, dict[str, tuple[float, Told]]] = {}
    for told in material.told:
        amounts, name = amounts_in(told.sentence.text), _name(told, material)
        measured = told.clause is not None and told.clause.verb in ("is", "has", "was", "had")
        if len(amounts) == 1 and name and measured and amounts[0].unit and " " not in amounts[0].digits:
            size = float(read_number(amounts[0].digits))
            by_unit.setdefault(amounts[0].unit, {}).setdefault(name, (size, told))
    for unit, found in by_unit.items():
        question = f"Put these in order by their number of {unit} in the text, the smallest first:"
        yield from _ranked("sizes", question, found, material)


def _name(told: Told, material: Material) -> str:
    """What a sentence is about, as an item: its subject, where that is short and names something."""
    clause = told.clause
    if clause is None or not 1 <= len(words(clause.subject)) <= 9 or re.search(r"[,;\d]|\band\b", clause.subject):
        return ""
    return inside(clause.subject, material.lexicon)


def _ranked(form: str, question: str, found: dict[str, tuple[float, Told]], material: Material) -> Iterator[Posed]:
    values = [value for value, _ in found.values()]
    if not FEWEST <= len(found) <= MOST or len(set(values)) < len(values) or _overlap(list(found)):
        return
    told = sorted((told for _, told in found.values()), key=lambda told: told.sentence.start)
    start, end = told[0].sentence.start, told[-1].sentence.end
    shown = " ".join(material.passage.text[start - material.passage.start : end - material.passage.start].split())
    right = sorted(found, key=lambda name: found[name][0])
    yield _posed(form, question, right, (start, end), shown)


def numbers(material: Material) -> Iterator[Posed]:
    """Some numbers of a list that the text gives, from the smallest to the largest."""
    for match in LISTED.finditer(material.passage.text):
        texts = dict(zip(listed(match[0]), re.split(r"[;,][ \n]", match[0]), strict=True))
        # A small whole number may be the place of another: "3. 25".
        texts = {value: text for value, text in texts.items() if value > 9 or value.denominator > 1}
        if len(texts) < MOST or seed_of(match[0]) % 3 or "$" in match[0]:
            continue
        drawn = sorted(texts, key=lambda value: make_id(match[0], value))[:MOST]
        right = [texts[value] for value in sorted(drawn)]
        question = "Put these numbers in order, the smallest first:"
        yield _posed("numbers", question, right, material.at(*match.span()))


def mentions(material: Material) -> Iterator[Posed]:
    """The order in which an excerpt first mentions four or more of the document's terms."""
    longest = max(material.told, key=lambda told: (len(told.excerpt.split()), told.sentence.start), default=None)
    if longest is None or longest.alone or seed_of(longest.excerpt) % 2:
        return
    low, lexicon = longest.excerpt.lower(), material.lexicon
    spots = {}
    for term in (term for term in lexicon.terms if " " in term):
        places = [match.start() for match in re.finditer(rf"(?<![\w-]){re.escape(term)}(?:e?s)?(?![\w-])", low)]
        if places:
            spots[term] = places[0]
    right = sorted(spots, key=lambda term: spots[term])
    right = [term for term in right if not any(term != other and term in other for other in right)]
    if 4 <= len(right) <= MOST and not _overlap(right) and _apart(right, spots):
        span = longest.sentence.start, longest.sentence.end
        yield _posed("mentions", MENTIONED, [lexicon.written(term) for term in right], span, longest.excerpt)


def _apart(terms: Sequence[str], spots: dict[str, int]) -> bool:
    return all(spots[one] + len(one) < spots[other] for one, other in pairwise(terms))


def _overlap(items: Sequence[str]) -> bool:
    """True when one item stands in another: an answer that names both could not be read."""
    return any(a != b and re.search(rf"(?<!\w){re.escape(a)}(?!\w)", b, re.IGNORECASE) for a in items for b in items)


def _posed(form: str, question: str, right: Sequence[str], span: tuple[int, int], shown: str = "") -> Posed:
    items = next(o for n in range(20) if (o := by_hash(right, question, shown, n)) != list(right))
    listing = tuple(f"- {item}" for item in items)
    return Posed(form, question, HOW, "; ".join(right), "ordering", *span, {"items": items}, shown, listing)
