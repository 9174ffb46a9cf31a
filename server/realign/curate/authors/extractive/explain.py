"""Requests to explain a term, answered by several sentences: its definition and what the passage goes on to say of it.

explanation(sentence, around, passage, clause, lexicon) -> Question("Explain what a spring tide is.", …)
"""

from __future__ import annotations

import re

from realign.curate.authors.extractive.answers import EXPLAINS
from realign.curate.authors.extractive.clauses import Clause
from realign.curate.authors.extractive.closed import LEANING_STARTS
from realign.curate.authors.extractive.excerpts import is_showable
from realign.curate.authors.extractive.grammar import is_plain_statement, stem, words
from realign.curate.authors.extractive.lexicon import Lexicon
from realign.curate.authors.extractive.sentences import Sentence
from realign.curate.authors.extractive.wh import defines, inside
from realign.curate.authors.extractive.wording import Question, one_of
from realign.records import Passage

MOST_MORE, LONGEST = 3, 110  # sentences after the definition; words in all
FORMS = (
    "Explain what {subject} {verb}.",
    "What {verb} {subject}? Answer in a few sentences.",
    "Tell me about {subject}.",
    "Describe {subject} in a few sentences.",
)
SAME = frozenset({"it", "its", "they", "their"})


def explanation(
    sentence: Sentence, around: list[Sentence], passage: Passage, clause: Clause | None, lexicon: Lexicon
) -> Question | None:
    """A request about the subject of a defining sentence; None where the next sentence is not about it too.

    The answer is the passage's own text, from the definition to the last sentence in a row that has the same subject.
    """
    if clause is None or not defines(clause):
        return None
    place = next(i for i, other in enumerate(around) if other.start == sentence.start)
    subject = _content(clause.subject)
    last = sentence
    for following in around[place + 1 : place + 1 + MOST_MORE]:
        gap = passage.text[last.end - passage.start : following.whole - passage.start]
        long = len(passage.text[sentence.start - passage.start : following.end - passage.start].split()) > LONGEST
        if gap.strip() or long or not _goes_on(following, subject, lexicon):
            break
        last = following
    if last is sentence:
        return None
    text = passage.text[sentence.start - passage.start : last.end - passage.start].replace("\n", " ")
    whole = Sentence(text, sentence.start, last.end, passage.id, sentence.whole)
    asked = one_of(FORMS, sentence.text).format(subject=inside(clause.subject, lexicon), verb=clause.verb)
    return Question(asked, EXPLAINS, clause.subject, whole, True)


def _goes_on(sentence: Sentence, subject: frozenset[str], lexicon: Lexicon) -> bool:
    """True for a plain statement that begins with the same subject, or with a pronoun that stands for it."""
    text = sentence.text
    if not is_plain_statement(text) or lexicon.is_instruction(text) or not is_showable(sentence, lexicon):
        return False
    first = words(text)[0].lower()
    begins = _content(" ".join(words(text)[: len(subject) + 2]))
    return first in SAME or (first not in LEANING_STARTS and subject <= begins)


def _content(text: str) -> frozenset[str]:
    return frozenset(stem(word.lower()) for word in words(re.sub(r"^(?:An?|The) ", "", text)))
