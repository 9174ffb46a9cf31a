"""The confidence that an answer states is measured: how often such answers were right about other passages.

    earned = earn([(passage.id, items), ...], fewest=12)
    earned(passage.id, item) -> 0.7, or None where too few cases were measured

Everything that can be asked is tried, with the truth known by construction. An answer that was read in the passage is a
case of its support: the judge scores right answers and planted wrong ones as texts, and of all that score alike some
share is right. A guess at what is missing (uncertain.py) is a case of its features: it was made from the shown text
alone and is laid beside what the document has there. A passage's own cases never count for it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

from realign.curate.authors.rules import PASSAGE_FORMS
from realign.curate.grounding.items import Item
from realign.curate.grounding.judge import cases_of, support_of

Earned = Callable[[str, Item], float | None]
Features = tuple[object, ...]
Tally = defaultdict[Features, Counter[bool]]
BINS = 10  # of support


def earn(asked: Sequence[tuple[str, Sequence[Item]]], fewest: int) -> Earned:
    """The confidence of an item of a passage: (right + 1) / (cases + 2) over other passages' cases with its features.

    Where a guess has fewer than `fewest` such cases, all guesses of its kind count; None where those are too few too.
    """
    everywhere: Tally = defaultdict(Counter)
    here: defaultdict[str, Tally] = defaultdict(lambda: defaultdict(Counter))
    for passage, items in asked:
        for item in items:
            for features, right in cases(item):
                everywhere[features][right] += 1
                here[passage][features][right] += 1

    def earned(passage: str, item: Item) -> float | None:
        for features in features_of(item):
            right, wrong = (everywhere[features][true] - here[passage][features][true] for true in (True, False))
            if right + wrong >= fewest:
                return (right + 1) / (right + wrong + 2)
        return None

    return earned


def cases(item: Item) -> Iterator[tuple[Features, bool]]:
    """(features, whether it was right) of every case that an item gives."""
    if item.evidence == READ:
        answers = [(text, True) for _, text in item.good] + [(t, False) for m, t in item.bad if m != "over-refusal"]
        yield from ((_scored(item, text), right) for text, right in answers)
    elif item.evidence:
        yield from ((features, item.right) for features in features_of(item))


def features_of(item: Item) -> tuple[Features, ...]:
    """What an item's confidence is measured by, the most telling first."""
    if item.evidence == READ:
        return (_scored(item, item.good[0][1]),)
    return (item.evidence, item.evidence[:1]) if item.evidence else ()


READ: Features = ("read",)


def _scored(item: Item, answer: str) -> Features:
    """An answer's support, in tenths."""
    prompt = PASSAGE_FORMS[0].format(passage=item.shown, question=item.question)
    return (*READ, min(BINS - 1, int(BINS * score(prompt, answer))))


def score(prompt: str, answer: str) -> float:
    """How well an answer is supported: its least supported claim, in 0..1; 0 for one that claims nothing."""
    text = answer.replace("{confidence}", "50")
    return min((support_of(case) for case in cases_of(prompt, text)), default=0.0)
