"""What the tools answer: one flat model each, its `summary` first, since clients show nothing but these fields.

Everything is plain text, numbers and lists of lines; shorten.py cuts what would be too long. The functions turn what
the library gives into these answers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from realign.intake.runs import name_of

if TYPE_CHECKING:
    from realign.hardware.planned import Plan
    from realign.intake.detect import Detection
    from realign.job.progress import Progress
    from realign.quality.gates import Verdict
    from realign.report.summary import Summary
    from realign.run import Run
    from realign.views.check import Checked


class Answer(BaseModel):
    """What every answer has."""

    summary: str = Field(description="the answer in one line")
    details_file: str = Field("", description="the whole answer as JSON, where it was too long for here")


class DetectedType(Answer):
    """What a request or a data file asks for."""

    data_type: str = Field(description="dpo, sft, srf, rlvr or anti_hallucination; empty when unsure")
    confidence: float = Field(description="0 to 1")
    question: str = Field(description="ask the user this when data_type is empty")
    candidates: list[str]
    evidence: list[str] = Field(description="words seen, with the data type they speak for and their weight")
    model: str
    parameters: float | None
    sources: list[str]
    output: str
    examples: int | None
    workflow: str
    stages: list[str]
    skill: str
    available: bool = Field(description="whether this version can run that workflow")


class HardwarePlan(Answer):
    """Where a model runs, and what each figure rests on."""

    model: str
    data_type: str
    task: str
    examples: int
    tokens: int = Field(description="of the longest sequence")
    parameters: float | None
    bits: float
    machine: str = Field(description="empty when no machine holds the model")
    why: str = Field(description="this machine and no other")
    batch_size: int | None
    work: list[str] = Field(description="each machine's share, batch size and rate")
    transport: str
    memory: list[str] = Field(description="GB by use")
    examples_per_second: float | None
    seconds: float | None
    time: str = Field(description="how long, and whether that is measured, a floor or an estimate")
    cost: str
    generation_ceiling: list[str] = Field(description="tokens/s that memory bandwidth allows; a bound, not a rate")
    environment: dict[str, str]
    nice: int
    refused: list[str] = Field(description="what was asked for and must not be done, with the reason")
    basis: list[str]
    warnings: list[str]
    question: str
    here: str = Field(description="what this machine can do itself")


class GateResult(BaseModel):
    """One gate, measured on the records."""

    line: str = Field(description="the gate in one line")
    stage: str
    gate: str
    tier: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    unit: str
    needed: str
    severity: str
    decided: bool
    borderline: bool
    remedy: str
    details: str = Field(description="JSON: what stands behind the value")


class StageResult(Answer):
    """How far a run is."""

    run: str
    folder: str
    stage: str
    status: str = Field(description="running, passed, warned, blocked, failed, cancelled or waiting")
    next_stage: str = Field(description="empty when every stage has passed")
    done: int
    total: int
    rate: float | None = Field(description="inputs a second")
    seconds_left: float | None
    message: str
    stages: list[str] = Field(description="every stage with its status")
    gates: list[GateResult]
    what_to_do: str


class GatesResult(Answer):
    """Every gate asked for, recomputed."""

    tier: str = Field(description="HIGH, MEDIUM, REJECT, or not measured")
    gates: list[GateResult]
    notes: list[str] = Field(description="stages that were not measured, rows that could not be read")
    rows: int
    bad_rows: int


class RunSummary(Answer):
    """The output summary of a run."""

    run: str
    folder: str
    data_type: str
    workflow: str
    model: str
    tier: str
    status: str
    next_stage: str
    examples: int
    train: int
    valid: int
    test: int
    machine: str
    batch_size: int | None
    seconds: float
    examples_per_second: float | None
    cost: str
    cost_per_example: float | None = Field(description="in currency; null where it was not measured")
    currency: str
    power: str = Field(description="watts, and what they rest on")
    in_force: list[str] = Field(description="priority, environment and device, measured in the worker")
    author: str
    judge: str
    origin: str
    gates: list[str]
    dropped: list[str]
    settings_changed: list[str]
    paths: dict[str, str] = Field(description="train, valid, test, card, report, manifest: those that exist")


# -- from what the library gives ----------------------------------------------------------------------------------


def detected(found: Detection, stages: Sequence[str]) -> DetectedType:
    """The answer to detect_data_type. stages: of the workflow, empty when this version does not have it."""
    if found.data_type:
        line = f"{found.data_type} (confidence {found.confidence:.2f})"
        line += f", model {found.model}" if found.model else ""
        line += f", from {', '.join(found.sources)}" if found.sources else ""
        line += "" if stages else f"; {found.workflow} {found.data_type} is not in this version"
    else:
        line = f"unsure: {found.question}"
    return DetectedType(
        summary=line, data_type=found.data_type, confidence=found.confidence, question=found.question,
        candidates=list(found.candidates), evidence=[f"{w}: {t} {x:g}" for w, t, x in found.evidence],
        model=found.model, parameters=found.parameters, sources=list(found.sources), output=found.output,
        examples=found.examples, workflow=found.workflow, stages=list(stages), skill=found.skill,
        available=bool(stages),
    )  # fmt: skip


def hardware_plan(plan: Plan) -> HardwarePlan:
    """The answer to plan_hardware."""
    from realign.views import plans

    same = ("model", "data_type", "task", "examples", "tokens", "machine", "why", "batch_size", "transport", "seconds",
            "environment", "nice", "question")  # fmt: skip
    return HardwarePlan(
        **{name: getattr(plan, name) for name in same}, summary=plan.summary, examples_per_second=plan.rate,
        parameters=plan.size.parameters, bits=plan.size.bits,
        work=[plans.part_in_words(part) for part in plan.work], memory=plans.memory_uses(plan),
        time=plans.time_of_plan(plan), cost=plans.cost_of_plan(plan), generation_ceiling=plans.ceilings(plan),
        refused=[f"{name}: {reason}" for name, reason in plan.refused], basis=list(plan.basis),
        warnings=list(plan.warnings), here=plans.here_in_words(plan.here),
    )  # fmt: skip


def gate_result(verdict: Verdict) -> GateResult:
    """One verdict in plain fields."""
    return GateResult(
        line=f"{verdict.stage}: {verdict}", stage=verdict.stage, gate=verdict.gate, tier=verdict.tier,
        value=verdict.value, low=verdict.low, high=verdict.high, n=verdict.n, unit=verdict.unit, needed=verdict.needed,
        severity=verdict.severity, decided=verdict.decided, borderline=verdict.borderline, remedy=verdict.remedy,
        details=json.dumps(verdict.details, default=str),
    )  # fmt: skip


def stage_result(run: Run, progress: Progress, writer: str) -> StageResult:
    """How far the run is, with the gates of its present stage as they are on disk now unless it still runs."""
    from realign import workflow
    from realign.views.check import check_run

    states = workflow.states(run)
    running = progress.status == "running"
    checked = check_run(run, progress.stage) if progress.status in ("passed", "warned", "blocked") else None
    next_stage = "" if running else workflow.next_stage(run)
    return StageResult(
        summary=f"{run.id}: {progress}", run=name_of(run.folder), folder=str(run.folder), stage=progress.stage,
        status=progress.status, next_stage=next_stage, done=progress.done, total=progress.total, rate=progress.rate,
        seconds_left=progress.seconds_left, message=progress.message if running else "",
        stages=[f"{s.name}: {progress.status if s.name == progress.stage else s.status}" for s in states],
        gates=[gate_result(verdict) for verdict in checked.verdicts] if checked else [],
        what_to_do=_what_to_do(run, progress.status, next_stage, writer),
    )  # fmt: skip


def _what_to_do(run: Run, status: str, next_stage: str, writer: str) -> str:
    name = name_of(run.folder)
    again = f'run_stage with run "{name}"'
    if status == "running":
        return f"it is being worked on by {writer or 'a worker'}; {again} attaches to it and waits on"
    if status == "blocked":
        return (
            f"a gate says REJECT: tell the user its remedy; {again} and other settings does the stages they touch again"
        )
    if not next_stage:
        return f'every stage has passed: summarize with run "{name}"'
    return f'{again} and stage "{next_stage}", "next" or "all" goes on'


def gates_result(checked: Checked, what: str) -> GatesResult:
    """The answer to check_gates about `what`."""
    weak = [verdict for verdict in checked.verdicts if verdict.tier == checked.tier != "HIGH"]
    line = f"{what}: tier {checked.tier}" if checked.tier else f"{what}: nothing could be measured"
    line += f", because of {'; '.join(str(verdict) for verdict in weak)}" if weak else ""
    line += (
        f"; {checked.bad_rows} of {checked.rows + checked.bad_rows} rows could not be read" if checked.bad_rows else ""
    )
    return GatesResult(
        summary=line, tier=checked.tier or "not measured", notes=list(checked.notes), rows=checked.rows,
        bad_rows=checked.bad_rows, gates=[gate_result(verdict) for verdict in checked.verdicts],
    )  # fmt: skip


def run_summary(summary: Summary) -> RunSummary:
    """The answer to summarize."""
    from realign.report.conditions import cost_in_words, in_force_lines, power_in_words

    same = ("folder", "data_type", "workflow", "model", "tier", "status", "next_stage", "examples", "machine",
            "batch_size", "seconds", "examples_per_second", "author", "judge", "origin", "paths")  # fmt: skip
    return RunSummary(
        **{name: getattr(summary, name) for name in same}, **summary.splits,
        summary=summary.text, run=name_of(Path(summary.folder)),
        cost=cost_in_words(summary.cost), cost_per_example=summary.cost.get("per_example"),
        currency=str(summary.cost.get("currency", "")), power=power_in_words(summary.cost),
        in_force=in_force_lines(summary.in_force),
        gates=[f"{verdict.stage}: {verdict}" for verdict in summary.verdicts],
        dropped=[f"{drop.stage}: {drop.count} {drop.kind}, {drop.reason}" for drop in summary.dropped],
        settings_changed=[f"{each.name} = {each.used!r} (default {each.default!r})" for each in summary.changed],
    )  # fmt: skip
