"""Existing rows that bring a passage, as items: a context with question and answer, or a prompt that holds its passage.

    for item in items_of(prompt, passage): item.good, item.bad          prompt: as curate/given.py made it of a row

A short answer is given the sentence of the context that holds it, and its question is asked again under the context
without that sentence. A whole answer is judged as it stands. What can't be checked against a passage is refused with
the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from realign.curate.authors.extractive.grammar import content_words, stem
from realign.curate.authors.extractive.sentences import Sentence
from realign.curate.authors.rules import passage_of, question_of
from realign.curate.given import AUTHOR
from realign.curate.grounding.items import Item, Made
from realign.curate.grounding.wording import grounded, refused_directly, with_sure
from realign.curate.judges.extractive import sentences_of_text
from realign.curate.judges.grounding import answerable
from realign.quality.citations import read_answer
from realign.records import Passage, Prompt

MARKED = re.compile(r"(?:passage|context|text|excerpt|document|source)\s*:\s*", re.IGNORECASE)
NOT_TOLD = 0.3  # the most that the rest of a context may answer of a question that it does not answer
SHORT = 12  # words of an answer that is a fact and not an answer in its own words


@dataclass(frozen=True, slots=True)
class Given:
    """A row with its passage. right is "" for a question that the row says has no answer there; wrong may be "" too."""

    context: str
    question: str
    right: str
    wrong: str
    here: Sentence


def prompts_of(prompt: Prompt, passage: Passage) -> list[Prompt] | str:
    """The prompts that a row gives, each with the row's answers; or why its claims can't be checked."""
    if not context_of(prompt, passage):
        return "no passage in the row to check its claims against"
    if prompt.turns:
        return [prompt] if prompt.answers else "no answer in the row"
    made = [
        replace(
            item.prompt(passage, AUTHOR), answers=prompt.answers, ranked=prompt.ranked, tools=prompt.tools,
            line=prompt.line,
        )
        for item in items_of(prompt, passage)
    ]  # fmt: skip
    return made or "its passage does not hold the answer"


def items_of(prompt: Prompt, passage: Passage) -> list[Item]:
    """The items of a row, in order; the same ones from its own prompt and from each of theirs."""
    right, wrong = (*prompt.answers, "", "")[:2]
    here = Sentence("", prompt.start, prompt.end, passage.id, prompt.start)
    row = Given(context_of(prompt, passage), question_of(prompt.text), right, wrong, here)
    if not row.context:
        return []
    if not right:
        return [_impossible(row)]
    if len(right.split()) > SHORT or read_answer(right).quotes or read_answer(right).refuses or prompt.turns:
        return [_as_it_is(row)]
    return [item for item in (_answered(row), _withheld(row)) if item]


def context_of(prompt: Prompt, passage: Passage) -> str:
    """The passage of a row on one line: what the row calls its context, or what its prompt marks as one; or ""."""
    if passage.role != "given":
        return " ".join(passage.text.split())
    return " ".join((passage_of(prompt.text) or _marked(prompt.text)).split())


def _marked(prompt: str) -> str:
    """The longest paragraph that a word such as "Context:" marks as the passage; "" without one."""
    parts = [part for part in prompt.split("\n\n") if MARKED.match(part)]
    return MARKED.sub("", max(parts, key=len), count=1).strip() if parts else ""


def _answered(row: Given) -> Item | None:
    """The short answer with the sentence that holds it; rejected: the row's own wrong answer, and a refusal."""
    key, sentence = row.question, _holder(row)
    if not sentence or any(mark in sentence for mark in '“”"'):
        return None
    wrong = (
        [("given as rejected", with_sure(grounded(row.wrong, sentence, key), key))]
        if row.wrong
        else list(_misplaced(row, sentence))
    )
    return Item(
        "fact", row.question, row.context, row.here, row.right,
        (("grounded", with_sure(grounded(row.right, sentence, key), key)),),
        (*wrong, ("over-refusal", refused_directly(key))), evidence=("read",),
    )  # fmt: skip


def _misplaced(row: Given, sentence: str) -> Iterator[Made]:
    """The right answer with a sentence that does not hold it."""
    others = [s for s in sentences_of_text(row.context) if s != sentence and row.right.lower() not in s.lower()]
    for other in [s for s in others if not any(mark in s for mark in '“”"')][:1]:
        yield "elsewhere", with_sure(grounded(row.right, other, row.question), row.question)


def _withheld(row: Given) -> Item | None:
    """The question under the passage without every sentence that holds the answer."""
    rest = [s for s in sentences_of_text(row.context) if row.right.lower() not in s.lower()]
    shown, sentence = " ".join(rest), _holder(row)
    if not sentence or len(rest) < 2 or answerable(row.question, shown) > NOT_TOLD:
        return None
    key = row.question
    invented = [("invented", grounded(text, sentence, key)) for text in (row.right, row.wrong) if text]
    return Item(
        "withheld", key, shown, row.here, "", (("refusal", refused_directly(key)),), tuple(invented)
    )  # fmt: skip


def _impossible(row: Given) -> Item:
    """A question that the row says its passage does not answer."""
    first = next(iter(sentences_of_text(row.context)), row.context)
    key = row.question
    invented: Sequence[Made] = (("invented", grounded("", first, key)),)
    return Item("withheld", key, row.context, row.here, "", (("refusal", refused_directly(key)),), tuple(invented))


def _as_it_is(row: Given) -> Item:
    """A whole answer of the row's own, to be judged as it stands."""
    refuses = read_answer(row.right).refuses
    first = next(iter(sentences_of_text(row.context)), row.context)
    other = (
        ("invented", grounded("", first, row.question)) if refuses else ("over-refusal", refused_directly(row.question))
    )
    wrong: list[Made] = [("given as rejected", row.wrong)] if row.wrong else []
    return Item("fact", row.question, row.context, row.here, "", (("given", row.right),), (*wrong, other))


def _holder(row: Given) -> str:
    """The sentence of the context that holds the answer and most of the question; "" where none holds it."""
    asked = {stem(word) for word in content_words(row.question)}
    holding = [s for s in sentences_of_text(row.context) if re.search(rf"(?<!\w){re.escape(row.right)}(?!\w)", s)]
    return max(holding, key=lambda s: len(asked & {stem(word) for word in content_words(s)}), default="")
