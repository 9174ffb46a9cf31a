"""The records that stages pass on: each has an id and its parent's id, so a row walks back to its sentence.

    Document -> Passage -> Prompt -> Completion -> Judgment (or Rating, Trial ...) -> Pair or Example -> Row
    Row -> Checkpoint, Step, Reading, Reply

Records are frozen. `encode` and `decode` turn a record into one JSON object and back. Each file here holds the records
of one part of the way; all are imported from here.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any, get_args

from realign.records.curation import (
    Claim,
    Completion,
    Difficulty,
    Example,
    Grounding,
    Ifd,
    Judgment,
    Pair,
    Prompt,
    Rating,
    Task,
    Trial,
)
from realign.records.dataset import Decision, Dropped, Part, Row, Split
from realign.records.documents import Block, BlockKind, Document, Page, Passage, Verdict
from realign.records.training import Checkpoint, Reading, Reply, Step

__all__ = [
    "KINDS", "Block", "BlockKind", "Checkpoint", "Claim", "Completion", "Decision", "Difficulty", "Document", "Dropped",
    "Example", "Grounding", "Ifd", "Judgment", "Page", "Pair", "Part", "Passage", "Prompt", "Rating", "Reading",
    "Record", "Reply", "Row", "Split", "Step", "Task", "Trial", "Verdict", "decode", "encode", "make_id",
]  # fmt: skip

Record = (
    Document | Passage | Prompt | Completion | Judgment | Rating | Difficulty | Task | Trial | Claim | Grounding
    | Pair | Example | Decision | Row | Reading | Step | Checkpoint | Reply
)  # fmt: skip
KINDS: dict[str, type[Any]] = {cls.kind: cls for cls in get_args(Record)}


def make_id(*parts: object) -> str:
    """16 hexadecimal characters that depend on nothing but `parts`: the same input gives the same id anywhere."""
    text = "\x1f".join(str(part) for part in parts)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def encode(record: Record) -> str:
    """The record as compact JSON with sorted keys: equal records give equal bytes."""
    fields = {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}
    if isinstance(record, Document):
        fields["pages"] = [dataclasses.astuple(page) for page in record.pages]
        fields["blocks"] = [dataclasses.astuple(block) for block in record.blocks]
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def decode(kind: str, body: str) -> Any:
    """The record that `encode` wrote. Raises KeyError for an unknown kind."""
    fields = json.loads(body)
    if kind == "document":
        fields["pages"] = [Page(*page) for page in fields["pages"]]
        fields["blocks"] = [Block(*block) for block in fields["blocks"]]
    tupled = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    return KINDS[kind](**tupled)
