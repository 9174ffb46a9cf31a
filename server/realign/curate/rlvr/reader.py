"""The overlap reader: the embedded default's rollouts, by a reader that is weak and says so. No model.

It draws an answer among what the prompt's own text offers, and takes what stands in a sentence that shares many words
with the question more often than the rest; how much more often is a matter of the temperature. It computes when a word
of the question names a figure, and slips as often as not. It sees the prompt and the kind of answer, and never the
reference, so its pass rate is a measurement: how often such a reader is right.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from realign.curate.authors.extractive.closed import STOP
from realign.curate.authors.extractive.grammar import content_words, stem
from realign.curate.authors.rules import question_of
from realign.curate.rlvr.forms.computed import FIGURES, LISTED, TERM, as_digits, evaluate, listed, read_number
from realign.curate.rlvr.forms.quantities import WORD_VALUES, WRITTEN
from realign.settings import Candidates
from realign.sources.sentences import sentence_spans

NAME = "overlap reader"
SHARPNESS = 3.0  # at temperature 1 a sentence that holds all of the question weighs e^3 times one that holds nothing
SLIPS = 0.35  # how often it leaves a step out or changes two places, at temperature 1
LONGEST_TERM = 3
FIRST = re.compile(rf"[-–−(]*(?:{TERM})[ )]*[^\d. (]+[ (]*(?:{TERM})[)]*")
EXPRESSION = re.compile(rf"[-–−(]*(?:{TERM})(?: ?[-–−+*×⋅·/÷()]++ ?(?:{TERM})[)]*+)++")


BETWEEN = re.compile(
    rf"[^\w’' -]+|(?<![\w-])(?:{'|'.join(sorted(STOP, key=lambda word: (-len(word), word)))})(?![\w-])", re.IGNORECASE
)
LEADS = re.compile(
    r"(?:Passage|Text|Context|Excerpt|Answer from this passage|Question|Q): "
    r"|Read the passage and answer the question\.|Use the excerpt to answer\."
)


@dataclass(frozen=True, slots=True)
class Option:
    """Something to answer, why in words, and how much of the question stands beside it, in 0..1."""

    answer: str
    why: str
    overlap: float


def answers(
    prompt: str, verifier: str, options: Sequence[str], settings: Candidates, rollouts: int, key: str
) -> list[str]:
    """That many rollouts, the same for the same prompt, settings and key; [] for what it can't try."""
    chance = random.Random(f"{settings.seed} {key}")
    if verifier == "ordering":
        return [ordered(options, prompt, settings.temperature, chance) for _ in range(rollouts)]
    found = list(OFFERS[verifier](prompt, options)) if verifier in OFFERS else []
    if not found:
        return []
    weights = [math.exp(SHARPNESS * option.overlap / max(settings.temperature, 0.01)) for option in found]
    drawn = chance.choices(found, weights, k=rollouts)
    return [f"{option.why}\nAnswer: {option.answer}" for option in drawn]


# -- what the text offers -----------------------------------------------------------------------------------------


def numbers(prompt: str, options: Sequence[str]) -> Iterator[Option]:
    """The numbers of the passage that the question does not say itself, and what can be computed."""
    question = question_of(prompt)
    said = {match[0] for match in WRITTEN.finditer(question)}
    computed = list(computations(question))
    yield from computed
    for sentence, overlap in sentences(prompt, question):
        for match in WRITTEN.finditer(sentence):
            if match[0] not in said or (sentence in question and not computed):
                digits = str(WORD_VALUES.get(match[0].lower(), match[0].rstrip("%")))
                yield Option(digits, f"The text says: “{sentence}”", overlap)


def computations(question: str) -> Iterator[Option]:
    """The figures of a list, those that the question names before the others; an expression, well read and badly."""
    if match := LISTED.search(question):
        asked = set(re.findall(r"[a-z]+", question[: match.start()].lower()))
        for name, figure in FIGURES.items():
            value = round(figure(listed(match[0])), 2)
            yield Option(
                as_digits(Fraction(value)), f"The {name} comes to this.", 0.3 if name.split()[0] in asked else 0.1
            )
    for match in EXPRESSION.finditer(question):
        whole, first = (
            evaluate(match[0].strip()),
            re.match(rf".*?(?:{TERM})[ )]*[^\d. (]+[ (]*(?:{TERM})[)]*", match[0]),
        )
        if whole is not None:
            yield Option(as_digits(round(whole, 4)), f"All of {match[0].strip()} comes to this.", 0.2)
        if first and (part := evaluate(first[0])) is not None:
            yield Option(as_digits(round(part, 4)), f"{first[0].strip()} comes to this.", 0.2)
    if not LISTED.search(question) and len(found := WRITTEN.findall(question)) in (2, 3, 4, 5, 6):
        yield from two_of([number for number in found if number[-1:].isdigit()])


