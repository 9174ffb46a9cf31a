"""A question about one sentence, and the words around it: they vary with the sentence and never with the run.

prompt_text(question, excerpt) -> "Passage: …\\n\\nQuestion: Which current carries water into the estuary?"
"""

from __future__ import annotations

from dataclasses import dataclass

from realign.curate.authors.extractive.sentences import Sentence
from realign.curate.authors.rules import PASSAGE_FORMS
from realign.records import make_id

BLANKS = (
    "Fill in the blank: {statement}",
    "Complete the sentence: {statement}",
    "What belongs in the blank? {statement}",
    "Write the sentence with the missing part filled in: {statement}",
)
CHECKS = (
    "Is it true that {lowered}?",
    "True or false? {statement}",
    "Is this statement correct? {statement}",
    "A reader notes: “{statement}” Is that right?",
    "True or false: {statement}",
)
CHECKS_OF_PASSAGE = (*CHECKS, "Does the passage say that {lowered}?", "Does this agree with the passage? {statement}")
CHOICES = (
    "Which statement is correct?\n(a) {one}\n(b) {other}",
    "Which of these two sentences agrees with the passage?\n- {one}\n- {other}",
    "One of these is true and the other is not. Which one is true?\n1. {one}\n2. {other}",
)
CORRECTIONS = (
    "Correct the mistake in this sentence: {statement}",
    "This sentence has one detail wrong. Write it correctly: {statement}",
    "Someone summed the passage up wrongly. What should it say? {statement}",
)


@dataclass(frozen=True, slots=True)
class Question:
    """A question about one sentence. asked: the part of the sentence that answers it, or for a statement to check the
    statement; alone: it needs no excerpt."""

    text: str
    template: str
    asked: str
    sentence: Sentence
    alone: bool


def seed_of(*parts: object) -> int:
    """A number that depends on `parts` alone, for choices that should vary but never change."""
    return int(make_id(*parts)[:8], 16)


def one_of(forms: tuple[str, ...], *key: object) -> str:
    """One of the forms, always the same one for the same key."""
    return forms[seed_of("form", *key) % len(forms)]


def prompt_text(question: Question, excerpt: str) -> str:
    """The prompt: the question, with the excerpt unless it stands alone."""
    if question.alone:
        return question.text
    return one_of(PASSAGE_FORMS, question.text, excerpt).format(passage=excerpt, question=question.text)
