"""What the ranks of one training do together: they begin alike, and add up their gradients at every step.

    arrays, step = begin_alike(group, arrays, step)      rank 0's, on every rank
    gradient, sums = add_up(group, found, step)          every rank's, added, up to a factor that they share

All ranks know every batch of a step; each takes every size-th row of it (loop.py). So a step's rows are those of a
single process whatever the number of ranks, which may be another one after a checkpoint.
"""

from __future__ import annotations

import re
from typing import Any

import mlx.core as mx
from mlx.nn.utils import average_gradients

from realign.align.steps import number
from realign.engine.group import Group
from realign.errors import PeersLost

LOST = re.compile(r"\[(ring|mpi|jaccl)\]|connection|socket", re.IGNORECASE)


def begin_alike(group: Group, arrays: dict[str, mx.array], step: int) -> tuple[dict[str, mx.array], int]:
    """Rank 0's arrays (weights, optimizer, random state) and its step. The others' must have the same names and shapes.

    Two machines need not make the same adapter of the same seed, and only rank 0 has the checkpoints.
    """
    if group.size == 1:
        return arrays, step
    mine = {**arrays, "step of rank 0": mx.array([step])}
    given = mine if group.rank == 0 else {name: mx.zeros_like(array) for name, array in mine.items()}
    found: dict[str, mx.array] = {}
    for name in sorted(given):  # every rank in the same order, one message an array
        found[name] = _summed(group, lambda name=name: mx.distributed.all_sum(given[name], stream=mx.cpu), step)
    return found, round(number(found.pop("step of rank 0")))


def add_up(group: Group, found: Any, step: int) -> Any:
    """The sums of all ranks' `found`, a tree of arrays, divided by their number. step: how many are done."""
    return found if group.size == 1 else _summed(group, lambda: average_gradients(found), step)


def _summed(group: Group, total: Any, step: int) -> Any:
    """What `total` gives, evaluated. Raises PeersLost where another rank is gone."""
    try:
        with group.waiting():
            summed = total()
            mx.eval(summed)
    except RuntimeError as error:
        if not LOST.search(str(error)):
            raise
        raise PeersLost(
            f"Another machine of this training is gone after step {step} ({str(error)[:200]})",
            "all ranks until the end",
            "see to that machine, then the same command: it goes on from the checkpoint",
        ) from error
    return summed
