"""Tests on a single sentence that need no parser.

Only what can be decided with certainty from the words themselves: everything here prefers a "no".
"""

from __future__ import annotations

import re

from realign.curate.authors.extractive.closed import (
    AUXILIARIES,
    IMPERATIVES,
    LEANING_STARTS,
    STOP,
)

WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|\d+(?:,\d{3})*(?:\.\d+)?%?")
NUMBER = re.compile(r"(?<![\w.,/–—-])\$?\d+(?:,\d{3})*(?:\.\d+)?%?(?![\w/–—-]|[.,]\d)")

LEANING_PHRASES = re.compile(
    r"\b(?:this|these|those|following|above|below|previous|preceding|aforementioned|latter|former|respectively"
    r"|such an?|so far|as (?:shown|seen|stated|noted|mentioned|described|discussed|follows)|next (?:section|chapter)"
    r"|last (?:section|chapter)|earlier|later|in other words|for (?:example|instance)"
    r"|the (?:same|other|first|second|third|example|problem|exercise|question|solution|table|figure|graph|diagram"
    r"|formula|equation|text|chapter|section|book|author|reader|result|answer|passage|page)s?|that is|i\.e|e\.g|viz|cf"
    r"|ibid|et al|etc|here|there (?:is|are|was|were)|we|our|us|i|my|me|it|they|them|their|he|she|his|her|him)\b",
    re.IGNORECASE,
)
POINTING = re.compile(
    r"\b(?:this|these|those|following|(?:above|below)(?! (?:the|an?|each|average|\$?\d))"
    r"|previous|preceding|former|latter|here|such(?! as)|shown|as follows"
    r"|i|my|me|myself|ourselves|i'm|let's|let us|the (?:next|last) (?:examples?|exercises?|chapters?|sections?)"
    r"|your (?:instructor|teacher|class|group|lab|answers?|data|survey)|the students? will|students will)\b",
    re.IGNORECASE,
)
PAGE_WORDS = re.compile(
    r"\b(?:fig(?:ure|s)?|tables?|examples?|exercises?|chapters?|sections?|pages?|appendix|equations?|eq|problems?"
    r"|figures?|footnotes?|vol|pp?|boxes|box|panels?)\.? ?\(?(?:\d|[A-Z]\b)"
    r"|©|copyright|all rights reserved|isbn|doi|http|www\.",
    re.IGNORECASE,
)
SYMBOLS = re.compile(r"[=<>≤≥±×÷∑∏√∫∞≈≠∈∉⊂∪∩→←↔⇒|\\^_~{}\[\]@#*•■□▪●○†‡§¶/+]|\.\.|…|��|--")
# Asides that hang on the sentence before, two sentences in one, enumerations cut short, and holes left by a converter.
UNFIT = re.compile(
    r",? (?:however|though|indeed|therefore|too|either)\.$|,? (?:however|indeed|therefore|moreover|to be sure|of course"
    r"|in fact|for example|for instance),|;|\betc\b"
    r"|\( *\)|\( *[,;]| [,.;)]|  |,,|\(see |^At the same time|^(?:Neither|None|Nobody|Nothing)\b|\b[IO]\b"
)
TASK = re.compile(
    r"^(?:If|When|Using|Given|Assuming|Based|For|From|In|On)\b[^,]*, (?:then )?(?:write|find|draw|construct|calculate"
    r"|compute|determine|state|explain|sketch|identify|describe|list|what|how|which|is|are|does|do)\b",
)
LONG_QUOTE = re.compile(r"[“\"][^”\"]*(?: [^”\"]*){3}[”\"]")
SINGLE_LETTER = re.compile(r"\b(?![aAI]\b)[^\W\d_]\b(?!\.?['’])")


def words(text: str) -> list[str]:
    """The words and numbers of a text, as written."""
    return WORD.findall(text)


def content_words(text: str) -> list[str]:
    """Lower-case words that carry meaning, numbers included, in order."""
    return [word for word in (w.lower() for w in words(text)) if word not in STOP]


