"""How far a passage supports what an answer claims, and whether it answers a question at all: computations, no model.

    support(question, claim, cited, shown)  -> 0..1      answerable(question, shown)  -> 0..1

They see the question, the claim, the sentences it cites and the passage, and nothing of how an answer was made. A claim
that is a sentence is laid against the sentence it follows most closely (judges/extractive.py). A short one is supported
where the cited sentence holds it and speaks of what was asked. They follow wording: what is said in other words scores
lower. benchmarks/grounding_judge.py measures them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator
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
UNTOLD, TOLD = 0.25, 0.5  # answerable up to which a refusal is wholly right, and from which it is wrong
ILLEGIBLE = "[illegible]"
SHORT = 4  # content words of a claim that answers without being a sentence of its own
NEAR, APART = 6.0, 8  # words over which nearness to what was asked halves; words that a sentence's end counts
ECHO = 0.4
ELSEWHERE = 0.75  # what is left for each of two words asked for that stand in the passage and not in the citation
NUMBERS = frozenset(NUMBER_WORDS)
MEASURED = r"time|size|rate|amount|number|score|length|age|value|cost|population|distance|area|height|speed|temperature"
A_YEAR = re.compile(r"\b(?:1\d{3}|20\d\d)s?\b|\b\d{1,2}(?:st|nd|rd|th)\b|\bcentury\b|\b(?:" + "|".join(MONTHS) + r")\b")
A_NUMBER = re.compile(r"\d|\ball\b|\b(?:" + "|".join(sorted(NUMBERS)) + r")\b", re.IGNORECASE)
A_NAME = re.compile(r"\b[A-Z]")
# What a question asks for, what an answer of that kind has, and what is left of one that does not have it.
KINDS: tuple[tuple[re.Pattern[str], re.Pattern[str], float], ...] = (
    (re.compile(r"\bpercent(?:age)?\b"), re.compile("%|percent"), 0.5),
    (re.compile(r"\bwhen\b|\b(?:what|which) (?:year|month|day|date|decade|century)\b"), A_YEAR, 0.4),
    (re.compile(r"\bhow (?:many|much|long|old|far|tall|high|large|big)\b|\bwhat (?:number|share)\b"), A_NUMBER, 0.4),
    (re.compile(r"\bwho\b|\bwhom\b|\bwhose\b"), A_NAME, 0.5),
    (re.compile(r"\bwhere\b|\b(?:what|which) (?:city|country|state|town|place)\b"), A_NAME, 0.6),
    (re.compile(rf"\b(?:what|which)\b.*\b(?:{MEASURED})\b"), re.compile(""), 1.0),
    (re.compile(r"\b(?:what|which)\b"), re.compile(r"^(?!.*\d)", re.DOTALL), 0.8),
)  # fmt: skip
DIGITS = {
    word: str(n) for n, word in enumerate("zero one two three four five six seven eight nine ten eleven twelve".split())
}


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
    if not question:
        return align(claim, cited)
    held = align(claim, cited) if len(mine) > SHORT or _is_statement(claim, question) else _held(claim, cited)
    return held * _fits(question, claim) * _echoes(question, claim) * _related(question, claim, cited, shown)


def answerable(question: str, shown: str) -> float:
    """How far some sentence of the passage answers the question, in 0..1: it has all that is asked, and adds to it.

    Rare words of the question weigh more, and those that the passage never uses most. A sentence that starts with a
    pronoun is read with the sentence before it.
    """
    asked = {_bare(word) for word in _content(statement_of(question)) - ASKED}
    if not asked:
        return UNTOLD if ILLEGIBLE in shown else 1.0
    weights, checks = _rarity(asked, shown), verdicts_of(question) is not None
    return max((_answers(weights, sentence, checks) for sentence in _told(shown)), default=0.0)


def _answers(weights: dict[str, float], sentence: str, checks: bool) -> float:
    """Weighted share of what is asked that a sentence has; a third where it adds nothing and no check is asked."""
    held = set(_bared(sentence)[0])
    covered = sum(weight for word, weight in weights.items() if word in held) / sum(weights.values())
    adds = checks or any(_bare(word) not in weights for word in _content(sentence))
    return covered if adds else covered / 3


def _rarity(asked: Collection[str], shown: str) -> dict[str, float]:
    """The weight of each word: the logarithm of how seldom a sentence of the passage has it."""
    sentences = [set(_bared(sentence)[0]) for sentence in sentences_of_text(shown)]
    count = len(sentences) + 1
    return {word: math.log(count / (0.5 + sum(word in s for s in sentences))) for word in sorted(asked)}


def _told(shown: str) -> list[str]:
    """The sentences; one that starts with a pronoun also together with the one before it."""
    found = list(sentences_of_text(shown))
    joined = [
        f"{before} {after}" for before, after in pairwise(found) if words(after) and words(after)[0].lower() in PRONOUNS
    ]
    return found + joined


def not_told(question: str, shown: str) -> float:
    """How far it is right to say that the passage does not answer a question, in 0..1.

    Wholly where no sentence has a quarter of what is asked, not at all from half of it on.
    """
    return min(1.0, max(0.0, (TOLD - answerable(question, shown)) / (TOLD - UNTOLD)))


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
    source = set(_bared(cited)[0])
    mine = [word for word in _tokens(claim) if root(word) in _weighty(claim) or word in NEGATIONS]
    return (sum(_bare(root(word)) in source for word in mine) / len(mine)) ** 2 if mine else 0.0


def _fits(question: str, claim: str) -> float:
    """1 where the claim is of the kind asked for (a share, a date, a number, a name), else what KINDS leaves of it."""
    low = question.lower()
    return next((1.0 if has.search(claim) else left for asks, has, left in KINDS if asks.search(low)), 1.0)


def _echoes(question: str, claim: str) -> float:
    """What is left of a claim that only repeats words of a question which offers no choice."""
    repeated = _weighty(claim) <= _content(question) and " or " not in question.lower()
    return ECHO if repeated else 1.0


def _related(question: str, claim: str, cited: str, shown: str) -> float:
    """How near what was asked stands to the claim in the citation, against the passage's best place, in 0..1.

    Rare words of the question weigh more, and those that stand only elsewhere in the passage count against the claim.
    Nearness halves over NEAR words, and another sentence is APART words away.
    """
    asked = {_bare(word) for word in _content(question) - ASKED}
    mine = {_bare(word) for word in _weighty(claim)}
    mine = mine - asked or mine
    asked -= mine
    if not asked:
        return 1.0
    weights = _rarity(asked, shown)
    missing = sum(word in _bared(shown)[0] and word not in _bared(cited)[0] for word in asked)
    held = max((close * _whole(place, mine, cited) for place, close in _closeness(weights, cited, mine)), default=0.0)
    best = max((close for _, close in _closeness(weights, shown)), default=0.0)
    return min(1.0, held / best) * ELSEWHERE ** min(2, missing) if best else 0.0


def _closeness(weights: dict[str, float], text: str, only: Collection[str] = ()) -> Iterator[tuple[int, float]]:
    """(place, how near the weighted words stand to it) of each word of a text, or of those among `only`."""
    tokens, sentence = _bared(text)
    places: dict[str, list[int]] = {}
    for place, token in enumerate(tokens):
        places.setdefault(token, []).append(place)
    known = [(weights[word], places[word]) for word in sorted(weights) if word in places]
    for at, token in enumerate(tokens):
        if not only or token in only:
            gaps = ((w, min(abs(p - at) + APART * (sentence[p] != sentence[at]) for p in found)) for w, found in known)
            yield at, sum(weight * 0.5 ** (max(0, gap - 2) / NEAR) for weight, gap in gaps)


def _whole(place: int, mine: set[str], text: str) -> float:
    """Share of the claim's words that stand about a place of a text."""
    tokens, reach = _bared(text)[0], len(mine) + 2
    return len(mine & set(tokens[max(0, place - reach) : place + reach + 1])) / len(mine)


@lru_cache(maxsize=8192)
def _bared(text: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """A text's words as `_bare` has them, and which of its sentences each stands in."""
    found = [(_bare(root(t)), n) for n, s in enumerate(sentences_of_text(text)) for t in _tokens(s)]
    return tuple(word for word, _ in found), tuple(n for _, n in found)


def _bare(word: str) -> str:
    """A root's first six letters, so that forms of one word meet; a small number as its digits."""
    return DIGITS.get(word, word if word[:1].isdigit() else word[:6])


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
