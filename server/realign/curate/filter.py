"""Stage 5, filter: decontamination, length, safety, exact and near duplicates. Every drop keeps its reason.

The cheap rules come first and each pair is dropped once, for the first rule it breaks. Contaminated pairs are counted
among all pairs, before any other rule, because that is what the gate measures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from realign.curate.judges.rules import unsafe
from realign.quality.contamination import find_contaminated
from realign.quality.duplicates import exact_duplicates, near_duplicates
from realign.quality.evaluation import chosen_index, index_identity
from realign.quality.evidence import Evidence, ScoredRow
from realign.records import Dropped
from realign.run import Batch, Run
from realign.settings import Filter, Settings
from realign.work import Work


def inputs(run: Run, settings: Settings) -> str:
    """What the evaluation index holds: the shipped benchmarks, and the hashes of the user's own files."""
    return index_identity(settings.filter)


def drop_unfit_pairs(work: Work) -> Iterator[Batch]:
    """Drop every pair that breaks a rule, in one batch: duplicates are a matter of the whole dataset."""
    if work.run.done(work.stage):
        return
    evidence, settings = Evidence.of_run(work.run, work.settings), work.settings.filter
    pairs, rows = evidence.pairs, evidence.scored_pairs
    reasons: dict[int, tuple[str, str, str]] = {}
    steps = (_contaminated, _lengths, _unsafe, _exact, _near)
    for step in steps:
        work.progress(len(reasons), len(pairs), f"filtering: {step.__name__.strip('_')}")
        left = [place for place in range(len(rows)) if place not in reasons]
        for place, reason in step([rows[place] for place in left], settings):
            reasons[left[place]] = reason
    drops = [Dropped(pairs[place].id, "pair", *reasons[place]) for place in sorted(reasons)]
    work.progress(None, len(pairs), "filtered")
    yield Batch([pair.id for pair in pairs], [], drops)


Found = Iterator[tuple[int, tuple[str, str, str]]]


def _contaminated(rows: Sequence[ScoredRow], settings: Filter) -> Found:
    texts = [f"{row.prompt}\n{row.chosen}\n{row.rejected}" for row in rows]
    for hit in find_contaminated(texts, chosen_index(settings), settings.fuzzy_ratio):
        yield hit.row, ("decontamination", f"shares text with {hit.benchmark}", f"{hit.item}: {hit.rule} {hit.detail}")


def _lengths(rows: Sequence[ScoredRow], settings: Filter) -> Found:
    for place, row in enumerate(rows):
        prompt, *answers = (len(text.split()) for text in (row.prompt, row.chosen, row.rejected))
        if min(answers) < settings.shortest_answer:
            yield place, ("length", f"an answer under {settings.shortest_answer} words", f"{min(answers)} words")
        elif max(answers) > settings.longest_answer or prompt > settings.longest_prompt:
            yield place, ("length", "too long", f"{prompt} and {max(answers)} words")
        elif max(answers) > settings.longest_ratio * min(answers):
            yield place, ("length", "answers too unequal in length", f"{answers[0]} and {answers[1]} words")


def _unsafe(rows: Sequence[ScoredRow], settings: Filter) -> Found:
    for place, row in enumerate(rows):
        if reason := unsafe(row.chosen):
            yield place, ("safety", f"chosen answer: {reason}", "")


def _exact(rows: Sequence[ScoredRow], settings: Filter) -> Found:
    kept = exact_duplicates(f"{row.prompt}\n{row.chosen}" for row in rows)
    for place, first in enumerate(kept):
        if first != place:
            yield place, ("exact duplicate", "same prompt and answer", f"of pair {first}")


def _near(rows: Sequence[ScoredRow], settings: Filter) -> Found:
    for twin in near_duplicates([f"{row.prompt}\n{row.chosen}" for row in rows], settings.duplicate_jaccard):
        yield (
            twin.index,
            ("near duplicate", "nearly the same prompt and answer", f"{twin.similarity:.2f} of {twin.kept}"),
        )
