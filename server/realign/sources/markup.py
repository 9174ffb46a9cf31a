"""HTML, and the pages of an EPUB, as pieces: headings, paragraphs, list items, tables and code from their elements.

What a browser would not show as the page's own text is left out: scripts, styles, navigation, hidden elements.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from realign.errors import EmptySource, SourceLimit
from realign.records import BlockKind, Document
from realign.sources.assemble import document
from realign.sources.encodings import decoded
from realign.sources.layout import Piece
from realign.sources.leads import Leads
from realign.sources.limits import Limits
from realign.sources.repair import clean_text, verdict
from realign.sources.scripts import shift

SKIPPED = {
    "script",
    "style",
    "nav",
    "noscript",
    "template",
    "svg",
    "math",
    "head",
    "iframe",
    "object",
    "select",
    "button",
}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
HOLDERS = """
p div section article main body blockquote aside header footer dd dt ul ol dl figure form details summary address center
td th
"""
BREAKING: dict[str, BlockKind] = {
    **dict.fromkeys(HOLDERS.split(), "paragraph"),
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), "heading"),
    **dict.fromkeys(("figcaption", "caption"), "caption"),
    "li": "item",
    "pre": "code",
    "table": "table",
}
HIDDEN_STYLE = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d])|opacity\s*:\s*0(?![.\d])", re.I
)
DEEPEST = 2_000


class Reader(HTMLParser):
    """Collects pieces while the parser walks the page; `page` is the index they are said to stand on."""

    def __init__(self, page: int = 0) -> None:
        super().__init__(convert_charrefs=True)
        self.page, self.pieces, self.title, self.hidden = page, list[Piece](), "", 0
        self.open: list[tuple[str, bool]] = []  # (tag, whether what is inside is left out)
        self.kinds: list[tuple[BlockKind, int]] = [("paragraph", 0)]
        self.parts: list[str] = []
        self.term = ""
        self.rows: list[list[str]] | None = None
        self.raised: list[tuple[str, int]] = []
        self.in_title = False
        self.leads, self.bold, self.bold_from = Leads(), 0, 0  # bold: how many parts from the block's start are bold

    @property
    def skipping(self) -> bool:
        """Whether the parser is inside something that no reader sees."""
        return bool(self.open) and self.open[-1][1]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        if tag == "title":
            self.in_title = not self.title
        if tag in VOID:
            self.parts.append({"br": "\n" if self.kinds[-1][0] == "code" else " ", "hr": ""}.get(tag, ""))
            return
        if tag in ("p", "li", "tr", "td", "th", "dd", "dt", "option"):
            self.close_implied(tag)
        if len(self.open) > DEEPEST:
            raise SourceLimit(f"HTML nested deeper than {DEEPEST:,} elements", "a usual page", "simplify it")
        self.open.append((tag, self.skipping or tag in SKIPPED or is_hidden(dict(attrs))))
        if self.skipping:
            return
        if tag in BREAKING and self.rows is None:
            self.flush()
            self.kinds.append((BREAKING[tag], int(tag[1]) if BREAKING[tag] == "heading" else 0))
        self.enter(tag)

    def enter(self, tag: str) -> None:
        """What an element does besides starting a block."""
        if tag == "table" and self.rows is None:
            self.rows = []
        elif tag == "tr" and self.rows is not None:
            self.rows.append([])
        elif tag in ("b", "strong"):
            self.bold_from = len(self.parts) if not self.bold else self.bold_from
        elif tag in ("sup", "sub"):
            self.raised.append((tag, len(self.parts)))
        if tag in ("td", "th", "caption") and self.rows is not None:
            self.parts = []

    def close_implied(self, tag: str) -> None:
        """End an element that another of its kind ends, as </p> and </li> may be left out."""
        if self.open and self.open[-1][0] == tag and tag != "li":
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close an element, and those inside it that were left open. An end without a start means nothing."""
        if tag == "title":
            self.in_title = False
        if not any(name == tag for name, _ in self.open):
            return
        while self.open:
            name, skipped = self.open.pop()
            if not skipped:
                self.leave(name)
            if name == tag:
                return

    def leave(self, tag: str) -> None:
        """End a block, a row's cell or a raised run."""
        if tag in ("b", "strong") and not self.bold and not squeezed("".join(self.parts[: self.bold_from])):
            self.bold = len(self.parts)
        if tag in ("sup", "sub") and self.raised:
            _, start = self.raised.pop()
            inside = "".join(self.parts[start:])
            self.parts[start:] = [shift(inside, up=tag == "sup")]
        if self.rows is not None:
            self.leave_in_table(tag)
        elif tag in BREAKING:
            self.flush(end=tag)
            if len(self.kinds) > 1:
                self.kinds.pop()

    def leave_in_table(self, tag: str) -> None:
        """Keep a cell, a caption, or the whole table."""
        rows = self.rows or []
        if tag in ("td", "th"):
            (rows or [[]])[-1].append(squeezed("".join(self.parts)))
            self.parts = []
        elif tag == "caption":
            self.add("caption", 0, squeezed("".join(self.parts)))
            self.parts = []
        elif tag == "table":
            self.rows = None
            self.add("table", 0, "\n".join(" | ".join(row) for row in rows if any(row)))
            if len(self.kinds) > 1:
                self.kinds.pop()

    def handle_data(self, data: str) -> None:
        """Text."""
        if self.in_title:
            self.title += data
        elif self.skipping:
            self.hidden += len(data.strip())
        else:
            self.parts.append(data)

    def flush(self, end: str = "") -> None:
        """Turn the text gathered so far into a piece. A term waits for its definition."""
        kind, level = self.kinds[-1]
        text, bold = "".join(self.parts), len(squeezed("".join(self.parts[: self.bold])))
        self.parts, self.raised, self.bold, self.bold_from = [], [], 0, 0
        text = "\n".join(line.rstrip() for line in text.strip("\n").split("\n")) if kind == "code" else squeezed(text)
        if end == "dt":
            self.term = text.rstrip(":")
        elif text:
            self.add_read(kind, level, text, bold)

    def add_read(self, kind: BlockKind, level: int, text: str, bold: int) -> None:
        """A piece whose bold start and waiting term have had their say."""
        if kind == "heading":
            self.leads.heading(level, text)
        elif self.term:
            text = f"{self.term}: {text}"
        elif kind == "paragraph":
            kind, level, text = self.leads.read(text, bold)
        self.term = ""
        self.add(kind, level, text)

    def add(self, kind: BlockKind, level: int, text: str) -> None:
        """One more piece, unless it is empty."""
        cleaned = text.strip()
        if cleaned:
            self.pieces.append(Piece(kind, level, cleaned, ((0, self.page),)))

    def finish(self) -> list[Piece]:
        """Close what is still open."""
        self.close()
        if self.rows is not None:
            self.leave_in_table("table")
        self.flush()
        return self.pieces


