"""Pieces -> a Document: one text, blocks and pages as spans of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from realign.records import Block, Document, Page, Verdict, make_id
from realign.sources.layout import Piece
from realign.sources.repair import language

GAP = "\n\n"


def place(pieces: Sequence[Piece], count: int) -> tuple[str, tuple[Block, ...], list[int]]:
    """(text, blocks, where each of `count` pages starts). Text out of page order counts to the later page."""
    parts: list[str] = []
    blocks: list[Block] = []
    starts = [-1] * count
    offset = reached = 0
    for piece in pieces:
        for at, page in piece.pages:
            if page >= reached and starts[page] < 0:
                starts[page] = offset + at
            reached = max(reached, page)
        blocks.append(Block(piece.kind, piece.level, offset, offset + len(piece.text)))
        parts.append(piece.text)
        offset += len(piece.text) + len(GAP)
    text = GAP.join(parts)
    return text, tuple(blocks), filled(starts, len(text))


def filled(starts: list[int], end: int) -> list[int]:
    """Page starts without gaps: the first page starts at 0, and a page without text where the next one does."""
    for page in range(len(starts) - 1, -1, -1):
        if starts[page] < 0:
            starts[page] = starts[page + 1] if page + 1 < len(starts) else end
    if starts:
        starts[0] = 0
    return starts


def document(
    path: Path,
    sha256: str,
    media_type: str,
    title: str,
    pieces: Sequence[Piece],
    labels: Sequence[str] = ("",),
    verdicts: Sequence[Verdict] = ("read",),
    notes: Sequence[str] = (),
) -> Document:
    """The record of one file; labels and verdicts have one entry a page."""
    text, blocks, starts = place([piece for piece in pieces if piece.text], len(labels))
    ends = [*starts[1:], len(text)]
    pages = tuple(
        Page(number, label or str(number), start, end, how)
        for number, (label, start, end, how) in enumerate(zip(labels, starts, ends, verdicts, strict=True), 1)
    )
    return Document(
        id=make_id("document", sha256, path.name),
        parent="",
        name=path.name,
        sha256=sha256,
        media_type=media_type,
        title=title.strip() or first_heading(text, blocks) or path.stem,
        language=language(text),
        text=text,
        pages=pages,
        notes=tuple(notes),
        blocks=blocks,
    )


def first_heading(text: str, blocks: Sequence[Block]) -> str:
    """The first heading of the outermost level in use, or ""."""
    headings = [block for block in blocks if block.kind == "heading"]
    top = min((block.level for block in headings), default=0)
    return next((text[b.start : b.end] for b in headings if b.level == top), "")
