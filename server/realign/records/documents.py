"""What sources become: documents and their pages, blocks and passages.

A span is a half-open range of characters in `Document.text`, the repaired text of the whole document; pages are ranges
of the same text.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import ClassVar, Literal

Verdict = Literal["read", "empty", "garbled"]
BlockKind = Literal["heading", "paragraph", "item", "table", "code", "formula", "caption"]


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
