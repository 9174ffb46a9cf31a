"""Stage preferences: the pairs that will be trained on are counted, and measured again before a step is taken.

Nothing is trained. Pairs whose two answers are the same, or too long for the training, are dropped with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator

from realign.align.data import pairs_of
from realign.errors import EmptyInput
from realign.records import Dropped, Row
from realign.run import Batch
from realign.work import Work


def gather_pairs(work: Work) -> Iterator[Batch]:
    """Look through every pair, in one batch. Raises EmptyInput where the data holds none."""
    if work.run.done(work.stage):
        return
    pairs = pairs_of(list(work.run.records("row")), "train", "valid", "test")
    if not pairs:
        found = "The dataset holds no preference pairs"
        raise EmptyInput(found, "rows with prompt, chosen and rejected", "curate with --type dpo, or another --type")
    drops = [
        Dropped(pair.id, "row", "preferences", "chosen and rejected are the same")
        for pair in pairs
        if pair.data["chosen"].strip() == pair.data["rejected"].strip()
    ]
    work.progress(None, len(pairs), "pairs looked through")
    yield Batch(done=[pair.id for pair in pairs], drops=drops)


def usable(work: Work, *splits: str) -> list[Row]:
    """The pairs of some splits that were not dropped."""
    lost = {drop.record for _, drop in work.run.drops("preferences")}
    rows: list[Row] = list(work.run.records("row"))
    return [pair for pair in pairs_of(rows, *splits) if pair.id not in lost]  # type: ignore[arg-type]
