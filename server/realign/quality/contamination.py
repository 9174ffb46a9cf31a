"""Rows that hold an evaluation item, word for word or reworded, found by an index of hashes.

    index = merge(load_index(), index_files([Path("mine.jsonl")]))
    find_contaminated(rows, index)                  -> [Hit(row=3, benchmark="gsm8k_test", item="17", ...), ...]
    python -m realign.quality.contamination build OUT FILES...      writes an index, such as the shipped one, anew

Strongest rule first; an item is reported once a row, by the strongest:
    whole         all words of an item of at most 12, in a row; up to 4 words only as a sentence of their own, and 1
                  or 2 only as the whole text, since they turn up by chance
    13-gram       13 words of a longer item in a row
    8-gram half   at least half of an item's 8-grams (Tulu 3's rule)
    reworded      most of an item's distinct words close together, in any order: see reworded.py
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from realign.quality.evaluation_index import (
    GRAM,
    PREFIX,
    EvaluationIndex,
    index_files,
    load_index,
    merge,
    save_index,
)
from realign.quality.reworded import find_reworded, gather
from realign.quality.text import Hashes, Lookup, Places, WordHashes, hash_ngrams, hash_runs, hash_words, in_batches

__all__ = ["EvaluationIndex", "Hit", "find_contaminated", "index_files", "load_index", "merge", "save_index"]

LONG = 13
ALONE = 4
SENTENCE_END = re.compile(r"[.?!:;\n\r]+")


@dataclass(frozen=True, slots=True)
class Hit:
    """Text `row` holds item `item` (as Benchmark.label says it) of `benchmark`. rule and detail say why."""

    row: int
    benchmark: str
    item: str
    rule: str
    detail: str


class Found(NamedTuple):
    """A hit before it has names: row within the batch, item within the whole index."""

    row: int
    item: int
    rule: str
    detail: str


def find_contaminated(texts: Sequence[str], index: EvaluationIndex, fuzzy_ratio: float | None = 85.0) -> list[Hit]:
    """All hits, by row and then item. fuzzy_ratio: 0..100, what "reworded" needs; None leaves that rule out."""
    if not index.items:
        return []
    items = _Items(index)
    bags = None if fuzzy_ratio is None else gather(index)
    hits: list[Hit] = []
    for first, batch in in_batches(texts):
        hashed = hash_words(batch)
        found = [*_by_grams(hashed, items), *_short_wholes(hashed, batch, items)]
        if bags and fuzzy_ratio is not None:
            reworded = find_reworded(hashed, bags, fuzzy_ratio)
            found += [Found(row, item, "reworded", f"score {score:.0f}") for row, item, score in reworded]
        strongest = {(hit.row, hit.item): hit for hit in reversed(found)}
        hits += [items.named(first, strongest[key]) for key in sorted(strongest)]
    return hits


class _Items:
    """The items of all benchmarks in one numbering, ready to be looked up."""

    def __init__(self, index: EvaluationIndex) -> None:
        self.benchmarks = index.benchmarks
        self.firsts = np.cumsum([0, *(len(b.sizes) for b in index.benchmarks)])
        self.sizes = np.concatenate([b.sizes for b in index.benchmarks])
        self.wholes = np.concatenate([b.wholes for b in index.benchmarks])
        self.grams = Lookup(np.concatenate([b.grams for b in index.benchmarks]))
        self.gram_counts = np.maximum(self.sizes - (GRAM - 1), 0)
        self.gram_owner = np.repeat(np.arange(len(self.sizes)), self.gram_counts)
        self.short = np.flatnonzero(self.sizes < GRAM)
        self.prefixes = Lookup(np.concatenate([b.prefixes for b in index.benchmarks])[self.short])

    def named(self, first: int, found: Found) -> Hit:
        number = int(np.searchsorted(self.firsts, found.item, side="right")) - 1
        benchmark = self.benchmarks[number]
        label = benchmark.label(found.item - int(self.firsts[number]))
        return Hit(first + found.row, benchmark.name, label, found.rule, found.detail)


def _by_grams(text: WordHashes, items: _Items) -> Iterator[Found]:
    """Items of 8 words or more that share 8-grams with a row, if by enough: six 8-grams on end are a 13-gram."""
    grams, offsets = hash_ngrams(text, GRAM)
    places, entries = items.grams.find(grams)
    rows = np.searchsorted(offsets, places, side="right") - 1
    pairs = rows * len(items.sizes) + items.gram_owner[entries]
    order = np.lexsort((places, places - entries, pairs))
    longest = _longest_runs(pairs[order], places[order], entries[order])
    distinct = np.unique(np.stack((pairs, entries)), axis=1)[0] if len(pairs) else pairs
    for pair, covered in zip(*np.unique(distinct, return_counts=True), strict=True):
        row, item = divmod(int(pair), len(items.sizes))
        size, total, run = int(items.sizes[item]), int(items.gram_counts[item]), longest[int(pair)]
        if run == size < LONG:
            yield Found(row, item, "whole", f"all {size} words")
        elif run >= LONG:
            yield Found(row, item, "13-gram", f"{run} words in a row")
        elif 2 * covered >= total:
            yield Found(row, item, "8-gram half", f"{covered} of {total} 8-grams")


def _longest_runs(pairs: Places, places: Places, entries: Places) -> dict[int, int]:
    """Words in the longest run that each (row, item) pair shares. Sorted by pair, distance of the two, and place."""
    if not len(pairs):
        return {}
    unbroken = (np.diff(pairs) == 0) & (np.diff(places) == 1) & (np.diff(entries) == 1)
    starts = np.flatnonzero(np.append(True, ~unbroken))
    lengths = np.diff(np.append(starts, len(pairs))) + GRAM - 1
    owners = pairs[starts]
    firsts = np.flatnonzero(np.append(True, np.diff(owners) != 0))
    return dict(zip(owners[firsts].tolist(), np.maximum.reduceat(lengths, firsts).tolist(), strict=True))


def _short_wholes(text: WordHashes, texts: Sequence[str], items: _Items) -> Iterator[Found]:
    """Items of fewer than 8 words whose words all stand in a row, in order."""
    heads, offsets = hash_ngrams(text, PREFIX, short=True)
    places, entries = items.prefixes.find(heads)
    candidates = items.short[entries]
    rows = np.searchsorted(offsets, places, side="right") - 1
    starts = text.offsets[rows] + places - offsets[rows]
    ends = starts + items.sizes[candidates]
    fits = ends <= text.offsets[rows + 1]
    rows, candidates, starts, ends = rows[fits], candidates[fits], starts[fits], ends[fits]
    same = hash_runs(text.hashes, starts, ends) == items.wholes[candidates]
    for row, item in zip(rows[same].tolist(), candidates[same].tolist(), strict=True):
        size = int(items.sizes[item])
        if size > ALONE or items.wholes[item] in _sentences(texts[row]):
            yield Found(row, item, "whole", f"all {size} words")


def _sentences(text: str) -> Hashes:
    """The hash of every sentence of a text."""
    hashed = hash_words(SENTENCE_END.split(text))
    return hash_runs(hashed.hashes, hashed.offsets[:-1], hashed.offsets[1:])


def main(arguments: Sequence[str]) -> int:
    """The build command. Prints what went in."""
    parser = argparse.ArgumentParser(prog="python -m realign.quality.contamination", description=__doc__.split("\n")[0])
    build = parser.add_subparsers(required=True).add_parser("build", help="write an index of evaluation files")
    build.add_argument("out", type=Path)
    build.add_argument("files", type=Path, nargs="+")
    given = parser.parse_args(arguments)
    index = index_files(given.files)
    save_index(index, given.out)
    for benchmark in index.benchmarks:
        print(f"{benchmark.name}: {len(benchmark.sizes)} items")
    print(f"{given.out}: {given.out.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
