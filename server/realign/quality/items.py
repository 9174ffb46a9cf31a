"""Evaluation items out of the files that benchmarks come in: JSON, JSON lines, CSV and plain text.

    read_items(Path("gsm8k_test.jsonl"))    -> [Item(ordinal=1, part="question", text="Janet's ducks ..."), ...]

What counts is what a training row must not contain: questions and prompts, every turn of a conversation, the passage a
question is about, and worked answers of at least 20 words. Shorter answers ("42", "Paris") are in every honest text,
and program solutions share phrases with every program, so neither is an item. Nested files (SQuAD's form) are walked.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realign.errors import DamagedSource, EmptySource, UsageError
from realign.quality.text import words

PARTS = {
    "question": ("question", "prompt", "problem", "text", "instruction", "query", "input", "goal", "turns", "messages"),
    "context": ("context", "knowledge", "passage", "story"),
    "answer": ("answer", "answers", "reference", "solution", "output", "response"),
}
PART_OF = {key: part for part, keys in PARTS.items() for key in keys}
ROLE_PART = {"assistant": "answer", "gpt": "answer", "system": ""}
TELLING = 20  # words that make an answer recognizable by itself
ANNOTATION = re.compile(r"<<[^<>\n]*>>")  # GSM8K's calculator marks, which copies of its answers mostly leave out
MBPP_TEST = range(11, 511)  # its other tasks are the prompt, validation and training splits


@dataclass(frozen=True, slots=True)
class Item:
    """One text of an evaluation. ordinal: its record's place in the file, from 1; part: question, context or answer."""

    ordinal: int
    part: str
    text: str


def read_items(path: Path) -> list[Item]:
    """The items of a file in order, each text once.

    Raises UsageError for a missing file or another kind of file, EmptySource for one without an item, and
    DamagedSource, with the line, for one that is not what its name says.
    """
    reader = READERS.get(path.suffix.lower())
    if not path.is_file() or not reader:
        raise UsageError(f"No evaluation file {path}", f"an existing file, one of {', '.join(READERS)}")
    seen: dict[str, Item] = {}
    for ordinal, record in enumerate(_records(reader(path, _read_text(path))), 1):
        for part, text in _texts_of(record):
            seen.setdefault(text, Item(ordinal, part, text))
    items = [item for item in seen.values() if _is_telling(item)]
    if not items:
        raise EmptySource(f"{path} holds no evaluation item", f"a text under one of {', '.join(PART_OF)}")
    return items


def _is_telling(item: Item) -> bool:
    return len(words(item.text)) >= (TELLING if item.part == "answer" else 1)


def _records(value: Any) -> Iterator[dict[str, Any]]:
    """Every object with a text of ours, at any depth, outer ones first."""
    if isinstance(value, dict):
        if "test_list" in value and value.get("task_id") not in MBPP_TEST:
            return
        known = {str(key).strip().lower(): entry for key, entry in value.items()}
        if PART_OF.keys() & known.keys():
            yield known
        value = [entry for key, entry in known.items() if key not in PART_OF]
    if isinstance(value, list):
        for entry in value:
            yield from _records(entry)


def _texts_of(record: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in record.items():
        if key not in PART_OF:
            continue
        for part, text in _strings(value, PART_OF[key]):
            yield part, text
            if ANNOTATION.search(text):
                yield part, ANNOTATION.sub("", text)


def _strings(value: Any, part: str) -> Iterator[tuple[str, str]]:
    """The texts under a key: itself, those of a list, or the messages of a conversation."""
    if isinstance(value, str) and part:
        yield part, value
    elif isinstance(value, list):
        for entry in value:
            yield from _strings(entry, part)
    elif isinstance(value, dict):
        role = ROLE_PART.get(str(value.get("role", value.get("from", ""))), part)
        yield from _strings([value.get(key) for key in ("content", "value", "text")], role)


def _read_text(path: Path) -> str:
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DamagedSource(f"{path} line {line} is not UTF-8 text", "UTF-8", "convert the file") from None


def _read_json(path: Path, text: str) -> Any:
    """One JSON value, or one a line, as in some files named .json. A list of strings is a list of questions."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise _damaged(path, error.lineno, error.msg) from None
        return _read_lines(path, text)
    return (
        [{"text": entry} if isinstance(entry, str) else entry for entry in value] if isinstance(value, list) else value
    )


def _read_lines(path: Path, text: str) -> Any:
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        try:
            found += [json.loads(line)] if line.strip() else []
        except json.JSONDecodeError as error:
            raise _damaged(path, number, error.msg) from None
    return found


def _read_csv(path: Path, text: str) -> Any:
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        return [{key: value for key, value in row.items() if key} for row in rows]
    except csv.Error as error:
        raise _damaged(path, rows.reader.line_num, str(error)) from None


def _read_plain(path: Path, text: str) -> Any:
    return [{"text": line} for line in text.splitlines()]


def _damaged(path: Path, line: int, message: str) -> DamagedSource:
    kind = path.suffix.lstrip(".").upper()
    return DamagedSource(
        f"{path} line {line} is not {kind}: {message}", f"valid {kind}", "repair or leave out the line"
    )


READERS: dict[str, Callable[[Path, str], Any]] = {
    ".jsonl": _read_lines,
    ".json": _read_json,
    ".csv": _read_csv,
    ".txt": _read_plain,
}
