"""Which terms a document sets side by side, so that one could be taken for the other.

Terms that it coordinates ("the null and the alternative hypothesis", "mean or median") or that share their head
("cluster sampling", "stratified sampling"), of the same number and used in the same places; never two names of one
thing.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from realign.curate.authors.extractive.closed import GENERAL
from realign.curate.authors.extractive.grammar import is_plural, stem, words

PHRASE = r"((?:[a-z][\w-]+ ){0,2}[a-z][\w-]+)"
COORDINATE = re.compile(rf"\b(?:an? |the )?{PHRASE},? (?:and|versus|vs\.|rather than) (?:an? |the )?{PHRASE}\b")
# "the median, or middle value": one thing with two names, so a swap of the two would stay true.
SAME = re.compile(
    rf"\b{PHRASE}(?:,? or | \((?:or |also called |called )?|, (?:also )?(?:called|known as) )(?:an? |the )?{PHRASE}"
)
LEAST_ALIKE, LEAST_TOGETHER = 0.28, 0.4
# A pair of single words set side by side once may be "surprise and concern"; twice it is a distinction.
LEAST_PAIRED = 2


@dataclass(frozen=True, slots=True)
class Siblings:
    """of: term -> terms set beside it, the likest first. before, after: term -> the words that stand next to it."""

    of: dict[str, tuple[str, ...]] = field(default_factory=dict)
    before: dict[str, frozenset[str]] = field(default_factory=dict)
    after: dict[str, frozenset[str]] = field(default_factory=dict)


def find_siblings(texts: Sequence[str], terms: Mapping[str, int]) -> Siblings:
    """The siblings among `terms`: those set beside each other or of one head, of one number, in the same places."""
    together: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for text in texts:
        for match in COORDINATE.finditer(text):
            left = next((t for t in _tails(match[1]) if t in terms), "")
            right = next((t for t in _heads(match[2]) if t in terms), "")
            if left and right and left != right:
                together[left][right] += 1
                together[right][left] += 1
    _forget_chance(together)
    for term, other in _families(terms):
        together[term][other] += 1
    for term, other in _synonyms(texts, terms):
        together[term].pop(other, None)
        together[other].pop(term, None)
    places = _places(texts, frozenset(together))
    return Siblings(
        {term: fit for term, found in together.items() if (fit := _fit_siblings(term, found, places))},
        {term: frozenset(key[1:] for key in found if key[0] == "<") for term, found in places.items()},
        {term: frozenset(key[:-1] for key in found if key[0] != "<") for term, found in places.items()},
    )


def _forget_chance(together: Mapping[str, Counter[str]]) -> None:
    """A single word is paired with what the document sets beside it often: one chance pairing is no distinction."""
    for term, found in together.items():
        for other in [other for other, n in found.items() if n < LEAST_PAIRED]:
            if " " not in term or " " not in other:
                del found[other]


def _fit_siblings(term: str, found: Counter[str], places: dict[str, Counter[str]]) -> tuple[str, ...]:
    alike = {other: n * _cosine(places[term], places[other]) for other, n in found.items()}
    ranked = sorted(found, key=lambda other: (-alike[other], other))
    return tuple(
        other
        for other in ranked
        if is_plural(other.split()[-1]) == is_plural(term.split()[-1])
        and _unlike(term, other)
        and _cosine(places[term], places[other]) >= LEAST_ALIKE
        and alike[other] >= LEAST_TOGETHER
    )[:5]


def _synonyms(texts: Sequence[str], terms: Mapping[str, int]) -> Iterable[tuple[str, str]]:
    for text in texts:
        for match in SAME.finditer(text):
            left = next((t for t in _tails(match[1]) if t in terms), "")
            right = next((t for t in _heads(match[2]) if t in terms), "")
            if left and right:
                yield left, right


def _families(terms: Mapping[str, int]) -> Iterable[tuple[str, str]]:
    """Pairs of two-word terms, each found at least four times, that share their head: kinds of one thing."""
    by_head: defaultdict[str, list[str]] = defaultdict(list)
    for term, n in terms.items():
        if len(term.split()) == 2 and n >= 4 and term.split()[1] not in GENERAL:
            by_head[term.split()[1]].append(term)
    for family in by_head.values():
        yield from ((term, other) for term in family for other in family if term != other)


def _places(texts: Sequence[str], terms: frozenset[str]) -> dict[str, Counter[str]]:
    """For each term the words just before and after it, with their side: what can stand in the same place."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for text in texts:
        low = ["^", *(word.lower() for word in words(text)), "$"]
        for n in (1, 2, 3):
            for i in range(1, len(low) - n):
                term = " ".join(low[i : i + n])
                if term in terms:
                    found[term].update((f"<{low[i - 1]}", f"{low[i + n]}>"))
    return found


def _cosine(one: Counter[str], other: Counter[str]) -> float:
    """Cosine of two count vectors under the square root, in 0..1; 0 when either is empty."""
    dot = sum((one[key] * other[key]) ** 0.5 for key in one.keys() & other.keys())
    norms = (sum(one.values()) * sum(other.values())) ** 0.5
    return dot / norms if norms else 0.0


def _unlike(term: str, other: str) -> bool:
    """Neither term holds the other: "median" and "median value" may well be the same thing."""
    mine, theirs = {stem(w) for w in term.split()}, {stem(w) for w in other.split()}
    return not (mine <= theirs or theirs <= mine)


def _tails(phrase: str) -> list[str]:
    parts = phrase.split()
    return [" ".join(parts[i:]) for i in range(len(parts))]


def _heads(phrase: str) -> list[str]:
    parts = phrase.split()
    return [" ".join(parts[:i]) for i in range(len(parts), 0, -1)]
