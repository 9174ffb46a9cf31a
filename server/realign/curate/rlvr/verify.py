"""Stage 3 of RLVR, judge: each task's verifier on every rollout, on right forms of the answer, and on planted wrong.

Every answer is verified twice, independently: two child processes, one after the other. `unknown` (out of time, a
missing tool, a reference that can't be read) is a third verdict: it never counts as a pass or as a failure. How long
it took stands in the trials alone, so that a resumed run writes the same bytes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from realign.records import Completion, Record, Task, Trial, make_id
from realign.run import Batch, Run
from realign.settings import Settings
from realign.verify import Check, Outcome, verify_all
from realign.work import Work

TASKS_A_BATCH, TASKS_AT_LEAST = 64, 8
VerifyAll = Callable[[Sequence[tuple[Check, str]], float], list[Outcome]]


def inputs(run: Run, settings: Settings) -> str:
    """How long a verifier may take."""
    return f"{settings.rlvr.seconds}"


@dataclass(frozen=True, slots=True)
class Subject:
    """An answer to be verified: what it is (Trial.subject), its text, and its completion where it is a rollout."""

    kind: Literal["rollout", "reference", "equivalent", "planted"]
    text: str
    completion: str = ""


def verify_rollouts(work: Work, verify: VerifyAll = verify_all) -> Iterator[Batch]:
    """Verify every task that has rollouts and was not verified, a fixed batch at a time."""
    run, seen, seconds = work.run, work.run.done(work.stage), work.settings.rlvr.seconds
    rollouts: defaultdict[str, list[Completion]] = defaultdict(list)
    for completion in run.records("completion"):
        rollouts[completion.parent].append(completion)
    tasks = [task for task in run.records("task") if task.parent in rollouts]
    pending = [task for task in tasks if task.parent not in seen]

    def prepare() -> Callable[[Sequence[Task]], Batch]:
        return lambda some: verified([(task, subjects(task, rollouts[task.parent])) for task in some], seconds, verify)

    yield from work.each(pending, TASKS_A_BATCH, TASKS_AT_LEAST, prepare, "verifying rollouts", len(tasks))


def subjects(task: Task, rollouts: Sequence[Completion] = ()) -> list[Subject]:
    """What a task's verifier is tried on."""
    return [
        *(Subject("rollout", each.text, each.id) for each in rollouts),
        Subject("reference", task.answer),
        *(Subject("equivalent", text) for text in task.equivalents),
        *(Subject("planted", text) for text in task.wrong),
    ]


def verified(asked: Sequence[tuple[Task, Sequence[Subject]]], seconds: float, verify: VerifyAll = verify_all) -> Batch:
    """A batch of trials: each subject of each task, verified twice."""
    checks = [(as_check(task), subject.text) for task, found in asked for subject in found]
    first, again = iter(verify(checks, seconds)), iter(verify(checks, seconds))
    records: list[Record] = [
        trial(task, n, subject, next(first), next(again)) for task, found in asked for n, subject in enumerate(found)
    ]
    return Batch([task.parent for task, _ in asked], records)


def as_check(task: Task) -> Check:
    """The check of a task."""
    return Check(task.verifier, task.answer, task.spec)


def decided(trial: Trial) -> bool:
    """Whether both verifications of an answer said the same, and were no unknowns."""
    return trial.verdict == trial.again != "unknown"


def trial(task: Task, n: int, subject: Subject, once: Outcome, again: Outcome) -> Trial:
    """The record of two verifications; seconds is the longer of their times."""
    return Trial(
        make_id("trial", task.id, n, subject.kind, subject.text), task.parent, task.id, subject.completion,
        subject.kind, subject.text, once.verdict, again.verdict, max(once.seconds, again.seconds), once.detail,
    )  # fmt: skip
