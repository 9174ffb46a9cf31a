"""Ask PDFium where single characters stand on a page and how they look. Imported by the PDF child process alone."""

from __future__ import annotations

import ctypes
import math
import re
from typing import Any

import pypdfium2.raw as raw

from realign.sources.scripts import shift

BOLD = re.compile(rb"bold|black|heavy|semi|demi|CMBX|SFBX|CMB\d|[-,]Bd", re.IGNORECASE)
INVISIBLE_MODE = 3
WHITE = 250
# Where digits could be raised or lowered without a break in the line: after a letter or bracket, or longer numbers.
DIGITS = re.compile(r"(?<=[^\W_])[-−–]?\d+|(?<=[)\]}])[-−–]?\d+|\d{2,}")
SMALL = 0.87  # of the line's type size, at most, for a raised or lowered character
SHIFTED = 0.08  # of the line's type size, at least, that it stands above or below the base line

Row = list[Any]  # text, left, right, base line, base line + type size (points), characters in bold from the start


class Probe:
    """Answers for the characters of one page, with the buffers of the C calls made once."""

    def __init__(self, text: Any, straight: bool) -> None:
        self.text, self.straight = text, straight
        self.box, self.matrix, self.flags = raw.FS_RECTF(), raw.FS_MATRIX(), ctypes.c_int()
        self.x, self.y, self.name = ctypes.c_double(), ctypes.c_double(), ctypes.create_string_buffer(128)
        self.color = tuple(ctypes.c_uint() for _ in range(4))

    def row(self, core: str, first: int, last: int) -> tuple[Row, str]:
        """A line's row, and how it is seen: "", "white" or "invisible". first and last are text indices."""
        if not self.straight:
            first = raw.FPDFText_GetCharIndexFromTextIndex(self.text, first)
            last = raw.FPDFText_GetCharIndexFromTextIndex(self.text, last)
        # The tallest of three stands for the line, as either end may be raised or lowered.
        tallest = max(first, (first + last) // 2, last, key=self.size)
        base, size = self.base(tallest), self.size(tallest) * self.scale(tallest)
        left, right = self.edges(first, last)
        bold = self.count_bold(first, last) if self.bold(first) else 0
        core = self.scripts(core, first, tallest)
        return [core, left, right, round(base, 1), round(base + size, 1), bold], self.seen(first)

    def edges(self, first: int, last: int) -> tuple[float, float]:
        """Left and right edge of a line in points; it may run from right to left."""
        raw.FPDFText_GetLooseCharBox(self.text, first, self.box)
        left, right = self.box.left, self.box.right
        raw.FPDFText_GetLooseCharBox(self.text, last, self.box)
        return round(min(left, self.box.left), 1), round(max(right, self.box.right), 1)

    def size(self, index: int) -> float:
        """Type size before the page's scaling; 1 for a space that PDFium put in."""
        return float(raw.FPDFText_GetFontSize(self.text, index))

    def scale(self, index: int) -> float:
        """How much the page enlarges the type in height."""
        raw.FPDFText_GetMatrix(self.text, index, self.matrix)
        return math.hypot(self.matrix.c, self.matrix.d)

    def base(self, index: int) -> float:
        """Height of a character's base line in points."""
        raw.FPDFText_GetCharOrigin(self.text, index, self.x, self.y)
        return self.y.value

    def count_bold(self, first: int, last: int) -> int:
        """How many characters from `first` on are bold; all of a line whose last one is."""
        if self.bold(last):
            return last - first + 1
        index = first
        while index < last and (self.bold(index) or raw.FPDFText_IsGenerated(self.text, index) == 1):
            index += 1
        return index - first

    def scripts(self, core: str, first: int, tallest: int) -> str:
        """The line's text with raised and lowered runs in their own characters; `first` is the index it starts at."""
        limit = SMALL * self.size(tallest)
        done, parts = 0, []
        starts = [0] if self.size(first) < limit else []
        for at in starts + [found.end() - 1 for found in DIGITS.finditer(core)]:
            if at < done or self.size(first + at) >= limit:
                continue
            up = self.base(first + at) - self.base(tallest)
            if abs(up) < SHIFTED * self.size(tallest) * self.scale(tallest):
                continue
            start, end = at, at + 1
            while start > done and core[start - 1] != " " and self.size(first + start - 1) < limit:
                start -= 1
            while end < len(core) and core[end] != " " and self.size(first + end) < limit:
                end += 1
            parts += [core[done:start], shift(core[start:end], up=up > 0)]
            done = end
        return "".join(parts) + core[done:] if parts else core

    def bold(self, index: int) -> bool:
        """Whether the font's name says so."""
        length = raw.FPDFText_GetFontInfo(self.text, index, self.name, 128, self.flags)
        return 0 < length <= 128 and BOLD.search(self.name.value) is not None

    def seen(self, index: int) -> str:
        """How a reader sees a character."""
        holder = raw.FPDFText_GetTextObject(self.text, index)
        if holder and raw.FPDFTextObj_GetTextRenderMode(holder) == INVISIBLE_MODE:
            return "invisible"
        r, g, b, a = self.color
        if not raw.FPDFText_GetFillColor(self.text, index, r, g, b, a):
            return ""
        if a.value < 8:
            return "invisible"
        return "white" if min(r.value, g.value, b.value) >= WHITE else ""
