"""Batches of rows of about the same length, cut by a budget of tokens, in an order that depends on the seed alone.

    batches = make_batches([(120,), (37,), ...], rows=8, tokens=4096)
    batches.at(17)                    the rows of the 18th batch, whatever epoch that is; calling again gives the same

A size is a tuple of parts that are padded on their own: (row,) for a text, (prompt, answer, answer) for a pair whose
answers share their prompt. Every row is in exactly one batch of each epoch; nothing is dropped, not even the last few.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from realign.errors import EmptyInput

Size = tuple[int, ...]
Rows = tuple[int, ...]
BUCKET = 16  # tokens: lengths are padded to a multiple of this, so that few shapes are compiled


@dataclass(frozen=True, eq=False)
class Batches:
    """How rows are divided. keys: what rows are sorted by; ends: where each batch of sorted rows ends."""

    keys: tuple[Size, ...]
    ends: tuple[int, ...]
    padding: float
    seed: int

    def __len__(self) -> int:
        """Batches of an epoch; every epoch has as many."""
        return len(self.ends)

    def at(self, index: int) -> Rows:
        """Row numbers of batch `index`, counted over all epochs from 0."""
        return _epoch(self, index // len(self))[index % len(self)]

    def epoch(self, number: int) -> tuple[Rows, ...]:
        """All batches of an epoch, in their order."""
        return _epoch(self, number)


@functools.lru_cache(maxsize=4)
def _epoch(batches: Batches, number: int) -> tuple[Rows, ...]:
    """Shuffle, sort (which keeps rows of one key shuffled), cut, and shuffle the batches.

    The cut is the same in every epoch, because it follows from the sorted keys alone.
    """
    random = np.random.default_rng((batches.seed, number))
    rows = sorted(random.permutation(len(batches.keys)).tolist(), key=batches.keys.__getitem__)
    begins = (0, *batches.ends[:-1])
    cut = [tuple(rows[begin:end]) for begin, end in zip(begins, batches.ends, strict=True)]
    return tuple(cut[place] for place in random.permutation(len(cut)))


def make_batches(
    sizes: Sequence[Size], *, rows: int = 64, tokens: int = 4096, bucket: int = BUCKET, seed: int = 0
) -> Batches:
    """Divide rows of these sizes (tokens of each part), with at most `rows` rows and `tokens` padded tokens a batch.

    A row above the budget gets a batch of its own. `padding` is padded over real tokens, 1.0 at best. Raises EmptyInput
    for no rows.
    """
    if not sizes:
        raise EmptyInput("No rows to make batches of", "at least one row", "look at why every row was left out")
    padded = [tuple(round_up(part, bucket) for part in size) for size in sizes]
    keys = _keys(padded, rows)
    ordered = sorted(range(len(keys)), key=keys.__getitem__)
    ends, spent = _cut([padded[row] for row in ordered], [keys[row][0] for row in ordered], rows, tokens)
    return Batches(tuple(keys), tuple(ends), spent / max(1, sum(map(sum, sizes))), seed)


def _keys(padded: Sequence[Size], rows: int) -> list[Size]:
    """(slab, *size from the last part to the first) of each row.

    Sorting by the first part alone would leave the others mixed, and the other way round. So rows are sorted by their
    first part into slabs of as many batches as there are slabs, and by the others within a slab. One part is one slab.
    """
    if len(padded[0]) == 1:
        return [(0, *size) for size in padded]
    slab = rows * max(1, round((len(padded) / rows) ** 0.5))
    keys: list[Size] = [()] * len(padded)
    for place, row in enumerate(sorted(range(len(padded)), key=lambda row: padded[row][0])):
        keys[row] = (place // slab, *padded[row][::-1])
    return keys


def _cut(ordered: Sequence[Size], slabs: Sequence[int], rows: int, tokens: int) -> tuple[list[int], int]:
    """(where each batch of sorted sizes ends, padded tokens of all of them). No batch reaches into another slab."""
    ends: list[int] = []
    begin, widest, spent = 0, ordered[0], 0
    for place, size in enumerate(ordered):
        wider = tuple(map(max, widest, size))
        held = place - begin
        if held and (held >= rows or (held + 1) * sum(wider) > tokens or slabs[place] != slabs[begin]):
            ends.append(place)
            spent += held * sum(widest)
            begin, wider = place, size
        widest = wider
    return [*ends, len(ordered)], spent + (len(ordered) - begin) * sum(widest)


def round_up(length: int, bucket: int) -> int:
    """The next multiple of `bucket`, at least one bucket."""
    return max(1, -(-length // bucket)) * bucket


def pad(rows: Sequence[Sequence[int]], width: int) -> np.ndarray:
    """Rows of tokens as one int32 array (B, width), zeros to the right."""
    padded = np.zeros((len(rows), width), np.int32)
    for place, row in enumerate(rows):
        padded[place, : len(row)] = row
    return padded
