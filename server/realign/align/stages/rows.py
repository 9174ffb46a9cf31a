"""Stages tasks (RLVR), evidence and factuality (anti-hallucination): what will be learned is measured before it is.

Nothing is trained, and the gates read the rows themselves. Answers that are not supported would teach to invent.
"""

from __future__ import annotations

from collections.abc import Iterator

from realign.align.data import NEEDED, Kind, kind_of
from realign.errors import EmptyInput
from realign.quality.checks.grounding import answer_gates
from realign.quality.checks.shared import DECONTAMINATION
from realign.quality.checks.training import TASKS
from realign.quality.grounded import exported_rows
from realign.run import Batch
from realign.work import Work

_GATES = {gate.name: gate for gate in answer_gates(exported_rows)}
TASK_GATES = (TASKS, DECONTAMINATION)
EVIDENCE = (_GATES["citation accuracy"], DECONTAMINATION)
FACTUALITY = (_GATES["factuality"], _GATES["hallucination rate"], _GATES["calibration error"])


def look_through(work: Work, kind: Kind) -> Iterator[Batch]:
    """Count the rows of a kind, in one batch. Raises EmptyInput where the data holds none."""
    if work.run.done(work.stage):
        return
    count = sum(kind_of(row.data) == kind for row in work.run.records("row"))
    if not count:
        data_type = work.run.noted("data_type")
        raise EmptyInput(f"The dataset holds no {kind}s", NEEDED[data_type][1], f"curate with --type {data_type}")
    work.progress(None, count, f"{kind}s looked through")
    yield Batch(done=["rows"])
