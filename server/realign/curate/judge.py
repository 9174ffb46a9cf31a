"""Stage 3, judge: every two completions of a prompt, scored by three judges, each seeing both orders.

expert looks at accuracy, user at helpfulness, safety at harm. A comparison that can't be scored is dropped with its
reason; a failure never becomes a score.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from realign.curate.authors import author_identity
from realign.curate.judges import Case
from realign.records import Completion, Dropped, Judgment, Passage, Prompt
from realign.run import Batch, Run
from realign.settings import Settings
from realign.work import Work

if TYPE_CHECKING:
    from realign.engine import Engine

PROMPTS_A_BATCH, PROMPTS_AT_LEAST = 64, 8


Answered = tuple[Prompt, Passage, list[Completion]]
Judges = Callable[[Sequence[Case]], tuple[list[Judgment], list[Dropped]]]


def inputs(run: Run, settings: Settings) -> str:
    """The judge's identity."""
    return author_identity(settings.judge.judge)


def judge_both_orders(work: Work) -> Iterator[Batch]:
    """Score every pair of completions of every prompt, a fixed batch of prompts at a time."""
    answered, pending = answered_prompts(work)

    def prepare() -> Callable[[Sequence[Answered]], Batch]:
        judges = open_judges(work, opener(work))
        return lambda some: _judged(some, judges([case for each in some for case in cases(*each)]))

    yield from work.each(pending, PROMPTS_A_BATCH, PROMPTS_AT_LEAST, prepare, "judging in both orders", len(answered))


def answered_prompts(work: Work) -> tuple[list[Answered], list[Answered]]:
    """(every prompt that has completions, with its passage and these; the ones that this stage has not judged yet)."""
    run, seen = work.run, work.run.done(work.stage)
    passages = {passage.id: passage for passage in run.records("passage")}
    answers: dict[str, list[Completion]] = {}
    for completion in run.records("completion"):
        answers.setdefault(completion.parent, []).append(completion)
    found = [(p, passages[p.parent], answers[p.id]) for p in run.records("prompt") if p.id in answers]
    return found, [each for each in found if each[0].id not in seen]


def cases(prompt: Prompt, passage: Passage, answers: Sequence[Completion]) -> Iterator[Case]:
    """Every two completions of a prompt."""
    for first, second in combinations(answers, 2):
        yield Case(prompt, passage, first, second)


def _judged(some: Sequence[Answered], result: tuple[list[Judgment], list[Dropped]]) -> Batch:
    """A batch in which prompts without a single judgment are dropped by name."""
    judgments, drops = result
    judged = {judgment.parent for judgment in judgments}
    lost = [prompt.id for prompt, _, _ in some if prompt.id not in judged]
    drops += [Dropped(prompt, "prompt", "judge", "no comparison could be scored") for prompt in lost]
    return Batch([prompt.id for prompt, _, _ in some], list(judgments), drops)


Opener = Callable[[str], "Engine"]


def opener(work: Work) -> Opener:
    """Opens what a spec names, each once: a model that judges and measures is in memory once."""
    from realign.engine import open_engine

    return functools.cache(lambda spec: open_engine(spec, sharded=work.settings.hardware.sharded))


def open_judges(work: Work, open_engine: Opener) -> Judges:
    """The three judges that the settings name."""
    settings = work.settings.judge
    if settings.judge == "extractive":
        from realign.curate.judges import extractive

        return extractive.open_judges(work.run)
    from realign.curate.judges.model import judge_pairs

    engine = open_engine(settings.judge)
    work.run.note("engine", list(engine.notes))
    return lambda cases: judge_pairs(engine, cases, settings)
