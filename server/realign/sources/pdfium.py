"""Read the pages of a PDF with PDFium: lines with their places, and nothing that no reader sees.

Imported by the child process of pdf_child.py alone: a hostile file may crash the library.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pypdfium2
import pypdfium2.raw as raw

from realign.sources.glyphs import WHITE, Probe, Row
from realign.sources.limits import Stop, checked_pages

CUT = re.compile("(?<=[\x02\ufffe])|\r?\n")  # the mark of a hyphen at a line's end takes the line break with it
SMALLEST_POINTS = 2.0


def pdfium_lines(path: Path) -> Iterator[dict[str, Any]]:
    """{"pages": count}, then one entry a page. A page that fails is reported and the rest goes on."""
    try:
        document = pypdfium2.PdfDocument(path)
        count = len(document)
    except pypdfium2.PdfiumError as error:
        locked = getattr(error, "err_code", 0) in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY)
        raise Stop("encrypted" if locked else "damaged", str(error)) from None
    yield {"pages": checked_pages(count)}
    for index in range(count):
        try:
            page = document[index]
            text = page.get_textpage()
            rows, hidden = pdfium_rows(page, text)
            yield {"page": index, "rows": rows, "hidden": hidden}
            text.close()
            page.close()
        except pypdfium2.PdfiumError as error:
            yield {"page": index, "rows": [], "hidden": 0, "failed": str(error)[:200]}


def pdfium_rows(page: Any, text: Any) -> tuple[list[Row], int]:
    """(rows, how many characters no reader sees) of one page. A row that ends in U+0002 was hyphenated there."""
    content = text.get_text_range()
    left, bottom, right, top = visible_box(page)
    probe = Probe(text, straight=len(content) == text.count_chars())
    rows: list[Row] = []
    hidden, offset, white = 0, 0, []
    for piece in CUT.split(content):
        start = content.find(piece, offset) if piece else offset
        offset = start + len(piece)
        core = piece.strip(" \t\r")
        if not core:
            continue
        first = start + piece.find(core)
        row, seen = probe.row(core, first, first + len(core) - 1)
        middle = (row[1] + row[2]) / 2, (row[3] + row[4]) / 2
        inside = left - 1 <= middle[0] <= right + 1 and bottom - 1 <= middle[1] <= top + 1
        if not inside or row[4] - row[3] < SMALLEST_POINTS:
            hidden += len(core)
        else:
            rows.append(row)
            white.append(seen)
    return drop_unseen(page, rows, white, hidden)


def visible_box(page: Any) -> tuple[float, float, float, float]:
    """(left, bottom, right, top) of what is shown of the page, in points.

    Asked of PDFium itself, as `page.get_cropbox` does not look for a box that the page inherits.
    """
    box = raw.FS_RECTF()
    raw.FPDF_GetPageBoundingBox(page, box)
    return box.left, box.bottom, box.right, box.top


def drop_unseen(page: Any, rows: list[Row], seen: list[str], hidden: int) -> tuple[list[Row], int]:
    """Drop invisible rows, and white ones with nothing painted behind them.

    A page whose every row is invisible is a scan with its recognized text underneath: that is what a reader sees.
    """
    if "invisible" in seen and any(how != "invisible" for how in seen):
        hidden += sum(len(row[0]) for row, how in zip(rows, seen, strict=True) if how == "invisible")
        rows = [row for row, how in zip(rows, seen, strict=True) if how != "invisible"]
        seen = [how for how in seen if how != "invisible"]
    if "white" not in seen:
        return rows, hidden
    painted = painted_areas(page)
    kept = []
    for row, how in zip(rows, seen, strict=True):
        x, y = (row[1] + row[2]) / 2, (row[3] + row[4]) / 2
        if how == "white" and not any(a <= x <= c and b <= y <= d for a, b, c, d in painted):
            hidden += len(row[0])
        else:
            kept.append(row)
    return kept, hidden


def painted_areas(page: Any) -> list[tuple[float, float, float, float]]:
    """(left, bottom, right, top) of filled shapes that are not white, and of pictures, in points."""
    areas = []
    r, g, b, a = (ctypes.c_uint() for _ in range(4))
    for item in page.get_objects(filter=[raw.FPDF_PAGEOBJ_PATH, raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_SHADING]):
        if item.type == raw.FPDF_PAGEOBJ_PATH:
            raw.FPDFPageObj_GetFillColor(item, r, g, b, a)
            if a.value < 128 or min(r.value, g.value, b.value) >= WHITE:
                continue
        areas.append(item.get_bounds() if hasattr(item, "get_bounds") else item.get_pos())
    return areas
