"""What one document calls things: its verbs, names, terms, and which terms it sets side by side.

All mined from the document itself. Verbs are what follows "to" or a modal; names are capitalized inside sentences;
terms are repeated noun-like phrases; siblings are terms that the document coordinates ("the null and the alternative
hypothesis", "mean or median") or that share their head ("cluster sampling", "stratified sampling").
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from realign.curate.authors.extractive.grammar import (
    AUXILIARIES,
    BE,
    COMMON_VERBS,
    MODALS,
    NUMBER,
    NUMBER_WORDS,
    STOP,
    content_words,
    is_plain_statement,
    is_plural,
    stem,
    upper_first,
    words,
)
from realign.records import Document, Passage
from realign.sources.sentences import sentence_spans

DEFINITION = re.compile(
    r"^(?P<term>(?:[Aa]n? |[Tt]he )?[\w’'-]+(?: [\w’'-]+){0,4}) (?P<verb>is|are)"
    r" (?P<rest>(?:an?|the|any|those|one of)\b.+)$"
)
GLOSSARY = re.compile(r"^(?P<term>[A-Z][\w’'/() -]{1,60}?)\s*(?::|\s[–—-]\s)\s*(?P<rest>[A-Za-z].{20,400})$")
PHRASE = r"((?:[a-z][\w-]+ ){0,2}[a-z][\w-]+)"
COORDINATE = re.compile(rf"\b(?:an? |the )?{PHRASE},? (?:and|versus|vs\.|rather than) (?:an? |the )?{PHRASE}\b")
# "the median, or middle value": one thing with two names, so a swap of the two would stay true.
SAME = re.compile(
    rf"\b{PHRASE}(?:,? or | \((?:or |also called |called )?|, (?:also )?(?:called|known as) )(?:an? |the )?{PHRASE}"
)
# Says how a sentence follows from the one before it, and can be left out without changing what it says.
CONNECTIVE = re.compile(
    r"^(?:(?:however|therefore|thus|hence|in general|in addition|moreover|furthermore|also|additionally|consequently"
    r"|as a result|similarly|likewise|finally|in fact|of course|for example|for instance|in practice|indeed|in short"
    r"|clearly|naturally|as expected|nevertheless|in particular|in this way|as always), "
    r"|(?:and|but|so) (?=(?:the|an?|if|when|you|each|every|all)\b)"
    r"|(?:note|notice|remember|recall|keep in mind|it is important to note) that )",
    re.IGNORECASE,
)
GENERAL = frozenset(
    "example number way thing part kind type case set order time use value amount level group result information"
    " problem question study people person word form fact point course class list rest end interest size".split()
)
# Modifiers that do not make a kind of thing: "first group" and "following data" are no terms.
LOOSE = frozenset(
    "first second third fourth fifth last next previous following preceding given certain different same similar other"
    " new old whole entire single general particular specific main only own own actual real right left good bad best"
    " possible likely large small big long short high low great total various several many most more less blank"
    " shown".split()
)
SUPERLATIVE = re.compile(r"[a-z]{2,}(?:i|[^aeiou])est")
LEAST_ALIKE, LEAST_TOGETHER = 0.25, 0.4


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence without its leading connective, its span in the document, and where the whole of it starts."""

    text: str
    start: int
    end: int
    passage: str
    whole: int


@dataclass(slots=True)
class Lexicon:
    """What a document calls things. All words are lower case except names, which are as written."""

    title: str
    verbs: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    terms: dict[str, int] = field(default_factory=dict)
    siblings: dict[str, tuple[str, ...]] = field(default_factory=dict)
    before: dict[str, frozenset[str]] = field(default_factory=dict)
    definitions: dict[str, str] = field(default_factory=dict)
    numbers: tuple[str, ...] = ()
    sentences: dict[str, list[Sentence]] = field(default_factory=dict)
    holding: dict[str, set[int]] = field(default_factory=dict)
    stems: list[frozenset[str]] = field(default_factory=list)
    variants: dict[str, list[Any]] = field(default_factory=dict, repr=False)

    def is_verb(self, word: str) -> bool:
        """True for a verb of this document in its base, -s, -ed or -ing form, and for auxiliaries."""
        low = word.lower()
        return low in AUXILIARIES or low in self.verbs or base_form(low, self.verbs) != ""

    def is_instruction(self, sentence: str) -> bool:
        """True when the sentence starts with a verb, or with a heading that was glued to it."""
        found = words(sentence)
        odd = [w for w in found[1:] if w[0].isupper() and w not in self.names and not w.isupper()]
        first = found[0].lower()
        told = first in self.verbs or base_form(first, self.verbs) != ""
        return (told and first not in self.terms) or len(odd) > 1

    def written(self, term: str) -> str:
        """The term as the document writes it inside a sentence: names in it with their capital."""
        return " ".join(part.capitalize() if part.capitalize() in self.names else part for part in term.split())


