"""Lines of pages -> pieces of text with a kind: headings, paragraphs, list items, tables, formulas, captions.

Where the places of lines are known, a paragraph ends where the next line's first word would still have fitted, where
the space between lines grows, or where an indent or a list mark says so. Headings come from the document's outline by
their titles, then from size and boldness. Lines of a table are known by their gaps, figures and short cells.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from realign.records import BlockKind
from realign.sources.repair import Hyphens, ends_cut
from realign.sources.running import Line
from realign.sources.scripts import shift

MARK = re.compile(r"^(?:[•◦▪‣●○■□➢✓*–—-]\s|\(?(?:\d{1,3}|[a-zA-Z]|[ivx]{1,4})[.)]\s(?!\d))")
NUMBERED = re.compile(
    r"^(?:chapter|kapitel|part|teil|section|appendix|anhang)?\s*(\d{1,2}(?:\.\d{1,3}){0,3})\.?\s+\S", re.I
)
CAPTION = re.compile(
    r"^(?:figure|fig\.|table|tab\.|abbildung|abb\.|tabelle|listing|chart|exhibit)\s*\d+(?:[.\-–]\d+)*", re.I
)
TERMINAL = re.compile(r"[.!?:;…][\"'”’»“)\]]*$")
NUMERIC = re.compile(r"^[\W\d]+$|^[\d.,%$€–/-]+[a-zA-Z]{0,2}$|^[_.]{3,}$")
ENDED = re.compile(r"[^\W\d_]{2}[.!?:;][\"'”’»“)\]]*$")
WORDS = re.compile(r"[^\W\d_]{2,}")


class Piece(NamedTuple):
    """A block before it has a place: `pages` says from which character on it stands on which page (by index).

    level is a heading's depth; for another kind, the depth of the heading it stands under, 0 for the last one.
    """

    kind: BlockKind
    level: int
    text: str
    pages: tuple[tuple[int, int], ...]


class Title(NamedTuple):
    """An entry of the outline: depth from 1, title, page index."""

    level: int
    text: str
    page: int


@dataclass(slots=True)
class Group:
    """Lines that belong together, each with its page index."""

    lines: list[Line] = field(default_factory=list)
    places: list[int] = field(default_factory=list)

    @property
    def first(self) -> Line:
        """Its first line."""
        return self.lines[0]

    @property
    def last(self) -> Line:
        """Its last line."""
        return self.lines[-1]


class Shape(NamedTuple):
    """What is usual on a page, in points: line step, right margin for each left edge, rightmost edge.

    density is the width of a body character as a share of the line's height.
    """

    step: float
    density: float
    margins: dict[int, float]
    right: float


def page_shape(lines: Sequence[Line], step: float, density: float) -> Shape:
    """The margins of a page.

    A left edge has one of its own where many lines share it, or where two do and reach about as far as the page's.
    """
    edges: dict[int, list[float]] = {}
    for line in lines:
        edges.setdefault(round(line.left / 3), []).append(line.right)
    left, right = min((line.left for line in lines), default=0.0), max((line.right for line in lines), default=0.0)
    margins = {
        edge: max(rights)
        for edge, rights in edges.items()
        if len(rights) >= 6 or (len(rights) > 1 and max(rights) > right - max(30.0, 1.5 * (3 * edge - left) + 10.0))
    }
    return Shape(step, density, margins, right)


def usual_step(pages: Sequence[Sequence[Line]], height: float) -> float:
    """The most frequent distance between body lines in points; 1.2 heights where there is none."""
    steps: Counter[float] = Counter()
    for lines in pages:
        for upper, lower in itertools.pairwise(lines):
            gap = upper.bottom - lower.bottom
            if 0.8 * height < gap < 2.2 * height and abs(upper.height - height) < 0.6:
                steps[round(gap * 2) / 2] += 1
    return steps.most_common(1)[0][0] if steps else 1.2 * height


def usual_density(pages: Sequence[Sequence[Line]]) -> float:
    """Median width of a character as a share of the line's height, over longer lines; 0 where places are unknown."""
    shares = sorted(density(line) for lines in pages for line in lines if len(line.text) >= 40 and line.height)
    return shares[len(shares) // 2] if shares else 0.0


def density(line: Line) -> float:
    """Mean width of a character as a share of the line's height."""
    return (line.right - line.left) / (len(line.text) * line.height)


@functools.lru_cache(maxsize=8)  # each line is asked about with the one before and the one after
def is_row(line: Line, usual: float) -> bool:
    """Whether a line alone looks like a table's row: set with gaps, or mostly figures, and no sentence's end."""
    if not line.height or ENDED.search(line.text[-8:]):
        return False
    tokens = line.text.split()
    figures = sum(NUMERIC.match(token) is not None for token in tokens)
    return (usual > 0 and density(line) > 1.4 * usual and len(tokens) > 1) or (
        figures >= 2 and figures >= 0.5 * len(tokens)
    )


def body_height(pages: Sequence[Sequence[Line]]) -> float:
    """The height in which most characters are set, in points; 0 where places are unknown."""
    heights: Counter[float] = Counter()
    for lines in pages:
        for line in lines:
            heights[round(line.height * 2) / 2] += len(line.text)
    return heights.most_common(1)[0][0] if heights else 0.0


def merge_fragments(lines: Sequence[Line]) -> list[Line]:
    """Lines with the fragments of one visual row put together; small raised or lowered runs become ⁿ and ₙ forms."""
    merged: list[Line] = []
    for line in lines:
        last = merged[-1] if merged else None
        if last and last.height and beside(last, line):
            merged[-1] = attach(last, line)
        else:
            merged.append(line)
    return merged


def beside(left: Line, right: Line) -> bool:
    """Whether `right` goes on in the same visual row: overlapping it, within a letter of its end."""
    overlap = min(left.top, right.top) - max(left.bottom, right.bottom)
    gap = right.left - left.right
    return overlap > 0.3 * min(left.height, right.height) > 0 and -2.0 <= gap <= 0.6 * left.height


def attach(left: Line, right: Line) -> Line:
    """Two fragments as one line, set apart where there is a gap."""
    text = right.text
    box = min(left.bottom, right.bottom), max(left.top, right.top)
    if right.height < 0.87 * left.height:
        text = shift(text, up=right.bottom + right.top > left.bottom + left.top)
        box = left.bottom, left.top
    gap = "" if right.left - left.right < 0.12 * left.height else " "
    bold = left.bold + (len(gap) + right.bold if left.all_bold else 0)
    return Line(left.text + gap + text, left.left, max(left.right, right.right), *box, bold)


def groups(pages: Sequence[Sequence[Line]], height: float) -> Iterator[Group]:
    """Paragraph-like groups of lines, over page breaks too."""
    step, density = usual_step(pages, height), usual_density(pages)
    current = Group()
    for page, lines in enumerate(pages):
        shape = page_shape(lines, step, density)
        for place, line in enumerate(lines):
            if current.lines and not belongs(current, line, shape, new_page=place == 0):
                yield current
                current = Group()
            current.lines.append(line)
            current.places.append(page)
    if current.lines:
        yield current


def belongs(group: Group, line: Line, shape: Shape, new_page: bool) -> bool:
    """Whether `line` goes on with the paragraph of `group`."""
    last = group.last
    finished = TERMINAL.search(last.text[-8:]) is not None
    if ends_cut(last.text) and (line.text[:1].islower() or new_page):
        return True
    if MARK.match(line.text) and (finished or MARK.match(group.first.text) or not last.height):
        return False
    if not last.height or not line.height:
        return goes_on_without_places(group, line, finished, new_page)
    if is_row(line, shape.density) or is_row(last, shape.density):
        return False
    if abs(line.height - last.height) > 0.12 * max(line.height, last.height):
        return False
    gap = last.bottom - line.bottom
    if new_page or gap < -1.0:
        return not finished and (line.text[:1].islower() or (fills(last, line, shape) and not line.bold))
    if gap < 0.3 * shape.step or gap > 1.3 * shape.step + 1.0 or not fills(last, line, shape):
        return False
    if finished and 0 < line.bold < len(line.text) and 0 < group.first.bold < len(group.first.text):
        return False  # each paragraph of a run starts with its term in bold
    return same_edge(group, line, finished)


def goes_on_without_places(group: Group, line: Line, finished: bool, new_page: bool) -> bool:
    """The same decision from words alone: an unfinished long line goes on, unless the next looks like a title."""
    if NUMBERED.match(line.text) and len(line.text) < 60:
        return False
    if new_page or finished:
        return not finished and line.text[:1].islower() if new_page else len(group.last.text) >= 70
    return line.text[:1].islower() or len(group.last.text) >= 50


def fills(last: Line, line: Line, shape: Shape) -> bool:
    """Whether the first word of `line` had no room at the end of `last`, so that the break was none of the author's."""
    margin = shape.margins.get(round(last.left / 3), shape.right)
    word = line.text.split(" ", 1)[0]
    width = (line.right - line.left) / max(len(line.text), 1) * (len(word) + 1)
    return margin - last.right <= 1.2 * width + 1.0


def same_edge(group: Group, line: Line, finished: bool) -> bool:
    """Whether the left edge of `line` fits the group: straight, after an indent, or hanging under a mark or term."""
    shift = line.left - group.last.left
    if abs(shift) <= 3.0:
        return True
    if len(group.lines) == 1 and shift < 0:
        return True
    hanging = MARK.match(group.first.text) is not None or 0 < group.first.bold < len(group.first.text)
    if len(group.lines) == 1 and hanging and shift < 60:
        return True
    return not finished and abs(shift) < 60


def joined(group: Group, hyphens: Hyphens, between: str = " ") -> tuple[str, tuple[tuple[int, int], ...]]:
    """The group's text on one line, and where each page begins in it."""
    text = group.first.text
    pages = [(0, group.places[0])]
    for line, page in zip(group.lines[1:], group.places[1:], strict=True):
        if between == " " and ends_cut(text):
            text = hyphens.join(text, line.text)
        else:
            text += between + line.text
        if page != pages[-1][1]:
            pages.append((len(text) - len(line.text), page))
    return text.replace("\x02", "-"), tuple(pages)


def cuts(pages: Sequence[Sequence[Line]]) -> list[tuple[str, str]]:
    """(line, next line) wherever a line ends inside a word."""
    flat = [line.text for lines in pages for line in lines]
    return [(a, b) for a, b in itertools.pairwise(flat) if ends_cut(a) and b[:1].islower()]
