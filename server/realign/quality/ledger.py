"""The ledger of a run: for each step, what went in, what was kept, and what was dropped by reason.

    for step in ledger(run): print(step.stage, step.entered, step.kept, step.reasons)

Entered and kept are counted from records, dropped from drops, each by itself, so that a lost record shows as `off`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from realign.quality.selected import MAIN_FORM
from realign.run import Run

STAGES = ("source", "candidates", "judge", "select", "filter", "export")


@dataclass(frozen=True, slots=True)
class Step:
    """One step's account. unit says what is counted; reasons maps (reason) to how many were dropped for it."""

    stage: str
    unit: str
    entered: int
    kept: int
    reasons: dict[str, int]

    @property
    def dropped(self) -> int:
        """How many records were dropped, all reasons together."""
        return sum(self.reasons.values())

    @property
    def off(self) -> bool:
        """True when a record is unaccounted for."""
        return self.entered != self.kept + self.dropped


JUDGED = ("judgment", "rating", "difficulty", "trial", "grounding")  # what judging gives; the parent is the prompt
SELECTED = ("pair", "example")
UNITS = {"pair": "pairs", "example": "examples"}


def ledger(run: Run) -> list[Step]:
    """The account of every curation step that has run, in order. Entered is what the step's inputs say."""
    reasons, finished = _reasons(run), {stage for (stage,) in run.db.execute("SELECT DISTINCT stage FROM done")}

    def step(stage: str, unit: str, entered: int, kept: int, kind: str) -> Step:
        return Step(stage, unit, entered, kept, reasons.get((stage, kind), {}))

    asked, answered, judged = (_parents(run, kinds) for kinds in (("prompt",), ("completion",), JUDGED))
    prompts = run.count("prompt")
    steps = [
        step("source", "documents", len(run.noted("sources", [])), _left(run, "document", "source"), "document"),
        step("source", "passages", run.count("passage"), asked, "passage"),
        step("source", "prompts", run.counter("source", "prompts asked"), prompts, "prompt"),
        step("candidates", "prompts", prompts, answered, "prompt"),
        step("judge", "prompts", answered, judged, "prompt"),
        step("select", "prompts", judged, _parents(run, SELECTED), "prompt"),
    ]
    for kind in (kind for kind in SELECTED if run.count(kind)):
        kept = _left(run, kind, "filter")
        steps += [
            step("filter", UNITS[kind], run.count(kind), kept, kind),
            step("export", _rows_of(kind, run.noted("data_type", "dpo")), kept, _rows(run, kind), kind),
        ]
    return sorted((each for each in steps if each.stage in finished), key=lambda each: STAGES.index(each.stage))


def _rows_of(kind: str, data_type: str) -> str:
    return "rows" if kind == "example" or MAIN_FORM[data_type] == "pair" else "preference rows"


def _reasons(run: Run) -> dict[tuple[str, str], dict[str, int]]:
    found: dict[tuple[str, str], Counter[str]] = {}
    for stage, _, kind, reason, n in run.drop_counts():
        found.setdefault((stage, kind), Counter())[reason] += n
    return {key: dict(counter) for key, counter in found.items()}


def _parents(run: Run, kinds: tuple[str, ...]) -> int:
    """How many different parents the records of some kinds have, all together."""
    query = f"SELECT COUNT(DISTINCT parent) FROM records WHERE kind IN ({', '.join('?' * len(kinds))})"
    return int(run.db.execute(query, kinds).fetchone()[0])


def _left(run: Run, kind: str, stage: str) -> int:
    """How many records of a kind a stage did not drop."""
    query = (
        "SELECT COUNT(*) FROM records WHERE kind = ?1"
        " AND id NOT IN (SELECT record FROM drops WHERE stage = ?2 AND kind = ?1)"
    )
    return int(run.db.execute(query, (kind, stage)).fetchone()[0])


def _rows(run: Run, kind: str) -> int:
    """How many rows were made of records of a kind."""
    query = (
        "SELECT COUNT(*) FROM records AS row JOIN records AS made ON made.id = row.parent"
        " WHERE row.kind = 'row' AND made.kind = ?"
    )
    return int(run.db.execute(query, (kind,)).fetchone()[0])
