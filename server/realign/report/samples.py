"""Samples for a reader: the same few for the same records; in a pair, the words that differ are marked.

for sample in pick_samples(evidence, splits, 12): ...
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

from realign.quality.evidence import Evidence
from realign.quality.selected import Selected
from realign.records import Pair, make_id

WORD = re.compile(r"\s+|\d[\d.,]*\d|\w+|[^\w\s]")
Marked = tuple[tuple[str, bool], ...]  # (text, whether it differs) in order; joined it is the whole answer
LONGEST_TO_COMPARE = 2000  # words; beyond, comparing word by word would take seconds


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as a reader sees it. kind colors it: chosen or rejected; score is in words, "" for none."""

    label: str
    kind: str
    text: Marked
    score: str


@dataclass(frozen=True, slots=True)
class Sample:
    """What was selected as a reader sees it, with the sentence it comes from.

    question is the last paragraph of the prompt, and context what stands before it. remarks say what it is.
    """

    context: str
    question: str
    answers: tuple[Answer, ...]
    remarks: tuple[str, ...]
    source: str
    page: str
    headings: tuple[str, ...]
    quote: str


def pick_samples(evidence: Evidence, splits: dict[str, str], count: int) -> list[Sample]:
    """`count` of what was exported, by a hash of the ids; splits maps an id to its split.

    While nothing was exported, of what no filter dropped.
    """
    exported = [each for each in evidence.kept if each.id in splits or not splits]
    kept = sorted(exported, key=lambda each: make_id("sample", each.id))
    return [make_sample(evidence, each, splits.get(each.id, "")) for each in kept[:count]]


def make_sample(evidence: Evidence, each: Selected, split: str) -> Sample:
    """What a reader needs to check one of them against its source."""
    passage = evidence.passages[each.prompt.parent]
    document = next(document for document in evidence.documents if document.id == passage.parent)
    context, _, question = each.prompt.asked.strip().rpartition("\n\n")
    start, end = each.prompt.start, each.prompt.end
    remarks = tuple(remark for remark in (split, *remarks_on(each, evidence)) if remark)
    return Sample(
        context, question, answers_of(each, each.prompt.id in evidence.task_of), remarks, document.name,
        document.page_at(start).label, passage.headings,
        document.text[start:end],
    )  # fmt: skip


def answers_of(each: Selected, verified: bool = False) -> tuple[Answer, ...]:
    """Chosen beside rejected with their differences marked, or the one answer that is taught.

    verified: a verifier decided, which gives no scores.
    """
    if isinstance(each.record, Pair):
        chosen, rejected = mark_differences(*each.answers)
        scores = f"{each.record.chosen_score:.2f}", f"{each.record.rejected_score:.2f}"
        scores = ("accepted", "rejected") if verified else scores
        return Answer("Chosen", "chosen", chosen, scores[0]), Answer("Rejected", "rejected", rejected, scores[1])
    return (Answer("Answer", "chosen", ((each.taught, False),), ""),)


def remarks_on(each: Selected, evidence: Evidence) -> tuple[str, ...]:
    """How the rejected answer was made, or what an example is and how it scored."""
    if isinstance(each.record, Pair):
        method = evidence.completions[each.record.rejected].method
        if task := evidence.task_of.get(each.prompt.id):
            return (f"the {task.verifier} verifier accepted one and rejected the other",)
        return f"rejected answer made by “{method}”", f"agreement {each.record.agreement:.0%}"
    scores = (f"{name} {value:.2f}" for name, value in each.record.scores.items() if isinstance(value, float))
    return each.record.category, *scores


def mark_differences(one: str, other: str) -> tuple[Marked, Marked]:
    """Both texts in pieces, each with whether the other text lacks it at that place. Very long texts come unmarked."""
    first, second = WORD.findall(one), WORD.findall(other)
    if max(len(first), len(second)) > LONGEST_TO_COMPARE:
        return ((one, False),), ((other, False),)
    left, right = [], []
    for what, a, b, c, d in SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
        left.append(("".join(first[a:b]), what != "equal"))
        right.append(("".join(second[c:d]), what != "equal"))
    return tuple(piece for piece in left if piece[0]), tuple(piece for piece in right if piece[0])
