"""The ranks of one launch, as what they are used for: bytes from the first to all, and bytes from all to all.

    group = join()                     under mlx.launch, which sets MLX_RANK and the hosts
    text = group.share(text)           what rank 0 gave, on every rank
    parts = group.gather(text)         what every rank gave, in rank order, on every rank
    group = joined()                   what this process has joined; without a launch a group of itself alone

MLX's own collectives carry it, over ring or RDMA. A rank that dies makes the others raise PeersLost at once; one that
freezes makes them wait, and only somebody outside can tell (job/ranks.py does).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import numpy as np

from realign.errors import PeersLost

PART = 1 << 26  # bytes of one message: a longer one goes in parts
_JOINED: list[Group] = []  # MLX has one group a process, too


@dataclass(frozen=True, slots=True)
class Group:
    """This rank's place, from 0, and how many ranks there are.

    say: hears "waits" where this rank begins to wait for the others, "works" when it goes on.
    """

    rank: int
    size: int
    say: Callable[[str], None] = lambda word: None

    def share(self, data: bytes = b"") -> bytes:
        """Rank 0's `data`, on every rank; the others' own is ignored."""
        length = int.from_bytes(self.gather(len(data).to_bytes(8, "little"))[0], "little")
        mine = data if self.rank == 0 else bytes(length)
        return b"".join(self._sum(mine[start : start + PART]) for start in range(0, length, PART))

    def gather(self, data: bytes) -> list[bytes]:
        """Every rank's `data`, in rank order."""
        lengths = [int(length) for length in self._gather(np.array([len(data)], np.int32))]
        widest = max(lengths)
        padded = np.zeros((1, widest), np.uint8)
        padded[0, : len(data)] = np.frombuffer(data, np.uint8)
        rows = self._gather(padded) if widest else np.zeros((self.size, 0), np.uint8)
        return [rows[rank, :length].tobytes() for rank, length in enumerate(lengths)]

    def divide(self, items: Sequence[Any], work: Callable[[Sequence[Any]], list[Any]]) -> list[Any]:
        """One result an item, in order, on every rank: each does every size-th item. Results are plain values."""
        if self.size == 1:
            return work(items)
        mine = items[self.rank :: self.size]
        parts = [json.loads(text) for text in self.gather(json.dumps(work(mine) if mine else []).encode())]
        return [parts[place % self.size][place // self.size] for place in range(len(items))]

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Around whatever needs the other ranks."""
        self.say("waits")
        yield
        self.say("works")

    def _sum(self, data: bytes) -> bytes:
        """The sum over ranks of which all but one give zeros."""
        with self.waiting():
            return _evaluated(mx.distributed.all_sum(mx.array(np.frombuffer(data, np.uint8)), stream=mx.cpu)).tobytes()

    def _gather(self, row: np.ndarray) -> np.ndarray:
        with self.waiting():
            return _evaluated(mx.distributed.all_gather(mx.array(row), stream=mx.cpu))


def join(say: Callable[[str], None] = lambda word: None) -> Group:
    """Join the other ranks; waits until all are there. Raises PeersLost when they can't be reached."""
    backend = "jaccl" if "MLX_JACCL_COORDINATOR" in os.environ else "ring"
    try:
        group = mx.distributed.init(strict=True, backend=backend)
    except RuntimeError as error:
        raise PeersLost(f"The other machines can't be reached: {error}", "every rank of the launch") from None
    _JOINED[:] = [Group(group.rank(), group.size(), say)]
    return _JOINED[0]


def joined() -> Group:
    """The group that this process has joined, or was started in by MLX's own variables; else of itself alone."""
    world = mx.distributed.init()
    return _JOINED[0] if _JOINED else Group(world.rank(), world.size())


def _evaluated(array: mx.array) -> np.ndarray:
    try:
        mx.eval(array)
    except RuntimeError as error:  # "[ring] connection to a peer was lost"
        raise PeersLost(f"Another machine of the launch is gone: {error}", "every rank of the launch") from None
    return np.array(array)
