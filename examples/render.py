"""Render a small Markdown document to a PDF with an outline, a running header and page numbers.

    python examples/render.py examples/tides.md examples/tides.pdf

In: `# title`, `## section`, `### subsection`, paragraphs (one sentence a line), `- **term**: definition` items, pipe
tables and their `Table N.` captions. Out: an A4 PDF in the built-in Times and Helvetica, so the text must be Latin-1.
The creation date is fixed: rendering again with the same fpdf2 and zlib gives the same bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from fpdf import FPDF, FontFace

CREATED = datetime(2026, 1, 1, tzinfo=UTC)
MARGIN, HEADER_Y, FOOTER_Y = 25, 14, -16  # millimeters; negative from the foot of the page
LINE, GAP = 5.1, 2.6  # millimeters: height of a line of text, space between paragraphs
TEXT, SMALL = 10.5, 9  # points
SIZES = {"title": 24, "section": 15, "subsection": 12}  # points
ABOVE = {"section": 2 * GAP, "subsection": GAP / 2}  # millimeters above a heading
NEEDED = {"section": 42, "subsection": 30}  # millimeters below a heading, so that it never ends a page
GREY, BLACK, TINT = 110, 0, (236, 240, 245)


class Block(NamedTuple):
    """One piece of a document: its kind, its text, and for a table its rows."""

    kind: str
    text: str = ""
    rows: tuple[tuple[str, ...], ...] = ()


class Page(FPDF):
    """An A4 page with the document's title at its head (not on the first) and its number at its foot."""

    def header(self) -> None:
        """Draw the running header."""
        if self.page_no() > 1:
            self._margin_line(HEADER_Y, self.title or "")
        self.set_y(MARGIN)

    def footer(self) -> None:
        """Draw the page number."""
        self._margin_line(FOOTER_Y, str(self.page_no()))

    def _margin_line(self, y: float, text: str) -> None:
        self.set_y(y)
        self.set_font("Helvetica", size=SMALL)
        self.set_text_color(GREY)
        self.cell(0, LINE, text, align="C")
        self.set_text_color(BLACK)


def read_blocks(markdown: str) -> Iterator[Block]:
    """Blocks in reading order; blank lines part them, except that every list item is a block of its own."""
    for chunk in filter(None, (part.strip() for part in markdown.split("\n\n"))):
        lines = chunk.splitlines()
        mark, _, rest = chunk.partition(" ")
        if mark in ("#", "##", "###"):
            yield Block(("title", "section", "subsection")[len(mark) - 1], rest)
        elif mark == "|":
            yield Block("table", rows=tuple(_cells(line) for line in lines if not line.startswith("| ---")))
        elif mark == "-":
            yield from (Block("item", line.removeprefix("- ")) for line in lines)
        else:
            yield Block("caption" if mark == "Table" and len(lines) == 1 else "paragraph", " ".join(lines))


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.strip("| ").split("|"))


def draw_heading(pdf: Page, block: Block) -> None:
    """A heading and, below the title, its entry in the outline. Starts a new page rather than end one."""
    if block.kind == "title":
        pdf.set_title(block.text)
    elif pdf.will_page_break(NEEDED[block.kind]):
        pdf.add_page()
    else:
        pdf.ln(ABOVE[block.kind])
    pdf.set_font("Helvetica", style="B", size=SIZES[block.kind])
    if block.kind != "title":
        pdf.start_section(block.text, level=("section", "subsection").index(block.kind))
    size = SIZES[block.kind]
    pdf.multi_cell(0, size * 0.5, block.text, align="L", new_x="LMARGIN", new_y="NEXT")
    pdf.ln(GAP)


def draw_text(pdf: Page, block: Block) -> None:
    """A justified paragraph, a glossary item with a bold term, or the caption above a table."""
    if block.kind == "caption" and pdf.will_page_break(NEEDED["section"] + LINE * 6):
        pdf.add_page()
    pdf.set_font("Times", style="B" if block.kind == "caption" else "", size=TEXT)
    align = "J" if block.kind == "paragraph" else "L"
    pdf.multi_cell(0, LINE, block.text, align=align, markdown=block.kind == "item", new_x="LMARGIN", new_y="NEXT")
    pdf.ln(GAP / 2 if block.kind != "paragraph" else GAP)


def draw_table(pdf: Page, block: Block) -> None:
    """A ruled table, its first row the header, its columns as wide as their longest cells are long."""
    pdf.set_font("Times", size=TEXT)
    widths = [max(map(len, column)) + 2 for column in zip(*block.rows, strict=True)]
    heading = FontFace(emphasis="BOLD", fill_color=TINT)
    with pdf.table(
        col_widths=widths, text_align="LEFT", line_height=LINE, padding=0.8, headings_style=heading
    ) as table:
        for row in block.rows:
            table.row(row)
    pdf.ln(2 * GAP)


DRAW = {
    "title": draw_heading,
    "section": draw_heading,
    "subsection": draw_heading,
    "paragraph": draw_text,
    "item": draw_text,
    "caption": draw_text,
    "table": draw_table,
}


def render(markdown: str) -> bytes:
    """The document as a PDF. Raises fpdf's FPDFUnicodeEncodingException for a character outside Latin-1."""
    pdf = Page(format="A4")
    pdf.set_creation_date(CREATED)
    pdf.set_author("The ReAlign authors")
    pdf.set_subject("Example document, dedicated to the public domain under CC0 1.0")
    pdf.set_lang("en-US")
    pdf.set_margin(MARGIN)
    pdf.set_auto_page_break(True, margin=MARGIN)
    pdf.add_page()
    for block in read_blocks(markdown):
        DRAW[block.kind](pdf, block)
    return bytes(pdf.output())


def main(arguments: list[str]) -> int:
    """Render the first path to the second; exit status 2 if there are not exactly two."""
    if len(arguments) != 2:
        print(f"Found {len(arguments)} arguments, expected 2: render.py DOCUMENT.md DOCUMENT.pdf", file=sys.stderr)
        return 2
    source, target = map(Path, arguments)
    target.write_bytes(render(source.read_text(encoding="utf-8")))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
