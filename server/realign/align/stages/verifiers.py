"""Stage verifiers (RLVR): every task's verifier is tried before it rewards.

Nothing is trained. A verifier that accepts planted wrong answers would teach them.
"""

from __future__ import annotations

from collections.abc import Iterator

from realign.align.data import tasks_of
from realign.quality.checks.rlvr import VERIFIERS
from realign.records import Row
from realign.run import Batch
from realign.work import Work

GATES = VERIFIERS


def try_verifiers(work: Work) -> Iterator[Batch]:
    """Every task's verifier on its answer, other forms of it, and planted wrong ones, twice."""
    if work.run.done(work.stage):
        return
    from realign.quality.soundness import try_rows

    rows: list[Row] = tasks_of(list(work.run.records("row")), "train", "valid", "test")
    work.progress(None, len(rows), "trying the verifiers")
    trials = try_rows([row.data for row in rows], work.settings.rlvr.seconds)
    yield Batch(done=["verifiers"], records=list(trials))
    work.progress(None, len(rows), "tried")