def build_lexicon(document: Document, passages: Sequence[Passage]) -> Lexicon:
    """Mine a document's passages. Takes about a second a 100,000 words; the result depends on the text alone."""
    prose = [passage for passage in passages if passage.role in ("prose", "glossary", "exercise")]
    lexicon = Lexicon(clean_title(document))
    for passage in prose:
        lexicon.sentences[passage.id] = list(_sentences(passage))
    texts = [sentence.text for found in lexicon.sentences.values() for sentence in found]
    lexicon.verbs, lexicon.names = _verbs(texts), _names(texts)
    lexicon.terms = _terms(texts, lexicon)
    lexicon.definitions = _definitions(prose, texts)
    for term in lexicon.definitions:
        lexicon.terms.setdefault(term, 1)
    lexicon.siblings, lexicon.before = _siblings(texts, lexicon)
    lexicon.numbers = tuple(sorted({number for text in texts for number in NUMBER.findall(text)}))
    for place, text in enumerate(texts):
        stems = frozenset(stem(word) for word in content_words(text))
        lexicon.stems.append(stems)
        for word in stems:
            lexicon.holding.setdefault(word, set()).add(place)
    return lexicon


def clean_title(document: Document) -> str:
    """The document's title when it reads like one: 1 to 10 words with a letter in each, no file name. Else ""."""
    title = " ".join(document.title.split())
    fit = 1 <= len(title.split()) <= 10 and not re.search(r"\.\w{2,4}$|[_\\/]|untitled|microsoft word", title, re.I)
    return title if fit and any(c.isalpha() for c in title) else ""


def base_form(word: str, verbs: frozenset[str]) -> str:
    """The base form, among `verbs`, of a regular verb form; "" when there is none."""
    guesses = []
    if word.endswith("ies"):
        guesses.append(word[:-3] + "y")
    if word.endswith("es"):
        guesses.append(word[:-2])
    if word.endswith("s"):
        guesses.append(word[:-1])
    return next((guess for guess in guesses if guess in verbs), "")


def _sentences(passage: Passage) -> Iterable[Sentence]:
    offset = 0
    for paragraph in passage.text.split("\n\n"):
        for start, end in sentence_spans(paragraph):
            text, at = paragraph[start:end].replace("\n", " "), passage.start + offset
            lead = CONNECTIVE.match(text)
            skip = lead.end() if lead and len(text) > lead.end() else 0
            yield Sentence(
                upper_first(text[skip:]) if skip else text, at + start + skip, at + end, passage.id, at + start
            )
        offset += len(paragraph) + 2


def _verbs(texts: Sequence[str]) -> frozenset[str]:
    """Common verbs, and words that follow "to" or a modal twice or more, and more often than they follow an article."""
    after_verb_mark: Counter[str] = Counter()
    after_article: Counter[str] = Counter()
    marks = (MODALS | {"to", "don't", "doesn't"}) - BE
    for text in texts:
        found = [word.lower() for word in words(text)]
        for before, word in pairwise(found):
            if before in marks:
                after_verb_mark[word] += 1
            elif before in {"a", "an", "the", "of"}:
                after_article[word] += 1
    return COMMON_VERBS | frozenset(
        word for word, n in after_verb_mark.items() if n >= 2 and n > after_article[word] and word not in STOP
    )


def _names(texts: Sequence[str]) -> frozenset[str]:
    """Words written with a capital inside sentences more often than without."""
    upper: Counter[str] = Counter()
    lower: Counter[str] = Counter()
    for text in texts:
        for word in words(text)[1:]:
            (upper if word[0].isupper() else lower)[word.lower()] += 1
    plain = STOP | set(NUMBER_WORDS)
    return frozenset(w.capitalize() for w in upper if upper[w] > lower[w] and w.split("-")[0] not in plain) | frozenset(
        word for text in texts for word in words(text) if len(word) > 1 and word[1:] != word[1:].lower()
    )


def _terms(texts: Sequence[str], lexicon: Lexicon) -> dict[str, int]:
    """Noun-like phrases of one to three words that follow a determiner or start a subject, at least three times."""
    found: Counter[str] = Counter()
    for text in texts:
        low = [word.lower() for word in words(text)]
        for i, word in enumerate(low[:-1]):
            if word not in {"a", "an", "the", "of", "each", "every"}:
                continue
            phrase: list[str] = []
            for after in low[i + 1 : i + 4]:
                if after in STOP or after[0].isdigit() or lexicon.is_verb(after):
                    break
                phrase.append(after)
                found[" ".join(phrase)] += 1
    return {
        term: n
        for term, n in found.items()
        if n >= 3 and term not in GENERAL and not term.endswith(("ed", "ly")) and len(term) > 2 and _is_term(term)
    }