def two_of(found: Sequence[str]) -> Iterator[Option]:
    """Two numbers of a problem put together in one way or another."""
    for place, one in enumerate(found):
        for other in found[place + 1 :]:
            a, b = read_number(one), read_number(other)
            results = {"+": a + b, "-": abs(a - b), "*": a * b, "/": a / b if b else a}
            for sign, value in results.items():
                yield Option(as_digits(round(value, 2)), f"{one} {sign} {other} comes to this.", 0.1)


def terms(prompt: str, options: Sequence[str]) -> Iterator[Option]:
    """The runs of content words in the passage, of at most three words, that the question does not say."""
    question = question_of(prompt)
    low = question.lower()
    for sentence, overlap in sentences(prompt, question):
        for run in runs(sentence):
            if run.lower() not in low:
                yield Option(run, f"The text says: “{sentence}”", overlap)


def runs(sentence: str) -> list[str]:
    """Content words in a row: "spring tide", "large range", "new moon"."""
    parts = re.split(
        r"[^\w’' -]+|(?<![\w-])(?:" + "|".join(sorted(STOP, key=len, reverse=True)) + r")(?![\w-])",
        sentence,
        flags=re.I,
    )
    kept = (" ".join(part.split()[-LONGEST_TERM:]) for part in parts if part.strip())
    return list(dict.fromkeys(run for run in kept if run[0].isalpha()))


def choices(prompt: str, options: Sequence[str]) -> Iterator[Option]:
    """Each option, by how much of it and of the question one sentence of the passage holds."""
    whole = question_of(prompt)
    read = sentences(prompt, whole) if whole != prompt.strip() else []  # options by themselves say nothing
    for place, option in enumerate(options):
        mine = stems(option)
        best = max(read, key=lambda one: (share(mine, one[0]) * one[1], one[0]), default=("", 0.0))
        why = f"The text says: “{best[0]}”" if best[0] else f"I take it to be {option}."
        yield Option(chr(65 + place), why, share(mine, best[0]) * best[1])


def ordered(items: Sequence[str], prompt: str, temperature: float, chance: random.Random) -> str:
    """The items by size where they are numbers, else as the text mentions them first, with slips."""
    low = prompt.lower()
    numeric = all(re.fullmatch(rf"[-–−]?(?:{TERM})", item) for item in items)
    first = {item: float(read_number(item)) if numeric else low.find(item.lower()) for item in items}
    order = sorted(items, key=lambda item: (first[item], item))
    for place in range(len(order) - 1):
        if chance.random() < min(0.5, SLIPS * temperature):
            order[place : place + 2] = order[place : place + 2][::-1]
    return f"By {'size' if numeric else 'where the text has them'}, as I read it.\nAnswer: {'; '.join(order)}"


OFFERS = {"numeric": numbers, "exact": terms, "choice": choices, "symbolic": numbers}

# -- overlap ------------------------------------------------------------------------------------------------------


def sentences(prompt: str, question: str) -> list[tuple[str, float]]:
    """The sentences of a prompt's passage, or of the question where there is none, with how much of the question each
    holds."""
    passage = LEADS.sub(" ", prompt.replace(question, " ")) if question != prompt.strip() else prompt
    asked = stems(question)
    found = [part[start:end] for part in passage.split("\n") for start, end in sentence_spans(part)]
    return [(" ".join(text.split()), share(asked, text)) for text in found]


def stems(text: str) -> set[str]:
    """The stems of a text's content words."""
    return {stem(word) for word in content_words(text)}


def share(wanted: set[str], text: str) -> float:
    """How much of some stems a text holds, in 0..1; 0 for none wanted."""
    return len(wanted & stems(text)) / len(wanted) if wanted else 0.0
