"""A passage as the forms see it: its usable sentences, each with its clause and the excerpt that would be shown.

for told in read(passage, lexicon).told: told.sentence.text, told.clause, told.excerpt
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from realign.curate.authors.extractive.clauses import Clause, split_clause
from realign.curate.authors.extractive.excerpts import excerpt_of, pronouns_are_told
from realign.curate.authors.extractive.grammar import is_about_itself, is_plain_statement
from realign.curate.authors.extractive.lexicon import Lexicon
from realign.curate.authors.extractive.questions import has_verb
from realign.curate.authors.extractive.sentences import Sentence
from realign.records import Passage

LEAST_AROUND = 6  # words; an excerpt that is hardly more than its sentence asks only to copy


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence that states something plainly. excerpt: it among its neighbors; alone: the excerpt is hardly more."""

    sentence: Sentence
    clause: Clause | None
    excerpt: str
    alone: bool


@dataclass(frozen=True, slots=True)
class Material:
    """A passage, what was understood of it, and what its document calls things."""

    passage: Passage
    told: tuple[Told, ...]
    lexicon: Lexicon

    def at(self, start: int, end: int) -> tuple[int, int]:
        """A span of the passage's text as a span of the document's."""
        return self.passage.start + start, self.passage.start + end


def read(passage: Passage, lexicon: Lexicon) -> Material:
    """What the forms can ask about."""
    return Material(passage, tuple(_told(passage, lexicon)), lexicon)


def _told(passage: Passage, lexicon: Lexicon) -> Iterator[Told]:
    around = lexicon.sentences.get(passage.id, [])
    for sentence in around if passage.role in ("prose", "exercise") else []:
        text = sentence.text
        if not is_plain_statement(text) or not is_about_itself(text) or lexicon.is_instruction(text):
            continue
        excerpt = excerpt_of(sentence, around, passage, lexicon)
        if has_verb(text, lexicon) and pronouns_are_told(text, excerpt, lexicon):
            alone = len(excerpt.split()) <= len(text.split()) + LEAST_AROUND
            yield Told(sentence, split_clause(text, lexicon), excerpt, alone)
