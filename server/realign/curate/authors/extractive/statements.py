"""Questions that show a statement: a blank to fill, a verdict to give, two to choose from, a mistake to correct.

They work for any plain sentence that can be made wrong in one place. Each maker gives a Question or None.
"""

from __future__ import annotations

import re

from realign.curate.authors.extractive.clauses import Clause, as_question, split_clause
from realign.curate.authors.extractive.grammar import lower_first, stem, words
from realign.curate.authors.extractive.lexicon import Lexicon
from realign.curate.authors.extractive.negatives import Variant, false_variants
from realign.curate.authors.extractive.sentences import Sentence
from realign.curate.authors.extractive.wording import (
    BLANKS,
    CHECKS,
    CHECKS_OF_PASSAGE,
    CHOICES,
    CORRECTIONS,
    Question,
    one_of,
    seed_of,
)

LONGEST, LONGEST_PAIR = 30, 24


def blank(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    """A number, name or term that occurs once, blanked out. Not an opposite: too many words would fit."""
    text = sentence.text
    found = [v for v in _subtle(text, lexicon) if v.method in ("number", "person", "place", "term")]
    fit = [v for v in found if text.count(v.old) == 1 and not _echoed(v, text)]
    if not fit:
        return None
    variant = fit[seed_of(text, "blank") % len(fit)]
    shown = re.sub(r"\b([Aa])n? ____", r"\1(n) ____", f"{text[: variant.start]}____{text[variant.end :]}")
    return Question(one_of(BLANKS, text).format(statement=shown), "blank", variant.old, sentence, alone)


def _echoed(variant: Variant, text: str) -> bool:
    """True when the sentence gives a word of the blank away elsewhere."""
    rest = f"{text[: variant.start]} {text[variant.end :]}"
    return any(
        len(part) > 2 and re.search(rf"\b{re.escape(stem(part))}", rest, re.IGNORECASE) for part in words(variant.old)
    )


def check_true(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    """The sentence itself, to be affirmed."""
    if not _usable(sentence.text, lexicon):
        return None
    return _check(sentence, sentence.text, "check-true", lexicon, alone)


def check_false(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    """A false variant of the sentence, to be denied."""
    variants = _usable(sentence.text, lexicon)
    if not variants:
        return None
    premise = variants[seed_of(sentence.text, "premise") % len(variants)].text
    return _check(sentence, premise, "check-false", lexicon, alone)


def _check(sentence: Sentence, premise: str, template: str, lexicon: Lexicon, alone: bool) -> Question | None:
    if len(premise.split()) > LONGEST:
        return None
    turned = _turned(premise, lexicon) if not re.search(r"\b(?:not|therefore)\b", premise) else ""
    if turned and seed_of(sentence.text, "turned") % 3:
        return Question(turned, template, premise, sentence, alone)
    form = one_of(CHECKS if alone else CHECKS_OF_PASSAGE, sentence.text)
    if "{lowered}" in form and re.match(r"\w+,|\w+ \w+,", premise):
        form = CHECKS[1]
    lowered = lower_first(premise, lexicon.kept).rstrip(".")
    return Question(form.format(statement=premise, lowered=lowered), template, premise, sentence, alone)


def _turned(statement: str, lexicon: Lexicon) -> str:
    """The statement as a question that starts with its verb, where it is short and has one verb, else ""."""
    clause = split_clause(statement, lexicon)
    if clause is None or len(clause.subject.split()) > 5 or len(clause.rest.split()) > 16:
        return ""
    if re.search(r"\bbut\b|\b(?:and|or) (?:\w+s|\w+ed|are|were|it|he|she|you|we)\b|[,;–—]", clause.rest):
        return ""
    return as_question(clause, "", lower_first(clause.subject, lexicon.kept))


def choice(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    """The sentence and a false variant, in an order that depends on the sentence alone."""
    variants = _subtle(sentence.text, lexicon)
    if not variants or len(sentence.text.split()) > LONGEST_PAIR:
        return None
    premise = variants[seed_of(sentence.text, "choice") % len(variants)].text
    one, other = (sentence.text, premise) if seed_of(sentence.text, "order") % 2 else (premise, sentence.text)
    return Question(one_of(CHOICES, sentence.text).format(one=one, other=other), "choice", premise, sentence, False)


def correction(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    """A false variant to be put right, where there is a second one that is wrong in the same place."""
    variants = _subtle(sentence.text, lexicon)
    fit = [v for v in variants if len(corrections(v.text, variants)) > 0]
    if not fit or len(sentence.text.split()) > LONGEST:
        return None
    premise = fit[seed_of(sentence.text, "correction") % len(fit)].text
    text = one_of(CORRECTIONS, sentence.text).format(statement=premise)
    return Question(text, "correction", premise, sentence, False)


def corrections(premise: str, variants: list[Variant]) -> list[Variant]:
    """The other variants that change what `premise` changed: wrong ways to put it right."""
    places = {(v.start, v.end) for v in variants if v.text == premise}
    return [v for v in variants if v.text != premise and (v.start, v.end) in places and v.method != "negation"]


def _subtle(text: str, lexicon: Lexicon) -> list[Variant]:
    return [variant for variant in false_variants(text, lexicon) if variant.method != "negation"]


def _usable(text: str, lexicon: Lexicon) -> list[Variant]:
    """The subtle variants; where there is none the negation, for three sentences of four: "not" gives little away.

    A sentence that denies already is always used: made false it loses its "not".
    """
    subtle = _subtle(text, lexicon)
    if not subtle and " not " in text:
        return false_variants(text, lexicon)
    return subtle or (false_variants(text, lexicon) if seed_of(text, "not") % 4 < 3 else [])
