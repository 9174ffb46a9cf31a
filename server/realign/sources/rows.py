"""Data files as numbered rows: JSON lines, a JSON array, or one JSON object that holds the rows; plain or gzipped.

    for raw in read_rows(Path("pairs.jsonl")): raw.place, raw.text, raw.row, raw.problem

A row that can't be read has its problem in words and no value; the rest goes on. SQuAD's nested form is laid out flat,
a row a question. What a row means is decided in shapes.py. Standard library only.
"""

from __future__ import annotations

import codecs
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

from realign.errors import DamagedSource, EmptySource, SourceError, SourceLimit, UsageError

ENDINGS = (".jsonl", ".ndjson", ".json")
LARGEST_BYTES = 1 << 30  # of a file, unpacked
PEEKED = 4 << 20  # bytes that are read to see what a file holds
LONGEST_ROW = 4_000_000  # characters
DEEPEST = 64  # objects and lists inside one another
SHOWN = 2000  # characters that are kept of a row that is too long
HALF = re.compile("[\ud800-\udfff]")  # lone surrogates: halves of characters, or bytes that are no UTF-8
ANOTHER = {
    codecs.BOM_UTF32_LE: "UTF-32", codecs.BOM_UTF32_BE: "UTF-32", codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}  # fmt: skip
SPACE = re.compile(r"\s*")


@dataclass(frozen=True, slots=True)
class Raw:
    """One row of a file. place: "line 3" or, where rows are no lines, "row 3"; number: that number, which no other has.

    text: the row as it stands in the file, on one line. row: its value; None where `problem` says what is wrong.
    """

    place: str
    number: int
    text: str
    row: dict[str, Any] | None
    problem: str = ""


def is_data_file(path: Path) -> bool:
    """Whether a file's name says that it holds rows."""
    return path.name.lower().removesuffix(".gz").endswith(ENDINGS)


def read_rows(path: Path) -> list[Raw]:
    """All rows of a file, the unreadable ones too. Blank lines are nothing.

    Raises UsageError where there is no such file; DamagedSource, SourceLimit or EmptySource, by name, for a file that
    is no text, is too large, or has no row.
    """
    text = _text(path, _bytes(path))
    raws = list(_rows(text, _named_json(path)))
    if not raws:
        raise EmptySource(f"{path.name} has no row", "one JSON object a line", "another file")
    return raws


def peek(path: Path, count: int) -> list[Raw]:
    """The first rows of a file, to see what it holds; none where it can't be read or its name is no data file's."""
    if not is_data_file(path):
        return []
    try:
        text = _text(path, _bytes(path, PEEKED))
    except (UsageError, SourceError):
        return []
    return list(islice(_rows(text, _named_json(path)), count))


def _named_json(path: Path) -> bool:
    return path.name.lower().removesuffix(".gz").endswith(".json")


def _bytes(path: Path, first: int = LARGEST_BYTES + 1) -> bytes:
    """The first bytes of a file, unpacked."""
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is a folder, a pipe or a device", "a JSONL file", "check the path")
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else open(path, "rb") as file:
            data: bytes = file.read(first)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DamagedSource(f"{path.name} is damaged: {error}", "a whole gzip file", "fetch it again") from None
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}", "a JSONL file", "check the path") from None
    if len(data) > LARGEST_BYTES:
        raise SourceLimit(f"{path.name} has {size:,} bytes", f"at most {LARGEST_BYTES:,}, unpacked", "split it")
    return data


def _text(path: Path, data: bytes) -> str:
    """The file as text with \\n alone; bytes that are no UTF-8 become lone surrogates, so that their row is named."""
    if found := next((name for mark, name in ANOTHER.items() if data.startswith(mark)), ""):
        raise DamagedSource(f"{path.name} is {found}", "JSON lines in UTF-8", "save it as UTF-8")
    text = data.decode("utf-8-sig", errors="surrogateescape").replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text[:4096]:
        raise DamagedSource(f"{path.name} is not UTF-8 text: it has a zero byte", "JSON lines in UTF-8", "check it")
    return text


def _rows(text: str, is_json: bool) -> Iterator[Raw]:
    """Rows by what the file begins with: an array, an object over several lines, else one row a line."""
    start = SPACE.match(text).end()  # type: ignore[union-attr]
    first, _, rest = text[start:].partition("\n")
    whole = _is_whole(first)
    if text[start : start + 1] == "[" and (is_json or not whole or _holds_rows(first)):
        yield from _array(text, start + 1)
    elif text[start : start + 1] == "{" and (not whole or (is_json and not rest.strip())):
        yield from _object(text)
    else:
        yield from _lines(text)


def _is_whole(line: str) -> bool:
    """Whether a line is JSON by itself, or at least no beginning of what goes on in the next lines."""
    try:
        json.loads(line[:LONGEST_ROW])
    except json.JSONDecodeError as error:
        return bool(error.pos < len(line.rstrip()) and line.strip() not in "[{")
    except (ValueError, RecursionError):
        return True
    return True


def _holds_rows(line: str) -> bool:
    return bool(re.match(r"\s*\[\s*\{", line))


