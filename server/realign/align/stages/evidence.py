"""Stages evidence and factuality (anti-hallucination): what the rows cite and claim is measured before it is learned.

Nothing is trained: the gates read the rows themselves. Teaching answers that are not supported teaches to invent.
"""

from __future__ import annotations

from collections.abc import Iterator

from realign.align.data import chats_of
from realign.errors import EmptyInput
from realign.quality.checks.grounding import answer_gates
from realign.quality.checks.shared import DECONTAMINATION
from realign.quality.grounded import exported_rows
from realign.run import Batch
from realign.work import Work

_GATES = {gate.name: gate for gate in answer_gates(exported_rows)}
EVIDENCE = (_GATES["citation accuracy"], DECONTAMINATION)
FACTUALITY = (_GATES["factuality"], _GATES["hallucination rate"], _GATES["calibration error"])


def look_through(work: Work) -> Iterator[Batch]:
    """Count the rows, in one batch. Raises EmptyInput where the data holds none."""
    if work.run.done(work.stage):
        return
    rows = chats_of(list(work.run.records("row")), "train", "valid", "test")
    if not rows:
        raise EmptyInput("The dataset holds no answers", "rows with messages", "curate --type anti_hallucination")
    work.progress(None, len(rows), "answers looked through")
    yield Batch(done=["rows"])
