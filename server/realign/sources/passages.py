"""A Document -> passages: about so many words, whole sentences, one section, one role, exact slices of its text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from realign.records import Block, Document, Passage, make_id
from realign.sources.roles import Role, block_role, whole
from realign.sources.sentences import sentence_spans


@dataclass(frozen=True, slots=True)
class Unit:
    """A sentence, or another block that is not cut: its span, its words, and the headings and role it stands under."""

    start: int
    end: int
    words: int
    headings: tuple[str, ...]
    role: Role
    block: int


def split_passages(document: Document, words: int) -> list[Passage]:
    """Passages of about `words` words in reading order; [] for a document without text.

    A passage ends at a sentence's end once it has `words` words, and where the section, the role or the run of text
    ends; a rest of less than a third of `words` joins the passage before it. Sentences that are cut off (a paragraph
    that a table interrupts) are not in prose passages.
    """
    return [passage(document, run) for run in runs(list(units(document)), words)]


def units(document: Document) -> Iterator[Unit]:
    """Every block but headings, cut into sentences where it is running text."""
    path: list[tuple[int, str]] = []
    for number, block in enumerate(blocks(document)):
        text = document.text[block.start : block.end]
        if block.level:
            path = [entry for entry in path if entry[0] < block.level + (block.kind != "heading")]
        if block.kind == "heading":
            path.append((block.level, text))
            continue
        headings = tuple(title for _, title in path)
        role = block_role(block.kind, text, headings)
        spans = sentence_spans(text) if role in ("prose", "exercise", "list") else [(0, len(text))]
        for start, end in spans:
            sentence = text[start:end]
            kept: Role = "other" if role == "prose" and not whole(sentence) else role
            yield Unit(block.start + start, block.start + end, len(sentence.split()), headings, kept, number)


def blocks(document: Document) -> Iterator[Block]:
    """The document's blocks; paragraphs at empty lines for one that has none."""
    if document.blocks:
        yield from document.blocks
        return
    offset = 0
    for part in document.text.split("\n\n"):
        if part.strip():
            yield Block("paragraph", 0, offset, offset + len(part))
        offset += len(part) + 2


def runs(found: list[Unit], words: int) -> Iterator[list[Unit]]:
    """Units in groups of about `words` words, neighbors of one section and role."""
    stretch: list[Unit] = []
    for unit in found:
        if stretch and not follows(stretch[-1], unit):
            yield from cut(stretch, words)
            stretch = []
        stretch.append(unit)
    yield from cut(stretch, words)


def follows(unit: Unit, following: Unit) -> bool:
    """Whether two units can stand in one passage: same section and role, and nothing between them."""
    near = following.block - unit.block <= 1
    return near and unit.headings == following.headings and unit.role == following.role


def cut(stretch: list[Unit], words: int) -> list[list[Unit]]:
    """A stretch in groups of at least `words` words; a rest under a third of that joins the last group."""
    groups: list[list[Unit]] = []
    count = words
    for unit in stretch:
        if count >= words:
            groups.append([])
            count = 0
        groups[-1].append(unit)
        count += unit.words
    if len(groups) > 1 and count < words / 3:
        rest = groups.pop()
        groups[-1] += rest
    return groups


def passage(document: Document, run: list[Unit]) -> Passage:
    """The record of one group of units."""
    start, end = run[0].start, run[-1].end
    return Passage(
        id=make_id("passage", document.id, start, end),
        parent=document.id,
        headings=run[0].headings,
        start=start,
        end=end,
        page=document.page_at(start).number,
        text=document.text[start:end],
        role=run[0].role,
    )
