"""PDFs made on the spot, so that tests know what is on every page."""

from __future__ import annotations

from pathlib import Path

from fpdf import FPDF

PROSE = (
    "A tide is the regular rise and fall of the sea that the Moon and the Sun cause. Most coasts have two high tides "
    "and two low tides in a lunar day of about 24 hours and 50 minutes. The range between them is largest at new and "
    "full Moon, when the pull of both bodies adds up."
)
PARTS = (
    PROSE,
    "Currents are streams in the ocean. Wind drives those near the surface, and differences in salt and heat the deep.",
    "Waves carry energy, not water. A cork that floats on them moves up and down and hardly forward.",
    "Salt makes water heavier. That is why fresh water from rivers spreads over the sea in a thin layer.",
    "Ice floats because it takes up more room than the water it came from. Nine tenths of it lie below the surface.",
    "Sand moves along the shore with the waves. Walls that are built into the sea hold it on one side only.",
)


def blank(size: float = 11) -> FPDF:
    """A document with one page open, in Helvetica."""
    pdf = FPDF(format="A4")
    pdf.set_auto_page_break(False)
    pdf.add_page()
    pdf.set_font("helvetica", size=size)
    return pdf


def heading(pdf: FPDF, text: str, level: int = 0) -> None:
    """A bold line, larger than the text, and an entry of the outline."""
    pdf.start_section(text, level=level)
    pdf.set_font("helvetica", "B", 16 - 2 * level)
    pdf.multi_cell(0, 8, text, new_x="LMARGIN", new_y="NEXT")
    pdf.set_font("helvetica", size=11)


def paragraph(pdf: FPDF, text: str) -> None:
    """Lines of running text and a gap."""
    pdf.multi_cell(0, 5, text, align="L", new_x="LMARGIN", new_y="NEXT")
    pdf.ln(3)


def saved(pdf: FPDF, path: Path) -> Path:
    """The document on disk."""
    pdf.output(str(path))
    return path


def book(path: Path, pages: int = len(PARTS)) -> Path:
    """A book with a running header, a footer with page numbers, and on each page a section with two paragraphs."""
    pdf = FPDF(format="A4")
    pdf.set_auto_page_break(False)
    for number in range(1, pages + 1):
        pdf.add_page()
        pdf.set_font("helvetica", size=9)
        pdf.text(20, 8, f"{number}  The Book of Tides" if number % 2 else f"Chapter One: Waters  {number}")
        pdf.text(90, 290, "Free to read")
        pdf.set_y(20)
        heading(pdf, f"{number} Part {number} of the sea")
        paragraph(pdf, PARTS[number - 1])
        paragraph(pdf, f"This was part {number}.")
    return saved(pdf, path)
