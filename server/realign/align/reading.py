"""Rows to train on out of any dataset: a curated run's, a file's, or a folder's of splits.

    rows, drops = read_files(run.noted("sources"), "dpo")   Row records, and a drop with file, line and field for others

Rows come in every form that curation takes (sources/shapes.py), and are kept in the form that ReAlign writes. A row's
parent is the place it stands at. A file that is not split is divided here, 80/10/10 (division.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from realign.align.data import NEEDED, Kind, kind_of
from realign.align.division import divide, keys_of
from realign.errors import EmptySource, SourceError, UsageError
from realign.records import Dropped, Part, Row, Split, make_id
from realign.run import file_sha256
from realign.sources import rows as files
from realign.sources.chat import FieldError
from realign.sources.forms import as_chat, as_pair, as_task, kept
from realign.sources.rows import Raw
from realign.sources.shapes import shape_of

SPLITS: dict[str, Split] = {
    "train": "train", "training": "train", "valid": "valid", "validation": "valid", "val": "valid", "dev": "valid",
    "eval": "valid", "test": "test",
}  # fmt: skip
SHARES: dict[Split, float] = {"test": 0.1, "valid": 0.1}
EXAMPLES, SHOWN = 3, 200  # raw rows that an error shows, and characters of each


def read_files(sources: Sequence[Mapping[str, str]], data_type: str) -> tuple[list[Row], list[Dropped]]:
    """(every usable row of the files, in order; a drop that names file, line and field for each of the others).

    Raises SourceError for a file that changed or can't be read, EmptySource where nothing is left to train on.
    """
    rows, drops, shown = _read(sources, data_type)
    if not any(row.split == "train" for row in rows):
        examples = "".join(shown[:EXAMPLES]) or " there is none in its files"
        raise EmptySource(
            f"The dataset has no row to train on:{examples}\n", NEEDED[data_type][1], "mend or name another file"
        )
    require_kind(Counter(kind_of(row.data) for row in rows if row.split == "train"), data_type, sources)
    return rows, drops


def read_rows(sources: Sequence[Mapping[str, str]]) -> tuple[list[Row], list[Dropped]]:
    """The same for no data type in particular, whatever splits there are. Raises SourceError."""
    rows, drops, _ = _read(sources, "")
    return rows, drops


def _read(sources: Sequence[Mapping[str, str]], data_type: str) -> tuple[list[Row], list[Dropped], list[str]]:
    """(rows in their splits, drops, each dropped line as it stands there after what is wrong with it)."""
    found: list[tuple[Row, Split | None]] = []
    drops: list[Dropped] = []
    shown: list[str] = []
    for source in sources:
        for raw in _raws(source):
            try:
                found += _rows(raw, source, data_type)
            except FieldError as error:
                detail = f"{source['name']}, {raw.place}: {error}"
                drops.append(Dropped(f"{source['name']}:{raw.number}", "line", "read", "malformed row", detail))
                shown.append(f"\n  {detail}: {raw.text[:SHOWN]}")
    return in_splits(found), drops, shown


def _raws(source: Mapping[str, str]) -> list[Raw]:
    """The rows of a file as they stand there; a split may be an empty file."""
    path = Path(source["path"])
    if file_sha256(path) != source["sha256"]:
        raise SourceError(f"{source['name']} changed while the run was going on", "the file it started with", "again")
    try:
        return files.read_rows(path)
    except EmptySource:
        return []


def _rows(raw: Raw, source: Mapping[str, str], data_type: str) -> Iterator[tuple[Row, Split | None]]:
    """What a line gives, and the split that it is said to be in, if it is said. Raises FieldError."""
    place = f"{source['name']}:{raw.number}"
    for data, beside in forms_of(raw, data_type):
        part: Part = "preferences" if beside else "preferences" if source.get("part") == "preferences" else "rows"
        split = SPLITS.get(source.get("split") or str(data.get("split", "")).lower())
        yield Row(make_id("trained", place, part), place, split or "train", data, part), split


def forms_of(raw: Raw, data_type: str) -> list[tuple[dict[str, Any], bool]]:
    """A line as (what ReAlign would write, whether that is a pair beside the row) for a data type, or for "", none in
    particular. Raises FieldError.

    A row that brings a passage with a right and a wrong answer is a chat and a pair beside it where answers are learned
    that keep to their passage.
    """
    if raw.row is None:
        raise FieldError("", raw.problem)
    shape = shape_of(raw.row)
    name, serves = (shape.name, shape.serves) if shape else ("", "")
    poses = name == "ReAlign task" or (serves == "rlvr" and data_type in ("rlvr", ""))
    if poses or (name == "question and answer" and data_type == "rlvr"):
        forms = [as_task(raw.row)]
    elif serves == "dpo" or (name == "HaluEval" and data_type in ("dpo", "srf")):
        forms = [as_pair(raw.row)]
    elif name == "HaluEval" and data_type == "anti_hallucination":
        forms = [as_chat(raw.row), as_pair(raw.row)]
    else:
        forms = [as_chat(raw.row)]
    beside = _beside(raw.row)
    return [({**form, **beside}, place > 0) for place, form in enumerate(forms)]


def _beside(row: dict[str, Any]) -> dict[str, Any]:
    """What ReAlign writes beside the texts; somebody else's fields of these names are nothing that gates can read."""
    try:
        return kept(row)
    except FieldError:
        return {}


def in_splits(found: Sequence[tuple[Row, Split | None]]) -> list[Row]:
    """The rows in their splits: as they are said to be, else divided.

    A dataset without a held-out row is divided whole. Where one of the two held-out splits has none, they halve them.
    """
    held_out = {split for _, split in found} & {"valid", "test"}
    free = [place for place, (_, split) in enumerate(found) if split is None or not held_out]
    shares: dict[Split, float] = SHARES
    rest: Split = "train"
    if not free and len(held_out) == 1:
        free = [place for place, (_, split) in enumerate(found) if split != "train"]
        shares, rest = {"test": 0.5}, "valid"
    splits = divide([keys_of(found[place][0].data) for place in free], shares, rest)
    rows = [row for row, _ in found]
    for place, split in zip(free, splits, strict=True):
        rows[place] = replace(rows[place], split=split)
    return rows


# -- what is needed -------------------------------------------------------------------------------------------------


def kinds_of(raws: Sequence[Raw], data_type: str) -> Counter[Kind]:
    """How many of each kind some lines give; those that can't be read count for none."""
    kinds: Counter[Kind] = Counter()
    for raw in raws:
        with suppress(FieldError):
            kinds.update(kind_of(data) for data, _ in forms_of(raw, data_type))
    return kinds


def require_kind(kinds: Counter[Kind], data_type: str, sources: Sequence[Mapping[str, str]]) -> None:
    """Raise UsageError for data without any row of the kind that its data type is trained on. kinds: rows of each."""
    kind, wanted = NEEDED[data_type]
    if kinds[kind]:
        return
    place = Path(sources[0]["path"])
    place = place if len(sources) == 1 else place.parent
    found = " and ".join(f"{count:,} {each}{'s' * (count != 1)}" for each, count in kinds.items())
    others = [other for other, (each, _) in NEEDED.items() if kinds[each] and each != "chat"]
    instead = f"; or --type {' or '.join(others)}, for what it holds" if others else ""
    raise UsageError(
        f"{place.name} can't be aligned as {data_type}: what it holds to train on is {found}, and no {kind}", wanted,
        f"`realign curate {place} --type {data_type}` first, which makes {kind}s of rows{instead}",
    )  # fmt: skip