def _lines(text: str) -> Iterator[Raw]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield parse_row(line, f"line {number}", number)


def _array(text: str, at: int) -> Iterator[Raw]:
    """The elements of an array, each with the line it begins in; nothing can be read after one that is no JSON."""
    decoder, seen, line = json.JSONDecoder(), 0, 1
    for number in count(1):
        at = SPACE.match(text, at).end()  # type: ignore[union-attr]
        line, seen = line + text.count("\n", seen, at), at
        place = f"row {number} (line {line})"
        if text[at : at + 1] == "]" and not text[at + 1 :].strip():
            return
        try:
            _, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            problem = "the file ends before the array does" if at == len(text) else f"is no JSON ({_why(error)})"
            rest = shown(text[at : at + SHOWN])
            yield Raw(place, number, rest, None, f"{problem}; nothing after it can be read")
            return
        yield parse_row(" ".join(text[at:end].split("\n")), place, number)
        at = SPACE.match(text, end).end()  # type: ignore[union-attr]
        at += text[at : at + 1] == ","


def _object(text: str) -> Iterator[Raw]:
    """One JSON object: a row by itself, SQuAD's nested form, or the first list of objects that it holds."""
    only = parse_row(" ".join(text.split("\n")), "line 1", 1, LARGEST_BYTES)
    value = only.row or {}
    held = next((v for v in value.values() if isinstance(v, list) and v and all(isinstance(e, dict) for e in v)), None)
    if only.row is None and "\n" in text.strip():
        yield from _lines(text)
    elif held is None or value.keys() & {"messages", "conversations", "chosen", "rejected", "prompt", "instruction"}:
        yield only
    else:
        flat = [question for entry in held for question in _questions(entry)]
        for number, row in enumerate(flat, 1):
            yield parse_row(json.dumps(row, ensure_ascii=False), f"row {number}", number)


def _questions(entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The questions of an article in SQuAD's form, each with its paragraph; anything else as it is."""
    paragraphs = entry.get("paragraphs")
    if not isinstance(paragraphs, list):
        yield entry
        return
    for paragraph in paragraphs:
        asked = paragraph.get("qas") if isinstance(paragraph, dict) else None
        for question in asked if isinstance(asked, list) else []:
            about = {"title": entry.get("title"), "context": paragraph.get("context")}
            yield {**about, **question} if isinstance(question, dict) else about


def parse_row(line: str, place: str, number: int, longest: int = LONGEST_ROW) -> Raw:
    """One line as a row, or what is wrong with it. longest: in characters."""
    text = shown(line)
    try:
        if len(line) > longest:
            raise ValueError(f"has {len(line):,} characters, at most {longest:,} can be read")
        if found := HALF.search(line):
            raise ValueError(f"is not UTF-8 (byte {len(line[: found.start()].encode())})")
        row = _loads(line)
        if not isinstance(row, dict):
            raise ValueError(f"is no JSON object but {type(row).__name__}")
        if "\\u" in line and (field := _half_character(row)):
            raise ValueError(f"field {field!r}: half a character (a lone surrogate), which no file can hold")
    except ValueError as error:
        return Raw(place, number, text, None, str(error))
    return Raw(place, number, text, row)


def _loads(line: str) -> Any:
    try:
        value = json.loads(line, object_pairs_hook=_without_repeats, parse_constant=_no_number)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"is no JSON ({_why(error)})") from None
    if line.count("[") + line.count("{") > DEEPEST and _depth(value) > DEEPEST:
        raise ValueError(f"is nested too deeply: more than {DEEPEST} objects and lists inside one another")
    return value


def _half_character(value: Any, field: str = "") -> str:
    """The first field that holds a lone surrogate, or ""."""
    if isinstance(value, str):
        return field if HALF.search(value) else ""
    if isinstance(value, dict):
        names = ((f"{field}.{name}".lstrip("."), name, inner) for name, inner in value.items())
        found = (shown(path) if HALF.search(name) else _half_character(inner, path) for path, name, inner in names)
        return next(filter(None, found), "")
    inside = enumerate(value if isinstance(value, list) else ())
    return next(filter(None, (_half_character(inner, f"{field}[{place}]") for place, inner in inside)), "")


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at column {error.colno}"
    return "nested too deeply to be read" if isinstance(error, RecursionError) else str(error)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"field {next(n for n in names if names.count(n) > 1)!r}: there twice, expected once")
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"holds {name}, which is no JSON number")


def _depth(value: Any) -> int:
    """How many objects and lists lie inside one another; counted layer by layer, so that no depth is too much."""
    layer, depth = [value], 0
    while layer := [each for each in layer if isinstance(each, dict | list)]:
        layer = [inner for each in layer for inner in (each.values() if isinstance(each, dict) else each)]
        depth += 1
    return depth


def shown(line: str) -> str:
    """A row as text that any file can hold: what is no character is replaced, and one that is too long is cut."""
    cut = line if len(line) <= LONGEST_ROW else f"{line[:SHOWN]} ..."
    return HALF.sub("\ufffd", cut)
