"""Stage 2 of RLVR, candidates: at least eight rollouts a task, by the author the settings name.

A model is asked the same task again and again at a temperature, each time with another seed. The embedded default is
the overlap reader (reader.py): a weak reader whose pass rate says how hard a task is for it. Neither is shown the
answer. Rollouts of a task may be equal: that is a measurement too. A task with too few is dropped with the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from realign.curate.authors import author_identity, extractive
from realign.curate.rlvr import reader
from realign.records import Completion, Dropped, Prompt, Task, make_id
from realign.run import Batch, Run
from realign.settings import Candidates, Settings
from realign.work import Work

READER_BATCH = 256
Author = Callable[[Sequence["Posed"]], tuple[list[Completion], list[Dropped]]]


def inputs(run: Run, settings: Settings) -> str:
    """The author's identity, and how many rollouts a task has."""
    return f"{author_identity(settings.candidates.author)};{settings.rlvr.rollouts}"


@dataclass(frozen=True, slots=True)
class Posed:
    """A prompt and the kind of answer it asks for: all that an author is given. options: choices or items, as shown."""

    prompt: Prompt
    verifier: str
    options: tuple[str, ...] = ()


def roll_out(work: Work) -> Iterator[Batch]:
    """Answer every task that has not been answered, a fixed batch at a time."""
    run, seen = work.run, work.run.done(work.stage)
    settings, rollouts = work.settings.candidates, work.settings.rlvr.rollouts
    tasks = {task.parent: task for task in run.records("task")}
    posed = [as_posed(prompt, tasks[prompt.id]) for prompt in run.records("prompt") if prompt.id in tasks]
    pending = [each for each in posed if each.prompt.id not in seen]
    embedded = settings.author == extractive.NAME
    size = READER_BATCH if embedded else settings.batch_size
    grain = READER_BATCH // 16 if embedded else -(-settings.batch_size // rollouts)

    def prepare() -> Callable[[Sequence[Posed]], Batch]:
        author = _author(work)
        return lambda some: _answered(some, *author(some), rollouts)

    yield from work.each(pending, size, grain, prepare, "rolling out tasks", len(posed))


def as_posed(prompt: Prompt, task: Task) -> Posed:
    """What of a task may be known to whoever answers it; the items of an order in an order that says nothing."""
    choices = task.spec.get("choices") or ()
    shown = list(choices.values()) if isinstance(choices, dict) else list(choices)
    items = sorted(map(str, task.spec.get("items") or ()), key=lambda item: make_id(prompt.id, item))
    return Posed(prompt, task.verifier, tuple(map(str, shown or items)))


def _answered(some: Sequence[Posed], found: list[Completion], drops: list[Dropped], fewest: int) -> Batch:
    """A batch in which tasks with fewer rollouts than asked for are dropped, by the reason most of theirs were lost."""
    counts, named = Counter(each.parent for each in found), {drop.record for drop in drops if drop.kind == "prompt"}
    few = {each.prompt.id for each in some if counts[each.prompt.id] < fewest}
    reason = f"fewer than {fewest} rollouts"
    drops += [Dropped(prompt, "prompt", "complete", reason) for prompt in sorted(few - named)]
    return Batch([each.prompt.id for each in some], [each for each in found if each.parent not in few], drops)


def _author(work: Work) -> Author:
    settings, rollouts = work.settings.candidates, work.settings.rlvr.rollouts
    if settings.author == extractive.NAME:
        return lambda some: read_all(some, settings, rollouts)
    from realign.curate.rlvr.model import solve
    from realign.engine import open_engine

    engine = open_engine(settings.author, sharded=work.settings.hardware.sharded)
    work.run.note("engine", list(engine.notes))
    return lambda some: solve(engine, [each.prompt for each in some], settings, rollouts)


def read_all(some: Sequence[Posed], settings: Candidates, rollouts: int) -> tuple[list[Completion], list[Dropped]]:
    """The overlap reader's rollouts; what it has no way to answer is dropped by name."""
    found, drops = [], []
    for each in some:
        texts = reader.answers(each.prompt.text, each.verifier, each.options, settings, rollouts, each.prompt.id)
        if not texts:
            reason = f"the {reader.NAME} writes no {each.verifier} answers to it: name a model as author"
            drops.append(Dropped(each.prompt.id, "prompt", "complete", reason))
        found += [rollout(each.prompt, n, text, reader.NAME, settings.seed) for n, text in enumerate(texts)]
    return found, drops


def rollout(prompt: Prompt, n: int, text: str, author: str, seed: int) -> Completion:
    """The n-th rollout of a prompt: its number is in its id, since two may say the same."""
    return Completion(make_id("rollout", prompt.id, n, seed, text), prompt.id, text, author, "rollout", seed)
