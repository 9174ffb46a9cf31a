"""The sentences of a passage as an author can use them: without the word that ties them to the one before.

sentences_of(passage) -> Sentence("The mean is larger.", …) for "However, the mean is larger."
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from realign.curate.authors.extractive.grammar import upper_first
from realign.records import Passage
from realign.sources.sentences import sentence_spans

# Says how a sentence follows from the one before it, and can be left out without changing what it says.
CONNECTIVE = re.compile(
    r"^(?:(?:however|therefore|thus|hence|in general|in addition|moreover|furthermore|also|additionally|consequently"
    r"|as a result|similarly|likewise|finally|in fact|of course|for example|for instance|in practice|indeed|in short"
    r"|clearly|naturally|as expected|nevertheless|in particular|in this way|as always), "
    r"|(?:and|but|so) (?=(?:the|an?|if|when|you|each|every|all)\b)"
    r"|(?:note|notice|remember|recall|keep in mind|it is important to note) that )",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence without its leading connective, its span in the document, and where the whole of it starts."""

    text: str
    start: int
    end: int
    passage: str
    whole: int


def sentences_of(passage: Passage) -> Iterator[Sentence]:
    """The sentences of a passage in order, except those inside speech that an earlier sentence began."""
    offset = 0
    for paragraph in passage.text.split("\n\n"):
        for start, end in sentence_spans(paragraph):
            if in_speech(paragraph, start):
                continue
            text, at = paragraph[start:end].replace("\n", " "), passage.start + offset
            lead = CONNECTIVE.match(text)
            skip = lead.end() if lead and len(text) > lead.end() else 0
            yield Sentence(
                upper_first(text[skip:]) if skip else text, at + start + skip, at + end, passage.id, at + start
            )
        offset += len(paragraph) + 2


def in_speech(paragraph: str, at: int) -> bool:
    """True inside quotation marks that were opened before `at`: what follows is a speaker's, not the document's."""
    before = paragraph[:at]
    return before.count('"') % 2 == 1 or before.count("“") > before.count("”")
