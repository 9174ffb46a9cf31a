"""One stage of a run, to look at: counts, gates, drops by reason, and a few of the records it made.

print(look_as_text(look_at(run, "select", 3)))
"""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

from realign.records import KINDS
from realign.run import Run
from realign.views.check import check_run

LONGEST = 240  # characters of a field shown


def look_at(run: Run, stage: str, records: int = 3) -> dict[str, Any]:
    """What the stage left, as plain values. Raises UsageError for a stage that the run does not have."""
    checked = check_run(run, stage)
    state = run.stage(stage)
    query = "SELECT kind, COUNT(*) FROM records WHERE stage = ? GROUP BY kind"
    counts = dict(run.db.execute(query, (stage,)))
    drops = [
        {"step": step, "kind": kind, "reason": reason, "count": n}
        for name, step, kind, reason, n in run.drop_counts()
        if name == stage
    ]
    return {
        "run": run.id, "stage": stage, "status": state.status, "seconds": round(state.seconds, 2), "error": state.error,
        "counts": {kind: counts[kind] for kind in KINDS if kind in counts}, "drops": drops,
        "gates": [str(verdict) for verdict in checked.verdicts], "notes": list(checked.notes),
        "records": {kind: _some(run, stage, kind, records) for kind in KINDS if kind in counts},
    }  # fmt: skip


def _some(run: Run, stage: str, kind: str, count: int) -> list[dict[str, Any]]:
    """The first few records of a kind, long texts cut."""
    query = "SELECT body FROM records WHERE stage = ? AND kind = ? ORDER BY seq"
    rows = islice(run.db.execute(query, (stage, kind)), max(count, 0))
    return [{name: _cut(value) for name, value in json.loads(body).items()} for (body,) in rows]


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= LONGEST else value[:LONGEST] + " …"
    if isinstance(value, list) and len(value) > 5:
        return [*value[:5], f"… {len(value) - 5} more"]
    return value


def look_as_text(seen: dict[str, Any]) -> str:
    """For a terminal."""
    lines = [f"{seen['run']}, {seen['stage']}: {seen['status']} after {seen['seconds']:g} s"]
    lines += [f"  error: {seen['error']}"] if seen["error"] else []
    lines += [f"  {count:>8,} {kind}" for kind, count in seen["counts"].items()]
    lines += ["Gates", *(f"  {gate}" for gate in seen["gates"])] if seen["gates"] else []
    lines += [f"  note: {note}" for note in seen["notes"]]
    lines += ["Dropped"] if seen["drops"] else []
    lines += [f"  {drop['count']:>8,} {drop['kind']}, {drop['step']}: {drop['reason']}" for drop in seen["drops"]]
    for kind, records in seen["records"].items():
        for record in records:
            lines += [f"{kind} {record['id']}"]
            lines += [f"  {name:<15}{value}" for name, value in record.items() if name not in ("id",)]
    return "\n".join(lines)
