"""Gates measured again on what is on disk: a run's records, or the rows of a dataset file.

    check_run(run, "all")                       every stage that has ended
    check_file(Path("pairs.jsonl"), "dpo")      rows that can't be read are named by line and field, the rest is checked

Nothing that was stored as a verdict is read.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realign.errors import EmptyInput, UsageError
from realign.quality.evidence import Evidence
from realign.quality.gates import Gate, Tier, Verdict, judge_gate, worst
from realign.run import Run
from realign.settings import Settings

PREFERENCE = ("prompt", "chosen", "rejected")
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
    notes = []
    for each, state in zip(workflow.stages_of(run), workflow.states(run), strict=True):
        if stage not in ("all", each.name):
            continue
        if state.status == "stale":
            notes.append(f"{each.name} is stale: its settings, inputs or code changed since; run it again")
        if has_ended(run, each.name):
            verdicts += workflow.judge_stage(run, each, settings)
        else:
            notes.append(f"{each.name} has not ended ({state.status}): its gates are not measured")
    return Checked(worst(verdicts) if verdicts else None, tuple(verdicts), tuple(notes))


def check_file(path: Path, data_type: str, settings: Settings | None = None) -> Checked:
    """The dataset gates on the rows of a JSONL file. Raises UsageError or EmptyInput when no row can be read."""
    if data_type not in FILES:
        raise UsageError(f"No gates for {data_type} files in this version", ", ".join(FILES), "--type dpo")
    fields, gates, prepare = FILES[data_type]()
    rows, problems = read_rows(path, fields)
    if not rows:
        first = f": {problems[0]}" if problems else ""
        raise EmptyInput(f"No usable row in {path}{first}", f"JSON lines with {' and '.join(fields)}", "another file")
    evidence = Evidence.of_rows([prepare(row) for row in rows], settings or Settings())
    verdicts = tuple(judge_gate(gate, evidence, "file") for gate in gates)
    notes = tuple(problems[:LARGEST_SHOWN]) + (f"and {len(problems) - LARGEST_SHOWN} more",) * (
        len(problems) > LARGEST_SHOWN
    )
    return Checked(worst(verdicts), verdicts, notes, len(rows), len(problems))


# (fields of a row, gates, how a row is made ready for them) by data type; opened when one is asked for.
Opened = tuple[tuple[str, ...], tuple[Gate, ...], Callable[[dict[str, Any]], dict[str, Any]]]


def _preferences() -> Opened:
    from realign.quality.checks.preferences import DATASET_FILE

    return PREFERENCE, DATASET_FILE, lambda row: row


def _grounded() -> Opened:
    """Claims are judged again from the texts: support that a file brings along is not believed."""
    from realign.curate.grounding.recheck import judged_again
    from realign.quality.checks.grounding import DATASET_FILE

    return ("messages",), DATASET_FILE, judged_again


def _tasks() -> Opened:
    """Every row's verifier is tried again when its gates are measured."""
    from realign.quality.checks.rlvr import DATASET_FILE

    return ("prompt", "answer", "verifier"), DATASET_FILE, lambda row: row


FILES: dict[str, Callable[[], Opened]] = {"dpo": _preferences, "rlvr": _tasks, "anti_hallucination": _grounded}


# -- rows of a file -----------------------------------------------------------------------------------------------


def read_rows(path: Path, fields: Sequence[str] = PREFERENCE) -> tuple[list[dict[str, Any]], list[str]]:
    """(rows that can be checked, one sentence for each line that can't). Empty lines are nothing."""
    rows, problems = [], []
    for number, line in _lines(path):
        row, problem = parse_row(line, fields)
        if problem:
            problems.append(f"{path.name}, line {number}: {problem}")
        else:
            rows.append(row)
    return rows, problems


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is a folder, a pipe or a device", "a JSONL file", "check the path")
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}", "a JSONL file", "check the path") from None


def parse_row(line: bytes, fields: Sequence[str] = PREFERENCE) -> tuple[dict[str, Any], str]:
    """(row, "") or ({}, what is wrong and where)."""
    try:
        row = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        return {}, f"is not UTF-8 (byte {error.start})"
    except (ValueError, RecursionError) as error:
        return {}, f"is no JSON ({error})"
    if not isinstance(row, dict):
        return {}, f"is no JSON object but {type(row).__name__}"
    problems = [_wrong_text(row, name) for name in fields] + [_wrong_scores(row)]
    problem = next((found for found in problems if found), "")
    return ({}, problem) if problem else (row, "")


def _wrong_text(row: dict[str, Any], name: str) -> str:
    if name not in row:
        return f"{name} is missing"
    value = row[name]
    if name == "messages":
        return _wrong_messages(value)
    if name == "verifier":
        return _wrong_verifier(value)
    if not isinstance(value, str):
        return f"{name} is {type(value).__name__}, expected text"
    return "" if value.strip() else f"{name} is empty"


def _wrong_verifier(value: Any) -> str:
    from realign.verify import VERIFIERS
    from realign.verify.spec import plain_spec, wrong_spec

    if not isinstance(value, dict) or value.get("name") not in VERIFIERS:
        return f"verifier is {json.dumps(value)[:80]}, expected an object with a name: {', '.join(VERIFIERS)}"
    problem = wrong_spec(value["name"], plain_spec(value))
    return f"verifier.{problem}" if problem else ""


def _wrong_messages(value: Any) -> str:
    if not isinstance(value, list) or len(value) < 2:
        return "messages is no list of at least a question and an answer"
    for place, turn in enumerate(value):
        if not isinstance(turn, dict) or not isinstance(turn.get("content"), str):
            return f"messages[{place}] is no object with text under content"
    return "" if value[-1].get("role") == "assistant" else "messages does not end with an assistant's answer"


def _wrong_scores(row: dict[str, Any]) -> str:
    """Judges' scores are optional; where they are, each is two pairs of numbers in 0..1."""
    scores = row.get("scores")
    judges = scores.get("judges") if isinstance(scores, dict) else None
    if judges is None:
        return "" if scores is None or isinstance(scores, dict) else "scores is no object"
    if not isinstance(judges, dict):
        return "scores.judges is no object"
    for judge, both in judges.items():
        for order in ("straight", "swapped"):
            pair = both.get(order) if isinstance(both, dict) else None
            if not (isinstance(pair, list) and len(pair) == 2 and all(_is_score(value) for value in pair)):
                return f"scores.judges.{judge}.{order} is {json.dumps(pair)}, expected two numbers in 0..1"
    return ""


def _is_score(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0.0 <= value <= 1.0
