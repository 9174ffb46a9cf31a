"""Choice tasks: one right option among others of the same kind that the document has, in an order a hash decides.

The others are what a reader could take for the right one: sibling terms, glossary terms of one head, amounts in the
same unit. All are about as long; a word of the term that stands in its meaning stands in every other option too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from realign.curate.authors.extractive.closed import STOP
from realign.curate.authors.extractive.grammar import content_words, is_plural, stem
from realign.curate.authors.extractive.lexicon import GLOSSARY, Lexicon
from realign.curate.authors.extractive.negatives import Variant, false_variants
from realign.curate.authors.extractive.wh import DEFINES
from realign.curate.rlvr.forms import amounts as numeric
from realign.curate.rlvr.forms.computed import read_number
from realign.curate.rlvr.forms.material import Material
from realign.curate.rlvr.forms.quantities import YEAR, Amount, amounts_in
from realign.curate.rlvr.posed import Posed, by_hash, lettered
from realign.records import make_id

LETTER = "Answer with the letter of the right option."
OTHERS = 3
ALIKE = 0.4
NEAR = 10  # times as large or as small: a distance of 50 kilometers is not mistaken for the Sun's
MEANING = (
    "Which of these terms means “{meaning}”?",
    "Which term fits this meaning: {meaning}?",
    "“{meaning}”: which of these terms does that describe?",
)


def meanings(material: Material) -> Iterator[Posed]:
    """A line of the glossary -> which of four terms has this meaning. Decided by the meaning alone."""
    passage, offset = material.passage, 0
    for line in passage.text.split("\n") if passage.role == "glossary" else []:
        match = GLOSSARY.match(line.strip())
        if match and DEFINES.match(match["rest"]) and len(match["rest"].split()) <= 30:
            term, meaning = match["term"].strip().lower(), re.sub(r"[.;].*$", "", match["rest"]).strip()
            others = other_terms(term, meaning, material.lexicon)
            span = material.at(offset + line.index(match["term"]), offset + len(line.rstrip()))
            if len(others) == OTHERS and not _spelled_out(term, meaning):
                question = MEANING[len(meaning) % len(MEANING)].format(meaning=meaning[0].lower() + meaning[1:])
                yield _posed("meaning", question, term, others, span)
        offset += len(line) + 1


def _spelled_out(term: str, meaning: str) -> bool:
    return {stem(word) for word in content_words(term)} <= {stem(word) for word in content_words(meaning)}


def other_terms(term: str, meaning: str, lexicon: Lexicon) -> list[str]:
    """Three other defined terms, siblings and those of one head first, as long and of one number, that mean no such."""
    mine = {stem(word) for word in content_words(term)}
    meant = {stem(word) for word in content_words(meaning)}
    told, siblings, head = mine & meant, lexicon.siblings.of.get(term, ()), term.split()[-1]
    fit = []
    for other, text in lexicon.definitions.items():
        theirs, says = {stem(w) for w in content_words(other)}, {stem(w) for w in content_words(text)}
        same = len(says & meant) / max(1, len(says | meant))
        parts = theirs <= mine or mine <= theirs or not told <= theirs or (theirs - told) & meant
        unlike = abs(len(other.split()) - len(term.split())) > 1 or is_plural(other) != is_plural(term)
        if not parts and not unlike and same < ALIKE and not mine - told & says and "(" not in other:
            fit.append((other not in siblings, other.split()[-1] != head, -same, make_id(term, other), other))
    return [other for *_, other in sorted(fit)[:OTHERS]]


def terms(material: Material) -> Iterator[Posed]:
    """A sentence with a term, person or place left out, and what else the document could have put there."""
    for told in material.told:
        if told.alone or len(told.sentence.text.split()) > 30:
            continue
        for place, variants in _by_place(told.sentence.text, material.lexicon).items():
            text, right = told.sentence.text, variants[0].old
            shown = re.sub(r"\b([Aa])n? ____", r"\1(n) ____", f"{text[: place[0]]}____{text[place[1] :]}")
            question = f"What belongs in the blank? {shown}"
            others = list(dict.fromkeys(variant.new for variant in variants))[:OTHERS]
            if len(others) >= 2 and _same_kind(right, others):
                yield _posed("term", question, right, others, (told.sentence.start, told.sentence.end), told.excerpt)


def _by_place(text: str, lexicon: Lexicon) -> dict[tuple[int, int], list[Variant]]:
    found: dict[tuple[int, int], list[Variant]] = {}
    for variant in false_variants(text, lexicon):
        if variant.method in ("term", "person", "place") and text.count(variant.old) == 1:
            found.setdefault((variant.start, variant.end), []).append(variant)
    return found


def _same_kind(right: str, others: Sequence[str]) -> bool:
    """No option is told by its capital or by far more words, and none is part of another."""
    plain = [right.lower(), *(other.lower() for other in others)]
    lengths = [len(option.split()) for option in plain]
    parts = any(a != b and re.search(rf"\b{re.escape(a)}\b", b) for a in plain for b in plain)
    return not parts and max(lengths) - min(lengths) <= 1 and not any(set(option.split()) <= STOP for option in plain)


def amounts(material: Material) -> Iterator[Posed]:
    """A question after an amount, and other amounts that the document gives in the same unit."""
    for posed in numeric.questions(material):
        told = next(told for told in material.told if told.sentence.start == posed.start)
        right = next(a for a in amounts_in(told.sentence.text) if a.digits == posed.answer)
        others = _other_amounts(right, told.sentence.text, material.lexicon)
        if len(others) == OTHERS and len(posed.question) % 2:
            span = told.sentence.start, told.sentence.end
            yield _posed("amount-choice", posed.question, _said(right), [_said(o) for o in others], span, told.excerpt)


def _said(amount: Amount) -> str:
    unit = "" if amount.known == "$" else amount.unit
    sign = "%" if amount.known == "%" else f" {unit}" if unit else ""
    return amount.digits + sign


def _other_amounts(right: Amount, text: str, lexicon: Lexicon) -> list[Amount]:
    """Three amounts of the document in the same unit that the sentence does not hold, the nearest in size among six."""
    if not right.unit and not YEAR.fullmatch(right.digits):
        return []
    found: dict[str, Amount] = {}
    for sentences in lexicon.sentences.values():
        for sentence in sentences:
            for amount in amounts_in(sentence.text) if sentence.text != text else []:
                year = YEAR.fullmatch(amount.digits) is not None
                if amount.unit == right.unit and bool(year) == bool(YEAR.fullmatch(right.digits)):
                    found.setdefault(amount.digits, amount)
    for digits in {amount.digits for amount in amounts_in(text)}:
        found.pop(digits, None)
    size = _size(right)
    like = [amount for amount in found.values() if 1 / NEAR <= _size(amount) / size <= NEAR]
    near = sorted(like, key=lambda a: (abs(_size(a) / size - 1), a.digits))[: 2 * OTHERS]
    return sorted(near, key=lambda a: make_id(text, a.digits))[:OTHERS]


def _size(amount: Amount) -> float:
    number, _, scale = amount.digits.partition(" ")
    return float(read_number(number)) * {"thousand": 1e3, "million": 1e6, "billion": 1e9}.get(scale, 1.0) or 1.0


def _posed(
    form: str, question: str, right: str, others: Sequence[str], span: tuple[int, int], shown: str = ""
) -> Posed:  # fmt: skip
    options = by_hash([right, *others], question)
    letter = chr(65 + options.index(right))
    return Posed(form, question, LETTER, letter, "choice", *span, {"choices": options}, shown, lettered(options))
