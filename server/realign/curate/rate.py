"""Stage 3 of chats, judge: every completion rated by a rubric, and how hard a language model finds it (IFD).

    rate_answers         SFT: ratings and difficulties
    rate_and_compare     SRF: the same, and every two completions of a prompt before the three judges in both orders

What can't be rated or measured is dropped with its reason; a failure never becomes a score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from realign.curate import difficulty, judge
from realign.curate.judges.rubric import Answered, Rate, open_rubric
from realign.records import Completion, Dropped, Passage, Prompt
from realign.run import Batch, Run
from realign.settings import Settings
from realign.work import Work

Answer = Callable[[Sequence[Answered]], Batch]


def inputs(run: Run, settings: Settings) -> str:
    """The judge's identity, and what measures difficulty."""
    return f"{judge.inputs(run, settings)};{difficulty.inputs(settings)}"


def rate_answers(work: Work) -> Iterator[Batch]:
    """Rate every completion and measure its difficulty, a fixed batch of prompts at a time."""
    yield from _each(work, lambda: _rating(work, judge.opener(work)))


def rate_and_compare(work: Work) -> Iterator[Batch]:
    """The same, and compare the completions of every prompt that has at least two."""

    def prepare() -> Answer:
        open_engine = judge.opener(work)
        rate, compare = _rating(work, open_engine), judge.open_judges(work, open_engine)

        def both(some: Sequence[Answered]) -> Batch:
            rated = rate(some)
            judgments, drops = compare([case for each in some for case in judge.cases(*_parts(each))])
            return Batch(records=[*rated.records, *judgments], drops=[*rated.drops, *drops])

        return both

    yield from _each(work, prepare)


def _parts(each: Answered) -> tuple[Prompt, Passage, Sequence[Completion]]:
    return each.prompt, each.passage, each.completions


def _each(work: Work, prepare: Callable[[], Answer]) -> Iterator[Batch]:
    """Go through the prompts with what `prepare` opens; a prompt that nothing came of is dropped by name."""
    answered, pending = judge.answered_prompts(work)
    if pending:
        difficulty.prepare(work, len(answered))
    cases = [Answered(*each) for each in pending]

    def named() -> Answer:
        answer = prepare()

        def judged(some: Sequence[Answered]) -> Batch:
            batch, place = answer(some), {each.prompt.id: number for number, each in enumerate(some)}
            # Prompt by prompt, so that batches of another size, as on several machines, give the same order.
            records = sorted(batch.records, key=lambda record: place[record.parent])
            lost = [prompt for prompt in place if prompt not in {record.parent for record in records}]
            drops = [Dropped(prompt, "prompt", "judge", "no answer could be rated") for prompt in lost]
            return Batch(list(place), records, [*batch.drops, *drops])

        return judged

    message = "rating answers and measuring difficulty"
    yield from work.each(cases, judge.PROMPTS_A_BATCH, judge.PROMPTS_AT_LEAST, named, message, len(answered))


def _rating(work: Work, open_engine: judge.Opener) -> Answer:
    rate, measure = _rate(work, open_engine), difficulty.open_measure(work, open_engine)

    def answer(some: Sequence[Answered]) -> Batch:
        ratings, unrated = rate(some)
        difficulties, unmeasured = measure([(each.prompt, each.completions) for each in some])
        return Batch(records=[*ratings, *difficulties], drops=[*unrated, *unmeasured])

    return answer


def _rate(work: Work, open_engine: judge.Opener) -> Rate:
    settings = work.settings.judge
    if settings.judge == "extractive":
        return open_rubric(work.run)
    from realign.curate.judges.model_rubric import rate_by_model

    engine = open_engine(settings.judge)
    work.run.note("engine", list(engine.notes))
    return lambda cases: rate_by_model(engine, cases, settings)
