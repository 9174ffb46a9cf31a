"""Hard negatives: a statement of the document with one thing made wrong, its length kept.

    false_variants("The median is larger than the mean.", lexicon) -> exchange, antonym, negation …

Methods, the subtlest first: two terms exchanged, an antonym, a number, a sibling term, the scope, a negation. A
variant with a sibling term is given only when the document nowhere says the same of that sibling: it might be true.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from realign.curate.authors.extractive.clauses import negate, split_clause
from realign.curate.authors.extractive.grammar import (
    NUMBER,
    NUMBER_WORDS,
    STOP,
    content_words,
    fix_articles,
    stem,
    upper_first,
    words,
)
from realign.curate.authors.extractive.lexicon import Lexicon
from realign.records import make_id

ANTONYMS = (
    "increase/decrease", "increases/decreases", "increasing/decreasing", "increased/decreased", "larger/smaller",
    "largest/smallest", "greater/smaller", "greatest/least", "higher/lower", "highest/lowest", "more/fewer",
    "most/fewest",
    "longer/shorter", "longest/shortest", "faster/slower", "stronger/weaker", "strong/weak", "high/low", "long/short",
    "maximum/minimum", "before/after", "above/below", "inside/outside", "first/last", "left/right", "north/south",
    "east/west", "northern/southern", "eastern/western", "rises/falls", "rise/fall", "rising/falling", "gains/loses",
    "positive/negative", "positively/negatively", "internal/external", "upper/lower", "warm/cold", "warmer/colder",
    "hot/cold", "hotter/cooler", "heavy/light", "heavier/lighter", "deep/shallow", "deeper/shallower", "thick/thin",
    "thicker/thinner", "wide/narrow", "wider/narrower", "near/far", "nearer/farther", "nearest/farthest", "early/late",
    "earlier/later", "earliest/latest", "easy/difficult", "easier/harder", "common/rare", "best/worst", "better/worse",
    "likely/unlikely", "equal/unequal", "dependent/independent",
    "finite/infinite", "discrete/continuous", "open/closed", "public/private",
    "active/passive", "hard/soft", "dry/wet", "rough/smooth", "full/empty", "solid/liquid", "always/never",
    "often/rarely", "usually/rarely", "frequently/seldom", "quickly/slowly", "gradually/suddenly", "closer/farther",
    "attract/repel", "attracts/repels", "absorbs/releases", "expands/contracts", "expand/contract", "accept/reject",
    "include/exclude", "includes/excludes", "with/without", "qualitative/quantitative", "dependent/independent",
    "cause/prevent", "causes/prevents", "strengthens/weakens", "raises/lowers", "raise/lower",
)  # fmt: skip
OPPOSITE: dict[str, str] = {}
for _pair in ANTONYMS:
    _one, _other = _pair.split("/")
    OPPOSITE.setdefault(_one, _other)
    OPPOSITE.setdefault(_other, _one)
SCOPE = {
    "some": "all", "most": "few", "many": "no", "all": "only some", "every": "hardly any", "each": "hardly any",
    "at least": "at most", "at most": "at least", "more than": "less than", "less than": "more than",
    "only": "never", "may": "must", "might": "must", "both": "neither of the two", "exactly": "about half of",
}  # fmt: skip
SAFE_SCOPE = ("some", "most", "at least", "at most", "more than", "less than", "may", "might")
ARTICLES = frozenset(("a", "an", "the"))
ONE_WORD = re.compile(r"\b[a-z]+\b")


@dataclass(frozen=True, slots=True)
class Variant:
    """A false statement, how it was made, and what was replaced by what."""

    method: str
    text: str
    old: str
    new: str


def false_variants(statement: str, lexicon: Lexicon, only: str = "") -> list[Variant]:
    """Every false variant that the rules allow, the subtlest first; `only` restricts them to replacing that text."""
    if statement not in lexicon.variants:
        makers = (_exchanges, _antonyms, _numbers, _sibling_terms, _scopes, _negations)
        found: dict[str, Variant] = {}
        for variant in (variant for maker in makers for variant in maker(statement, lexicon)):
            text = upper_first(fix_articles(variant.text))
            if text != statement:
                found.setdefault(text, Variant(variant.method, text, variant.old, variant.new))
        lexicon.variants[statement] = list(found.values())
    return [variant for variant in lexicon.variants[statement] if not only or variant.old == only]


def terms_in(text: str, lexicon: Lexicon) -> list[str]:
    """The terms with siblings that occur in a text, the longest first."""
    low = [word.lower() for word in words(text)]
    runs = {" ".join(low[i : i + n]) for n in (1, 2, 3) for i in range(len(low) - n + 1)}
    return sorted((run for run in runs if lexicon.siblings.get(run)), key=lambda term: (-len(term), term))


def is_whole_phrase(text: str, match: re.Match[str], lexicon: Lexicon) -> bool:
    """True when the match is no part of a longer name: "graph" is one in "the graph shows", not in "bar graph"."""
    before = re.search(r"([\w’'-]+) $", text[: match.start()])
    after = re.match(r" ([\w’'-]+)", text[match.end() :])
    loose = before is None or before[1].lower() in STOP or before[1].lower() in lexicon.verbs
    return loose and (after is None or after[1].lower() in STOP or lexicon.is_verb(after[1]))


def _swap(text: str, old: str, new: str) -> str:
    """The text with the first `old` replaced; the capital of a first word stays with its place."""
    return re.sub(
        rf"(?<![\w.-]){re.escape(old)}(?![\w-])", lambda m: upper_first(new) if m.start() == 0 else new, text, count=1
    )


def _present(text: str, term: str) -> list[re.Match[str]]:
    return list(re.finditer(rf"(?<![\w-]){re.escape(term)}(?![\w-])", text, re.IGNORECASE))


def _exchanges(text: str, lexicon: Lexicon) -> list[Variant]:
    """Two sibling terms, each once and not side by side, change places."""
    found = []
    for term in terms_in(text, lexicon):
        mine = _present(text, term)
        if len(mine) != 1:
            continue
        for other in lexicon.siblings[term]:
            theirs = _present(text, other)
            if len(theirs) != 1 or mine[0].start() > theirs[0].start():
                continue
            between = text[mine[0].end() : theirs[0].start()]
            if len(between.split()) < 3 or re.search(r"\b(?:equals?|same|between|different|differ|both)\b", text):
                continue
            a, b = mine[0], theirs[0]
            if not (is_whole_phrase(text, a, lexicon) and is_whole_phrase(text, b, lexicon)):
                continue
            new = text[: a.start()] + b[0] + between + a[0] + text[b.end() :]
            found.append(Variant("exchange", _recase(new, lexicon), a[0], b[0]))
    return found[:2]


def _recase(text: str, lexicon: Lexicon) -> str:
    """Only the first word keeps a capital that came from standing first."""
    first, rest = text[:1], text[1:]

    def lower(match: re.Match[str]) -> str:
        return match[0] if match[0] in lexicon.names else match[0].lower()

    return first.upper() + re.sub(r"(?<=[a-z,] )[A-Z][a-z]+", lower, rest)


def _antonyms(text: str, lexicon: Lexicon) -> list[Variant]:
    """One word becomes its opposite, unless both are in the sentence."""
    lows = set(ONE_WORD.findall(text.lower()))
    return [
        Variant("antonym", _swap(text, word, OPPOSITE[word]), word, OPPOSITE[word])
        for word in dict.fromkeys(ONE_WORD.findall(text))
        if word in OPPOSITE and OPPOSITE[word] not in lows and _antonym_fits(text, word)
    ][:3]


def _antonym_fits(text: str, word: str) -> bool:
    """Some words are opposites in one use only: "more" before a noun, "first" as an order, "light" as a weight."""
    if word in ("more", "most", "fewer", "fewest", "least", "with", "without"):
        return bool(
            re.search(rf"\b{word} (?!than\b|of\b|or\b|the\b|[a-z]+(?:ly|ed|ing|al|ive|ous|ant|ent)\b)[a-z]+s\b", text)
        )
    if re.search(rf"\b{word} (?:back|out|off|apart|asleep|short|up|down|into|behind|through)\b", text):
        return False
    if re.search(rf"\b{word}[- ]schools?\b|\b\w+-{word}\b|\b{word}-\w+", text):
        return False
    if word in ("first", "last", "left", "right", "light", "hard", "fall", "lower", "rise", "cause", "low", "direct"):
        return False
    return not re.search(rf"\b(?:not|no|or|and) {word}\b|\b{word} (?:or|and)\b", text)


def _numbers(text: str, lexicon: Lexicon) -> list[Variant]:
    """A number becomes another of the same form and size."""
    found = [
        Variant("number", _swap(text, n, new), n, new) for n in NUMBER.findall(text) if (new := other_number(n, text))
    ]
    for word in dict.fromkeys(ONE_WORD.findall(text)):
        if word in NUMBER_WORDS and not re.search(rf"{word}-|-{word}", text):
            place = NUMBER_WORDS.index(word)
            near = [w for w in NUMBER_WORDS[max(0, place - 2) : place + 3] if w not in text]
            if near:
                new = near[_pick(text, word) % len(near)]
                found.append(Variant("number", _swap(text, word, new), word, new))
    return found[:3]


def other_number(number: str, text: str) -> str:
    """A different number of the same form (sign, separators, decimals, %), or "" when there is none near."""
    digits = re.sub(r"[^\d.]", "", number)
    decimals = len(digits.split(".")[1]) if "." in digits else 0
    value = float(digits)
    if value == 0 or (value < 2 and not decimals):
        return ""
    year = len(digits) == 4 and not decimals and 1000 <= value <= 2100 and "," not in number
    steps = (-12, -7, 6, 11) if year else (0.6, 0.75, 0.8, 1.2, 1.25, 1.4)
    step = steps[_pick(text, number) % len(steps)]
    new = value + step if year else value * step
    if "%" in number and new > 100:
        new = value / 2
    new = round(new, decimals)
    if new == value:
        new = value + 10**-decimals
    shown = f"{new:,.{decimals}f}" if "," in number else f"{new:.{decimals}f}"
    result = re.sub(r"\d[\d,]*(?:\.\d+)?", shown, number, count=1)
    return "" if result in text else result


def _sibling_terms(text: str, lexicon: Lexicon) -> list[Variant]:
    """A term becomes one that the document sets beside it, when the document nowhere says the same of that one."""
    found = []
    for term in terms_in(text, lexicon):
        if len(match := _present(text, term)) != 1 or not is_whole_phrase(text, match[0], lexicon):
            continue
        before = words(text[: match[0].start()])[-1:] or ["^"]
        for other in lexicon.siblings[term]:
            if before[0].lower() not in ARTICLES and before[0].lower() not in lexicon.before.get(other, ()):
                continue
            if any(_present(text, part) for part in {other, *other.split()} - set(term.split())):
                continue
            new = _swap(text, match[0][0], lexicon.written(other))
            if not _said_of(other, new, lexicon):
                found.append(Variant("term", new, match[0][0], other))
    return found[:4]


def _said_of(term: str, statement: str, lexicon: Lexicon) -> bool:
    """True when a sentence of the document with `term` holds half of the statement's other content words."""
    of_term = {stem(word) for word in content_words(term)}
    other = {stem(word) for word in content_words(statement)} - of_term
    places = set.intersection(*(lexicon.holding.get(word, set()) for word in of_term)) if of_term else set()
    return any(len(other & lexicon.stems[place]) >= 0.5 * len(other) for place in places)


def _scopes(text: str, lexicon: Lexicon) -> list[Variant]:
    found = []
    for old in SAFE_SCOPE:
        if (
            len(_present(text, old)) == 1
            and old in text
            and not re.search(rf"\b{old} of the time\b|\bthe {old}\b|\b{old} (?:un)?likely\b", text)
        ):
            found.append(Variant("scope", _swap(text, old, SCOPE[old]), old, SCOPE[old]))
    return found[:2]


def _negations(text: str, lexicon: Lexicon) -> list[Variant]:
    clause = split_clause(text, lexicon)
    twisted = clause and re.search(r"\b(?:but|no|nor|neither|never|only|n't)\b|,.*\bnot\b", clause.rest)
    new = negate(clause) if clause and not twisted else ""
    return [Variant("negation", new, clause.verb, "not")] if clause and new else []


def _pick(*parts: object) -> int:
    return int(make_id(*parts)[:8], 16)