def is_hidden(attributes: dict[str, str | None]) -> bool:
    """Whether an element's own attributes keep a reader from seeing it."""
    style = attributes.get("style") or ""
    role = (attributes.get("role") or "") + " " + (attributes.get("epub:type") or "")
    away = {"navigation", "toc", "doc-toc", "landmarks", "page-list", "pagebreak"} & set(role.split())
    hidden = "hidden" in attributes or (attributes.get("aria-hidden") or "") == "true"
    return hidden or bool(away) or HIDDEN_STYLE.search(style) is not None


def squeezed(text: str) -> str:
    """White space as HTML shows it."""
    return " ".join(text.split())


def read_pieces(markup: str, page: int = 0) -> Reader:
    """The finished reader of one page of HTML."""
    reader = Reader(page)
    reader.feed(markup)
    reader.finish()
    return reader


def read_html(path: Path, sha256: str, limits: Limits) -> Document:
    """An HTML file. Raises EmptySource where nothing is left to read."""
    markup, notes = decoded(path)
    cleaned = clean_text(markup)
    reader = read_pieces(cleaned.text.replace("\x02", ""))
    if not reader.pieces:
        raise EmptySource(
            f"{path.name} shows no text", "a page with text of its own", "save the page after it has loaded"
        )
    text = "\n".join(piece.text for piece in reader.pieces)
    notes += [f"Left out {reader.hidden} hidden characters."] * (reader.hidden > 0)
    notes += [f"Dropped {cleaned.invisible} invisible characters."] * (cleaned.invisible > 0)
    return document(path, sha256, "text/html", squeezed(reader.title), reader.pieces, ("",), (verdict(text),), notes)
