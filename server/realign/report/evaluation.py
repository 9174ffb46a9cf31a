"""What an alignment came to, as plain values: the decision, the numbers before and after, the attempts, the curves.

    found = evaluate(run, summary)
    found.decision                      "DEPLOY", "REJECT", or "not decided" while stages are left

DEPLOY needs every stage ended and no gate at REJECT. Nothing is read but records.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from realign import workflow
from realign.quality import metrics
from realign.quality.evidence import Evidence
from realign.quality.metrics import Measure
from realign.records import Checkpoint, Reply, Step, make_id
from realign.report.summary import Summary
from realign.run import Run

REPLIES = 12


@dataclass(frozen=True, slots=True)
class Compared:
    """A number before and after, on the same items, and the paired difference. n counts items."""

    name: str
    before: float
    after: float
    difference: Measure


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt of a training stage: what it was trained with, and why the one before it was not enough."""

    stage: str
    attempt: int
    knobs: dict[str, Any]
    folder: str
    why: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The account. replies are (prompt, before, after, whether each was right); curves are points by stage and name."""

    decision: str
    reason: str
    compared: tuple[Compared, ...]
    tried: tuple[Tried, ...]
    replies: tuple[tuple[str, Reply, Reply], ...]
    curves: dict[str, dict[str, tuple[tuple[float, float], ...]]]


def evaluate(run: Run, summary: Summary) -> Evaluation:
    """Gather it from the records and the verdicts just measured."""
    evidence = Evidence.of_run(run, workflow.settings_of(run))
    replies = pairs_of_replies(list(run.records("reply")))
    return Evaluation(
        *decide(summary), tuple(compare(evidence)), tuple(tries(run)), tuple(replies),
        curves_of(list(run.records("step"))),
    )  # fmt: skip


def decide(summary: Summary) -> tuple[str, str]:
    """(decision, why): the first gate that rejects, or the stage that is left."""
    rejected = [verdict for verdict in summary.verdicts if verdict.tier == "REJECT"]
    if rejected:
        return "REJECT", "; ".join(f"{verdict.stage}: {verdict}" for verdict in rejected)
    if summary.next_stage:
        return "not decided", f"{summary.next_stage} has not passed yet"
    return "DEPLOY", "every stage has passed its gates"


def compare(evidence: Evidence) -> list[Compared]:
    """Every benchmark and every return that was read before and after, in the order of its first reading."""
    found: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for reading in evidence.readings_of("evaluate", "capability") + evidence.readings_of("evaluate", "return"):
        name = reading.part if reading.metric == "capability" else f"{reading.metric}, {reading.part}"
        found[name].append((reading.values["before"], reading.values["after"]))
    return [
        Compared(
            name, sum(before for before, _ in pairs) / len(pairs), sum(after for _, after in pairs) / len(pairs),
            metrics.mean([after - before for before, after in pairs], "score"),
        )
        for name, pairs in found.items()
    ]  # fmt: skip


def tries(run: Run) -> list[Tried]:
    """Every attempt in order, with the verdict that made it necessary."""
    events = {(stage, message.split(" was ")[0]): message for _, stage, message, _ in run.events()}
    checkpoints: list[Checkpoint] = list(run.records("checkpoint"))
    return [
        Tried(
            each.stage,
            each.attempt,
            each.knobs,
            each.folder,
            events.get((each.stage, f"attempt {each.attempt - 1}"), ""),
        )
        for each in checkpoints
    ]


def pairs_of_replies(replies: list[Reply]) -> list[tuple[str, Reply, Reply]]:
    """A few prompts with what was answered before and after: those that changed first, by a hash of their ids."""
    before, after = ({r.parent: r for r in replies if r.when == when} for when in ("before", "after"))
    both = [(reply.prompt, reply, after[name]) for name, reply in before.items() if name in after]
    both.sort(key=lambda each: (each[1].text == each[2].text, make_id("reply", each[1].parent)))
    return both[:REPLIES]


def curves_of(steps: list[Step]) -> dict[str, dict[str, tuple[tuple[float, float], ...]]]:
    """(step, value) points of each stage's last attempt, by name."""
    last: dict[str, int] = {}
    for step in steps:
        last[step.stage] = max(last.get(step.stage, 0), step.attempt)
    found: dict[str, defaultdict[str, list[tuple[float, float]]]] = {}
    for step in steps:
        if step.attempt == last[step.stage]:
            named = found.setdefault(step.stage, defaultdict(list))
            for name, value in step.values.items():
                named[name].append((float(step.number), value))
    return {stage: {name: tuple(points) for name, points in named.items()} for stage, named in found.items()}
