"""One rule for what a word is, and 64-bit hashes of words and of runs of words for whole batches of texts.

The rule: zero-width characters and soft hyphens are dropped, the rest is NFKC-folded and case-folded, and a word is a
run of letters, digits and the marks on them, in any script. Everything else parts words: "it's" is two, "3.5" is two.
Scripts written without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese) give one word a character.

The hash of a run of values v is sum(v[i] * B**i) modulo 2**64: a word is a run of bytes, each taken to a random 64-bit
value, an n-gram is a run of words. It is the same on every machine. It is no secret: a word can be guessed back.
"""

from __future__ import annotations

import codecs
import functools
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]

BATCH = 1 << 20  # characters hashed at once: the work arrays then stay near 30 MB, whatever the number of texts

INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff]"
)
BEYOND_ASCII = re.compile(r"[^\x00-\x7f\w]+")
SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
SINGLE = re.compile(rf"(?=\w)[{SPACELESS}][^\x00-\x7f\w]*")
ASCII_WORDS = bytes(c if c > 127 else ord(chr(c).lower()) if chr(c).isalnum() else 32 for c in range(256))

BYTE_VALUES = np.frombuffer(hashlib.shake_128(b"realign words 1").digest(256 * 8), dtype="<u8")
BASE = 0x9E3779B97F4A7C15 | 1


def normalize(text: str) -> str:
    """The words of `text`, parted by single spaces; "" when it has none. normalize(normalize(x)) == normalize(x)."""
    return " ".join(_spell(text).decode("utf-8", "surrogatepass").split())


def words(text: str) -> list[str]:
    """The words of `text` by the rule above, in order."""
    return normalize(text).split()


class WordHashes(NamedTuple):
    """The words of a batch of texts: text i has words offsets[i] to offsets[i + 1].

    hashes: (words,) uint64; sizes: (words,) bytes of UTF-8 in each; offsets: (texts + 1,).
    """

    hashes: Hashes
    sizes: Places
    offsets: Places


def hash_words(texts: Sequence[str]) -> WordHashes:
    """Hashes of all words of `texts`. The hash of a word depends on nothing but the word."""
    spelled = [_spell(text) for text in texts]
    blob = np.frombuffer(b"\n".join(spelled) + b"\n", dtype=np.uint8)
    inside = np.zeros(len(blob) + 1, dtype=np.int8)
    np.greater(blob, 32, out=inside[1:], casting="unsafe")  # a spelled text has word bytes, spaces and nothing else
    edges = np.diff(inside)
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    stops = np.cumsum([len(text) + 1 for text in spelled], dtype=np.int64)
    offsets = np.concatenate(([0], np.searchsorted(starts, stops)))
    return WordHashes(hash_runs(BYTE_VALUES[blob], starts, ends), ends - starts, offsets)


def hash_runs(values: Hashes, starts: Places, ends: Places) -> Hashes:
    """The hash of each run values[starts[i]:ends[i]]."""
    power, inverse = _powers(len(values))
    sums = np.zeros(len(values) + 1, dtype=np.uint64)
    np.cumsum(values * power[: len(values)], out=sums[1:])
    return (sums[ends] - sums[starts]) * inverse[starts]


def hash_ngrams(text: WordHashes, n: int, short: bool = False) -> tuple[Hashes, Places]:
    """Every run of n words that lies in one text, in order, and the offsets (texts + 1,) of each text's runs.

    A text of 1 to n - 1 words has none, or with `short` one: all of it.
    """
    sizes = np.diff(text.offsets)
    counts = np.maximum(sizes - (n - 1), (sizes > 0) & short)
    offsets = np.concatenate(([0], np.cumsum(counts)))
    starts = spread(text.offsets[:-1], counts)
    return hash_runs(text.hashes, starts, np.minimum(starts + n, np.repeat(text.offsets[1:], counts))), offsets


