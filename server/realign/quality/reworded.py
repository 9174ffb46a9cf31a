"""Which rows hold most of an evaluation item's words, close together: an item with words changed, dropped or moved.

The score is the half of rapidfuzz's token_set_ratio that asks how much of the item is there, on sets of word hashes:
200 * shared / (shared + item), in bytes with a space a word or in words, whichever is higher, in the best window of
the row a quarter longer than the item. The other half asks how much of the row is in the item, and calls every short
row a copy. Items made of one phrase ("Write a function to find the ...") score high against each other, so the shared
words must also carry most of what sets the item apart in its own benchmark, each word weighing log(items / items with
the word). A pair is looked at when the row has two of the item's six rarest words, and the item has 8 words: shorter
ones are too like honest questions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from realign.quality.evaluation_index import Benchmark, EvaluationIndex
from realign.quality.text import Lookup, Places, WordHashes, spread

Weights = npt.NDArray[np.float64]

SHORTEST = 8
RAREST, NEEDED = 6, 2
COMMON = 0.02  # words in more than this share of the items (and more than 50) do not point to an item
STRETCH = 1.25
SMOOTH = 20
TELLING = 0.65  # share of an item's rarity that the shared words carry


class Bags(NamedTuple):
    """The distinct words of every item as word numbers, and for each pointing word the items it points to.

    words: of each item in turn; starts: (items + 1,) offsets into words; weights: (words, 3) bytes and a space, 1,
    and rarity; totals: (items, 3) their sums; spans: (items,) words in a window. pointed: items, by word; pointers:
    (vocabulary + 1,) offsets into pointed.
    """

    vocabulary: Lookup
    words: Places
    starts: Places
    weights: Weights
    totals: Weights
    spans: Places
    pointers: Places
    pointed: Places


def gather(index: EvaluationIndex) -> Bags:
    """The index's bags of words, with one numbering of words for all benchmarks."""
    all_words = np.concatenate([b.vocabulary for b in index.benchmarks])
    vocabulary, number = np.unique(all_words, return_inverse=True)
    shifts = np.cumsum([0, *(len(b.vocabulary) for b in index.benchmarks)])
    words = number[np.concatenate([b.bag + shift for b, shift in zip(index.benchmarks, shifts, strict=False)])]
    bag_sizes = np.concatenate([b.bag_sizes for b in index.benchmarks])
    sizes = np.concatenate([b.sizes for b in index.benchmarks])
    starts = np.concatenate(([0], np.cumsum(bag_sizes)))
    owners = np.repeat(np.arange(len(sizes)), bag_sizes)
    weights = np.concatenate([_weights(b) for b in index.benchmarks])
    pointing = _pointing(words, owners, starts, sizes)
    by_word = pointing[np.argsort(words[pointing], kind="stable")]
    return Bags(
        Lookup(vocabulary),
        words,
        starts,
        weights,
        np.add.reduceat(weights, starts[:-1]),
        np.ceil(sizes * STRETCH).astype(np.int64),
        np.concatenate(([0], np.cumsum(np.bincount(words[pointing], minlength=len(vocabulary))))),
        owners[by_word],
    )


def _weights(benchmark: Benchmark) -> Weights:
    """(words, 3) of every item's words: bytes and a space, 1, and rarity. SMOOTH evens out those of a small file."""
    holders = np.bincount(benchmark.bag)[benchmark.bag]
    rarity = np.log((len(benchmark.sizes) + SMOOTH) / holders)
    return np.stack((benchmark.letters[benchmark.bag] + 1, np.ones(len(rarity)), rarity), axis=1)


def _pointing(words: Places, owners: Places, starts: Places, sizes: Places) -> Places:
    """Places in `words` of the rarest words of each item that is long enough."""
    holders = np.bincount(words)
    by_rarity = np.lexsort((words, holders[words], owners))
    rank = np.arange(len(words)) - starts[owners]
    rare = holders[words[by_rarity]] <= max(50, COMMON * len(sizes))
    return by_rarity[(rank < RAREST) & rare & (sizes[owners] >= SHORTEST)]


