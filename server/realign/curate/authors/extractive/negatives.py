"""Hard negatives: a statement of the document with one thing made wrong, its length kept.

    false_variants("The median is larger than the mean.", lexicon) -> exchange, antonym, negation …

Methods: two terms exchanged, a number, a person, a place, a sibling term, an opposite, the scope, a negation. A variant
with a sibling term is given only when the document nowhere says the same of that sibling: it might be true.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from realign.curate.authors.extractive.antonyms import DENIED, opposites, scopes
from realign.curate.authors.extractive.clauses import negate, split_clause
from realign.curate.authors.extractive.closed import MODALS, STOP
from realign.curate.authors.extractive.grammar import content_words, fix_articles, stem, upper_first, words
from realign.curate.authors.extractive.lexicon import Lexicon
from realign.curate.authors.extractive.names import names_in, other_people, other_places
from realign.curate.authors.extractive.numbers import Change, other_numbers
from realign.records import make_id

THERE_IS = re.compile(r"There (?:is|are|was|were)\b")
ARTICLES = frozenset(("a", "an", "the"))
# A word this many times rarer than the one that it replaces is a sign of the wrong answer.
RARE = 6
TWISTED = re.compile(r"\b(?:but|no|nor|neither|never|only|n't|all|every|each|both|always|either|until)\b|,.*\bnot\b")
BOTH_WAYS = re.compile(r"\b(?:equals?|same|between|different|differ|both|either|or)\b")


@dataclass(frozen=True, slots=True)
class Variant:
    """A false statement, how it was made, what was replaced by what, and where in the true one (start, end)."""

    method: str
    text: str
    old: str
    new: str
    start: int = 0
    end: int = 0


def false_variants(statement: str, lexicon: Lexicon, only: str = "") -> list[Variant]:
    """Every false variant that the rules allow, the subtlest first; `only` restricts them to replacing that text.

    Nothing after a denial is replaced: "it holds no Greek" does not make "it holds no Latin" false. And that there are
    continuous distributions does not make it false that there are discrete ones: there, only numbers are replaced.
    """
    if statement not in lexicon.variants:
        found: dict[str, Variant] = {}
        for method, maker in MAKERS.items():
            if method != "number" and THERE_IS.match(statement):
                continue
            denied = DENIED.search(statement)
            for change in maker(statement, lexicon):
                if denied and change.start > denied.start():
                    continue
                variant = _as_variant(method, statement, change)
                if variant.text != statement:
                    found.setdefault(variant.text, variant)
        for variant in (*_exchanges(statement, lexicon), *_negations(statement, lexicon)):
            found.setdefault(variant.text, variant)
        lexicon.variants[statement] = list(found.values())
    return [variant for variant in lexicon.variants[statement] if not only or variant.old == only]


def _as_variant(method: str, statement: str, change: Change) -> Variant:
    new = upper_first(change.new) if change.start == 0 else change.new
    text = statement[: change.start] + new + statement[change.end :]
    old = statement[change.start : change.end]
    return Variant(method, upper_first(fix_articles(text)), old, change.new, change.start, change.end)


def terms_in(text: str, lexicon: Lexicon) -> list[str]:
    """The terms with siblings that occur in a text, the longest first."""
    low = [word.lower() for word in words(text)]
    runs = {" ".join(low[i : i + n]) for n in (1, 2, 3) for i in range(len(low) - n + 1)}
    return sorted((run for run in runs if lexicon.siblings.of.get(run)), key=lambda term: (-len(term), term))


def is_whole_phrase(text: str, match: re.Match[str], lexicon: Lexicon) -> bool:
    """True when the match is no part of a longer name: "graph" is one in "the graph shows", not in "bar graph"."""
    before = re.search(r"([\w’'-]+) $", text[: match.start()])
    after = re.match(r" ([\w’'-]+)", text[match.end() :])
    loose = before is None or before[1].lower() in STOP or before[1].lower() in lexicon.verbs
    return loose and (after is None or after[1].lower() in STOP or lexicon.is_verb(after[1]))


def _present(text: str, term: str) -> list[re.Match[str]]:
    return list(re.finditer(rf"(?<![\w-]){re.escape(term)}(?![\w-])", text, re.IGNORECASE))


def _terms(text: str, lexicon: Lexicon) -> Iterator[Change]:
    """A term becomes a sibling that the document uses in such a place, and of which it nowhere says the same."""
    for term in terms_in(text, lexicon):
        if len(found := _present(text, term)) != 1 or not is_whole_phrase(text, found[0], lexicon):
            continue
        match = found[0]
        for other in lexicon.siblings.of[term]:
            new = text[: match.start()] + lexicon.written(other) + text[match.end() :]
            named = any(_present(text, part) for part in {other, *other.split()} - set(term.split()))
            if not named and _stands_here(text, match, other, lexicon) and not _said_of(other, new, lexicon):
                yield Change(match.start(), match.end(), lexicon.written(other))


def _stands_here(text: str, match: re.Match[str], other: str, lexicon: Lexicon) -> bool:
    """True when the document has the other term, too, after the word before and before the word after."""
    before = (words(text[: match.start()])[-1:] or ["^"])[0].lower()
    after = (words(text[match.end() :])[:1] or ["$"])[0].lower()
    left, right = lexicon.siblings.before.get(other, frozenset()), lexicon.siblings.after.get(other, frozenset())
    fits_left = before in left or (before in ARTICLES and bool(ARTICLES & left))
    if text[match.end() : match.end() + 1] in ",.;:)":
        after = "$"
    return fits_left and (after in right or after in "$" or (lexicon.is_verb(after) and bool(right & VERBS)))


VERBS = frozenset("is are was were has have can may will".split())


def _said_of(term: str, statement: str, lexicon: Lexicon) -> bool:
    """True when a sentence of the document with `term` holds half of the statement's other content words."""
    of_term = {stem(word) for word in content_words(term)}
    other = {stem(word) for word in content_words(statement)} - of_term
    places = set.intersection(*(lexicon.holding.get(word, set()) for word in of_term)) if of_term else set()
    return any(len(other & lexicon.stems[place]) >= 0.5 * len(other) for place in places)


