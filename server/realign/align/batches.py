"""Batches of rows of about the same length, cut by a budget of tokens, in an order that depends on the seed alone.

    batches = make_batches([(0, 120), (0, 37), ...], rows=8, tokens=4096)
    batches.at(17)                    the rows of the 18th batch, whatever epoch that is; calling again gives the same

A size is (shared, own) in tokens: what is read once, and what each of `times` answers has of its own. Plain rows share
nothing. Every row is in exactly one batch of each epoch; nothing is dropped, not even the last few.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from realign.errors import EmptyInput

Size = tuple[int, int]
Rows = tuple[int, ...]
BUCKET = 16  # tokens: lengths are padded to a multiple of this, so that few shapes are compiled


@dataclass(frozen=True, eq=False)
class Batches:
    """How rows are divided. keys: what rows are sorted by; ends: where each batch of sorted rows ends."""

    keys: tuple[tuple[int, int, int], ...]
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
    sizes: Sequence[Size], *, times: int = 1, rows: int = 64, tokens: int = 4096, bucket: int = BUCKET, seed: int = 0
) -> Batches:
    """Divide rows of these sizes, with at most `rows` rows and `tokens` padded tokens a batch.

    A batch reads once what all its rows can share: the smallest shared part. What a row has beyond that is read with
    each of its answers. So rows are grouped by their shared part, then sorted by their whole length, in as many groups
    as pad least. A row above the budget gets a batch of its own. `padding` is padded over real tokens, 1.0 at best.
    Raises EmptyInput for no rows.
    """
    if not sizes:
        raise EmptyInput("No rows to make batches of", "at least one row", "look at why every row was left out")
    spans = [(shared // bucket * bucket, round_up(shared + own, bucket)) for shared, own in sizes]
    by_shared = sorted(range(len(spans)), key=lambda row: spans[row])
    alike = spans[by_shared[0]][0] == spans[by_shared[-1]][0]
    tried = [_divide(spans, by_shared, 1, times, rows, tokens)]
    for groups in () if alike else (1 << n for n in range(1, max(1, len(spans) // rows).bit_length())):
        tried.append(_divide(spans, by_shared, groups, times, rows, tokens))
        if tried[-1][0] > tried[-2][0]:  # more groups, fewer rows to choose from in each: it only gets worse from here
            break
    spent, keys, ends = min(tried)
    return Batches(keys, ends, spent / max(1, sum(shared + times * own for shared, own in sizes)), seed)


def _divide(
    spans: Sequence[Size], by_shared: Sequence[int], groups: int, times: int, rows: int, tokens: int
) -> tuple[int, tuple[tuple[int, int, int], ...], tuple[int, ...]]:
    """(padded tokens, each row's key, where each batch of sorted keys ends) for so many groups. A key is the group, and
    where the row's whole and its shared part end. No batch reaches into another group."""
    group = {row: place * groups // len(spans) for place, row in enumerate(by_shared)}
    keys = tuple((group[row], end, begin) for row, (begin, end) in enumerate(spans))
    ordered = sorted(keys)
    ends: list[int] = []
    start = spent = cost = 0
    for place, (number, end, begin) in enumerate(ordered):
        shared = min(begin, *(key[2] for key in ordered[start:place])) if place > start else begin
        wider = (place + 1 - start) * (shared + times * (end - shared))
        if place > start and (place - start >= rows or wider > tokens or number != ordered[start][0]):
            ends.append(place)
            spent, start, wider = spent + cost, place, begin + times * (end - begin)
        cost = wider
    return spent + cost, keys, (*ends, len(ordered))


def round_up(length: int, bucket: int) -> int:
    """The next multiple of `bucket`, at least one bucket."""
    return max(1, -(-length // bucket)) * bucket


def pad(rows: Sequence[Sequence[int]], width: int) -> np.ndarray:
    """Rows of tokens as one int32 array (B, width), zeros to the right."""
    padded = np.zeros((len(rows), width), np.int32)
    for place, row in enumerate(rows):
        padded[place, : len(row)] = row
    return padded
