"""How far a passage supports what an answer claims, and whether it answers a question at all: computations, no model.

    support(question, claim, cited, shown)  -> 0..1      answerable(question, shown)  -> 0..1

They see the question, the claim, the sentences it cites and the passage, and nothing of how an answer was made. A claim
that is a sentence is laid against the sentence it follows most closely (judges/extractive.py). A short one is supported
where the cited sentence holds it and speaks of what was asked. They follow wording: what is said in other words scores
lower. benchmarks/grounding_judge.py measures them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

from realign.curate.authors.extractive.closed import MONTHS, NUMBER_WORDS, PAST, PAST_ONLY, PRONOUNS, STOP
from realign.curate.authors.extractive.grammar import stem, words
from realign.curate.authors.rules import verdicts_of
from realign.curate.judges.extractive import ASKING, HEDGES, MISMATCH, NEGATIONS, align, sentences_of_text

VERDICT = re.compile(r"^(?P<yes>yes|true|correct|right)\b|^(?P<no>no|false|wrong|incorrect)\b", re.IGNORECASE)
OPTION = re.compile(r"^(?:option |answer |statement )?\(?(?P<mark>[a-d]|[1-4])[).]?(?=$|[\s.,:])", re.IGNORECASE)
SHOWN_OPTION = re.compile(r"^\s*(?:\((?P<mark>\w)\)|(?P<number>\d)\.|-)\s+(?P<text>.+)$", re.MULTILINE)
HEDGED = re.compile(
    r"^(?:(?:only|very|as|in|of|at|it is|it may|not (?:always|exactly|of all|in every))\b.{0,12}?)?"
    r"(?:usually|often|sometimes|possibl[ye]|may be|probabl[ye]|likely|mostly|most|many|some|roughly|about|almost"
    r"|nearly|rule|cases|times|be so)\b",
    re.IGNORECASE,
)
CERTAIN = re.compile(
    r"\b(?:always|all|exactly|will|certainly|absolutely|certain|sure|exception|without)\b", re.IGNORECASE
)
CHECKED = re.compile(
    r"^(?:is it true without exception that|is it (?:certain|true) that|can one be sure that"
    r"|does the passage establish that|true or false[:?]?|is this statement correct\?|does the passage say that"
    r"|does this agree with the passage\?|a reader notes:)\s*|\s*is that right\?$",
    re.IGNORECASE,
)
OPEN = 0.55  # share of the question that the passage leaves open where a refusal is wholly right
ILLEGIBLE = "[illegible]"
SHORT = 4  # content words of a claim that answers without being a sentence of its own
NEAR = 10.0  # words over which closeness to what was asked halves
ELSEWHERE = 0.55  # what is left for each word of the question that stands in another sentence and not in this one
NUMBERS = frozenset(NUMBER_WORDS)
KINDS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\bhow (?:many|much|long|old|far|tall|high)\b|\bwhat (?:percent(?:age)?|number|share)\b"), "number"),
    (re.compile(r"\bwhen\b|\b(?:what|which) (?:year|month|day|date|decade|century)\b"), "date"),
    (re.compile(r"\bwho\b|\bwhom\b|\bwhose\b"), "name"),
)  # fmt: skip


def support(question: str, claim: str, cited: str, shown: str) -> float:
    """How far the cited sentences support a claim made in answer to a question, in 0..1; 0 for an empty citation."""
    if not cited.strip() or not claim.strip():
        return 0.0
    if (verdict := VERDICT.match(claim)) and verdicts_of(question):
        rest = claim[verdict.end() :].strip(" .,;:–—-")
        stated = align(statement_of(question), cited)
        stated *= 0.5 if _hedges_of(cited) - _hedges_of(statement_of(question)) else 1.0
        held = denied(question, cited) if verdict["no"] else stated
        return min(held, support(question, rest, cited, shown)) if len(words(rest)) > 2 else held
    if verdicts_of(question) and HEDGED.search(claim) and not _content(claim) - HEDGING - ASKED:
        return _hedges(statement_of(question), cited)
    if (chosen := option_of(question, claim)) and len(_weighty(claim)) <= SHORT:
        return align(chosen, cited)
    mine = _weighty(claim)
    if not mine:
        return 0.0
    if len(mine) > SHORT or _is_statement(claim, question):
        return align(claim, cited)
    return _held(claim, cited) * _fits(question, claim) * _related(question, claim, cited, shown)


def answerable(question: str, shown: str) -> float:
    """How far some sentence of the passage answers the question, in 0..1: it has all that is asked, and adds to it.

    A word of the question that only other sentences have counts against a sentence; one that starts with a pronoun is
    read with the sentence before it.
    """
    asked = _content(statement_of(question)) - ASKED
    if not asked:
        return 0.5 if ILLEGIBLE in shown else 1.0
    spoken = _content(shown)
    checks = verdicts_of(question) is not None
    return max((_answers(asked, sentence, spoken, checks) for sentence in _told(shown)), default=0.0)


def _answers(asked: frozenset[str], sentence: str, spoken: frozenset[str], checks: bool) -> float:
    held = _content(sentence)
    missing = asked - held
    covered = len(asked & held) / len(asked)
    adds = checks or bool(held - asked)
    return covered * ELSEWHERE ** len(missing & spoken) * (1.0 if adds else 0.3)


def _told(shown: str) -> list[str]:
    """The sentences; one that starts with a pronoun also together with the one before it."""
    found = list(sentences_of_text(shown))
    joined = [
        f"{before} {after}" for before, after in pairwise(found) if words(after) and words(after)[0].lower() in PRONOUNS
    ]
    return found + joined


def not_told(question: str, shown: str) -> float:
    """How far it is right to say that the passage does not answer a question, in 0..1."""
    return min(1.0, (1.0 - answerable(question, shown)) / OPEN)


def relevance(question: str, cited: str) -> float:
    """How far a quotation, given as the whole answer, is about what was asked and of its kind, in 0..1."""
    return min(1.0, answerable(question, cited) / 0.6) * _fits(question, cited)


def denied(question: str, cited: str) -> float:
    """How far the citation speaks of all that a question takes for granted and says otherwise, in 0..1."""
    statement = statement_of(question)
    content = _content(statement) - ASKED
    if not content or not (content - _content(cited) or verdicts_of(question)):
        return 0.0
    spoken = len(content & _content(cited)) / len(content)
    return min(1.0, (1.0 - align(statement, cited)) / MISMATCH) * min(1.0, spoken / 0.6)


def _hedges(statement: str, cited: str) -> float:
    """How far the citation says what a statement does, with a hedge that the statement lacks, in 0..1."""
    held = align(CERTAIN.sub("", statement), cited)
    return held if _hedges_of(cited) else 0.3 * held


def _hedges_of(text: str) -> frozenset[str]:
    return frozenset(_tokens(text)) & (HEDGES | {"could", "likely", "approximately", "roughly", "nearly", "commonly"})


def statement_of(question: str) -> str:
    """What a question with a yes or no puts up for a verdict; another question as it is."""
    return CHECKED.sub("", CHECKED.sub("", question.strip())).strip(' “”"')


def option_of(question: str, claim: str) -> str:
    """The text of the option that a claim names by its letter or number, or ""."""
    named = OPTION.match(claim.strip())
    if not named:
        return ""
    options = {match["mark"] or match["number"]: match["text"] for match in SHOWN_OPTION.finditer(question)}
    return options.get(named["mark"].lower(), "")


def _is_statement(claim: str, question: str) -> bool:
    """True for a claim that repeats what was asked, as a sentence does."""
    asked = _content(question) - ASKED
    return bool(asked) and len(_content(claim) & asked) >= 0.5 * len(asked) and len(words(claim)) > SHORT


def _held(claim: str, cited: str) -> float:
    """Share of the claim's content, numbers and negations that the citation holds, squared: half known is a quarter."""
    source = {root(word) for word in _tokens(cited)}
    mine = [word for word in _tokens(claim) if root(word) in _weighty(claim) or word in NEGATIONS]
    return (sum(root(word) in source for word in mine) / len(mine)) ** 2 if mine else 0.0