def _people(text: str, lexicon: Lexicon) -> Iterator[Change]:
    """A person becomes another one of the document, the most frequent ones taking turns by the sentence."""
    for start, name in names_in(text, lexicon.names):
        if name in lexicon.named.people and text.count(name) == 1:
            yield from _renamed(text, start, name, other_people(name, text, lexicon.named), lexicon)


def _places(text: str, lexicon: Lexicon) -> Iterator[Change]:
    for start, name in names_in(text, lexicon.names):
        placed = re.search(r"\b(?:in|at|near|to|from|into|through) $", text[:start])
        whole = not re.match(r", [A-Z]", text[start + len(name) :])
        if whole and placed and name in lexicon.named.places and text.count(name) == 1:
            yield from _renamed(text, start, name, other_places(name, text, lexicon.named), lexicon)


def _opposites(text: str, lexicon: Lexicon) -> list[Change]:
    """Opposites that the document uses itself, and not far more seldom: a rare word would give the answer away."""
    return [
        change
        for change in opposites(text)
        if (1 + lexicon.count[change.new]) * RARE >= lexicon.count[text[change.start : change.end].lower()]
    ]


def _renamed(text: str, start: int, name: str, others: list[str], lexicon: Lexicon) -> Iterator[Change]:
    """Two of the four named nearest by: whoever the reader has just met is the likeliest mistake."""
    near = lexicon.named.nearest(others, lexicon.order.get(text, 0))[:4]
    fit = [
        other
        for other in sorted(near, key=lambda other: make_id(text, other))
        if not _said_of(other, text.replace(name, other), lexicon)
    ]
    yield from (Change(start, start + len(name), other) for other in fit[:2])


def _exchanges(text: str, lexicon: Lexicon) -> list[Variant]:
    """Two sibling terms, each once and not side by side, change places."""
    found = []
    for term in terms_in(text, lexicon):
        for other in lexicon.siblings.of[term]:
            mine, theirs = _present(text, term), _present(text, other)
            if len(mine) != 1 or len(theirs) != 1 or mine[0].start() > theirs[0].start():
                continue
            a, b = mine[0], theirs[0]
            between = text[a.end() : b.start()]
            if len(between.split()) < 3 or BOTH_WAYS.search(text) or re.search(r"\band\b", between):
                continue
            if is_whole_phrase(text, a, lexicon) and is_whole_phrase(text, b, lexicon):
                first, second = lexicon.written(other), lexicon.written(term)
                new = upper_first(text[: a.start()] + first + between + second + text[b.end() :])
                found.append(Variant("exchange", fix_articles(new), a[0], b[0], a.start(), b.end()))
    return found[:1]


def _negations(text: str, lexicon: Lexicon) -> list[Variant]:
    """The statement denied, where denying its verb denies it as a whole and there is one verb to deny."""
    clause = split_clause(text, lexicon)
    if clause is None or TWISTED.search(clause.rest) or re.search(r"\band \w+s\b|, ", clause.rest):
        return []
    if re.match(r"(?:now|then|soon|also|still|just|often|usually|sometimes|almost|nearly|perhaps) ", clause.rest):
        return []
    if clause.verb.lower() in MODALS - {"can", "will", "cannot"} or re.match(r"(?:Some|All|Most|Many|Both)\b", text):
        return []
    new = negate(clause)
    return [Variant("negation", new, clause.verb, "not", 0, len(text))] if new else []


MAKERS: dict[str, Callable[[str, Lexicon], Iterable[Change]]] = {
    "number": lambda text, lexicon: other_numbers(text),
    "person": _people,
    "place": _places,
    "term": _terms,
    "antonym": _opposites,
    "scope": lambda text, lexicon: scopes(text),
}