def find_reworded(text: WordHashes, bags: Bags, ratio: float) -> list[tuple[int, int, float]]:
    """(row, item, score) for every row with a window that scores at least `ratio`, in 0..100."""
    places, numbers = bags.vocabulary.find(text.hashes)
    rows = np.searchsorted(text.offsets, places, side="right") - 1
    have = np.unique(rows * (len(bags.pointers) - 1) + numbers)
    if not len(have):
        return []
    pairs = _candidates(have, bags)
    pair_rows, items = np.divmod(pairs, len(bags.totals))
    likely = _fits(_shared(have, pair_rows, items, bags), bags.totals[items], ratio)
    found = []
    for row, item in zip(pair_rows[likely].tolist(), items[likely].tolist(), strict=True):
        here = slice(*np.searchsorted(rows, (row, row + 1)))
        best = _best_window(places[here], numbers[here], bags, item)
        if _fits(best, bags.totals[item], ratio):
            found.append((row, item, float(_score(best, bags.totals[item]))))
    return found


def _score(shared: Weights, total: Weights) -> Weights:
    score: Weights = (200.0 * shared[..., :2] / (shared[..., :2] + total[..., :2])).max(axis=-1)
    return score


def _fits(shared: Weights, total: Weights, ratio: float) -> npt.NDArray[np.bool_]:
    """Whether the score and the share of rarity, of one pair or of many, are both high enough."""
    return (_score(shared, total) >= ratio) & (shared[..., 2] >= TELLING * total[..., 2])


def _candidates(have: Places, bags: Bags) -> Places:
    """row * items + item of every pair with enough pointing words in common, ascending."""
    rows, numbers = np.divmod(have, len(bags.pointers) - 1)
    counts = bags.pointers[numbers + 1] - bags.pointers[numbers]
    pointed = bags.pointed[spread(bags.pointers[numbers], counts)]
    pairs = np.sort(np.repeat(rows, counts) * len(bags.totals) + pointed)
    starts = np.flatnonzero(np.diff(pairs, prepend=-1))
    found: Places = pairs[starts[np.diff(starts, append=len(pairs)) >= NEEDED]]
    return found


def _shared(have: Places, rows: Places, items: Places, bags: Bags) -> Weights:
    """(pairs, 3) weight of the item's words that stand anywhere in the row."""
    counts = bags.starts[items + 1] - bags.starts[items]
    entries = spread(bags.starts[items], counts)
    wanted = np.repeat(rows, counts) * (len(bags.pointers) - 1) + bags.words[entries]
    there = have[np.minimum(np.searchsorted(have, wanted), len(have) - 1)] == wanted
    pairs, found = np.repeat(np.arange(len(items)), counts)[there], bags.weights[entries[there]]
    return np.stack([np.bincount(pairs, side, minlength=len(items)) for side in found.T], axis=1)


def _best_window(places: Places, numbers: Places, bags: Bags, item: int) -> Weights:
    """(3,) weight of the item's words in the window of the row, as wide as the item's span, that has most bytes."""
    mine = slice(bags.starts[item], bags.starts[item + 1])
    weights = dict(zip(bags.words[mine].tolist(), bags.weights[mine], strict=True))
    inside = np.isin(numbers, bags.words[mine])
    at, words = places[inside].tolist(), numbers[inside].tolist()
    counts = dict.fromkeys(words, 0)
    best, shared, left = np.zeros(3), np.zeros(3), 0
    for right, word in enumerate(words):
        counts[word] += 1
        if counts[word] == 1:
            shared = shared + weights[word]
        while at[right] - at[left] >= bags.spans[item]:
            counts[words[left]] -= 1
            if counts[words[left]] == 0:
                shared = shared - weights[words[left]]
            left += 1
        if shared[0] > best[0]:
            best = shared
    return best
