"""A task as a form poses it, and how it becomes records: a prompt that says how to answer, and what checks the answer.

    prompt, task = as_records(posed, passage, seed=0)

The prompt brings its excerpt along unless the question decides by itself. The task holds forms of the answer that its
verifier must accept and planted wrong answers that it must reject; both are made by rule, without asking the verifier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from realign.curate.authors.extractive.wording import one_of
from realign.curate.authors.rules import PASSAGE_FORMS
from realign.records import Passage, Prompt, Task, make_id
from realign.verify import Check, equivalents, perturbed

VERSION = "1"
RIGHT_FORMS, WRONG_ANSWERS = 3, 6


@dataclass(frozen=True, slots=True)
class Posed:
    """A question with the one answer that its document gives, and the characters of the document that say so.

    form names how it was made. how: the sentence that says how to answer. shown: the excerpt, "" where the question
    decides by itself. options stand in the prompt a line each: the choices with their letters, or the items to order.
    """

    form: str
    question: str
    how: str
    answer: str
    verifier: str
    start: int
    end: int
    spec: dict[str, Any] = field(default_factory=dict)
    shown: str = ""
    options: tuple[str, ...] = ()


def as_records(posed: Posed, passage: Passage, seed: int, author: str = "extractive") -> tuple[Prompt, Task]:
    """The prompt and the task of a posed question."""
    text = prompt_text(posed)
    prompt = Prompt(
        make_id("prompt", passage.id, text), passage.id, text, f"{posed.form}/{VERSION}", "", posed.start, posed.end,
        author,
    )  # fmt: skip
    return prompt, make_task(prompt, Check(posed.verifier, posed.answer, posed.spec), seed)


def prompt_text(posed: Posed) -> str:
    """The question with its options and how to answer, below or above its excerpt. A question holds no empty line."""
    question = "\n".join((posed.question, *posed.options, posed.how))
    if not posed.shown:
        return question
    return one_of(PASSAGE_FORMS, posed.question, posed.shown).format(passage=posed.shown, question=question)


def make_task(prompt: Prompt, check: Check, seed: int) -> Task:
    """The task of a prompt, with other forms of its answer and planted wrong answers, the same for the same seed.

    A reference that can't be read has neither: no verifier is sound on it, and the gates will say so.
    """
    right, wrong = equivalents(check), some(perturbed(check, seed), WRONG_ANSWERS, prompt.id, seed)
    return Task(
        make_id("task", prompt.id), prompt.id, check.answer, check.verifier, check.spec,
        some(right, RIGHT_FORMS, prompt.id, seed), wrong,
    )  # fmt: skip


def some(texts: Sequence[str], count: int, *key: object) -> tuple[str, ...]:
    """At most `count` of the texts, drawn by a hash, in their order."""
    drawn = set(sorted(texts, key=lambda text: make_id(*key, text))[:count])
    return tuple(text for text in texts if text in drawn)


def lettered(options: Sequence[str]) -> tuple[str, ...]:
    """The lines of choices: "A) apogee", "B) perigee"."""
    return tuple(f"{chr(65 + place)}) {option}" for place, option in enumerate(options))


def by_hash(options: Sequence[str], *key: object) -> list[str]:
    """The options in an order that says nothing about which is right."""
    return sorted(options, key=lambda option: make_id("order", *key, option))
