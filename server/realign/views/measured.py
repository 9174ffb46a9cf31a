"""What a function of the metrics library gives, and how it comes about from a file, gates and measures.

found, evidence = evidence_of("pairs.jsonl", "dpo", judge="", settings)
result = verdict_on(gate, evidence, found.problems)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from realign.quality.evidence import Evidence
from realign.quality.gates import Gate, Tier, Verdict, judge_gate, worst
from realign.quality.metrics import Measure, not_measured
from realign.settings import Settings, parse_settings
from realign.views.check import gates_of_files
from realign.views.forms import FileRows, read_file

File = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Result:
    """A measured value with its count, 95 % interval and tier. value None: not measured, and reason says why.

    tier is None where no gate stands on the metric, or it could not be decided; of several gates it is the worst, and
    one that could not be decided is REJECT. needed: the gate's rule. problems: rows that could not be used, by file,
    line and field. gates: the verdicts of all, for the functions that look at more than one.
    """

    metric: str
    value: float | None
    n: int
    low: float | None
    high: float | None
    unit: str
    tier: Tier | None
    needed: str
    reason: str
    details: dict[str, Any]
    problems: tuple[str, ...] = ()
    gates: tuple[Verdict, ...] = ()
    text: str = ""

    def __str__(self) -> str:
        """One line: the metric, its value with interval and count, what was needed, and the tier."""
        return self.text


def evidence_of(path: File, data_type: str, judge: str, settings: Settings) -> tuple[FileRows, Evidence]:
    """A file's rows in the form of a data type, measured by a judge where one is named, as evidence."""
    found = read_file(Path(path), data_type)
    if judge:
        from realign.views.scoring import scored_by

        return found, Evidence.of_rows(scored_by(judge, found.rows, data_type, settings), settings)
    prepare = gates_of_files(data_type)[1]
    return found, Evidence.of_rows([prepare(row) for row in found.rows], settings)


def one_gate(
    name: str, path: File, data_type: str, judge: str, settings: dict[str, Any], chosen: Settings | None = None
) -> Result:
    """One gate of a data type on a file."""
    found, evidence = evidence_of(path, data_type, judge, chosen or parse_settings(settings))
    return verdict_on(gate_named(gates_of_files(data_type)[0], name), evidence, found.problems)


def gate_named(gates: Iterable[Gate], name: str) -> Gate:
    """The gate of that name."""
    return next(gate for gate in gates if gate.name == name)


def verdict_on(gate: Gate, evidence: Evidence, problems: tuple[str, ...]) -> Result:
    """One gate's result on evidence."""
    return as_result(judge_gate(gate, evidence, "file"), problems)


def all_gates(gates: Sequence[Gate], evidence: Evidence, problems: tuple[str, ...]) -> Result:
    """The first gate's result, with the verdicts of all."""
    verdicts = tuple(judge_gate(gate, evidence, "file") for gate in gates)
    return as_result(verdicts[0], problems, verdicts)


def judged(gate: Gate, measure: Measure, settings: Settings, problems: tuple[str, ...] = ()) -> Result:
    """One gate's result on what was measured already."""
    return as_result(verdict_of(gate, measure, settings), problems)


def verdict_of(gate: Gate, measure: Measure, settings: Settings) -> Verdict:
    """A gate's verdict on what was measured already."""
    fixed: Callable[[Evidence], Measure] = lambda evidence: measure  # noqa: E731
    return judge_gate(replace(gate, measure=fixed), Evidence.of_rows([], settings), "file")


def as_result(verdict: Verdict, problems: tuple[str, ...], gates: tuple[Verdict, ...] = ()) -> Result:
    """A verdict as a result; the tier is the worst of all gates where there are several, as for a file as a whole."""
    tier = worst(gates) if gates else verdict.tier if verdict.decided else None
    return Result(
        verdict.gate, verdict.value, verdict.n, verdict.low, verdict.high, verdict.unit,
        tier, verdict.needed, verdict.reason, dict(verdict.details), problems, gates, str(verdict),
    )  # fmt: skip


def reported(name: str, measure: Measure, problems: tuple[str, ...]) -> Result:
    """A result without a gate."""
    result = judged(Gate(name, lambda evidence: not_measured(""), "", minimum=0), measure, Settings(), problems)
    return replace(result, tier=None, needed="", text=result.text.partition("; needed")[0])
