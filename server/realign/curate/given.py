"""Existing rows as a source: a JSONL file of prompts, chats or preference pairs becomes a document of its own lines.

Each line is a passage, so a row walks back to its line; its prompt and answers are judged, filtered and tiered like any
other. A bad line is dropped with file, line and field, and the rest goes on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from realign.errors import DamagedSource, EmptySource
from realign.records import Document, Dropped, Page, Passage, Prompt, make_id
from realign.run import Batch

TEMPLATE = "given/1"
HALF = re.compile("[\ud800-\udfff]")  # lone surrogates: halves of characters, or bytes that are no UTF-8


def read_rows(path: Path, sha256: str) -> Batch:
    """A batch with the file as a document and its usable lines as passages. Raises SourceError when none is usable."""
    raw = path.read_bytes().decode("utf-8-sig", errors="surrogateescape").replace("\r\n", "\n").replace("\r", "\n")
    text = HALF.sub("\ufffd", raw)  # one character for one byte: places in both are the same
    identity = make_id("document", sha256, path.name)
    passages, drops = [], []
    for number, start, line in _lines(raw):
        try:
            parse_row(line)
        except ValueError as error:
            drops.append(Dropped(f"{path.name}:{number}", "line", "read", "malformed row", f"line {number}: {error}"))
            continue
        end = start + len(line)
        passages.append(Passage(make_id("passage", identity, start), identity, (), start, end, number, line, "given"))
    if not passages and raw != text:
        found = f"{path.name} is not UTF-8: it has no usable row, and the first wrong byte is in line "
        wrong = raw[: HALF.search(raw).start()].count("\n") + 1  # type: ignore[union-attr]
        raise DamagedSource(f"{found}{wrong}", "JSON lines in UTF-8", "save the file as UTF-8")
    if not passages:
        detail = "; ".join(drop.detail for drop in drops[:3]) or "no lines"
        raise EmptySource(f"{path.name} has no usable row: {detail}", "one JSON object a line with a prompt")
    pages = tuple(Page(n, str(n), start, start + len(line) + 1, "read") for n, start, line in _lines(text))
    document = Document(
        identity, "", path.name, sha256, "application/jsonl", path.stem, "und", text, pages,
        notes=(f"{len(drops)} malformed lines",) if drops else (),
    )  # fmt: skip
    return Batch(done=[str(path)], records=[document, *passages], drops=drops)


def prompts_of(passages: Sequence[Passage]) -> list[Prompt]:
    """The prompts that the given rows hold, with their answers."""
    return [
        Prompt(
            make_id("prompt", p.id, asked), p.id, asked, TEMPLATE, "", p.start, p.end, "given", answers
        )
        for p in passages if p.role == "given"
        for asked, answers in [parse_row(p.text)]
    ]  # fmt: skip


def parse_row(line: str) -> tuple[str, tuple[str, ...]]:
    """(prompt, answers) of one JSON line. Raises ValueError that names the field."""
    if HALF.search(line):
        raise ValueError("a byte that is not UTF-8")
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise ValueError("nested too deeply to be read") from None
    if not isinstance(row, dict):
        raise ValueError(f"a {type(row).__name__}, expected an object with a prompt")
    if "messages" in row:
        asked, answers = _chat(row["messages"])
    else:
        asked = _text(row, "prompt" if "prompt" in row else "question")
        found = [_text(row, field) for field in ("chosen", "rejected", "completion", "answer") if field in row]
        answers = tuple(dict.fromkeys(answer for answer in found if answer))
    return asked, answers


def _text(row: dict[str, Any], field: str) -> str:
    """A field as text: a string, or the last message of a list of messages."""
    value = row.get(field)
    if isinstance(value, list) and value and isinstance(value[-1], dict):
        value = value[-1].get("content")
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"field {field!r}: {type(value).__name__}, expected text")
    if HALF.search(value):
        raise ValueError(f"field {field!r}: half a character (a lone surrogate), which no file can hold")
    return value.strip()


def _chat(messages: Any) -> tuple[str, tuple[str, ...]]:
    if not isinstance(messages, list) or not all(isinstance(m, dict) for m in messages):
        raise ValueError("field 'messages': expected a list of objects")
    asked = [m for m in messages if m.get("role") == "user"]
    if not asked:
        raise ValueError("field 'messages': no user message")
    said = [_text(m, "content") for m in messages if m.get("role") == "assistant"]
    return _text(asked[-1], "content"), tuple(said[-1:])


def _lines(text: str) -> Iterator[tuple[int, int, str]]:
    """(number from 1, offset, line) of every line that is not blank."""
    start = 0
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, start, line
        start += len(line) + 1
