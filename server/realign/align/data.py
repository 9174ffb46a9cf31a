"""What is trained on: the rows of a curated run or of a dataset file, in their splits, as pairs, chats and tasks.

    rows, drops = read_files(run.noted("sources"))      Row records: data, split, part; lines that can't be used
    pairs_of(rows, "train"), chats_of(rows, "valid"), tasks_of(rows, "train")

A file that is not split is split here by a hash of its prompts, 80/10/10, so that a prompt is never in two splits. A
chat is made of what there is: messages, a prompt with its completion, or a pair's chosen answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from realign.errors import EmptySource, SourceError
from realign.records import Dropped, Part, Row, make_id
from realign.run import file_sha256

Split = Literal["train", "valid", "test"]
Messages = list[dict[str, str]]
SPLITS: dict[str, Split] = {"train": "train", "valid": "valid", "test": "test"}
TEXTS = ("prompt", "chosen", "rejected", "completion", "answer")


def read_files(sources: Sequence[dict[str, str]]) -> tuple[list[Row], list[Dropped]]:
    """(every usable row of the files, in order; a drop that names file, line and field for each of the others).

    Raises SourceError for a file that changed, EmptySource where no row is left to train on.
    """
    rows, drops = read_rows(sources)
    if not any(row.split == "train" for row in rows):
        shown = "; ".join(drop.detail for drop in drops[:3]) or "no train.jsonl"
        raise EmptySource(f"The dataset has no row to train on: {shown}", "rows for training", "another dataset")
    return rows, drops


def read_rows(sources: Sequence[dict[str, str]]) -> tuple[list[Row], list[Dropped]]:
    """The same, whatever splits there are. Raises SourceError for a file that changed."""
    rows: list[Row] = []
    drops: list[Dropped] = []
    for source in sources:
        for found in _read(source):
            (rows if isinstance(found, Row) else drops).append(found)  # type: ignore[arg-type]
    return rows, drops


def _read(source: dict[str, str]) -> Iterator[Row | Dropped]:
    path, name = Path(source["path"]), source["name"]
    if file_sha256(path) != source["sha256"]:
        raise SourceError(f"{name} changed while the run was going on", "the file it started with", "start again")
    part: Part = "preferences" if name.startswith("preferences/") else "rows"
    split = SPLITS.get(path.stem) if name.removeprefix("preferences/") == path.name else None
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        if line.strip():
            try:
                data = check_row(line)
            except ValueError as error:
                place = f"{name}:{number}"
                yield Dropped(place, "line", "read", "malformed row", f"{name}, line {number}: {error}")
                continue
            identity = str(data.get("id") or make_id("row", line))
            yield Row(make_id("trained", part, identity), identity, split or split_of(data), data, part)


def check_row(line: str) -> dict[str, Any]:
    """One row that can be trained on. Raises ValueError that names the field."""
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ValueError(f"no JSON ({error})") from None
    if not isinstance(row, dict):
        raise ValueError(f"a {type(row).__name__}, expected an object")
    for field in TEXTS:
        if field in row and (not isinstance(row[field], str) or not row[field].strip()):
            found = "empty" if row[field] == "" else type(row[field]).__name__
            raise ValueError(f"field {field!r} is {found}, expected text")
    if "messages" in row:
        if not _is_chat(row["messages"]):
            raise ValueError("field 'messages': expected turns with role and content, the last one the assistant's")
    elif "prompt" not in row or not {"chosen", "completion", "answer"} & row.keys():
        raise ValueError("neither messages, nor a prompt with chosen and rejected, completion or answer")
    return row


def _is_chat(messages: Any) -> bool:
    return (
        isinstance(messages, list)
        and all(isinstance(turn, dict) and isinstance(turn.get("content"), str) for turn in messages)
        and bool(messages)
        and messages[-1].get("role") == "assistant"
    )


def split_of(row: dict[str, Any]) -> Split:
    """The split of a row of an unsplit file, by its prompt: eight tenths train, one valid, one test."""
    tenth = int(make_id("split", prompt_of(row)), 16) % 10
    return "train" if tenth < 8 else "valid" if tenth == 8 else "test"


def prompt_of(row: dict[str, Any]) -> str:
    """The prompt, or the turns before the last one as one text."""
    if "messages" in row:
        return "\n\n".join(turn["content"] for turn in row["messages"][:-1])
    return str(row["prompt"])


def answer_of(row: dict[str, Any]) -> str:
    """The answer that is right in this row."""
    if "messages" in row:
        return str(row["messages"][-1]["content"])
    return str(next(row[name] for name in ("chosen", "completion", "answer") if name in row))


# -- what a stage asks for ------------------------------------------------------------------------------------------


def pairs_of(rows: Sequence[Row], *splits: Split) -> list[Row]:
    """The preference pairs of some splits."""
    return [row for row in rows if row.split in splits and "rejected" in row.data]


def tasks_of(rows: Sequence[Row], *splits: Split) -> list[Row]:
    """The tasks of some splits: rows with a verifier."""
    return [row for row in rows if row.split in splits and "verifier" in row.data]


def chats_of(rows: Sequence[Row], *splits: Split) -> list[Row]:
    """What SFT is done on in some splits: the dataset's own rows, which a task's bare answer is a poor one of.

    Where the rows are tasks and pairs stand beside them, the pairs' chosen answers are taken instead.
    """
    mine = [row for row in rows if row.split in splits]
    own = [row for row in mine if row.part == "rows"]
    beside = [row for row in mine if row.part == "preferences"]
    return beside if beside and all("verifier" in row.data for row in own) else own


def messages_of(row: Row) -> Messages:
    """A row as turns."""
    if "messages" in row.data:
        return [{"role": turn["role"], "content": turn["content"]} for turn in row.data["messages"]]
    return [{"role": "user", "content": prompt_of(row.data)}, {"role": "assistant", "content": answer_of(row.data)}]
