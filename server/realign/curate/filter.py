"""Stage 5, filter: decontamination, length, safety, exact and near duplicates. Every drop keeps its reason.

The cheap rules come first and each pair or example is dropped once, for the first rule it breaks. Contaminated ones are
counted among all, before any other rule, because that is what the gate measures. What a person re-admitted stays
whatever rule it breaks, but for contamination.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from realign.curate.judges.rules import unsafe
from realign.quality import decisions
from realign.quality.contamination import find_contaminated
from realign.quality.duplicates import exact_duplicates, near_duplicates
from realign.quality.evaluation import chosen_index, index_identity
from realign.quality.evidence import Evidence
from realign.quality.selected import FIELDS, Selected
from realign.records import Dropped
from realign.run import Batch, Run
from realign.settings import Filter, Settings
from realign.work import Work


def inputs(run: Run, settings: Settings) -> str:
    """What the evaluation index holds (shipped benchmarks, hashes of the user's own files), and what is re-admitted."""
    return f"{index_identity(settings.filter)};{decisions.identity(run, 'filter')}"


def drop_unfit(work: Work) -> Iterator[Batch]:
    """Drop whatever breaks a rule, in one batch: duplicates are a matter of the whole dataset."""
    if work.run.done(work.stage):
        return
    selected, settings = Evidence.of_run(work.run, work.settings).selected, work.settings.filter
    spared = decisions.readmitted(work.run, "filter")
    reasons: dict[int, tuple[str, str, str]] = {}
    for step in (_contaminated, _lengths, _unsafe, _exact, _near):
        work.progress(len(reasons), len(selected), f"filtering: {step.__name__.strip('_')}")
        left = [place for place in range(len(selected)) if place not in reasons]
        for place, reason in step([selected[place] for place in left], settings):
            if step is _contaminated or selected[left[place]].id not in spared:
                reasons[left[place]] = reason
    drops = [Dropped(selected[place].id, selected[place].record.kind, *reasons[place]) for place in sorted(reasons)]
    work.progress(None, len(selected), "filtered")
    yield Batch([each.id for each in selected], [], drops)


Found = Iterator[tuple[int, tuple[str, str, str]]]


def _contaminated(selected: Sequence[Selected], settings: Filter) -> Found:
    texts = [each.text for each in selected]
    for hit in find_contaminated(texts, chosen_index(settings), settings.fuzzy_ratio):
        yield hit.row, ("decontamination", f"shares text with {hit.benchmark}", f"{hit.item}: {hit.rule} {hit.detail}")


def _lengths(selected: Sequence[Selected], settings: Filter) -> Found:
    """Prompts of every form, and answers. A task's answer may be one word, and a few words more give nothing away."""
    for place, each in enumerate(selected):
        few = settings.shortest_answer if each.checked else 1
        prompt, *answers = (len(text.split()) for text in (each.prompt.asked, *each.answers))
        if max(answers) > settings.longest_answer or prompt > settings.longest_prompt:
            yield place, ("length", "too long", f"{prompt} and {max(answers)} words")
        elif not each.checked and min(answers) < settings.shortest_answer:
            yield place, ("length", f"an answer under {settings.shortest_answer} words", f"{min(answers)} words")
        elif each.form == "pair" and max(answers) > settings.longest_ratio * max(min(answers), few):
            yield place, ("length", "answers too unequal in length", f"{answers[0]} and {answers[1]} words")


def _unsafe(selected: Sequence[Selected], settings: Filter) -> Found:
    for place, each in enumerate(selected):
        if reason := unsafe(each.taught):
            what = "chosen answer" if each.form == "pair" else "answer"
            yield place, ("safety", f"{what}: {reason}", "")


def _exact(selected: Sequence[Selected], settings: Filter) -> Found:
    """The same form, prompt and taught answer: an example and the pair of the same answer are no duplicates."""
    for place, first in enumerate(exact_duplicates(f"{e.form}\n{e.prompt.asked}\n{e.taught}" for e in selected)):
        if first != place:
            yield place, ("exact duplicate", "same prompt and answer", f"of {selected[first].id}")


def _near(selected: Sequence[Selected], settings: Filter) -> Found:
    for form in FIELDS:
        places = [place for place, each in enumerate(selected) if each.form == form]
        texts = [f"{selected[place].prompt.asked}\n{selected[place].taught}" for place in places]
        for twin in near_duplicates(texts, settings.duplicate_jaccard):
            of = f"{twin.similarity:.2f} of {selected[places[twin.kept]].id}"
            yield places[twin.index], ("near duplicate", "nearly the same prompt and answer", of)