def _fits(question: str, claim: str) -> float:
    """1 where the claim is of the kind asked for (a number, a date, a name) or no kind is asked for, else 0.4."""
    low = question.lower()
    kind = next((kind for pattern, kind in KINDS if pattern.search(low)), "")
    tokens = words(claim)
    number = any(token[0].isdigit() or token.lower() in NUMBERS for token in tokens)
    fits = {
        "": True,
        "number": number or "all" in claim.lower().split(),
        "date": number or any(token.capitalize() in MONTHS for token in tokens),
        "name": any(token[0].isupper() for token in tokens),
    }
    return 1.0 if fits[kind] else 0.4


def _related(question: str, claim: str, cited: str, shown: str) -> float:
    """How much of what was asked stands near the claim in the citation, against the passage's best place, in 0..1."""
    asked = _content(question) - ASKED - _weighty(claim)
    if not asked:
        return 1.0
    weights = {word: 1.0 / (1 + sum(word in _content(s) for s in sentences_of_text(shown))) for word in asked}
    mine = _nearness(asked, _weighty(claim), cited, weights)
    best = max((_coverage(asked, sentence, weights) for sentence in sentences_of_text(shown)), default=0.0)
    missing = [word for word in asked if word not in _content(cited) and word in _content(shown)]
    return min(1.0, 1.1 * mine / best) * (ELSEWHERE ** min(2, len(missing))) ** 0.5 if best else 0.0


