"""Plain text and Markdown as pieces: paragraphs by empty lines, headings, lists, tables and code by their marks."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from realign.errors import EmptySource
from realign.records import Document
from realign.sources.assemble import document
from realign.sources.encodings import decoded
from realign.sources.layout import MARK, NUMBERED, TERMINAL, Piece
from realign.sources.leads import Leads
from realign.sources.limits import Limits
from realign.sources.repair import Hyphens, clean_text, ends_cut, verdict, vocabulary

HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*$")
FENCE = re.compile(r"^(```+|~~~+)")
UNDERLINE = re.compile(r"^(=+|-+)$")
RULE = re.compile(r"^(?:\*\s*){3,}$|^(?:-\s*){3,}$|^(?:_\s*){3,}$")
BULLET = re.compile(r"^(?:[-*+]|\d{1,3}[.)])\s+")
SEPARATOR = re.compile(r"^\|?[\s:|-]*-{2,}[\s:|-]*$")
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
IMAGE = re.compile(r"!\[([^\]]*)\]\([^)]*\)")
LINK = re.compile(r"\[([^\]]+)\](?:\([^)\s]*(?:\s+\"[^\"]*\")?\)|\[[^\]]*\])")
TAG = re.compile(r"</?[a-zA-Z][^<>]{0,200}>")
EMPHASIS = re.compile(r"(?<![\w\\])(\*\*\*|\*\*|\*|___|__|_)(?=\S)(.+?)(?<=[^\s\\])\1(?!\w)")
INNER_EMPHASIS = re.compile(r"(?<!\\)(\*\*|\*)(?=\S)([^*\n]+?)(?<=[^\s\\])\1")
BOLD_START = re.compile(r"(\*\*|__)(?=\S).+?(?<=\S)\1")
CODE_SPAN = re.compile(r"(`+)(.+?)\1")
ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
REFERENCE = re.compile(r"^\[[^\]]+\]:\s+\S+")


def inline(text: str) -> str:
    """Markdown's marks within a line taken away: what a reader sees of it."""
    text = IMAGE.sub(r"\1", text)
    text = LINK.sub(r"\1", text)
    text = CODE_SPAN.sub(r"\2", text)
    for _ in range(3):
        text, first = EMPHASIS.subn(r"\2", text)
        text, second = INNER_EMPHASIS.subn(r"\2", text)
        if not first + second:
            break
    return html.unescape(ESCAPE.sub(r"\1", TAG.sub("", text))).strip()


def markdown_pieces(text: str) -> Iterator[Piece]:
    """Pieces of a Markdown text; quotes are unwrapped, front matter and comments left out."""
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    lines = [unquoted(line) for line in COMMENT.sub("", text).split("\n")]
    waiting: list[str] = []
    leads = Leads()
    at = 0
    while at < len(lines):
        line = lines[at].strip()
        special = block_at(lines, at) if line else None
        if special or not line or heading_of(line) or RULE.match(line) or BULLET.match(line) or REFERENCE.match(line):
            setext = UNDERLINE.match(line) and waiting and line[:1] in "=-"
            if setext:
                yield piece("heading", 1 if line[0] == "=" else 2, inline(" ".join(waiting)))
            else:
                yield from paragraph(waiting, leads)
            waiting = []
        elif UNDERLINE.match(line) and waiting:
            yield piece("heading", 1 if line[0] == "=" else 2, inline(" ".join(waiting)))
            waiting, line = [], ""
        if special:
            found, at = special
            yield found
            continue
        if found_heading := heading_of(line):
            leads.heading(*found_heading)
            yield piece("heading", *found_heading)
        elif (
            line and not RULE.match(line) and not REFERENCE.match(line) and not (UNDERLINE.match(line) and not waiting)
        ):
            waiting.append(line)
        at += 1
    yield from paragraph(waiting, leads)


def heading_of(line: str) -> tuple[int, str] | None:
    """(level, text) of a heading line."""
    found = HEADING.match(line)
    return (len(found[1]), inline(found[2])) if found and found[2] else None


def unquoted(line: str) -> str:
    """A line without the marks of quotation."""
    return re.sub(r"^(?:\s{0,3}>\s?)+", "", line)


def block_at(lines: list[str], at: int) -> tuple[Piece, int] | None:
    """A code block or table that starts at line `at`, and the line after it."""
    if fence := FENCE.match(lines[at].strip()):
        end = next((i for i in range(at + 1, len(lines)) if lines[i].strip().startswith(fence[1])), len(lines))
        return piece("code", 0, "\n".join(lines[at + 1 : end]).strip("\n")), end + 1
    if "|" in lines[at] and at + 1 < len(lines) and SEPARATOR.match(lines[at + 1].strip()) and "|" in lines[at + 1]:
        end = at
        while end < len(lines) and "|" in lines[end]:
            end += 1
        rows = [lines[i].strip().strip("|") for i in range(at, end) if i != at + 1]
        cells = [" | ".join(inline(cell) for cell in re.split(r"(?<!\\)\|", row)) for row in rows]
        return piece("table", 0, "\n".join(cell for cell in cells if cell.strip(" |"))), end
    return None


