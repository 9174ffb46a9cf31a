"""Rows of a dataset file, whatever their form, as the gates of a data type read them: as ReAlign's export writes them.

    found = read_file(Path("pairs.json"), "dpo")        found.rows, found.problems

A row that can't be used is named by file, line and field; the rest goes on. Beside the rows of srf stand its pairs:
train.jsonl is read together with preferences/train.jsonl where there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from realign.errors import EmptyInput, UsageError
from realign.quality.selected import as_text
from realign.settings import DATA_TYPES
from realign.sources.chat import FieldError
from realign.sources.forms import Row, as_chat, as_pair, as_task, kept
from realign.sources.rows import read_rows
from realign.sources.shapes import Given, asked_of, read_given

EXAMPLES, SHOWN = 3, 200  # raw rows that an error shows, and characters of each


@dataclass(frozen=True, slots=True)
class FileRows:
    """The rows that can be checked, where each stands ("line 3"), and a sentence for each row that can't be."""

    rows: tuple[Row, ...]
    places: tuple[str, ...]
    problems: tuple[str, ...]


def read_file(path: Path, data_type: str) -> FileRows:
    """The rows of a file in the form of a data type, or of "any".

    Raises UsageError for a missing file and an unknown data type, SourceError for a file that holds no rows, and
    EmptyInput, which shows three of them as they stand, where none can be used.
    """
    if data_type not in FORMS:
        raise UsageError(f"No data type {data_type!r}", ", ".join(DATA_TYPES), "--type dpo")
    raws = [(path, raw) for raw in read_rows(path)]
    beside = path.parent / "preferences" / path.name
    if data_type == "srf" and beside.is_file():
        raws += [(beside, raw) for raw in read_rows(beside)]
    rows, places, problems, shown = [], [], [], []
    for file, raw in raws:
        try:
            if raw.row is None:
                raise FieldError("", raw.problem)
            rows.append(FORMS[data_type](raw.row) | ({} if data_type == "any" else kept(raw.row)))
            places.append(f"{file.name}, {raw.place}")
        except FieldError as error:
            problems.append(f"{file.name}, {raw.place}: {error}")
            shown.append(f"\n  {problems[-1]}: {raw.text[:SHOWN]}")
    if not rows:
        raise EmptyInput(
            f"No usable row among {len(problems):,} in {path}{''.join(shown[:EXAMPLES])}\n", WANTED[data_type],
            "another file, or the --type that its rows are of",
        )  # fmt: skip
    return FileRows(tuple(rows), tuple(places), tuple(problems))


def as_anything(row: Row) -> Row:
    """A row in any form, with what it gives under "given"."""
    return {"given": read_given(row)}


def any_text(row: Row, answers: int | None = None) -> str:
    """Everything that a row of `as_anything` says, a line each; answers: how many of its answers, None for all."""
    given: Given = row["given"]
    before = [as_text([turn]) for turn in given.turns] or [asked_of(given)]
    return "\n".join([*before, *(answer.text for answer in given.answers[:answers])])


def as_either(row: Row) -> Row:
    """A conversation, or one of the pairs beside them."""
    return as_pair(row) if "chosen" in row else as_chat(row)


FORMS: dict[str, Callable[[Row], Row]] = {
    "dpo": as_pair, "sft": as_chat, "srf": as_either, "rlvr": as_task, "anti_hallucination": as_chat,
    "any": as_anything,
}  # fmt: skip
WANTED = {
    "dpo": "rows with prompt, chosen and rejected", "rlvr": "rows with prompt, answer and verifier, or GSM8K's form",
    "sft": "rows with messages, or a prompt and its answer", "srf": "rows with messages, and pairs beside them",
    "anti_hallucination": "rows with messages, or with context, question and answer", "any": "rows in a known form",
}  # fmt: skip
