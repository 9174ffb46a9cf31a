"""Groups of lines -> pieces: says of each group whether it is a heading, a caption, a list item, a table, a formula.

The outline's titles decide first, then size and boldness against the body text, then the look of the text itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from realign.records import BlockKind
from realign.sources.layout import (
    CAPTION,
    MARK,
    NUMBERED,
    NUMERIC,
    TERMINAL,
    WORDS,
    Group,
    Piece,
    Title,
    density,
    groups,
    joined,
    usual_density,
)
from realign.sources.leads import with_colon
from realign.sources.repair import Hyphens
from realign.sources.roles import GLOSSARY
from realign.sources.running import Line

LONGER = 20  # characters that a printed title may have more than the outline's: its number, spaces
SECTION = re.compile(
    r"^(?:chapter|kapitel|part|teil|section)?\s*[\dA-Z]{1,2}(?:\.\d{1,3})*[.:]?\s+(?=\w)", re.IGNORECASE
)
MATHS = re.compile(r"[=⇒→∈∀∃≤≥≠∩∪√∫∑∏⊆⊂^{}\\|<>~±×·]")
CONTENTS = re.compile(r"^\d+(?:\.\d+)*\s.*\s\d+$")  # "4.1 Waves 198"
LEADERS = re.compile(r"(?:\s?\.){4,}\s*\d*$|\s[ivxlc\d]{1,4}$")


def key(text: str) -> str:
    """A title by its letters and digits alone."""
    return "".join(re.findall(r"[^\W_]+", text.lower()))


class Outline:
    """The outline's titles, found again by page and letters, with or without the number before them."""

    def __init__(self, titles: Sequence[Title]) -> None:
        self.levels: dict[tuple[str, int], int] = {}
        self.bare: dict[tuple[str, int], tuple[int, bool]] = {}  # without its number: depth, and whether it had one
        self.longest: dict[int, int] = {}  # page -> characters of the longest title there or on a neighbor
        for title in titles:
            for page in (title.page - 1, title.page, title.page + 1):
                self.longest[page] = max(self.longest.get(page, 0), len(title.text) + LONGER)
        for title in reversed(titles):
            bare = SECTION.sub("", title.text)
            self.levels[key(title.text), title.page] = title.level
            self.bare[key(bare), title.page] = title.level, bare != title.text

    def level(self, text: str, page: int) -> int:
        """Depth of the title that `text` is, on its page or a neighbor; 0 for none.

        A number before the title may be missing on either side, but two different numbers are two titles.
        """
        if len(text) > self.longest.get(page, 0) or not key(text):
            return 0
        bare = SECTION.sub("", text)
        for near in (page, page - 1, page + 1):
            level, numbered = self.bare.get((key(bare), near), (0, False))
            if found := self.levels.get((key(text), near), 0 if numbered and bare != text else level):
                return found
        return 0

    def completes(self, group: Group, following: Group) -> bool:
        """Whether two groups are the two halves of one title, as a chapter's number and its name are."""
        short = group.places[0] in self.longest and len(group.lines) <= 2 and len(following.lines) <= 3
        text = " ".join(line.text for line in (*group.lines, *following.lines)) if short else ""
        return (
            short
            and len(text) < 200
            and not self.level(group.first.text, group.places[0])
            and bool(self.level(text, group.places[0]))
        )


def with_whole_titles(found: Iterator[Group], outline: Outline) -> list[Group]:
    """Groups, the two halves of a title of the outline put together."""
    whole: list[Group] = []
    for group in found:
        if whole and whole[-1].places[0] == group.places[0] and outline.completes(whole[-1], group):
            whole[-1] = Group(whole[-1].lines + group.lines, whole[-1].places + group.places)
        else:
            whole.append(group)
    return whole


def pieces(
    pages: Sequence[Sequence[Line]], titles: Sequence[Title], hyphens: Hyphens, height: float
) -> Iterator[Piece]:
    """The document's pieces in reading order."""
    outline = Outline(titles)
    found = with_whole_titles(groups(pages, height), outline)
    kinds = [kind_of(group, outline, height) for group in found]
    mark_tables(found, kinds, height)
    looks = sorted(
        {look(g.first) for g, (kind, level) in zip(found, kinds, strict=True) if kind == "heading" and not level}
    )
    depths = Depths(looks)
    glossary = False
    for group, kind, level in with_tables(found, kinds):
        depth = depths.heading(group.first, level) if kind == "heading" else depths.scope(group.first, kind)
        text, starts = joined(group, hyphens, "\n" if kind in ("table", "code") else " ")
        if kind == "paragraph" and 0 < group.first.bold < len(group.first.text):
            text, starts = with_term(group, text, starts, glossary)
        if kind == "heading":
            glossary = GLOSSARY.search(text) is not None
        yield Piece(kind, depth, text, starts)


class Depths:
    """Gives headings that the outline does not hold their depth, and ends an indented box where the indent ends."""

    def __init__(self, looks: Sequence[float]) -> None:
        self.looks, self.base = looks, 0
        self.boxes: list[tuple[int, float]] = []  # (depth, left edge) of the minor headings now open

    def heading(self, line: Line, level: int) -> int:
        """Depth of a heading: `level` from the outline, else one below it for the largest look, and so on down."""
        if level:
            self.base, self.boxes = level, []
            return level
        depth = self.base + (len(self.looks) - self.looks.index(look(line)) if line.height else 1)
        self.boxes = [box for box in self.boxes if box[0] < depth] + [(depth, line.left)]
        return depth

    def scope(self, line: Line, kind: BlockKind) -> int:
        """Depth of the heading a block stands under: 0 for the last one, another where it is set further left."""
        if not self.boxes or not line.height or kind not in ("paragraph", "item") or line.left >= self.boxes[-1][1] - 5:
            return 0
        self.boxes = [box for box in self.boxes if box[1] <= line.left + 5]
        return self.boxes[-1][0] if self.boxes else self.base