def paragraph(lines: list[str], leads: Leads) -> Iterator[Piece]:
    """The lines gathered so far as a paragraph, a list item, a minor heading or a caption."""
    text = " ".join(lines)
    if not text.strip():
        return
    bullet = BULLET.match(text)
    shown = inline(text[bullet.end() :] if bullet and text[0] in "-*+" else text)
    if bullet or MARK.match(shown):
        yield piece("item", 0, shown)
        return
    lead = BOLD_START.match(text)
    yield piece(*leads.read(shown, len(inline(lead[0])) if lead else 0))


def piece(kind: str, level: int, text: str) -> Piece:
    """A piece on the only page."""
    return Piece(kind, level, text, ((0, 0),))  # type: ignore[arg-type]


def text_pieces(text: str) -> Iterator[Piece]:
    """Pieces of plain text: paragraphs by empty lines, lines joined; a heading stands alone and looks like one."""
    hyphens = Hyphens(vocabulary(text))
    for part in re.split(r"\n\s*\n", text):
        lines = [line.strip() for line in part.split("\n") if line.strip()]
        if not lines:
            continue
        if len(lines) > 1 and re.fullmatch(r"(=|-|~|\*|#|_){3,}", lines[1]) and len(set(lines[1])) == 1:
            yield piece("heading", 1 if lines[1][0] == "=" else 2, lines[0])
            lines = lines[2:]
        elif len(lines) == 1 and (level := title_level(lines[0])):
            yield piece("heading", level, lines[0])
            continue
        yield from wrapped(lines, hyphens)


def title_level(line: str) -> int:
    """Depth of a line alone between empty lines that looks like a title; 0 for none.

    Numbered ("2.1 Waves" is 2, "Chapter 3" 1), all capitals (1), or up to 8 words that all begin with a capital but for
    the small ones (2); never with an end mark.
    """
    words = line.split()
    if not 1 <= len(words) <= 10 or TERMINAL.search(line) or line[-1] == "," or not re.search(r"[^\W\d_]{3}", line):
        return 0
    if re.match(r"^(?:chapter|part|kapitel|teil)\s+\w+", line, re.IGNORECASE):
        return 1
    if found := NUMBERED.match(line):
        return found[1].count(".") + 1 if words[-1].isalpha() and not MARK.match(line) else 0
    if line.isupper():
        return 1
    small = {
        "a",
        "an",
        "the",
        "of",
        "and",
        "or",
        "in",
        "on",
        "for",
        "to",
        "with",
        "by",
        "von",
        "und",
        "der",
        "die",
        "das",
    }
    return 2 if len(words) <= 8 and all(w[0].isupper() or w in small for w in words) and words[0][0].isupper() else 0


def wrapped(lines: list[str], hyphens: Hyphens) -> Iterator[Piece]:
    """Lines of one paragraph, put together; each list mark starts an item."""
    text = ""
    for line in lines:
        if text and not MARK.match(line):
            text = hyphens.join(text, line) if ends_cut(text) and line[:1].islower() else f"{text} {line}"
            continue
        if text:
            yield piece("item" if MARK.match(text) else "paragraph", 0, text)
        text = line
    if text:
        yield piece("item" if MARK.match(text) else "paragraph", 0, text)


def read_with(parse: Callable[[str], Iterator[Piece]], media_type: str, path: Path, sha256: str) -> Document:
    """A text file through one of the parsers. Raises EmptySource where nothing is left."""
    text, notes = decoded(path)
    cleaned = clean_text(text)
    found = [p._replace(text=p.text.replace("\x02", "")) for p in parse(cleaned.text) if p.text.strip()]
    if not found:
        raise EmptySource(f"{path.name} has no text", "a document with text", "check that it was saved")
    notes += [f"Dropped {cleaned.invisible} invisible characters."] * (cleaned.invisible > 0)
    how = verdict("\n".join(p.text for p in found))
    return document(path, sha256, media_type, "", found, ("",), (how,), notes)


def read_markdown(path: Path, sha256: str, limits: Limits) -> Document:
    """A Markdown file."""
    return read_with(markdown_pieces, "text/markdown", path, sha256)


def read_text(path: Path, sha256: str, limits: Limits) -> Document:
    """A plain text file."""
    return read_with(text_pieces, "text/plain", path, sha256)
