"""Texts that repeat an earlier one: exactly after normalization, or nearly, by their shared 5-word shingles.

    exact_duplicates(["A b.", "c", "a B"])          -> [0, 1, 0]
    near_duplicates(texts, jaccard=0.85)            -> [Duplicate(index=7, kept=2, similarity=0.91), ...]

MinHash (Broder 1997) with 128 permutations only proposes pairs, by bands of equal minima. Each is decided by the exact
Jaccard similarity of the two sets of shingles, against a text that is itself kept: nothing is removed for resembling
something that was removed. The work is chunked and linear in the words; memory grows by about 150 bytes a text, and a
few hundred more for each that has a near relative.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from realign.quality.text import Hashes, Places, hash_ngrams, hash_words, in_batches, normalize

SHINGLE = 5
PERMUTATIONS = 128
MISS = 1e-3  # largest chance that a pair exactly at the threshold shares no band and is never looked at
CROWD, SLACK = 32, 0.15  # in a larger family only pairs estimated within SLACK (over 4 deviations) are compared exactly
SKETCHED = 100_000  # characters sketched at once: one permutation of their shingles stays in the cache


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Text `index` repeats the earlier, kept text `kept`. similarity: exact Jaccard of their shingle sets, in 0..1."""

    index: int
    kept: int
    similarity: float


def exact_duplicates(texts: Iterable[str]) -> list[int]:
    """For each text the index of the first with the same words, or its own if there is none.

    A text without a word ("", "???") equals only texts that are the same but for the space around them.
    """
    first: dict[bytes, int] = {}
    return [first.setdefault(_digest(text), index) for index, text in enumerate(texts)]