def _is_term(phrase: str) -> bool:
    """A phrase of content words that does not begin with a loose modifier, such as an ordinal."""
    parts = phrase.lower().split()
    loose = parts[0] in LOOSE or SUPERLATIVE.fullmatch(parts[0]) is not None
    return not loose and not any(part in STOP or part[0].isdigit() for part in parts)


def _definitions(passages: Sequence[Passage], texts: Sequence[str]) -> dict[str, str]:
    """term -> what follows "is" in a defining sentence, or the text after the term in a glossary line."""
    found: dict[str, str] = {}
    for passage in passages:
        if passage.role == "glossary":
            for line in passage.text.split("\n"):
                if match := GLOSSARY.match(line.strip()):
                    found.setdefault(match["term"].lower().strip(), match["rest"].strip().rstrip("."))
    for text in texts:
        if is_plain_statement(text) and (match := DEFINITION.match(text)):
            term = re.sub(r"^(an?|the) ", "", match["term"].lower())
            if _is_term(term) and not match["term"].startswith("The ") and not NUMBER.search(text):
                found.setdefault(term, match["rest"].rstrip("."))
    return found


def _siblings(texts: Sequence[str], lexicon: Lexicon) -> tuple[dict[str, tuple[str, ...]], dict[str, frozenset[str]]]:
    """For each term those set beside it or of one head, of the same number and used in the same places.

    And for each term the words that stand before it.
    """
    together: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for text in texts:
        for match in COORDINATE.finditer(text):
            left = next((t for t in _tails(match[1]) if t in lexicon.terms), "")
            right = next((t for t in _heads(match[2]) if t in lexicon.terms), "")
            if left and right and left != right:
                together[left][right] += 1
                together[right][left] += 1
    for term, other in _families(lexicon):
        together[term][other] += 1
    for term, other in _synonyms(texts, lexicon):
        together[term].pop(other, None)
        together[other].pop(term, None)
    places = _places(texts, lexicon, frozenset(together))
    siblings = {term: fit for term, found in together.items() if (fit := _fit_siblings(term, found, places))}
    return siblings, {term: frozenset(key[1:] for key in found if key[0] == "<") for term, found in places.items()}


def _fit_siblings(term: str, found: Counter[str], places: dict[str, Counter[str]]) -> tuple[str, ...]:
    alike = {other: n * _cosine(places[term], places[other]) for other, n in found.items()}
    ranked = sorted(found, key=lambda other: (-alike[other], other))
    return tuple(
        other
        for other in ranked
        if is_plural(other.split()[-1]) == is_plural(term.split()[-1])
        and _unlike(term, other)
        and _cosine(places[term], places[other]) >= LEAST_ALIKE
        and alike[other] >= LEAST_TOGETHER
    )[:5]


def _synonyms(texts: Sequence[str], lexicon: Lexicon) -> Iterable[tuple[str, str]]:
    for text in texts:
        for match in SAME.finditer(text):
            left = next((t for t in _tails(match[1]) if t in lexicon.terms), "")
            right = next((t for t in _heads(match[2]) if t in lexicon.terms), "")
            if left and right:
                yield left, right


def _families(lexicon: Lexicon) -> Iterable[tuple[str, str]]:
    """Pairs of two-word terms, each found at least four times, that share their head: kinds of one thing."""
    by_head: defaultdict[str, list[str]] = defaultdict(list)
    for term, n in lexicon.terms.items():
        if len(term.split()) == 2 and n >= 4:
            by_head[term.split()[1]].append(term)
    for family in by_head.values():
        yield from ((term, other) for term in family for other in family if term != other)


def _places(texts: Sequence[str], lexicon: Lexicon, terms: frozenset[str]) -> dict[str, Counter[str]]:
    """For each term the words just before and after it, with their side: what can stand in the same place."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for text in texts:
        low = ["^", *(word.lower() for word in words(text)), "$"]
        for n in (1, 2, 3):
            for i in range(1, len(low) - n):
                term = " ".join(low[i : i + n])
                if term in terms:
                    found[term].update((f"<{low[i - 1]}", f"{low[i + n]}>"))
    return found


def _cosine(one: Counter[str], other: Counter[str]) -> float:
    """Cosine of two count vectors under the square root, in 0..1; 0 when either is empty."""
    dot = sum((one[key] * other[key]) ** 0.5 for key in one.keys() & other.keys())
    norms = (sum(one.values()) * sum(other.values())) ** 0.5
    return dot / norms if norms else 0.0


def _unlike(term: str, other: str) -> bool:
    """Neither term holds the other: "median" and "median value" may well be the same thing."""
    mine, theirs = {stem(w) for w in term.split()}, {stem(w) for w in other.split()}
    return not (mine <= theirs or theirs <= mine)


def _tails(phrase: str) -> list[str]:
    parts = phrase.split()
    return [" ".join(parts[i:]) for i in range(len(parts))]


def _heads(phrase: str) -> list[str]:
    parts = phrase.split()
    return [" ".join(parts[:i]) for i in range(len(parts), 0, -1)]