def _coverage(asked: frozenset[str], text: str, weights: dict[str, float]) -> float:
    held = _content(text)
    return sum(weights[word] for word in asked & held) / sum(weights.values())


def _nearness(asked: frozenset[str], mine: frozenset[str], text: str, weights: dict[str, float]) -> float:
    """Coverage of what was asked, each word at its distance from the claim's nearest word in the text."""
    tokens = [root(token) for token in _tokens(text)]
    places = [place for place, token in enumerate(tokens) if token in mine]
    total = 0.0
    for word in asked:
        gaps = [abs(a - b) for a, token in enumerate(tokens) if token == word for b in places]
        total += weights[word] * (0.5 ** (max(0, min(gaps) - 3) / NEAR / 2) if gaps else 0.0)
    return total / sum(weights.values())


@lru_cache(maxsize=65536)
def _tokens(text: str) -> tuple[str, ...]:
    return tuple(word.lower().replace(",", "") for word in words(text))


@lru_cache(maxsize=65536)
def _content(text: str) -> frozenset[str]:
    return frozenset(root(word) for word in _tokens(text) if word not in STOP)


@lru_cache(maxsize=65536)
def root(word: str) -> str:
    """A stem that forms of a verb share too: separate, separates, separated, separating; build and built."""
    word = PAST_ONLY.get(word) or PAST.get(word) or stem(word)
    for ending, put in (("ied", "y"), ("ing", ""), ("ed", "")):
        if word.endswith(ending) and len(word) > len(ending) + 3:
            word = word[: -len(ending)] + put
            break
    return word.removesuffix("e") if len(word) > 3 else word


def _weighty(claim: str) -> frozenset[str]:
    """The claim's content without words of hedging; all its words where it has no content ("both", "no one")."""
    return (_content(claim) - HEDGING) or frozenset(root(word) for word in _tokens(claim))


ASKED = frozenset(
    root(word)
    for word in ASKING | frozenset("word stood stand text damaged place read term illegible likely most".split())
) | frozenset("abcdefghijklmnopqrstuvwxyz")
HEDGING = frozenset(
    root(word)
    for word in (
        "claim certain entire entirely exact very though without exactly except exception figure given nearly"
        " quite rule case roughly so time think judge rest infer inferred read text suggest passage leave reader take"
        " say said probably likely most perhaps possibly possible maybe presumably apparently mostly almost whole true"
    ).split()
)