def stem(word: str) -> str:
    """A crude stem: plural and third-person endings off, so that "measures" meets "measure". Lower case."""
    word = word.lower().replace("’", "'")
    word = word[:-2] if word.endswith("'s") else word
    for ending, put in (("ies", "y"), ("sses", "ss"), ("shes", "sh"), ("ches", "ch"), ("xes", "x")):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            return word[: -len(ending)] + put
    if word.endswith("s") and len(word) > 3 and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def is_plural(word: str) -> bool:
    """True for a noun that looks plural: data, people, or an -s that is not -ss, -us or -is."""
    low = word.lower()
    return low in {"data", "people", "men", "women", "children", "criteria", "phenomena", "media"} or (
        len(low) > 3 and low.endswith("s") and not low.endswith(("ss", "us", "is", "ics"))
    )


def is_plain_statement(sentence: str) -> bool:
    """True for a whole English sentence in words: 5 to 40 of them, no formula, no page reference, balanced marks."""
    found = words(sentence)
    if not 5 <= len(found) <= 40 or not sentence[0].isupper() or not sentence.endswith("."):
        return False
    if any(mark in sentence for mark in ("?", "!", ":")) or SYMBOLS.search(sentence) or PAGE_WORDS.search(sentence):
        return False
    if sentence.count("(") != sentence.count(")") or len(SINGLE_LETTER.findall(sentence)) > 0:
        return False
    if sentence.count("“") != sentence.count("”") or sentence.count('"') % 2:
        return False
    if UNFIT.search(sentence) or TASK.match(sentence) or LONG_QUOTE.search(sentence):
        return False
    numbers = sum(word[0].isdigit() for word in found)
    capitals = sum(word.isupper() and len(word) > 1 for word in found)
    return numbers <= 4 and capitals <= 3 and numbers + capitals < len(found) / 2


def stands_alone(sentence: str) -> bool:
    """True when nothing in the sentence leans on the sentences around it, or on the page."""
    first = words(sentence)[0].lower()
    return first not in LEANING_STARTS and not LEANING_PHRASES.search(sentence)


def is_about_itself(sentence: str) -> bool:
    """True when the sentence starts with its own subject or condition and points at nothing on the page.

    Pronouns inside it are allowed: an excerpt with its neighbors shows whom they mean.
    """
    found = [word.lower() for word in words(sentence)]
    start = found[0] not in LEANING_STARTS | IMPERATIVES | AUXILIARIES or found[:2] in (
        ["there", "are"],
        ["there", "were"],
        ["one", "of"],
    )
    start = start or (found[0] in ("because", "since", "although", "while") and sentence.count(",") == 1)
    return start and not POINTING.search(sentence)


def lower_first(text: str, names: frozenset[str]) -> str:
    """The text with its first letter in lower case, unless its first word is a name or an abbreviation."""
    first = words(text)[0] if words(text) else ""
    second = words(text)[1] if len(words(text)) > 1 else ""
    if (
        first in names
        or (second in names and first.lower() not in STOP)
        or (len(first) > 1 and first[1:].lower() != first[1:])
        or first in ("I", "")
    ):
        return text
    return text[0].lower() + text[1:]


def upper_first(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def fix_articles(text: str) -> str:
    """ "a" before a vowel letter becomes "an" and the other way round, by spelling, with the usual exceptions."""

    def article(match: re.Match[str]) -> str:
        found, space, word = match.groups()
        low = word.lower()
        vowel = low[0] in "aeiou" and not low.startswith(("uni", "use", "usu", "eu", "one", "once", "ut"))
        vowel = (
            vowel or low.startswith(("hour", "honest", "honor", "heir")) or re.match(r"[fhlmnrsx]-", low) is not None
        )
        put = "an" if vowel else "a"
        return (put.capitalize() if found[0].isupper() else put) + space + word

    return re.sub(r"\b([Aa]n?)( )([a-z][\w-]+)", article, text)