def _digest(text: str) -> bytes:
    same = normalize(text) or f"\n{text.strip()}"
    return hashlib.blake2b(same.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def near_duplicates(texts: Sequence[str], jaccard: float = 0.85) -> list[Duplicate]:
    """Texts to remove, by index: each is at least `jaccard` similar to the kept twin named, the first such text.

    jaccard: in (0, 1]. A text of fewer than five words is one shingle, so it repeats only its equal; one without a word
    repeats nothing. The order of `texts` decides what is kept: the first wins.
    """
    if not texts:
        return []
    families = list(_families(_band_keys(texts, rows_in_a_band(jaccard))))
    shingles = _shingle_sets(texts, np.sort(np.concatenate([np.empty(0, dtype=np.int64), *families])))
    repeats = (repeat for family in families for repeat in _repeats(texts, family, shingles, jaccard))
    return sorted(repeats, key=operator.attrgetter("index"))


def _repeats(texts: Sequence[str], family: Places, shingles: dict[int, Hashes], jaccard: float) -> Iterator[Duplicate]:
    """The members of a family, in order, that repeat an earlier one which stays."""
    crowded = len(family) > CROWD
    sketches = _sketches([texts[index] for index in family]) if crowded else np.empty((0, 0), dtype=np.uint8)
    kept = 0
    for place, index in enumerate(family.tolist()):
        likely = family[:kept]
        if crowded:
            agreement = (sketches[:, :kept] == sketches[:, place, None]).sum(axis=0, dtype=np.uint8)
            likely = likely[agreement >= PERMUTATIONS * (jaccard - SLACK)]
        if twin := _first_twin(shingles[index], likely.tolist(), shingles, jaccard):
            yield Duplicate(index, *twin)
            continue
        family[kept] = index  # those that stay move to the front; a family is walked once
        if crowded:
            sketches[:, kept] = sketches[:, place]
        kept += 1


def _sketches(texts: Sequence[str]) -> npt.NDArray[np.uint8]:
    """(PERMUTATIONS, texts) lowest 8 bits of each minimum: the share that two texts have equal estimates Jaccard."""
    parts = []
    for _, batch in in_batches(texts, SKETCHED):
        shingles, offsets = hash_ngrams(hash_words(batch), SHINGLE, short=True)
        parts.append(_minima(shingles, offsets[:-1]).astype(np.uint8))
    return np.concatenate(parts, axis=1)


def _first_twin(own: Hashes, kept: list[int], shingles: dict[int, Hashes], jaccard: float) -> tuple[int, float] | None:
    """The first of `kept` that is similar enough, and how similar it is."""
    mine = set(own.tolist()) if kept else set()
    for other in kept:
        theirs = shingles[other]
        if min(len(mine), len(theirs)) < jaccard * max(len(mine), len(theirs)):
            continue
        shared = len(mine.intersection(theirs.tolist()))
        if (similarity := shared / (len(mine) + len(theirs) - shared)) >= jaccard:
            return other, similarity
    return None


def rows_in_a_band(jaccard: float) -> int:
    """Minima in a band: as many as leave a pair at the threshold a chance below MISS to share none of the bands."""
    fit = [rows for rows in range(1, 17) if (1 - jaccard**rows) ** (PERMUTATIONS // rows) <= MISS]
    return max(fit, default=1)


def _band_keys(texts: Sequence[str], rows: int) -> Hashes:
    """(bands, texts) keys: two texts with the same key in a band have the same `rows` minima there. 0: no words."""
    keys = np.zeros((PERMUTATIONS // rows, len(texts)), dtype=np.uint64)
    mixers = _random_odd(rows, "bands")[:, None]
    for first, batch in in_batches(texts, SKETCHED):
        shingles, offsets = hash_ngrams(hash_words(batch), SHINGLE, short=True)
        filled = np.flatnonzero(np.diff(offsets))
        if len(filled):
            minima = _minima(shingles, offsets[filled])
            for band, key in enumerate(keys):
                key[first + filled] = (minima[band * rows : (band + 1) * rows] * mixers).sum(axis=0) | np.uint64(1)
    return keys


def _minima(shingles: Hashes, starts: Places) -> npt.NDArray[np.uint32]:
    """(PERMUTATIONS, texts) smallest shingle of each text under each permutation x -> a * x + b modulo 2**32."""
    short = (shingles >> np.uint64(32)).astype(np.uint32)
    factors = (_random_odd(PERMUTATIONS, "factors") >> np.uint64(31)).astype(np.uint32) | np.uint32(1)
    shifts = (_random_odd(PERMUTATIONS, "shifts") >> np.uint64(32)).astype(np.uint32)
    minima = np.empty((PERMUTATIONS, len(starts)), dtype=np.uint32)
    moved = np.empty_like(short)
    for row, factor, shift in zip(minima, factors, shifts, strict=True):
        np.multiply(short, factor, out=moved)
        np.add(moved, shift, out=moved)
        np.minimum.reduceat(moved, starts, out=row)
    return minima


def _families(keys: Hashes) -> Iterator[Places]:
    """Texts linked by a shared key in some band, over any number of steps: ascending indices, two or more a family."""
    linked = [_links(key) for key in keys]
    one, other = (np.concatenate([pair[side] for pair in linked]) for side in (0, 1))
    family = np.arange(keys.shape[1])
    while True:  # every text takes the smallest label among its neighbors, until none changes
        smallest = np.minimum(family[one], family[other])
        before = family.copy()
        np.minimum.at(family, one, smallest)
        np.minimum.at(family, other, smallest)
        family = family[family]
        if np.array_equal(family, before):
            break
    members = np.unique(np.concatenate((one, other)))
    by_family = members[np.argsort(family[members], kind="stable")]
    return iter(np.split(by_family, np.flatnonzero(np.diff(family[by_family])) + 1) if len(members) else [])


def _links(key: Hashes) -> tuple[Places, Places]:
    """(first text with a key, later text with the same key) for every later one. Key 0 links nothing."""
    order = np.argsort(key, kind="stable")
    ranked = key[order]
    new = np.append(True, ranked[1:] != ranked[:-1])
    first = order[new][np.cumsum(new) - 1]
    later = ~new & (ranked != 0)
    return first[later], order[later]


def _shingle_sets(texts: Sequence[str], wanted: Places) -> dict[int, Hashes]:
    """The distinct shingles of each wanted text, in ascending order of text."""
    sets: dict[int, Hashes] = {}
    for first, batch in in_batches(texts[index] for index in wanted):
        shingles, offsets = hash_ngrams(hash_words(batch), SHINGLE, short=True)
        for index, start, end in zip(wanted[first:].tolist(), offsets[:-1], offsets[1:], strict=False):
            sets[index] = np.unique(shingles[start:end])
    return sets


def _random_odd(count: int, purpose: str) -> Hashes:
    """`count` odd 64-bit numbers, the same on every machine."""
    stream = hashlib.shake_128(f"realign {purpose} 1".encode()).digest(8 * count)
    return np.frombuffer(stream, dtype="<u8") | np.uint64(1)