def look(line: Line) -> float:
    """How much a heading stands out: its height in half points."""
    return round(line.height * 2) / 2


Starts = tuple[tuple[int, int], ...]


def with_term(group: Group, text: str, starts: Starts, glossary: bool) -> tuple[str, Starts]:
    """The text with a colon after a bold term that hangs over its definition, or stands on one line in a glossary."""
    hanging = len(group.lines) > 1 and group.lines[1].left > group.first.left + 5
    marked = with_colon(text, group.first.bold) if hanging or (glossary and len(group.lines) == 1) else text
    longer = len(marked) - len(text)
    return marked, tuple((at + longer if at else 0, page) for at, page in starts)


def kind_of(group: Group, outline: Outline, height: float) -> tuple[BlockKind, int]:
    """(kind, level) of a group by itself; level is 0 for a heading that the outline does not hold."""
    text = " ".join(line.text for line in group.lines)
    if len(group.lines) <= 3 and (level := outline.level(text, group.places[0])):
        return "heading", level
    if CAPTION.match(text) and is_caption(group, text, height):
        return "caption", 0
    if len(group.lines) <= 2 and is_title(group, text, height):
        return "heading", 0
    if MARK.match(text):
        return "item", 0
    if is_formula(text):
        return "formula", 0
    return "paragraph", 0


def is_caption(group: Group, text: str, height: float) -> bool:
    """A caption is smaller than the body, bold, punctuated after its number, or nearly nothing but its number."""
    rest = text[CAPTION.match(text).end() :]  # type: ignore[union-attr]
    small = group.first.height < 0.95 * height
    return bool(small or group.first.bold or rest[:1] in (":", ".", "|") or len(rest.split()) <= 2)


def is_title(group: Group, text: str, height: float) -> bool:
    """A heading by its look: short, unfinished, larger or bolder than the body; or by its number alone."""
    words = text.split()
    if len(words) > 14 or not re.search(r"[^\W\d_]{4}", text) or re.search(r"[.,;:]$", text) or MARK.match(text):
        return False
    if (
        CONTENTS.match(text)
        or MATHS.search(text)
        or not (text[0].isupper() or text[0].isdecimal())
        or text[:1] in "⁰¹²³⁴⁵⁶⁷⁸⁹"
    ):
        return False
    if not group.first.height:
        return NUMBERED.match(text) is not None and len(words) <= 10 and not text[-1:].isdigit()
    large = all(line.height > 1.12 * height for line in group.lines)
    bold = all(line.all_bold and line.height > 0.97 * height for line in group.lines)
    return (large or bold) and word_letters(text) > 0.5


def word_letters(text: str) -> float:
    """Share of the visible characters that stand in words of two letters or more."""
    visible = len(re.sub(r"\s", "", text))
    return sum(map(len, WORDS.findall(text))) / visible if visible else 0.0


def is_formula(text: str) -> bool:
    """Mostly signs, digits and single letters, and no sentence."""
    words = len(re.findall(r"[^\W\d_]{3,}", text))
    tokens = len(text.split())
    return (word_letters(text) < 0.5 and words < 8) or (tokens >= 3 and words / tokens < 0.3 and "=" in text)


def row_like(group: Group, kind: BlockKind, height: float, usual: float) -> bool:
    """Whether a group could be a row of a table: one line, no sentence, gaps or figures or a page number."""
    line = group.first
    if len(group.lines) > 1 or kind in ("heading", "caption") or re.search(r"[^\W\d_]{2}[.!?:;]$", line.text):
        return False
    tokens = line.text.split()
    numeric = sum(NUMERIC.match(token) is not None for token in tokens) / len(tokens)
    spread = line.height > 0 and density(line) > 1.4 * usual > 0
    small = 0 < line.height < 0.97 * height and len(line.text) < 70
    return numeric >= 0.4 or spread or small or LEADERS.search(line.text) is not None


def mark_tables(found: Sequence[Group], kinds: list[tuple[BlockKind, int]], height: float) -> None:
    """Make tables of runs of at least two row-like groups, or of one beside a caption."""
    usual = usual_density([group.lines for group in found])
    rows = [row_like(group, kind, height, usual) for group, (kind, _) in zip(found, kinds, strict=True)]
    for i, (kind, _) in enumerate(kinds):
        near = [j for j in (i - 1, i + 1) if 0 <= j < len(rows)]
        if rows[i] and (any(rows[j] for j in near) or any(kinds[j][0] == "caption" for j in near)):
            numeric = is_formula(found[i].first.text) and "=" in found[i].first.text
            if not numeric:
                kinds[i] = "table", 0
        elif kind == "paragraph" and rows[i] and not TERMINAL.search(found[i].first.text):
            kinds[i] = "table", 0


def with_tables(
    found: Sequence[Group], kinds: Sequence[tuple[BlockKind, int]]
) -> Iterator[tuple[Group, BlockKind, int]]:
    """Groups with kind and level, the rows of a table gathered into one group."""
    table: Group | None = None
    for group, (kind, level) in zip(found, kinds, strict=True):
        if kind == "table":
            table = table or Group()
            table.lines += group.lines
            table.places += group.places
            continue
        if table:
            yield table, "table", 0
            table = None
        yield group, kind, level
    if table:
        yield table, "table", 0
