"""The ledger of a run: for each step, what went in, what was kept, and what was dropped by reason.

    for step in ledger(run): print(step.stage, step.entered, step.kept, step.reasons)

Entered and kept are counted from records, dropped from drops, each by itself, so that a lost record shows as `off`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from realign.run import Run


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


def ledger(run: Run) -> list[Step]:
    """The account of every DPO curation step that has run, in order. Entered is what the step's inputs say."""
    reasons = _reasons(run)
    files = len(run.noted("sources", []))
    parents = {kind: _parents(run, kind) for kind in ("prompt", "completion", "judgment", "pair", "row")}
    counts = {kind: run.count(kind) for kind in ("passage", "prompt", "pair", "row")}
    kept = _without_drops(run, "pair", "filter")
    asked = run.counter("source", "prompts asked")
    steps = [
        Step(
            "source",
            "documents",
            files,
            _without_drops(run, "document", "source"),
            reasons.get(("source", "document"), {}),
        ),
        Step("source", "passages", counts["passage"], parents["prompt"], reasons.get(("source", "passage"), {})),
        Step("source", "prompts", asked, counts["prompt"], reasons.get(("source", "prompt"), {})),
        Step(
            "candidates", "prompts", counts["prompt"], parents["completion"], reasons.get(("candidates", "prompt"), {})
        ),
        Step("judge", "prompts", parents["completion"], parents["judgment"], reasons.get(("judge", "prompt"), {})),
        Step("select", "prompts", parents["judgment"], counts["pair"], reasons.get(("select", "prompt"), {})),
        Step("filter", "pairs", counts["pair"], kept, reasons.get(("filter", "pair"), {})),
        Step("export", "rows", kept, counts["row"], reasons.get(("export", "pair"), {})),
    ]
    finished = {name for name in ("source", "candidates", "judge", "select", "filter", "export") if run.done(name)}
    return [step for step in steps if step.stage in finished]


def _reasons(run: Run) -> dict[tuple[str, str], dict[str, int]]:
    found: dict[tuple[str, str], Counter[str]] = {}
    for stage, _, kind, reason, n in run.drop_counts():
        found.setdefault((stage, kind), Counter())[reason] += n
    return {key: dict(counter) for key, counter in found.items()}


def _parents(run: Run, kind: str) -> int:
    """How many different parents the records of a kind have."""
    return int(run.db.execute("SELECT COUNT(DISTINCT parent) FROM records WHERE kind = ?", (kind,)).fetchone()[0])


def _without_drops(run: Run, kind: str, stage: str) -> int:
    """How many records of a kind a stage did not drop."""
    query = (
        "SELECT COUNT(*) FROM records WHERE kind = ?1"
        " AND id NOT IN (SELECT record FROM drops WHERE stage = ?2 AND kind = ?1)"
    )
    return int(run.db.execute(query, (kind, stage)).fetchone()[0])
