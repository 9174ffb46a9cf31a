"""Read one PDF and print what it holds as JSON lines: the child in which a hostile file may crash, hang or swell.

    python -m realign.sources.pdf_child pypdfium2 FILE.pdf MEGABYTES      (or pypdf, the second reader)

First a line with the number of pages, then one line a page as soon as it is read, then one with title, outline and
labels, which pypdf reads. The parent, pdf.py, watches time, memory and size, and keeps every line that got out.
Text that no reader sees (off the page, invisible, white on white, smaller than 2 points) is left out and counted.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import resource
import sys
import warnings
from pathlib import Path
from typing import Any

from realign.sources.scripts import shift

PAGE_CAP = 20_000
SMALLEST_POINTS = 2.0
BOLD = re.compile(rb"bold|black|heavy|semi|demi|CMBX|SFBX|CMB\d|[-,]Bd", re.IGNORECASE)
INVISIBLE_MODE = 3
WHITE = 250

CUT = re.compile("(?<=[\x02\ufffe])|\r?\n")  # PDFium's mark of a hyphen at a line's end takes the line break with it

# Where digits could be raised or lowered without a break in the line: after a letter or bracket, or longer numbers.
DIGITS = re.compile(r"(?<=[^\W_])[-−–]?\d+|(?<=[)\]}])[-−–]?\d+|\d{2,}")
SMALL = 0.87  # of the line's height, at most, for a raised or lowered character

Row = list[Any]  # text, left, right, bottom, top (points), characters in bold from the start


class Stop(Exception):
    """The file can't be read on; the message is for the parent: (kind, detail)."""


def say(**line: Any) -> None:
    """One JSON line, flushed, so that the parent has it whatever happens next."""
    sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def character_cap(size: int) -> int:
    """How many characters a file of `size` bytes may give: 200 a byte and a million, at most 50 million."""
    return min(200 * size + 1_000_000, 50_000_000)


def main(reader: str, path: Path, megabytes: int) -> None:
    """Print the file's lines, ending with an error line where it can't be read on."""
    if sys.platform == "linux":  # a backstop behind the parent's watch, which looks only fifty times a second
        address_space = (2 * megabytes + 512) << 20
        resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    try:
        {"pypdfium2": read_with_pdfium, "pypdf": read_with_pypdf}[reader](path)
        with contextlib.suppress(Exception):
            say(**structure(path))
    except Stop as stop:
        say(error=stop.args[0], detail=stop.args[1])
    except (MemoryError, RecursionError) as error:
        say(error="limit", detail=f"reading it ended in {type(error).__name__}")
    except Exception as error:
        say(error="damaged", detail=f"{type(error).__name__}: {error}"[:300])


def check_pages(count: int) -> int:
    """Announce the number of pages. Raises Stop where no honest file has so many, or none at all."""
    if count > PAGE_CAP:
        raise Stop("limit", f"it declares {count:,} pages, and {PAGE_CAP:,} are read at most")
    if count < 1:
        raise Stop("damaged", "it has no pages")
    say(pages=count)
    return count


class Meter:
    """Counts characters and stops a file that floods."""

    def __init__(self, path: Path) -> None:
        self.left = character_cap(path.stat().st_size)

    def take(self, count: int) -> None:
        """Raises Stop once more characters came than a file of that size may give."""
        self.left -= count
        if self.left < 0:
            raise Stop("limit", "it gives absurdly much text for its size")


def read_with_pdfium(path: Path) -> None:
    """Lines with their places on the page, from PDFium. A page that fails is reported and the rest goes on."""
    import pypdfium2
    import pypdfium2.raw as raw

    try:
        document = pypdfium2.PdfDocument(path)
        count = len(document)
    except pypdfium2.PdfiumError as error:
        locked = getattr(error, "err_code", 0) in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY)
        raise Stop("encrypted" if locked else "damaged", str(error)) from None
    meter = Meter(path)
    for index in range(check_pages(count)):
        try:
            page = document[index]
            text = page.get_textpage()
            meter.take(text.count_chars())
            rows, hidden = pdfium_rows(page, text)
            say(page=index, rows=rows, hidden=hidden, size=[round(v, 1) for v in page.get_size()])
            text.close()
            page.close()
        except pypdfium2.PdfiumError as error:
            say(page=index, rows=[], hidden=0, failed=str(error)[:200])


def pdfium_rows(page: Any, text: Any) -> tuple[list[Row], int]:
    """(rows, how many characters no reader sees) of one page. A row that ends in U+0002 was hyphenated there."""
    content = text.get_text_range()
    left, bottom, right, top = page.get_cropbox()
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
    import ctypes

    import pypdfium2.raw as raw

    areas = []
    r, g, b, a = (ctypes.c_uint() for _ in range(4))
    for item in page.get_objects(filter=[raw.FPDF_PAGEOBJ_PATH, raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_SHADING]):
        if item.type == raw.FPDF_PAGEOBJ_PATH:
            raw.FPDFPageObj_GetFillColor(item, r, g, b, a)
            if a.value < 128 or min(r.value, g.value, b.value) >= WHITE:
                continue
        areas.append(item.get_bounds() if hasattr(item, "get_bounds") else item.get_pos())
    return areas


