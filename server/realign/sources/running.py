"""Find the lines that only repeat the page's frame: running headers, footers and page numbers.

A line is running when, digits apart, it stands at the top or bottom of at least three pages that follow each other
closely (left and right pages may differ, and so may chapters), or when it is the page's own number. Lines at the
height of a running line that hold the page's number go too, so the header of a two-page chapter is caught as well.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

ZONE = 3  # lines looked at on either end of a page
EDGE = 0.15  # share of the height in use, from either end, in which running lines stand
NEAR = 3  # pages between two appearances of a running line, at most
HEIGHT = 3.0  # points by which the height of a running line may vary
ROMAN = re.compile(r"\b[ivxlc]+\b")
NUMBER = re.compile(r"\d+")


class Line(NamedTuple):
    """A line of a page: its text and its box in points from the lower left corner, all 0 where unknown.

    bottom is the base line and top is the type size above it.
    bold counts the characters in bold from the line's start.
    """

    text: str
    left: float = 0.0
    right: float = 0.0
    bottom: float = 0.0
    top: float = 0.0
    bold: int = 0

    @property
    def height(self) -> float:
        """Type size in points; 0 where unknown."""
        return self.top - self.bottom

    @property
    def all_bold(self) -> bool:
        """Whether the whole line is bold."""
        return self.bold >= len(self.text) > 0


class Spot(NamedTuple):
    """A line near the end of a page: page and line index, what remains of it without digits, and its height there."""

    page: int
    line: int
    end: str
    key: str
    y: float


def abstract(text: str) -> str:
    """A line without what changes from page to page: numbers, arabic or roman, become "#"."""
    return re.sub(r"\s+", " ", ROMAN.sub("#", NUMBER.sub("#", text.lower()))).strip()


def spots(pages: Sequence[Sequence[Line]], body: float) -> list[Spot]:
    """The first and last lines of each page; where places are known, those near an edge, no larger than text."""
    found = []
    tops = [line.top for lines in pages for line in lines]
    low, high = min(tops, default=0.0), max(tops, default=0.0)
    margin = EDGE * (high - low)
    for page, lines in enumerate(pages):
        order = sorted(range(len(lines)), key=lambda i: -lines[i].top) if high else list(range(len(lines)))
        for end, chosen in (("top", order[:ZONE]), ("bottom", order[-ZONE:])):
            for i in chosen:
                line = lines[i]
                away = line.top < high - margin if end == "top" else line.top > low + margin
                if not (high and away) and not (body and line.height > 1.1 * body):
                    found.append(Spot(page, i, end, abstract(line.text), line.top))
    return found


def running_lines(pages: Sequence[Sequence[Line]], body: float = 0.0) -> set[tuple[int, int]]:
    """(page index, line index) of every running line. `body` is the size of the text's type in points, 0 if unknown."""
    places = spots(pages, body)
    groups: dict[tuple[str, str], list[Spot]] = defaultdict(list)
    for spot in places:
        groups[spot.end, spot.key].append(spot)
    running = [spot for (_, key), group in groups.items() if re.search(r"[^\W\d_]", key) for spot in chained(group)]
    offset = number_offset(pages, places)
    if offset is not None:
        bands = Counter(round(spot.y) for spot in running if spot.y)
        running += [spot for spot in places if is_number_line(pages, spot, offset, bands)]
    found = {(spot.page, spot.line) for spot in running}
    bare = sum(bool(lines) and all((page, i) in found for i in range(len(lines))) for page, lines in enumerate(pages))
    return set() if bare > len(pages) / 2 else found  # a document of nothing but such lines means them


def chained(group: list[Spot]) -> list[Spot]:
    """The spots of a group that stand in a chain of at least three near pages at one height."""
    kept: list[Spot] = []
    chain: list[Spot] = []
    last = Spot(10**9, 0, "", "", -1e9)  # closes the last chain
    for spot in [*sorted(group, key=lambda s: (round(s.y / HEIGHT), s.page)), last]:
        if chain and (
            spot.page - chain[-1].page > NEAR or abs(spot.y - chain[-1].y) > HEIGHT or spot.page < chain[-1].page
        ):
            kept += chain if len({s.page for s in chain}) >= 3 else []
            chain = []
        chain.append(spot)
    return kept


def number_offset(pages: Sequence[Sequence[Line]], places: Sequence[Spot]) -> int | None:
    """Printed page number minus page index, as most pages have it; None unless a third of the pages, and two, agree."""
    seen: Counter[int] = Counter()
    for page, values in page_numbers(pages, places).items():
        seen.update({value - page for value in values})
    if not seen:
        return None
    offset, count = seen.most_common(1)[0]
    return offset if count >= max(2, len(pages) / 3) else None


def page_numbers(pages: Sequence[Sequence[Line]], places: Sequence[Spot]) -> dict[int, set[int]]:
    """For each page, the numbers that begin or end one of its outer lines."""
    numbers: dict[int, set[int]] = defaultdict(set)
    for spot in places:
        text = pages[spot.page][spot.line].text
        ends = re.findall(r"^\W*(\d{1,5})(?=\W|$)|(?:^|\W)(\d{1,5})\W*$", text)
        numbers[spot.page] |= {int(value) for pair in ends for value in pair if value}
    return numbers


def is_number_line(pages: Sequence[Sequence[Line]], spot: Spot, offset: int, bands: Counter[int]) -> bool:
    """Whether a line is the page's number alone, or holds it at the height of a known running line."""
    text, number = pages[spot.page][spot.line].text, str(spot.page + offset)
    if re.fullmatch(rf"\W*(?:page|seite|p\.|s\.)?\W*{number}(?:\s*(?:of|von|/)\s*\d+)?\W*", text.lower()):
        return True
    near = any(bands[round(spot.y) + shift] >= 3 for shift in (-2, -1, 0, 1, 2))
    return near and number in NUMBER.findall(text)