def spread(starts: Places, counts: Places) -> Places:
    """starts[0], starts[0] + 1, ... counts[0] numbers in all, then the same for starts[1], and so on."""
    ends = np.cumsum(counts)
    places: Places = np.repeat(starts - (ends - counts), counts)
    places += np.arange(len(places))
    return places


class Lookup:
    """Finds hashes among `keys`, which may repeat. Most misses end at a table of the keys' first 24 bits (16 MB)."""

    def __init__(self, keys: Hashes) -> None:
        self.order = np.argsort(keys, kind="stable")
        self.ranked = keys[self.order]
        self.seen = np.zeros(1 << 24, dtype=bool)
        self.seen[keys >> np.uint64(40)] = True

    def find(self, hashes: Hashes) -> tuple[Places, Places]:
        """All (i, j) with hashes[i] == keys[j], by i and then j."""
        places = np.flatnonzero(self.seen[hashes >> np.uint64(40)])
        first = np.searchsorted(self.ranked, hashes[places])
        counts = np.searchsorted(self.ranked, hashes[places], side="right") - first
        return np.repeat(places, counts), self.order[spread(first, counts)]


def in_batches(texts: Iterable[str], characters: int = BATCH) -> Iterator[tuple[int, list[str]]]:
    """Runs of `texts` of about so many characters, each with the index of its first text."""
    batch: list[str] = []
    first = size = 0
    for index, text in enumerate(texts):
        batch.append(text)
        size += len(text)
        if size >= characters:
            yield first, batch
            batch, first, size = [], index + 1, 0
    if batch:
        yield first, batch


def _spell(text: str) -> bytes:
    """UTF-8 in which every byte that is not part of a word is a space."""
    try:
        spelled = text.encode("ascii", "realign-fold")
    except LookupError:
        spelled = _fold(text).encode("utf-8", "surrogatepass")
    return spelled.translate(ASCII_WORDS)


def _fold_run(error: UnicodeError) -> tuple[bytes, int]:
    """What the codec calls for a run beyond ASCII, so that texts of mostly ASCII are scanned at the codec's speed."""
    assert isinstance(error, UnicodeEncodeError)
    run = error.object[error.start : error.end]
    return (_fold_seen(run) if len(run) < 64 else _fold_seen.__wrapped__(run)), error.end


@functools.lru_cache(maxsize=1 << 16)
def _fold_seen(run: str) -> bytes:
    """The folded run; LookupError if it may join the ASCII character before it, so that all must be folded together."""
    if unicodedata.category(run[0]) in {"Mn", "Mc", "Me", "Cf"}:
        raise LookupError(run)
    return _fold(run).encode("utf-8", "surrogatepass")


codecs.register_error("realign-fold", _fold_run)


def _fold(text: str) -> str:
    text = INVISIBLE.sub("", text)
    while (folded := unicodedata.normalize("NFKC", text).casefold()) != text:
        text = folded
    return SINGLE.sub(r" \g<0> ", BEYOND_ASCII.sub(_keep_marks, text))


def _keep_marks(found: re.Match[str]) -> str:
    """Marks that stand on a letter stay with it; any other character that is not a letter or digit is a space."""
    run, before = found.group(), found.string[found.start() - 1 : found.start()]
    kept = 0
    while before.isalnum() and kept < len(run) and unicodedata.category(run[kept])[0] == "M":
        kept += 1
    return run[:kept] + " " * (kept < len(run))


_tables: dict[str, Hashes] = {}


def _powers(count: int) -> tuple[Hashes, Hashes]:
    """BASE**i and its inverse modulo 2**64, for i up to at least `count`."""
    if len(_tables.get("power", ())) <= count:
        size = max(2 * BATCH, count + 1)
        for name, base in (("power", BASE), ("inverse", pow(BASE, -1, 1 << 64))):
            steps = np.full(size, base, dtype=np.uint64)
            steps[0] = 1
            _tables[name] = np.cumprod(steps)
    return _tables["power"], _tables["inverse"]
