"""The few sentences that are shown with a question, and whether they say whom its pronouns mean.

excerpt_of(sentence, sentences_of_the_passage, passage, lexicon) -> "The lock has four gates. Each gate …"
"""

from __future__ import annotations

import re

from realign.curate.authors.extractive.closed import IMPERATIVES
from realign.curate.authors.extractive.grammar import PAGE_WORDS, SYMBOLS, words
from realign.curate.authors.extractive.lexicon import Lexicon
from realign.curate.authors.extractive.names import HE, SHE, names_in
from realign.curate.authors.extractive.sentences import Sentence
from realign.records import Passage

EXCERPT_WORDS, MOST_AROUND = 110, 3
THEY = re.compile(r"\b(?:they|them|their|theirs|it|its)\b")
TOLD = IMPERATIVES | frozenset("answer do let use find draw write calculate compute determine give state show".split())
THEN = frozenset("then next now first finally please".split())
TASKS = re.compile(
    r"\b(?:following (?:information|table|data|exercises?)|next \w+ exercises|your (?:instructor|class))\b",
    re.IGNORECASE,
)


def excerpt_of(sentence: Sentence, around: list[Sentence], passage: Passage, lexicon: Lexicon) -> str:
    """The sentence with up to two before it and two after, whole and in order: at most four, and EXCERPT_WORDS words.

    A neighbor that tells the reader to do something, points at the page or is a fragment ends the excerpt there.
    """
    place = next(i for i, other in enumerate(around) if other.start == sentence.start)
    first, last = place, place
    for step in (-1, -1, 1, 1):
        if step > 0 and last - first >= MOST_AROUND:
            break
        a, b = (first - 1, last) if step < 0 else (first, last + 1)
        if a < 0 or b >= len(around) or (step < 0 and a < place - 2):
            continue
        text = passage.text[around[a].whole - passage.start : around[b].end - passage.start]
        if len(text.split()) <= EXCERPT_WORDS and is_showable(around[a if step < 0 else b], lexicon):
            first, last = a, b
    excerpt = passage.text[around[first].whole - passage.start : around[last].end - passage.start]
    return re.sub(r"(?:^|(?<=[.!?] ))(?:\d{1,3}|[a-z])[.)] (?=[A-Z])", "", " ".join(excerpt.split()))


def is_showable(sentence: Sentence, lexicon: Lexicon) -> bool:
    """True for a whole sentence that neither tells the reader to do something nor points at the page."""
    text = sentence.text
    whole = (text[:1].isupper() or text[:1].isdigit() or text[:1] in "“\"'(") and text.rstrip("”\"')").endswith(
        (".", "!", "?")
    )
    found = [word.lower() for word in words(text)]
    told = bool(found) and (bool(TOLD & {found[0], *found[1 : 1 + (found[0] in THEN)]}) or lexicon.is_instruction(text))
    numbers = sum(word[0].isdigit() for word in found)
    whole = whole and len(found) >= 3 and numbers * 2 <= len(found) and text.count(";") < 4
    return whole and not told and not (PAGE_WORDS.search(text) or SYMBOLS.search(text) or TASKS.search(text))


def pronouns_are_told(text: str, excerpt: str, lexicon: Lexicon) -> bool:
    """True when every pronoun of the third person in a sentence has someone or something before it to mean.

    He and she need a person of their gender, named before them; in a document without named people any noun will do.
    """
    before = excerpt[: max(excerpt.find(text[-40:]) + 40 - len(text), 0)]
    for pattern, gender in ((HE, "m"), (SHE, "f")):
        if (match := pattern.search(text)) and not _someone(before + text[: match.start()], gender, lexicon):
            return False
    match = THEY.search(text)
    return match is None or len(words(before)) + len(words(text[: match.start()])) >= 2


def _someone(before: str, gender: str, lexicon: Lexicon) -> bool:
    if len(lexicon.named.people) < 3:
        return len(words(before)) >= 2
    people = [name for _, name in names_in(before, lexicon.names) if name in lexicon.named.people]
    return any(lexicon.named.people[name] in (gender, "") for name in people)
