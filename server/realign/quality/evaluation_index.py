"""The index of evaluation items that decontamination works on: hashes of words and of 8-grams, never text.

    load_index()                     all benchmarks shipped with the package, or those named
    index_files([Path("mine.csv")])  the user's own evaluation files
    save_index(index, path)          one uncompressed .npz: equal indexes give equal bytes

`python -m realign.quality.contamination build OUT FILES...` makes the shipped file: see docs/benchmark-index.md.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from realign.errors import DamagedSource
from realign.quality.items import PARTS, Item, read_items
from realign.quality.text import Hashes, Places, hash_ngrams, hash_runs, hash_words

GRAM = 8
PREFIX = 3  # words; an item of fewer than GRAM words is looked for where its first three stand
FORMAT = 1
SHIPPED = "benchmarks.npz"
LICENSES = {
    "gsm8k_test": "MIT",
    "humaneval": "MIT",
    "mbpp": "CC-BY-4.0",
    "truthfulqa": "Apache-2.0",
    "mt_bench_questions": "Apache-2.0",
    "xquad_en": "CC-BY-SA-4.0",
    "halueval_qa_oneturn": "MIT",
    "selfaware": "CC-BY-SA-4.0",
}
PART_NAMES = tuple(PARTS)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """The hashed items of one evaluation file, one entry an item in every array but the last four.

    sizes: words; prefixes: hash of the first PREFIX words; wholes: of all words; bag_sizes: distinct words.
    grams: hashes of the max(size - 7, 0) 8-grams of each item in turn. bag: the distinct words of each item in turn, as
    places in vocabulary, which has a hash, and letters, the bytes in it, for each word.
    """

    name: str
    license: str
    sha256: str
    ordinals: Places
    parts: Places
    sizes: Places
    prefixes: Hashes
    wholes: Hashes
    bag_sizes: Places
    grams: Hashes
    bag: Places
    vocabulary: Hashes
    letters: Places

    def label(self, item: int) -> str:
        """As in "17" or "17 context": the record's place in its file, from 1, and its part if not the question."""
        part = PART_NAMES[self.parts[item]]
        return str(self.ordinals[item]) + ("" if part == "question" else f" {part}")


TEXT_FIELDS = ("name", "license", "sha256")
SMALL = {"ordinals": "<u4", "parts": "u1", "sizes": "<u4", "bag_sizes": "<u4", "bag": "<u4", "letters": "<u2"}


@dataclass(frozen=True, slots=True)
class EvaluationIndex:
    """Benchmarks to keep out of the data. missing: names asked for that are not there; the gate fails on any."""

    benchmarks: tuple[Benchmark, ...]
    missing: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the benchmarks, in order."""
        return tuple(benchmark.name for benchmark in self.benchmarks)

    @property
    def items(self) -> int:
        """Number of items in all benchmarks."""
        return sum(len(benchmark.sizes) for benchmark in self.benchmarks)


def load_index(names: Sequence[str] | None = None) -> EvaluationIndex:
    """The shipped benchmarks with these names, all of them for None. A name that isn't there goes to `missing`."""
    shipped = _shipped()
    if names is None:
        return shipped
    chosen = tuple(benchmark for benchmark in shipped.benchmarks if benchmark.name in names)
    return EvaluationIndex(chosen, tuple(name for name in names if name not in shipped.names))


@cache
def _shipped() -> EvaluationIndex:
    with resources.as_file(resources.files("realign.quality") / SHIPPED) as path:
        return read_index(path)


def index_files(paths: Sequence[Path | str]) -> EvaluationIndex:
    """An index of evaluation files, each a benchmark named as the file without its suffix. Raises as `read_items`."""
    return EvaluationIndex(tuple(_index_file(Path(path)) for path in paths))


def merge(*indexes: EvaluationIndex) -> EvaluationIndex:
    """All benchmarks of all indexes, in order, and all that is missing from any."""
    return EvaluationIndex(
        tuple(benchmark for index in indexes for benchmark in index.benchmarks),
        tuple(name for index in indexes for name in index.missing),
    )


def _index_file(path: Path) -> Benchmark:
    items = read_items(path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return index_items(path.stem, items, LICENSES.get(path.stem, ""), sha256)


def index_items(name: str, items: Sequence[Item], license: str = "", sha256: str = "") -> Benchmark:
    """The hashed items. Each must have at least one word."""
    text = hash_words([item.text for item in items])
    first, last = text.offsets[:-1], text.offsets[1:]
    vocabulary, seen_at, places = np.unique(text.hashes, return_index=True, return_inverse=True)
    owners = np.repeat(np.arange(len(items)), last - first)
    pairs = np.unique(owners * len(vocabulary) + places)
    return Benchmark(
        name,
        license,
        sha256,
        ordinals=np.array([item.ordinal for item in items]),
        parts=np.array([PART_NAMES.index(item.part) for item in items]),
        sizes=last - first,
        prefixes=hash_runs(text.hashes, first, np.minimum(first + PREFIX, last)),
        wholes=hash_runs(text.hashes, first, last),
        bag_sizes=np.bincount(pairs // len(vocabulary), minlength=len(items)),
        grams=hash_ngrams(text, GRAM)[0],
        bag=pairs % len(vocabulary),
        vocabulary=vocabulary,
        letters=text.sizes[seen_at],
    )


def save_index(index: EvaluationIndex, path: Path) -> None:
    """Writes the index; equal indexes give equal bytes."""
    header = {
        "format": FORMAT,
        "benchmarks": [{name: getattr(b, name) for name in TEXT_FIELDS} for b in index.benchmarks],
    }
    arrays = {"header": np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)}
    for number, benchmark in enumerate(index.benchmarks):
        for field in _array_fields():
            arrays[f"{number}.{field}"] = getattr(benchmark, field).astype(SMALL.get(field, "<u8"))
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def read_index(path: Path) -> EvaluationIndex:
    """What `save_index` wrote. Raises DamagedSource for anything else."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            header = json.loads(arrays["header"].tobytes())
            found = [
                Benchmark(**{name: entry[name] for name in TEXT_FIELDS}, **_widened(arrays, number))
                for number, entry in enumerate(header["benchmarks"])
            ]
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise DamagedSource(f"{path} is not a benchmark index: {error}", fix="install ReAlign again") from None
    return EvaluationIndex(tuple(found))


def _widened(arrays: Mapping[str, Any], number: int) -> dict[str, Any]:
    """The arrays of one benchmark, as they are computed with: hashes unsigned, all else int64."""
    fields = {field: arrays[f"{number}.{field}"] for field in _array_fields()}
    return {field: found.astype(np.int64) if field in SMALL else found for field, found in fields.items()}


def _array_fields() -> list[str]:
    return [field.name for field in dataclasses.fields(Benchmark) if field.name not in TEXT_FIELDS]
