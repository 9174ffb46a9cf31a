"""Gates measured again on what is on disk: a run's records, or the rows of a dataset file.

    check_run(run, "all")                       every stage that has ended
    check_file(Path("pairs.jsonl"), "dpo")      rows that can't be read are named by line and field, the rest is checked

Nothing that was stored as a verdict is read. Files are read in views/forms.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realign.errors import UsageError
from realign.quality.checks.shared import DECONTAMINATION
from realign.quality.evidence import Evidence
from realign.quality.gates import Gate, Tier, Verdict, judge_gate, worst
from realign.run import Run
from realign.settings import DATA_TYPES, Settings
from realign.stage import Stage

Prepare = Callable[[dict[str, Any]], dict[str, Any]]
LARGEST_SHOWN = 20  # bad lines named one by one


@dataclass(frozen=True, slots=True)
class Checked:
    """Verdicts and what they add up to. tier is None when nothing could be measured; notes say what was left out."""

    tier: Tier | None
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...]
    rows: int = 0
    bad_rows: int = 0


def check_run(run: Run, stage: str = "all") -> Checked:
    """The gates of one stage, or of all that have ended. Raises UsageError for an unknown stage."""
    from realign import workflow
    from realign.report.summary import has_ended

    if stage != "all":
        workflow.find_stage(run, stage)
    settings = workflow.settings_of(run)
    verdicts: list[Verdict] = []
    notes = list(workflow.what_is_gone(run))
    for each, state in zip(workflow.stages_of(run), workflow.states(run), strict=True):
        if stage not in ("all", each.name):
            continue
        if state.status == "stale":
            notes.append(f"{each.name} is stale: its settings, inputs or code changed since; run it again")
        if has_ended(run, each.name):
            verdicts += workflow.judge_stage(run, each, settings)
        else:
            notes.append(f"{each.name} has not ended ({state.status}): its gates are not measured")
            notes += rejected_so_far(run, each, settings)
    return Checked(worst(verdicts) if verdicts else None, tuple(verdicts), tuple(notes))


def rejected_so_far(run: Run, stage: Stage, settings: Settings) -> list[str]:
    """Of a training that has not ended: what rejected its last attempt, before the next one."""
    from realign import workflow

    attempts = [each.attempt for each in run.records("checkpoint") if each.stage == stage.name]
    rejected = [v for v in workflow.judge_stage(run, stage, settings) if v.tier == "REJECT"] if attempts else []
    return [f"{stage.name}, attempt {attempts[-1]} was rejected: {verdict}" for verdict in rejected]


def check_file(path: Path, data_type: str, settings: Settings | None = None, model: str = "") -> Checked:
    """The dataset gates on the rows of a file in any known form. model: measures what the rows don't carry, and again
    what they do. Raises UsageError, SourceError, or EmptyInput with three raw rows when none can be used."""
    from realign.views.forms import read_file
    from realign.views.scoring import scored_by

    gates, prepare = gates_of_files(data_type)
    found, settings = read_file(path, data_type), settings or Settings()
    rows = scored_by(model, found.rows, data_type, settings) if model else [prepare(row) for row in found.rows]
    evidence = Evidence.of_rows(rows, settings)
    verdicts = tuple(judge_gate(gate, evidence, "file") for gate in gates)
    more = len(found.problems) - LARGEST_SHOWN
    notes = (*found.problems[:LARGEST_SHOWN], *([f"and {more} more"] if more > 0 else []))
    return Checked(worst(verdicts), verdicts, notes, len(rows), len(found.problems))


def gates_of_files(data_type: str) -> tuple[tuple[Gate, ...], Prepare]:
    """(gates of a dataset file, how a row is made ready for them without a model) of a data type."""
    from realign.quality.checks import grounding as grounded
    from realign.quality.checks import preferences, rlvr, sft

    as_it_is: Prepare = lambda row: row  # noqa: E731
    if data_type == "anti_hallucination":  # support that a file brings along is not believed
        from realign.curate.grounding.recheck import judged_again

        return grounded.DATASET_FILE, judged_again
    pairs = (*preferences.pair_gates("rows"), preferences.ROWS)
    files = {
        "dpo": preferences.DATASET_FILE, "rlvr": rlvr.DATASET_FILE, "sft": sft.DATASET_FILE,
        "srf": (*sft.ON_ROWS, sft.ROWS, *pairs, DECONTAMINATION),
    }  # fmt: skip
    if data_type not in files:
        raise UsageError(f"No data type {data_type!r}", ", ".join(DATA_TYPES), "--type dpo")
    return files[data_type], as_it_is
