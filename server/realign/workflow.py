"""The workflows by name and data type, and the short loop that runs a stage. Start here, then curate/workflows.py.

    documents -> passages -> prompts -> completions -> judgments -> pairs -> [gates] -> dataset
    base model -> sft -> [gate] -> preferences -> [gate] -> reward -> [gate] -> optimize -> [gate] -> evaluate

A stage takes the records before it and yields finished batches; each batch is committed before the next one is made, so
a stage can be killed at any moment and goes on where it was. When a stage has finished, its gates are measured on the
records; REJECT blocks the next stage, whatever door it is asked through. A stage's fingerprint covers the stage before
it, its settings, its inputs and the code that mattered: change one, and exactly the stages from there on are stale.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from realign.align.places import clear_stale
from realign.align.workflows import ALIGN
from realign.curate import export
from realign.curate.workflows import CURATE
from realign.errors import Blocked, Interrupted, RealignError, UsageError
from realign.quality.dropped import require_left
from realign.quality.evidence import Evidence
from realign.quality.gates import Verdict, as_dict, judge_gate, worst
from realign.run import Run, StageState, storage_error
from realign.settings import Settings, parse_settings
from realign.stage import Stage
from realign.work import Lockstep, Share, Work

PACKAGE = Path(__file__).parent
STATUS_OF_TIER = {"HIGH": "passed", "MEDIUM": "warned", "REJECT": "blocked"}
WORKFLOWS: dict[tuple[str, str], tuple[Stage, ...]] = {
    **{("curate", data_type): stages for data_type, stages in CURATE.items()},
    **{("align", data_type): stages for data_type, stages in ALIGN.items()},
}

# -- looking up -----------------------------------------------------------------------------------------------------


def stages_of(run: Run) -> tuple[Stage, ...]:
    """The stages of a run's workflow."""
    return workflow(run.noted("workflow", "curate"), run.noted("data_type", "dpo"))


def workflow(name: str, data_type: str) -> tuple[Stage, ...]:
    """A workflow by name and data type. Raises UsageError for one that this version does not have."""
    if (name, data_type) not in WORKFLOWS:
        known = ", ".join(f"{which} {kind}" for which, kind in WORKFLOWS)
        raise UsageError(f"No {name} workflow for {data_type} in this version", known, "--type dpo")
    return WORKFLOWS[name, data_type]


def settings_of(run: Run) -> Settings:
    """The settings a run was last started with."""
    return parse_settings(run.noted("settings", {}))


def find_stage(run: Run, name: str) -> int:
    """Place of a stage in the run's workflow, from 0. Raises UsageError that lists the names."""
    names = [stage.name for stage in stages_of(run)]
    if name not in names:
        raise UsageError(f"No stage {name!r} in {run.id}", ", ".join(names), "`next` or `all`")
    return names.index(name)


def next_stage(run: Run) -> str:
    """The first stage that has not passed with what is asked for now, or "" when all have."""
    prints = fingerprints(run, settings_of(run), looking=True)
    for stage in stages_of(run):
        state = run.stage(stage.name)
        if state.status not in ("passed", "warned") or state.fingerprint != prints[stage.name]:
            return stage.name
    return ""


def states(run: Run) -> list[StageState]:
    """Every stage's state in order; one that passed under other settings, inputs or code is stale, and one that was
    running when its worker was killed is cancelled."""
    prints = fingerprints(run, settings_of(run), looking=True)
    found = []
    for stage in stages_of(run):
        state = run.stage(stage.name)
        stale = state.fingerprint not in ("", prints[stage.name])
        if state.status == "running" and not run.holder():
            state = replace(state, status="cancelled")
        found.append(StageState(stage.name, "stale") if stale else state)
    return found


def fingerprints(run: Run, settings: Settings, looking: bool = False) -> dict[str, str]:
    """What each stage's outcome depends on, as one hash a stage; each contains the one before it.

    looking: a stage whose inputs (a model, a benchmark's file) are gone by now counts as what it was made from then;
    else that raises what reading them raised.
    """
    chain, found = str(run.noted("workflow")) + str(run.noted("data_type")), {}
    for stage in stages_of(run):
        try:
            inputs = stage.inputs(run, settings)
        except (OSError, RealignError):
            if not looking:
                raise
            chain = found[stage.name] = run.stage(stage.name).fingerprint
            continue
        parts = [chain, inputs, code_hash(stage.code)]
        parts += [getattr(settings, section).what_decides() for section in stage.sections]
        chain = found[stage.name] = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]
    return found


