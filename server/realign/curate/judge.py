"""Stage 3, judge: every two completions of a prompt, scored by three judges, each seeing both orders.

expert looks at accuracy, user at helpfulness, safety at harm. A comparison that can't be scored is dropped with its
reason; a failure never becomes a score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

from realign.curate.authors import author_identity
from realign.curate.judges import Case
from realign.records import Completion, Dropped, Judgment, Passage, Prompt
from realign.run import Batch, Run
from realign.settings import Settings
from realign.work import Work

PROMPTS_A_BATCH, PROMPTS_AT_LEAST = 64, 8


Judges = Callable[[Sequence[Case]], tuple[list[Judgment], list[Dropped]]]


def inputs(run: Run, settings: Settings) -> str:
    """The judge's identity."""
    return author_identity(settings.judge.judge)


def judge_both_orders(work: Work) -> Iterator[Batch]:
    """Score every pair of completions of every prompt, a fixed batch of prompts at a time."""
    run, seen = work.run, work.run.done(work.stage)
    passages = {passage.id: passage for passage in run.records("passage")}
    answers: dict[str, list[Completion]] = {}
    for completion in run.records("completion"):
        answers.setdefault(completion.parent, []).append(completion)
    prompts = [prompt for prompt in run.records("prompt") if prompt.id in answers]
    pending = [prompt for prompt in prompts if prompt.id not in seen]

    def prepare() -> Callable[[Sequence[Prompt]], Batch]:
        judges = _judges(work)
        return lambda some: _judged(
            some, judges([case for p in some for case in _cases(p, passages[p.parent], answers[p.id])])
        )

    yield from work.each(pending, PROMPTS_A_BATCH, PROMPTS_AT_LEAST, prepare, "judging in both orders", len(prompts))


def _cases(prompt: Prompt, passage: Passage, answers: Sequence[Completion]) -> Iterator[Case]:
    for first, second in combinations(answers, 2):
        yield Case(prompt, passage, first, second)


def _judged(some: Sequence[Prompt], result: tuple[list[Judgment], list[Dropped]]) -> Batch:
    """A batch in which prompts without a single judgment are dropped by name."""
    judgments, drops = result
    judged = {judgment.parent for judgment in judgments}
    drops += [Dropped(p.id, "prompt", "judge", "no comparison could be scored") for p in some if p.id not in judged]
    return Batch([prompt.id for prompt in some], list(judgments), drops)


def _judges(work: Work) -> Judges:
    settings = work.settings.judge
    if settings.judge == "extractive":
        from realign.curate.judges.extractive import open_judges

        return open_judges(work.run)
    from realign.curate.judges.model import judge_pairs
    from realign.engine import open_engine

    engine = open_engine(settings.judge, sharded=work.settings.hardware.sharded)
    work.run.note("engine", list(engine.notes))
    return lambda cases: judge_pairs(engine, cases, settings)
