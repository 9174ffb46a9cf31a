"""What was dropped, as it stood: for a stage that left nothing, and for the file of quarantined rows.

require_left(run, "judge")      EmptyInput with three raw examples where a stage dropped all that it was given
raw_text(run, drop)             the row, prompt, passage or answers that a drop is about
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

from realign.errors import EmptyInput
from realign.records import Dropped, decode
from realign.run import Run

LEFT = {
    "source": ("prompt",),
    "candidates": ("completion",),
    "judge": ("judgment", "rating", "trial", "grounding"),
    "select": ("pair", "example"),
}
EXAMPLES, SHOWN = 3, 300  # how many, and characters of each
FIXES = {
    "source": "another source, or another author",
    "candidates": "another author, or rows that bring two answers",
    "judge": "another judge, such as a model (--judge)",
    "select": "lower floors (--set select.minimum_gap=...), better candidates, or an author nearer to the tasks",
    "filter": "the reasons above: other limits, or other sources",
}


def require_left(run: Run, stage: str) -> None:
    """Raise EmptyInput, with the reasons and three raw examples, where a finished stage dropped all it was given.

    Documents with too few readable pages are left to the parse gate, which names them.
    """
    drops = [drop for _, drop in run.drops(stage)]
    if not drops or any(drop.step == "parse gate" for drop in drops) or _left(run, stage, drops):
        return
    reasons = Counter(drop.reason for drop in drops).most_common(3)
    told = "; ".join(f"{reason} ({n:,})" for reason, n in reasons)
    shown = "".join(f"\n  {drop.record}: {drop.reason}: {raw_text(run, drop)[:SHOWN]}" for drop in _telling(run, drops))
    raise EmptyInput(f"{stage} left nothing: {told}{shown}\n", "at least one that goes on", FIXES.get(stage, ""))


def _left(run: Run, stage: str, drops: list[Dropped]) -> bool:
    if stage == "filter":
        kinds = ("pair", "example")
        return len({drop.record for drop in drops if drop.kind in kinds}) < sum(map(run.count, kinds))
    return stage not in LEFT or any(run.count(kind) for kind in LEFT[stage])


def _telling(run: Run, drops: list[Dropped]) -> list[Dropped]:
    """The first drop for each reason, then others, three at most; those whose texts are kept go before the rest."""
    first = {drop.reason: drop for drop in reversed(drops)}
    ordered = [*reversed(first.values()), *(drop for drop in drops if drop is not first[drop.reason])]
    with_text = list(islice((drop for drop in ordered if raw_text(run, drop)), EXAMPLES))
    return with_text or ordered[:EXAMPLES]


def raw_text(run: Run, drop: Dropped) -> str:
    """What a drop is about, on one line: texts of its records, else what the drop keeps of it."""
    return " | ".join(" ".join(text.split()) for text in _texts(run, drop)) or " ".join(drop.detail.split())


def _texts(run: Run, drop: Dropped) -> Iterator[str]:
    record = find(run, drop.kind, drop.record)
    if drop.kind in ("prompt", "passage", "completion") and record:
        yield record.text
        yield from getattr(record, "answers", ())
    elif drop.kind == "comparison":
        yield from (each.text for id in drop.record.split("+") if (each := find(run, "completion", id)))
    elif drop.kind in ("pair", "example") and record:
        names = (record.chosen, record.rejected) if drop.kind == "pair" else (record.completion,)
        found = [find(run, "prompt", record.parent), *(find(run, "completion", name) for name in names)]
        yield from (each.text for each in found if each)


def find(run: Run, kind: str, id: str) -> Any:
    """A record by kind and id, or None."""
    row = run.db.execute("SELECT body FROM records WHERE id = ? AND kind = ?", (id, kind)).fetchone()
    return decode(kind, row[0]) if row else None
