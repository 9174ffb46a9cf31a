"""What a block of text is good for: prose, glossary, list, exercise, table, or other (contents, index, references …).

Headings say most: a block under "Homework" is an exercise whatever it looks like. The block's own look says the rest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from realign.sources.sentences import sentence_spans

Role = Literal["prose", "glossary", "list", "exercise", "table", "other"]

# Whole titles, after a section's number: "Problems" is a section of them, "Problems with Samples" is about them.
EXERCISE = re.compile(
    r"^(?:[\dA-Z]{0,2}[\d.]*\s+)?(?:"
    r"(?:[\w’'-]+[\s:]+){0,5}?(?:exercises?|homework|quiz(?:zes)?|übung(?:en|saufgaben?)?|exercices?|ejercicios?)|"
    r"(?:[\w’'-]+ ){0,2}?(?:review|discussion|study|practice|comprehension|critical thinking|essay|test) questions?|"
    r"(?:practice|review|additional|extra|sample|chapter|end-of-chapter|challenge) problems?|"
    r"questions?|problems?|problem sets?|practice|"
    r"practice (?:tests?|exams?)|(?:selected |odd-numbered )?(?:answers?|solutions?)(?: (?:to|for|key|manual)\b.*)?|"
    r"(?:one )?(?:possible )?solution|"
    r"answer key|(?:try|check) it|try it(?: now| yourself)?|your turn|check your (?:understanding|knowledge|progress)|"
    r"checkpoint|activity|activities|(?:stats |computer )?labs?|bringing it together|student learning outcomes|"
    r"procedure|supplies|collect the data|organize the data|describe the data|"
    r"aufgaben?|lösung(?:en)?(?: (?:der|zu)\b.*)?"
    r")(?:\s*[\dA-Z]{0,2}[\d.]*)?(?:\s*[:–—-].*)?$|^(?:example|beispiel|exemple|ejemplo)s?\b(?!\s+of\b)",
    re.IGNORECASE,
)
GLOSSARY = re.compile(
    r"\b(?:key terms|glossary|definitions|vocabulary|glossar|begriffe|fachbegriffe|terminology)\b", re.I
)
OTHER = re.compile(
    r"^(?:[\d.]+\s*)?(?:table of contents|contents|references?|bibliography|works cited|further reading|index|"
    r"(?:chapter |learning )?(?:outline|objectives|outcomes)|(?:subject|author) index|list of (?:figures|tables)|"
    r"copyright.*|attributions?\b.*|licen[cs]e.*|imprint|credits?|"
    r"using the .*calculator|acknowledge?ments?|about the authors?|formula review|symbols?|notation|colophon|"
    r"inhalt(?:sverzeichnis)?|"
    r"literatur(?:verzeichnis)?|stichwortverzeichnis|sachverzeichnis|abbildungsverzeichnis|symbolverzeichnis|"
    r"abkürzungs?.*verzeichnis|impressum|danksagung|quellen|bildquellen)$",
    re.IGNORECASE,
)
DEFINITION = re.compile(r"^(?P<term>[^\W\d_][^:.!?;]{1,60}?)(?::| [–—] )\s*(?P<text>\S.{15,})", re.DOTALL)
LEGAL = re.compile(r"©|\(c\) \d{4}|copyright|all rights reserved|isbn|licensed under|creative commons", re.IGNORECASE)
CITATION = re.compile(r"\(accessed |https?://|www\.|doi:|\bISBN\b|^\[\d+\]|available online", re.IGNORECASE)
IMPERATIVE = re.compile(
    r"^(?:\(?\w{1,3}[.)]\s+)?(?:find|calculate|compute|determine|identify|explain|describe|construct|draw|sketch|list|name|"
    r"state|graph|use|complete|write|solve|show that|prove|suppose you|fill in|discuss|compare|give|press|record|"
    r"let’s|let's|arrow|enter|go to|click|type|scroll|berechne\w*|zeige\w*|bestimme\w*|beweise\w*)\b",
    re.IGNORECASE,
)
DEICTIC = re.compile(r"^(?:use the following information|the following (?:questions?|exercises?))", re.IGNORECASE)


def section_role(headings: Sequence[str]) -> Role | None:
    """The role that the headings above a block force on it; None where they leave it open."""
    for heading in reversed(headings):
        title = heading.strip().rstrip(":")
        if EXERCISE.match(title):
            return "exercise"
        if OTHER.match(title):
            return "other"
    return "glossary" if any(GLOSSARY.search(heading) for heading in headings[-1:]) else None


def block_role(kind: str, text: str, headings: Sequence[str]) -> Role:
    """The role of one block under its headings."""
    forced = section_role(headings)
    if forced in ("exercise", "other"):
        return forced
    if kind == "table":
        return "table"
    if kind in ("caption", "formula", "code", "heading"):
        return "other"
    if (LEGAL.search(text) and len(text.split()) < 120) or CITATION.search(text):
        return "other"
    if forced == "glossary" and DEFINITION.match(text):
        return "glossary"
    if DEICTIC.match(text) or IMPERATIVE.match(text) or asking(text) > 0.4:
        return "exercise"
    if kind == "item":
        return "list"
    return "prose" if is_prose(text) else "other"


def asking(text: str) -> float:
    """Share of sentences that ask the reader a question or give an order, in 0..1."""
    sentences = [text[a:b] for a, b in sentence_spans(text)]
    asked = [s.rstrip('"”’)').endswith("?") or IMPERATIVE.match(s) is not None for s in sentences]
    return sum(asked) / len(asked) if asked else 0.0


def is_prose(text: str) -> bool:
    """A paragraph with at least one sentence of five words or more, mostly words, that ends as a sentence does."""
    tokens = text.split()
    words = sum(token.strip("\"'“”‘’().,;:!?").replace("-", "").replace("’", "").isalpha() for token in tokens)
    if len(tokens) < 5 or words / len(tokens) < 0.6:
        return False
    return any(whole(text[a:b]) for a, b in sentence_spans(text))


def whole(sentence: str) -> bool:
    """Whether a sentence starts and ends as one: not in the middle of a word or thought."""
    start = sentence.lstrip("\"'“‘«„([¿¡")
    if re.match(r"\([^)]{0,4}\)", sentence):
        return False  # the rest of a formula
    return (start[:1].isupper() or start[:1].isdecimal()) and re.search(r"[.!?…][\"'”’»“)\]]*$", sentence) is not None
