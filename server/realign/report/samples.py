"""Sample pairs for a reader: the same few for the same records, with the words that differ between the answers marked.

for sample in pick_samples(evidence, splits, 12): ...
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

from realign.quality.evidence import Evidence, ScoredRow
from realign.records import Pair, make_id

WORD = re.compile(r"\s+|\d[\d.,]*\d|\w+|[^\w\s]")
Marked = tuple[tuple[str, bool], ...]  # (text, whether it differs) in order; joined it is the whole answer
LONGEST_TO_COMPARE = 2000  # words; beyond, comparing word by word would take seconds


@dataclass(frozen=True, slots=True)
class Sample:
    """A pair as a reader sees it, with the sentence it comes from. split is "" for a pair that was not exported.

    question is the last paragraph of the prompt, and context what stands before it.
    """

    context: str
    question: str
    chosen: Marked
    rejected: Marked
    chosen_score: float
    rejected_score: float
    agreement: float
    method: str
    source: str
    page: str
    headings: tuple[str, ...]
    quote: str
    split: str


def pick_samples(evidence: Evidence, splits: dict[str, str], count: int) -> list[Sample]:
    """`count` of the pairs that no filter dropped, by a hash of their ids; splits maps a pair's id to its split."""
    dropped = {drop.record for stage, drop in evidence.drops if stage == "filter"}
    kept = [(p, s) for p, s in zip(evidence.pairs, evidence.scored_pairs, strict=True) if p.id not in dropped]
    kept.sort(key=lambda both: make_id("sample", both[0].id))
    return [make_sample(evidence, pair, scored, splits.get(pair.id, "")) for pair, scored in kept[:count]]


def make_sample(evidence: Evidence, pair: Pair, scored: ScoredRow, split: str) -> Sample:
    """What a reader needs to check one pair against its source."""
    prompt = evidence.prompts[pair.parent]
    passage = evidence.passages[prompt.parent]
    document = next(document for document in evidence.documents if document.id == passage.parent)
    context, _, question = prompt.text.strip().rpartition("\n\n")
    chosen, rejected = mark_differences(scored.chosen, scored.rejected)
    return Sample(
        context, question, chosen, rejected, pair.chosen_score, pair.rejected_score, pair.agreement,
        evidence.completions[pair.rejected].method, document.name, document.page_at(prompt.start).label,
        passage.headings, document.text[prompt.start : prompt.end], split,
    )  # fmt: skip


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
