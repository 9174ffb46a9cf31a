"""What a bold start makes of a paragraph: a minor heading, a caption, or a term with its definition."""

from __future__ import annotations

import re

from realign.records import BlockKind
from realign.sources.layout import CAPTION, TERMINAL
from realign.sources.roles import GLOSSARY

MOST_WORDS = 12
VERBS_AND_SMALL_WORDS = """
is are was were be means mean refers refer can may must should has have had will would do does did shows show of and or
in on at for from to with that which who as by ist sind war und oder von bei
"""
GOES_ON = frozenset(VERBS_AND_SMALL_WORDS.split())


class Leads:
    """Keeps the headings seen so far, which decide how a bold start is to be read."""

    def __init__(self) -> None:
        self.depth, self.glossary = 0, False

    def heading(self, level: int, title: str) -> None:
        """Note a heading that the markup itself declares."""
        self.depth, self.glossary = level, GLOSSARY.search(title) is not None

    def read(self, text: str, bold: int) -> tuple[BlockKind, int, str]:
        """(kind, level, text) of a paragraph whose first `bold` characters are bold.

        All bold, short and unfinished is a heading one level below the last declared one, or a caption. A bold start
        in a glossary is a term.
        """
        if bold >= len(text) and len(text.split()) <= MOST_WORDS and not TERMINAL.search(text):
            return ("caption", 0, text) if CAPTION.match(text) else ("heading", self.depth + 1, text)
        if CAPTION.match(text) and (bold or len(text.split()) <= 3):
            return "caption", 0, text
        return "paragraph", 0, with_colon(text, bold) if self.glossary else text


def with_colon(text: str, bold: int) -> str:
    """A colon after the term that the first `bold` characters are: in print its type alone shows where it ends.

    The text stays as it is where those characters are no term of their own: a verb or a small word goes on from them.
    """
    term = text[:bold].rstrip()
    rest = text[len(term) :]
    word = re.match(r"\s+([^\W\d_]+|\d|[(“\"])", rest)
    if not word or not re.search(r"[\w)]$", term) or len(term) > 80 or word[1].lower() in GOES_ON:
        return text
    return f"{term}: {rest.lstrip()}"