def what_is_gone(run: Run) -> tuple[str, ...]:
    """A sentence on each model or file that a stage was made from and that can't be read any more."""
    found, settings = [], settings_of(run)
    for stage in stages_of(run):
        try:
            stage.inputs(run, settings)
        except (OSError, RealignError) as error:
            told = storage_error(error) if isinstance(error, OSError) else error
            found.append(f"Whether a stage is stale can't be told: {told}")
    return tuple(dict.fromkeys(found))


def code_hash(places: Sequence[str]) -> str:
    """Hash of the package's files at `places` (files or folders): Python and templates alike."""
    digest = hashlib.sha256()
    for place in places:
        path = PACKAGE / place
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.suffix in (".py", ".md", ".html", ".css"):
                digest.update(file.relative_to(PACKAGE).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()


# -- running --------------------------------------------------------------------------------------------------------


def run_stage(
    run: Run, name: str, stopping: Callable[[], bool] = lambda: False, share: Share | None = None,
    lockstep: Lockstep | None = None,
) -> list[Verdict]:  # fmt: skip
    """Run one stage to its end and measure its gates. share, lockstep: how machines share it (work.py).

    The caller holds `run.writing`. Raises Blocked when the stage before has not passed, Interrupted when stopped, and
    EmptyInput, with raw examples, when it dropped all that it was given.
    """
    stage, settings = stages_of(run)[find_stage(run, name)], settings_of(run)
    prints = fingerprints(run, settings)
    require_passed(run, name, prints)
    exported = run.done("export")
    run.begin(name, find_stage(run, name), prints[name])
    if exported and not run.done("export"):
        export.set_aside(run.folder)
    if run.noted("workflow") == "align":
        clear_stale(run, name, prints[name])
    try:
        for batch in stage.act(Work(run, settings, name, stopping, share, lockstep)):
            run.commit(name, batch)
            if stopping():
                raise Interrupted(f"{name} was stopped", fix="the same command goes on where it stopped")
        require_left(run, name)
        verdicts = judge_stage(run, stage, settings)
    except Interrupted:
        run.end(name, "cancelled")
        raise
    except Exception as error:
        run.end(name, "failed", str(error))
        raise
    keep_verdicts(run, name, prints[name], verdicts)
    run.end(name, STATUS_OF_TIER[worst(verdicts)])
    return verdicts


def require_passed(run: Run, name: str, prints: dict[str, str]) -> None:
    """Refuse to go past a stage that has not passed with the present settings, inputs and code.

    The gates of the stage before are measured again from its records: a stored verdict is not believed.
    """
    place = find_stage(run, name)
    if place == 0:
        return
    before, settings = stages_of(run)[place - 1], settings_of(run)
    state = run.stage(before.name)
    stale = state.fingerprint not in ("", prints[before.name])
    if state.status not in ("passed", "warned", "blocked") or stale:
        status = "stale: its settings, its inputs or the code changed" if stale else state.status
        raise Blocked(f"{name} can't start: {before.name} is {status}", "every earlier stage passed", "run `next`")
    rejected = [verdict for verdict in judge_stage(run, before, settings) if verdict.tier == "REJECT"]
    if rejected:
        raise Blocked(
            f"{name} can't start: {before.name} was rejected: {'; '.join(str(verdict) for verdict in rejected)}",
            fix="; ".join(verdict.remedy for verdict in rejected if verdict.remedy),
        )


def judge_stage(run: Run, stage: Stage, settings: Settings) -> list[Verdict]:
    """Measure a stage's gates on the records as they are on disk now."""
    evidence = Evidence.of_run(run, settings)
    return [judge_gate(gate, evidence, stage.name) for gate in stage.gates]


def keep_verdicts(run: Run, name: str, fingerprint: str, verdicts: Sequence[Verdict]) -> None:
    """Write a stage's verdicts into the run: history for the report, never evidence."""
    import json

    with run.transaction():
        for verdict in verdicts:
            body = json.dumps(as_dict(verdict), sort_keys=True)
            row = (name, verdict.gate, fingerprint, body, time.time())
            run.db.execute("INSERT OR REPLACE INTO gates VALUES (?, ?, ?, ?, ?)", row)
