"""Exact tasks: the term that the text defines, what it says a thing is called, and a name or term left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from realign.curate.authors.extractive import statements
from realign.curate.authors.extractive.closed import STOP
from realign.curate.authors.extractive.grammar import content_words, is_plural, stem, words
from realign.curate.authors.extractive.lexicon import Lexicon
from realign.curate.authors.extractive.wh import defines
from realign.curate.rlvr.forms.material import Material, Told
from realign.curate.rlvr.forms.quantities import WORD_VALUES
from realign.curate.rlvr.posed import Posed

TERM = "Answer with the term alone."
MISSING = "Answer with the missing words alone."
CALLED = re.compile(
    r"\b(?:called|known as|termed|referred to as) (?:an? |the )?[“\"]?"
    r"(?P<name>[A-Za-z][\w’-]*(?: [\w’-]+){0,3})[”\"]?(?=[,.]|$)"
)
LONGEST = 30
IRREGULAR = ("y", "ies", "ch", "sh", "x", "es", "us", "is", "ss", "ics")  # whose other number takes more than an s
ASKED = (
    "Which term does the text define as “{meaning}”?",
    "What does the text call {meaning}?",
    "Give the term that has this meaning in the text: {meaning}.",
)


def definitions(material: Material) -> Iterator[Posed]:
    """ "A seiche is a standing wave." -> "Which term does the text define as “a standing wave”?" """
    for told in material.told:
        clause = told.clause
        if clause is None or not defines(clause) or told.alone or len(clause.rest.split()) < 5:
            continue
        term = re.sub(r"^(?:An?|The) ", "", clause.subject)
        if not is_term(term, material.lexicon) or clause.subject.startswith("The ") or _gives(clause.rest, term):
            continue
        form = ASKED[len(told.sentence.text) % len(ASKED)]
        yield _posed("definition", form.format(meaning=clause.rest), term, TERM, told)


def is_term(text: str, lexicon: Lexicon) -> bool:
    """A term of the document of at most three words, without a number, a name or an "and"."""
    found = [word.lower() for word in words(text)]
    plain = 1 <= len(found) <= 3 and not any(word in STOP or word in WORD_VALUES or word[0].isdigit() for word in found)
    return plain and (text.lower() in lexicon.terms or text.lower() in lexicon.definitions)


def _gives(meaning: str, term: str) -> bool:
    """True when the meaning holds every word of the term."""
    return {stem(word) for word in content_words(term)} <= {stem(word) for word in content_words(meaning)}


def names(material: Material) -> Iterator[Posed]:
    """ "The flow of water is called a current." -> the sentence with the name left out."""
    for told in material.told:
        text = told.sentence.text
        match = CALLED.search(text)
        if match is None or len(text.split()) > LONGEST or told.alone:
            continue
        name = match["name"]
        if any(word in STOP for word in name.lower().split()) or text.lower().count(name.lower()) > 1:
            continue
        shown = _without(text, match.start("name"), match.end("name"))
        yield _posed("name", f"Which term belongs in the blank? {shown}", name, TERM, told)


def _without(text: str, start: int, end: int) -> str:
    return re.sub(r"\b([Aa])n? ____", r"\1(n) ____", f"{text[:start]}____{text[end:]}")


def blanks(material: Material) -> Iterator[Posed]:
    """A sentence with a person, place or term left out that stands in it once."""
    for told in material.told:
        question = statements.blank(told.sentence, told.clause, material.lexicon, False)
        if question is None or told.alone or not question.asked[0].isalpha() or question.asked.lower() in WORD_VALUES:
            continue
        statement = re.split(r": |\? ", question.text, maxsplit=1)[1]
        yield _posed("blank-term", f"Fill in the blank from the text: {statement}", question.asked, MISSING, told)


def _posed(form: str, question: str, answer: str, how: str, told: Told) -> Posed:
    sentence = told.sentence
    return Posed(form, question, how, answer, "exact", sentence.start, sentence.end, _spec(answer), told.excerpt)


def _spec(answer: str) -> dict[str, Any]:
    """The other number of a noun is as right: "spring tides" beside "spring tide"."""
    last = answer.split()[-1]
    if (
        not answer[0].islower()
        or not last.isalpha()
        or last.endswith(IRREGULAR)
        or (is_plural(last) and last[-1] != "s")
    ):
        return {}
    return {"aliases": [answer[:-1] if is_plural(last) else answer + "s"]}