class Probe:
    """Asks PDFium for the place and look of single characters, with the buffers of the C calls made once."""

    def __init__(self, text: Any, straight: bool) -> None:
        import ctypes

        import pypdfium2.raw as raw

        self.text, self.raw, self.straight = text, raw, straight
        self.box, self.flags, self.name = raw.FS_RECTF(), ctypes.c_int(), ctypes.create_string_buffer(128)
        self.color = tuple(ctypes.c_uint() for _ in range(4))

    def row(self, core: str, first: int, last: int) -> tuple[Row, str]:
        """A line's row, and how it is seen: "", "white" or "invisible". first and last are text indices."""
        if not self.straight:
            first = self.raw.FPDFText_GetCharIndexFromTextIndex(self.text, first)
            last = self.raw.FPDFText_GetCharIndexFromTextIndex(self.text, last)
        start, end = self.place(first), self.place(last)
        middle = self.place((first + last) // 2)  # the tallest of three: either end may be a raised or lowered one
        _, _, bottom, top = max(start, middle, end, key=lambda box: round(box[3] - box[2]))
        bold = self.count(first, last) if self.bold(first) else 0
        core = self.scripts(core, first, bottom, top)
        return [core, min(start[0], end[0]), max(start[1], end[1]), bottom, top, bold], self.seen(first)

    def count(self, first: int, last: int) -> int:
        """How many characters from `first` on are bold; all of a line whose last one is."""
        if self.bold(last):
            return last - first + 1
        index = first
        while index < last and (self.bold(index) or self.raw.FPDFText_IsGenerated(self.text, index) == 1):
            index += 1
        return index - first

    def scripts(self, core: str, first: int, bottom: float, top: float) -> str:
        """The line's text with raised and lowered runs in their own characters; `first` is the index it starts at."""
        limit, done, parts = SMALL * (top - bottom), 0, []
        starts = [0] if self.small(first, limit) else []
        for at in starts + [found.end() - 1 for found in DIGITS.finditer(core)]:
            if at < done or not self.small(first + at, limit):
                continue
            start, end = at, at + 1
            while start > done and core[start - 1] != " " and self.small(first + start - 1, limit):
                start -= 1
            while end < len(core) and core[end] != " " and self.small(first + end, limit):
                end += 1
            _, _, low, high = self.place(first + at)
            parts += [core[done:start], shift(core[start:end], up=low + high > bottom + top)]
            done = end
        return "".join(parts) + core[done:] if parts else core

    def small(self, index: int, limit: float) -> bool:
        """Whether a character is lower than `limit` points."""
        _, _, bottom, top = self.place(index)
        return 0 < top - bottom < limit

    def place(self, index: int) -> tuple[float, float, float, float]:
        """left, right, bottom, top of a character's line box in points, one decimal."""
        self.raw.FPDFText_GetLooseCharBox(self.text, index, self.box)
        box = self.box
        return round(box.left, 1), round(box.right, 1), round(box.bottom, 1), round(box.top, 1)

    def bold(self, index: int) -> bool:
        """Whether the font's name says so."""
        length = self.raw.FPDFText_GetFontInfo(self.text, index, self.name, 128, self.flags)
        return 0 < length <= 128 and BOLD.search(self.name.value) is not None

    def seen(self, index: int) -> str:
        """How a reader sees a character."""
        holder = self.raw.FPDFText_GetTextObject(self.text, index)
        if holder and self.raw.FPDFTextObj_GetTextRenderMode(holder) == INVISIBLE_MODE:
            return "invisible"
        r, g, b, a = self.color
        if not self.raw.FPDFText_GetFillColor(self.text, index, r, g, b, a):
            return ""
        if a.value < 8:
            return "invisible"
        return "white" if min(r.value, g.value, b.value) >= WHITE else ""


def read_with_pypdf(path: Path) -> None:
    """Lines without places, from pypdf."""
    reader = open_with_pypdf(path)
    meter = Meter(path)
    for index in range(check_pages(len(reader.pages))):
        try:
            text = reader.pages[index].extract_text()
        except Exception as error:  # pypdf's policy: whatever it does not catch is the caller's to catch
            say(page=index, rows=[], hidden=0, failed=f"{type(error).__name__}: {error}"[:200])
            continue
        meter.take(len(text))
        rows = [[line.strip(), 0, 0, 0, 0, 0] for line in text.splitlines() if line.strip()]
        say(page=index, rows=rows, hidden=0, size=[0, 0])


def open_with_pypdf(path: Path) -> Any:
    """A pypdf reader. Raises Stop where the blank password does not open the file."""
    import pypdf

    reader = pypdf.PdfReader(path)
    if reader.is_encrypted and not reader.decrypt(""):
        raise Stop("encrypted", "the blank password does not open it")
    return reader


def structure(path: Path) -> dict[str, Any]:
    """Title, outline as [level from 1, title, page index], and page labels."""
    reader = open_with_pypdf(path)
    found: dict[str, Any] = {"title": "", "outline": [], "labels": []}
    with contextlib.suppress(Exception):
        found["title"] = str((reader.metadata or {}).get("/Title") or "")
    with contextlib.suppress(Exception):
        found["outline"] = list(flat_outline(reader, reader.outline, 1))
    with contextlib.suppress(Exception):
        found["labels"] = reader.page_labels if "/PageLabels" in reader.trailer["/Root"] else []
    return found


def flat_outline(reader: Any, items: list[Any], level: int) -> Any:
    """The outline in reading order."""
    for item in items:
        if isinstance(item, list):
            yield from flat_outline(reader, item, level + 1)
        else:
            yield [level, str(item.title or ""), reader.get_destination_page_number(item)]


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
