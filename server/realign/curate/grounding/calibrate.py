"""The confidence that an answer states is measured: how often such answers were right about other passages.

    earned = earn([(passage.id, items), ...], fewest=12)
    earned(passage.id, item) -> 0.7, or None where too few cases were measured

Two kinds of cases are tried on everything that can be asked, with the truth known by construction. "read": the judge is
given the right answer and planted wrong ones, as texts, and picks the one it finds best supported; right when that is
the right one, a tie counts as wrong. "cut": the guess at what a pronoun stands for, made from the shown text alone, is
laid beside what the document has there. A passage's own cases never count for it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from realign.curate.grounding.items import Item
from realign.curate.grounding.judge import cases_of, support_of

Earned = Callable[[str, Item], float | None]
Features = tuple[object, ...]
Tally = defaultdict[Features, Counter[bool]]


def earn(asked: Sequence[tuple[str, Sequence[Item]]], fewest: int) -> Earned:
    """The confidence of an item of a passage: (right + 1) / (cases + 2) over other passages' cases with its features.

    Where these are fewer than `fewest`, all cases of its kind count; None where those are too few as well.
    """
    everywhere: Tally = defaultdict(Counter)
    here: defaultdict[str, Tally] = defaultdict(lambda: defaultdict(Counter))
    for passage, items in asked:
        for item in items:
            if item.evidence:
                outcome = was_right(item)
                for features in (item.evidence, item.evidence[:1]):
                    everywhere[features][outcome] += 1
                    here[passage][features][outcome] += 1

    def earned(passage: str, item: Item) -> float | None:
        for features in (item.evidence, item.evidence[:1]):
            right, wrong = (
                everywhere[features][is_right] - here[passage][features][is_right] for is_right in (True, False)
            )
            if right + wrong >= fewest:
                return (right + 1) / (right + wrong + 2)
        return None

    return earned


def was_right(item: Item) -> bool:
    """Whether an item's case came out right."""
    return picks_the_right_answer(item) if item.evidence[0] == "read" else item.right


def picks_the_right_answer(item: Item) -> bool:
    """Whether the judge, shown all answers as texts, finds the right one better supported than every wrong one."""
    from realign.curate.authors.rules import PASSAGE_FORMS

    prompt = PASSAGE_FORMS[0].format(passage=item.shown, question=item.question)
    best = max(score(prompt, text) for _, text in item.good)
    return all(score(prompt, text) < best for _, text in item.bad)


def score(prompt: str, answer: str) -> float:
    """How well an answer is supported: its least supported claim, in 0..1; 0 for one that claims nothing."""
    text = answer.replace("{confidence}", "50")
    return min((support_of(case) for case in cases_of(prompt, text)), default=0.0)
