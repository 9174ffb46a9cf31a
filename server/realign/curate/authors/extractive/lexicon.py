"""What one document calls things: its verbs, its names, its terms, and what it says they are.

All mined from the document itself. Verbs are what follows "to" or a modal; names are capitalized inside sentences;
terms are repeated noun-like phrases; definitions are glossary lines and sentences such as "A median is the …".
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from realign.curate.authors.extractive.closed import (
    AUXILIARIES,
    BE,
    COMMON_VERBS,
    GENERAL,
    MODALS,
    NUMBER_WORDS,
    STOP,
)
from realign.curate.authors.extractive.grammar import (
    NUMBER,
    content_words,
    is_plain_statement,
    stem,
    words,
)
from realign.curate.authors.extractive.names import Names, find_names
from realign.curate.authors.extractive.sentences import Sentence, sentences_of
from realign.curate.authors.extractive.siblings import Siblings, find_siblings
from realign.records import Document, Passage

DEFINITION = re.compile(
    r"^(?P<term>(?:[Aa]n? |[Tt]he )?[\w’'-]+(?: [\w’'-]+){0,4}) (?P<verb>is|are)"
    r" (?P<rest>(?:an?|the|any|those|one of)\b.+)$"
)
GLOSSARY = re.compile(r"^(?P<term>[A-Z][\w’'/() -]{1,60}?)\s*(?::|\s[–—-]\s)\s*(?P<rest>[A-Za-z].{20,400})$")
# Modifiers that do not make a kind of thing: "first group" and "following data" are no terms.
LOOSE = frozenset(
    "first second third fourth fifth last next previous following preceding given certain different same similar other"
    " new old whole entire single general particular specific main only own own actual real right left good bad best"
    " possible likely large small big long short high low great total various several many most more less blank"
    " shown".split()
)
NOT_VERBS = STOP | frozenset(NUMBER_WORDS) | {"one"}
SUPERLATIVE = re.compile(r"[a-z]{2,}(?:i|[^aeiou])est")


@dataclass(slots=True)
class Lexicon:
    """What a document calls things. All words are lower case except names, which are as written.

    kept: words that keep their capital inside a sentence: names, and words that the document writes in no other way.
    """

    title: str
    verbs: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()
    terms: dict[str, int] = field(default_factory=dict)
    spelled: dict[str, str] = field(default_factory=dict)
    siblings: Siblings = field(default_factory=Siblings)
    named: Names = field(default_factory=Names)
    definitions: dict[str, str] = field(default_factory=dict)
    sentences: dict[str, list[Sentence]] = field(default_factory=dict)
    count: Counter[str] = field(default_factory=Counter)
    order: dict[str, int] = field(default_factory=dict)
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
        """The term as the document mostly writes it inside a sentence: "USB key", "Trojan War"."""
        return self.spelled.get(term, term)


def build_lexicon(document: Document, passages: Sequence[Passage]) -> Lexicon:
    """Mine a document's passages. Takes about a second a 100,000 words; the result depends on the text alone."""
    prose = [passage for passage in passages if passage.role in ("prose", "glossary", "exercise")]
    lexicon = Lexicon(clean_title(document))
    for passage in prose:
        lexicon.sentences[passage.id] = list(sentences_of(passage))
    texts = [sentence.text for found in lexicon.sentences.values() for sentence in found]
    lexicon.verbs, lexicon.names = _verbs(texts), _names(texts)
    lexicon.kept = lexicon.names | _only_first(texts)
    lexicon.terms = _terms(texts, lexicon)
    lexicon.definitions = _definitions(prose, texts)
    for term in lexicon.definitions:
        lexicon.terms.setdefault(term, 1)
    lexicon.spelled = _spelled(texts, lexicon.terms)
    lexicon.siblings = find_siblings(texts, lexicon.terms)
    lexicon.named = find_names(texts, lexicon.names)
    for place, text in enumerate(texts):
        lexicon.order.setdefault(text, place)
        lexicon.count.update(word.lower() for word in words(text))
        stems = frozenset(stem(word) for word in content_words(text))
        lexicon.stems.append(stems)
        for word in stems:
            lexicon.holding.setdefault(word, set()).add(place)
    return lexicon


def clean_title(document: Document) -> str:
    """The document's title when it reads like one: 1 to 10 words before its subtitle, no file name. Else ""."""
    title = re.split(r"\s*(?:[,:;(\[]|\s[–—-]\s)", " ".join(document.title.split()))[0]
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


def _spelled(texts: Sequence[str], terms: Container[str]) -> dict[str, str]:
    """term -> its most frequent spelling inside sentences, the first in order on a tie; only where it has capitals."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for text in texts:
        parts = words(text)
        for n in (1, 2, 3):
            for i in range(1, len(parts) - n + 1):
                spelling = " ".join(parts[i : i + n])
                if (term := spelling.lower()) in terms:
                    found[term][spelling] += 1
    mostly = {term: min(seen, key=lambda s: (-seen[s], s)) for term, seen in found.items()}
    return {term: spelling for term, spelling in mostly.items() if spelling != term}


def _verbs(texts: Sequence[str]) -> frozenset[str]:
    """Common verbs, and words that follow "to" or a modal twice or more, and more often than they follow an article."""
    after_verb_mark: Counter[str] = Counter()
    after_article: Counter[str] = Counter()
    marks = (MODALS | {"to", "don't", "doesn't"}) - BE
    for text in texts:
        for before, word in pairwise(words(text)):
            before = before.lower()
            if not word.islower():
                continue
            if before in marks:
                after_verb_mark[word] += 1
            elif before in {"a", "an", "the", "of"}:
                after_article[word] += 1
    return COMMON_VERBS | frozenset(
        word for word, n in after_verb_mark.items() if n >= 2 and n > after_article[word] and word not in NOT_VERBS
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


def _only_first(texts: Sequence[str]) -> frozenset[str]:
    """Words with a capital that only ever begin sentences, in no form in lower case: "Watt", but not "Percentiles"."""
    lower = {stem(word) for text in texts for word in words(text) if word[0].islower()}
    first = {words(text)[0] for text in texts if words(text)}
    plain = re.compile(r"(?:ing|ly|ed|s)$")
    return frozenset(
        word
        for word in first
        if word[0].isupper() and stem(word) not in lower and word.lower() not in STOP and not plain.search(word)
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
    return not loose and not any(part in STOP or part in NUMBER_WORDS or part[0].isdigit() for part in parts)


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
