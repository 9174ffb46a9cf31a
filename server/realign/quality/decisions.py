"""People's decisions on single records of a run: each is kept as a record, and the last one on a record counts.

    decide(run, pair_id, keep=True, note="checked against the book")     by whoever holds run.writing
    latest(run)                                                          -> {record id: Decision}
    overturned(run)                                                      Measure: the share of rows rejected

keep=True on what selection or a filter dropped re-admits it, and makes exactly that stage stale; keep=False leaves a
selected record out of the export. Decisions belong to no stage of a workflow, so running one again forgets none.
Contamination is never overridden: a row that holds a benchmark's text has no place in training data.
"""

from __future__ import annotations

import dataclasses
import getpass
import time

from realign.errors import UsageError
from realign.quality import metrics
from realign.quality.metrics import Measure
from realign.records import Decision, Dropped, decode, make_id
from realign.run import Batch, Run

STAGE = "review"  # what decisions are committed under; no workflow has a stage of this name
REJECTED = "rejected by a person"
OVERRIDES = ("select", "filter")
FINAL = {
    "decontamination": "text shared with an evaluation is never trained on",
    "exact duplicate": "it repeats another row word for word",
}
UNSCORED = "not every judge scored it"


def latest(run: Run) -> dict[str, Decision]:
    """The decision that counts for each record that has one, by the record's id."""
    return {decision.parent: decision for decision in run.records("decision")}


def readmitted(run: Run, stage: str) -> set[str]:
    """Ids of what a person re-admits although `stage` drops it."""
    return {record for record, decision in latest(run).items() if decision.keep and decision.overrides == stage}


def identity(run: Run, stage: str) -> str:
    """What the outcome of `stage` depends on besides settings: part of its fingerprint."""
    return ",".join(sorted(readmitted(run, stage)))


def rejected(run: Run) -> dict[str, str]:
    """{id: note} of every record that a person rejected."""
    return {record: decision.note for record, decision in latest(run).items() if not decision.keep}


def count_readmitted(run: Run) -> int:
    """How many of the rows that the filter kept are there because a person re-admitted them."""
    query = (
        "SELECT id, parent FROM records WHERE kind IN ('pair', 'example')"
        " AND id NOT IN (SELECT record FROM drops WHERE stage = 'filter')"
    )
    spared, wanted = readmitted(run, "filter"), readmitted(run, "select")
    return sum(row in spared or prompt in wanted for row, prompt in run.db.execute(query))


def decide(run: Run, record: str, keep: bool, note: str = "", by: str = "") -> Decision:
    """Keep a decision on a selected record, or on one that was dropped (see quarantine.jsonl). by: "" is the user.

    Raises UsageError for an id that the run does not know and for a drop that can't be overridden.
    """
    overrides, at = what_it_overrides(run, record, keep), time.time()
    decision = Decision(
        make_id("decision", record, keep, at), record, keep, at, note, by or getpass.getuser(), overrides
    )
    run.commit(STAGE, Batch(records=[decision]))
    return decision


def what_it_overrides(run: Run, record: str, keep: bool) -> str:
    """The stage whose drop a decision overrides, "" for none. Raises UsageError where it can't be taken."""
    dropped = _drop(run, record)
    if dropped is None and not _is_selected(run, record):
        raise UsageError(
            f"{run.id} has selected and dropped no record {record!r}", "an id from quarantine.jsonl or a row's records"
        )
    earlier = latest(run).get(record)
    return _overridden(*dropped) if keep and dropped else earlier.overrides if earlier else ""


def undo(run: Run, identity: str) -> Decision:
    """Take back the newest decision, as if it was never taken; an event keeps it. Raises UsageError for another."""
    newest = newest_decision(run)
    if newest is None or newest.id != identity:
        raise UsageError("That is not the newest decision", "the newest one", "deciding about the row again")
    with run.transaction():
        run.db.execute("DELETE FROM records WHERE id = ? AND kind = 'decision'", (identity,))
        run.event(STAGE, f"a decision on {newest.parent} was taken back", dataclasses.asdict(newest))
    return newest


def newest_decision(run: Run) -> Decision | None:
    """The decision that was committed last, None where there is none."""
    query = "SELECT body FROM records WHERE kind = 'decision' ORDER BY seq DESC LIMIT 1"
    row = run.db.execute(query).fetchone()
    return decode("decision", row[0]) if row else None


def _drop(run: Run, record: str) -> tuple[str, Dropped] | None:
    """(stage, drop) of a record; None where it was not dropped, or only because a person rejected it."""
    query = (
        "SELECT stage, record, kind, step, reason, detail FROM drops WHERE record = ? AND step != ?"
        " ORDER BY seq DESC LIMIT 1"
    )
    row = run.db.execute(query, (record, STAGE)).fetchone()
    return (row[0], Dropped(*row[1:])) if row else None


def _is_selected(run: Run, record: str) -> bool:
    query = "SELECT 1 FROM records WHERE id = ? AND kind IN ('pair', 'example')"
    return run.db.execute(query, (record,)).fetchone() is not None


def _overridden(stage: str, drop: Dropped) -> str:
    """The stage that a re-admission overrides. Raises UsageError with the reason where a drop is final."""
    what = f"{drop.record} was dropped by {stage}: {drop.reason}"
    if why := why_final(drop):
        raise UsageError(f"{what}; it can't be re-admitted: {why}")
    if stage not in OVERRIDES:
        raise UsageError(
            f"{what}; only {' and '.join(OVERRIDES)} can be overridden", fix="mend it in its source and run again"
        )
    return stage


def overturned(run: Run) -> Measure:
    """Share of the rows looked at that a person rejected, in 0..1; n counts these, details["of"] all there are.

    Rows are what the filter kept: agreeing with it about what it dropped, or taking that back, overturns no row. The
    interval holds where the rows looked at are a random sample, as in the mixed order that `realign review` starts in.
    """
    query = (
        "SELECT id FROM records WHERE kind IN ('pair', 'example')"
        " AND id NOT IN (SELECT record FROM drops WHERE stage = 'filter')"
    )
    rows = {row for (row,) in run.db.execute(query)}
    kept = [d.keep for record, d in latest(run).items() if record in rows and not d.overrides]
    if not kept:
        return metrics.not_measured("no person has looked at a row")
    return metrics.share((not keep for keep in kept), of=len(rows), rejected=kept.count(False))


def in_words(measure: Measure) -> str:
    """The share that a person overturned, in one line. Where all decisions are alike, resampling shows no spread."""
    if measure.value is None:
        return f"not measured: {measure.reason}"
    found, low, high = (100 * (edge or 0.0) for edge in (measure.value, measure.low, measure.high))
    spread = f"{low:.1f} to {high:.1f}" if low < high else "no interval: all decided alike"
    of, rejected = measure.details["of"], measure.details["rejected"]
    return f"a person looked at {measure.n:,} of {of:,}, overturned {rejected:,}: {found:.1f} % ({spread})"


def why_final(drop: Dropped) -> str:
    """Why a drop can't be overridden, "" where it can."""
    return FINAL.get(drop.step) or ("no score could be shown for it" if drop.reason == UNSCORED else "")
