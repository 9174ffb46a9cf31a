"""The records that stages pass on: each has an id and its parent's id, so a row walks back to its sentence.

    Document -> Passage -> Prompt -> Completion -> Judgment -> Pair -> Row

Records are frozen. A span is a half-open range of characters in `Document.text`, the repaired text of the whole
document; pages are ranges of the same text. `encode` and `decode` turn a record into one JSON object and back.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

Verdict = Literal["read", "empty", "garbled"]
BlockKind = Literal["heading", "paragraph", "item", "table", "code", "formula", "caption"]


def make_id(*parts: object) -> str:
    """16 hexadecimal characters that depend on nothing but `parts`: the same input gives the same id anywhere."""
    text = "\x1f".join(str(part) for part in parts)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a document: where its text lies in `Document.text`, and whether it could be read.

    number counts from 1; label is what is printed on it ("iv", "12"). verdict: "read" has text a reader would see,
    "empty" has none (a scan that needs OCR, or a blank), "garbled" has text that is mostly not words.
    """

    number: int
    label: str
    start: int
    end: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of a document's structure, `Document.text[start:end]`; blocks are parted by an empty line.

    level: depth of a heading, from 1 for the outermost; 0 for every other kind. Only tables and code hold line breaks.
    """

    kind: BlockKind
    level: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Document:
    """A source file after repair. `text` is the only text offsets ever point into."""

    kind: ClassVar[str] = "document"
    id: str
    parent: str
    name: str
    sha256: str
    media_type: str
    title: str
    language: str
    text: str
    pages: tuple[Page, ...]
    notes: tuple[str, ...] = ()
    blocks: tuple[Block, ...] = ()

    def page_at(self, offset: int) -> Page:
        """The page on which the character at `offset` stands; the last page for an offset past the end."""
        place = bisect_right(self.pages, offset, key=lambda page: page.end)
        return self.pages[min(place, len(self.pages) - 1)]


@dataclass(frozen=True, slots=True)
class Passage:
    """Whole sentences of one section, `Document.text[start:end]`, with the headings above them, outermost first."""

    kind: ClassVar[str] = "passage"
    id: str
    parent: str
    headings: tuple[str, ...]
    start: int
    end: int
    page: int
    text: str
    role: Literal["prose", "glossary", "list", "exercise", "table", "given", "other"] = "prose"

    @property
    def shown(self) -> str:
        """What a model is shown of it. A given row holds the very answers to be judged, so it is not shown."""
        return "(There is no source passage.)" if self.role == "given" else self.text


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question or instruction about one passage.

    template names how it was made and its version; start and end are the span of the sentences that answer it.
    focus is what it asks about. answers holds completions a source brought along (existing pairs to re-gate).
    """

    kind: ClassVar[str] = "prompt"
    id: str
    parent: str
    text: str
    template: str
    focus: str
    start: int
    end: int
    author: str
    answers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer to a prompt. method says how it was made ("grounded", "number", "sample"); judges never see it."""

    kind: ClassVar[str] = "completion"
    id: str
    parent: str
    text: str
    author: str
    method: str
    seed: int


@dataclass(frozen=True, slots=True)
class Judgment:
    """One judge's scores of two completions of a prompt, seen in both orders.

    straight and swapped are (score of first, score of second), each in 0..1: straight when `first` was shown first,
    swapped when `second` was. The scores always belong to the completions, never to the positions. mass is the least
    probability a model gave to rating digits in its four readings; None where ratings are not read from digits.
    """

    kind: ClassVar[str] = "judgment"
    id: str
    parent: str
    first: str
    second: str
    judge: str
    straight: tuple[float, float]
    swapped: tuple[float, float]
    mass: float | None = None

    def vote(self) -> str:
        """Id of the completion that wins in both orders, or "" for a tie: a vote that flips with the order is none."""
        ahead = self.straight[0] - self.straight[1], self.swapped[0] - self.swapped[1]
        if min(ahead) > 0:
            return self.first
        return self.second if max(ahead) < 0 else ""


@dataclass(frozen=True, slots=True)
class Pair:
    """A chosen and a rejected completion. Scores are weighted over judges, in 0..1; agreement is a share of judges."""

    kind: ClassVar[str] = "pair"
    id: str
    parent: str
    chosen: str
    rejected: str
    chosen_score: float
    rejected_score: float
    agreement: float

    @property
    def gap(self) -> float:
        """Preference gap, in -1..1."""
        return self.chosen_score - self.rejected_score


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the dataset. parent is the pair; data is exactly what is written to the file of its split."""

    kind: ClassVar[str] = "row"
    id: str
    parent: str
    split: Literal["train", "valid", "test"]
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dropped:
    """Why a record went no further. Nothing vanishes: every drop is kept with its step and reason."""

    record: str
    kind: str
    step: str
    reason: str
    detail: str = ""


Record = Document | Passage | Prompt | Completion | Judgment | Pair | Row
KINDS: dict[str, type[Any]] = {cls.kind: cls for cls in (Document, Passage, Prompt, Completion, Judgment, Pair, Row)}


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
