"""Stage 4 of chats, select: the best answer of each prompt, where it is good enough and its prompt tells it neither
too much nor the wrong way.

    choose_answers               SFT: at most one example a prompt
    choose_answers_and_pairs     SRF: the same, and the pair that select.py would choose; prompts that show a statement
                                 to be judged, completed or put right are for pairs alone

A prompt that gives neither is dropped with the reason of its best answer. One that a person re-admitted gives its best
answer, whatever the floors; the gates measure it with the rest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from realign.curate import select
from realign.curate.authors.extractive import SHOWING
from realign.quality import decisions
from realign.records import Difficulty, Dropped, Example, Pair, Rating, make_id
from realign.run import Batch
from realign.settings import Sft
from realign.work import Work

ANSWER = "answer"


def choose_answers(work: Work) -> Iterator[Batch]:
    """At most one example a prompt."""
    yield from _choose(work, lambda prompt, readmitted: "", frozenset())


def choose_answers_and_pairs(work: Work) -> Iterator[Batch]:
    """At most one example and one pair a prompt."""
    completions = {completion.id: completion for completion in work.run.records("completion")}
    judgments = select.judgments_of(work.run)

    def pair(prompt: str, readmitted: bool) -> Pair | str:
        found = judgments.get(prompt, [])
        return select.choose(found, completions, work.settings.select, readmitted) if found else "no two answers"

    prompts = work.run.records("prompt")
    yield from _choose(work, pair, frozenset(p.id for p in prompts if p.template.split("/")[0] in SHOWING))


def _choose(work: Work, pair: Callable[[str, bool], Pair | str], for_pairs: frozenset[str]) -> Iterator[Batch]:
    """One batch: prompts with neither example nor pair are dropped with the reasons for both.

    for_pairs: ids of prompts whose answers are compared and not taught.
    """
    ratings: defaultdict[str, list[Rating]] = defaultdict(list)
    for rating in work.run.records("rating"):
        ratings[rating.parent].append(rating)
    difficulties = {each.completion: each for each in work.run.records("difficulty")}
    prompts = dict.fromkeys([*ratings, *(each.parent for each in difficulties.values())])
    seen, batch = work.run.done(work.stage), Batch()
    spared = decisions.readmitted(work.run, work.stage)
    for prompt in (prompt for prompt in prompts if prompt not in seen):
        found: Example | str = "its prompt shows the answer: for pairs alone"
        if prompt not in for_pairs:
            found = choose(ratings[prompt], difficulties, work.settings.sft, prompt in spared)
        both = [found, pair(prompt, prompt in spared)]
        records = [each for each in both if not isinstance(each, str)]
        batch.records += records
        if not records:
            reason, *more = [each for each in both if each]
            batch.drops.append(Dropped(prompt, "prompt", "select", str(reason), "; ".join(map(str, more))))
        batch.done.append(prompt)
    work.progress(None, len(prompts), "answers chosen")
    yield batch


def choose(
    ratings: Sequence[Rating], difficulties: dict[str, Difficulty], settings: Sft, readmitted: bool = False
) -> Example | str:
    """The best answer of one prompt as an example, or why there is none. Ties go to the harder answer, then the id."""
    measured = [(rating, difficulties[rating.completion]) for rating in ratings if rating.completion in difficulties]
    if not ratings:
        return "no answer was rated"
    if not measured:
        return "its difficulty (IFD) is not measured"
    rating, hard = max(measured, key=lambda two: (two[0].score, two[1].ifd_loss, two[0].completion))
    if not readmitted and (reason := _under(quality(rating), hard.ifd_loss, settings)):
        return reason
    scores = {
        "quality": round(quality(rating), 2), "ifd_loss": round(hard.ifd_loss, 4), "ifd_ppl": round(hard.ifd_ppl, 4),
        "ifd_model": hard.model, "ifd_tokens": hard.tokens, "judge": rating.judge, "criteria": rating.criteria,
    }  # fmt: skip
    return Example(make_id("example", rating.completion), rating.parent, rating.completion, ANSWER, scores)


def quality(rating: Rating) -> float:
    """A rating on the scale of 1 to 10."""
    return 1 + 9 * rating.score


def _under(quality: float, ifd: float, settings: Sft) -> str:
    if quality < settings.quality_floor:
        return f"best answer is rated under {settings.quality_floor:g}"
    if ifd > settings.ifd_ceiling:
        return f"IFD above {settings.ifd_ceiling:g}: the prompt misleads"
    return f"IFD under {settings.ifd_floor:g}: the prompt gives the answer away" if ifd < settings.ifd_floor else ""
