"""Answers to the extractive author's prompts: one grounded in the document, the others wrong in one thing.

The grounded answer is the sentence itself (or the glossary's definition made into one), after Yes or No where the
prompt asks for it. Each wrong answer keeps its form and length.
"""

from __future__ import annotations

import re

from realign.curate.authors.extractive.grammar import fix_articles, upper_first
from realign.curate.authors.extractive.lexicon import GLOSSARY, Lexicon
from realign.curate.authors.extractive.negatives import Variant, false_variants
from realign.records import Completion, Passage, Prompt, make_id

LENGTHS = (0.7, 1.4)


def answer(prompt: Prompt, passage: Passage, lexicon: Lexicon, per_prompt: int, seed: int) -> list[Completion]:
    """The grounded answer and up to `per_prompt` - 1 wrong ones, of different kinds as far as possible."""
    kind = prompt.template.split("/")[0]
    sentence = upper_first(passage.text[prompt.start - passage.start : prompt.end - passage.start].replace("\n", " "))
    right, wrong = _answers(kind, prompt, sentence, lexicon)
    chosen = _varied(wrong, per_prompt - 1, prompt, seed)
    texts = [("grounded", right)] + [(variant.method, variant.text) for variant in chosen if variant.text != right]
    order = sorted(texts, key=lambda pair: make_id(seed, prompt.id, pair[1]))
    return [
        Completion(make_id("completion", prompt.id, text), prompt.id, text, "extractive", method, seed)
        for method, text in order
    ]


def _answers(kind: str, prompt: Prompt, sentence: str, lexicon: Lexicon) -> tuple[str, list[Variant]]:
    """The right answer and every wrong one, the subtlest first."""
    if kind == "glossary":
        return _glossary_answers(prompt.focus, sentence, lexicon)
    wrong = false_variants(sentence, lexicon)
    if kind == "blank":
        return sentence, [v for v in wrong if v.old == prompt.focus]
    if kind == "check-true":
        return f"Yes. {sentence}", [_led("No.", v) for v in wrong]
    if kind == "check-false":
        accepting = [_led("Yes.", v) for v in wrong if v.text == prompt.focus]
        return f"No. {sentence}", accepting
    if not kind.startswith("check"):
        wrong = [variant for variant in wrong if variant.method != "negation"]
    if kind == "definition":
        wrong = _other_definitions(prompt.focus, sentence, lexicon) + wrong
    return sentence, wrong


def _led(lead: str, variant: Variant) -> Variant:
    return Variant(variant.method, f"{lead} {variant.text}", variant.old, variant.new)


def _glossary_answers(term: str, line: str, lexicon: Lexicon) -> tuple[str, list[Variant]]:
    match = GLOSSARY.match(line)
    meaning = match["rest"].rstrip(".") if match else line
    lead = f"The term “{term}” means "
    right = f"{lead}{meaning[0].lower()}{meaning[1:]}."
    return right, [
        Variant("definition", f"{lead}{other[0].lower()}{other[1:]}.", meaning, other)
        for other in _other_meanings(term, meaning, lexicon)
    ]


def _other_definitions(subject: str, sentence: str, lexicon: Lexicon) -> list[Variant]:
    """The subject with what the document says another term is."""
    match = re.match(rf"{re.escape(subject)} (is|are) (.+)\.$", sentence)
    if not match:
        return []
    term = re.sub(r"^(an?|the) ", "", subject.lower())
    return [
        Variant("definition", fix_articles(f"{subject} {match[1]} {other}."), match[2], other)
        for other in _other_meanings(term, match[2], lexicon)
        if other.split()[0] == match[2].split()[0] and match[1] == "is"
    ]


def _other_meanings(term: str, meaning: str, lexicon: Lexicon) -> list[str]:
    """Meanings of other terms, about as long, siblings first, that mention neither the term nor its parts."""
    parts = [part for part in term.lower().split() if len(part) > 3]
    siblings = lexicon.siblings.get(term, ())
    low, high = (edge * len(meaning.split()) for edge in LENGTHS)
    fit = [
        (other not in siblings, make_id(term, other), text)
        for other, text in lexicon.definitions.items()
        if other != term and low <= len(text.split()) <= high
        and not any(part in text.lower() or part in other for part in parts)
        and not any(part in meaning.lower() for part in other.split() if len(part) > 3)
    ]  # fmt: skip
    return [text for _, _, text in sorted(fit)[:4]]


def _varied(variants: list[Variant], n: int, prompt: Prompt, seed: int) -> list[Variant]:
    """`n` variants, one a method while methods last; negations only where nothing subtler is left."""
    turn = sorted(variants, key=lambda v: (v.method == "negation", make_id(seed, prompt.id, v.method)))
    first: dict[str, Variant] = {}
    for variant in turn:
        first.setdefault(variant.method, variant)
    rest = [variant for variant in turn if variant is not first[variant.method]]
    return [*first.values(), *rest][:n]
