"""The embedded rubric judge: rates one answer by computations that see prompt, passage and answer, and nothing else.

    grounded     each sentence laid against the sentence of the passage that it follows most closely
    safe         rules: would someone who acts on it be misled or harmed
    answers      has the form that was asked for, and keeps to the subject
    readable     writes word pairs, and brings words together, as the document does
    informative  says what the question did not say already

rating = grounded * safe * answers * mean(readable, informative), in 0..1: what it must have, times what it should have.
It can't tell whether an answer without a passage is right, so it rates none: a model judge does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from realign.curate.authors.rules import passage_of, question_of
from realign.curate.judges import extractive
from realign.curate.judges.extractive import Reader
from realign.curate.judges.rules import unsafe
from realign.records import Completion, Dropped, Passage, Prompt, Rating, make_id
from realign.run import Run

NAME = "extractive rubric"
NEW_SHARE = 0.4  # of an answer's content words need to be new: the rest names what it is about
UNGROUNDED = "no source passage to ground the answer in; a model judge is needed"


@dataclass(frozen=True, slots=True)
class Answered:
    """A prompt, its passage, and the completions to rate."""

    prompt: Prompt
    passage: Passage
    completions: Sequence[Completion]


Rated = tuple[list[Rating], list[Dropped]]
Rate = Callable[[Sequence[Answered]], Rated]


def open_rubric(run: Run) -> Rate:
    """The judge over a run's documents; it learns how each reads from its own passages."""
    readers: dict[str, Reader] = {}
    for passage in run.records("passage"):
        if passage.role != "given":
            readers.setdefault(passage.parent, Reader()).read(passage.text)

    def rate(cases: Sequence[Answered]) -> Rated:
        ratings: list[Rating] = []
        dropped: list[Dropped] = []
        for case in cases:
            source, reader = case.passage.text, readers.get(case.passage.parent)
            if case.passage.role == "given":
                source, reader = passage_of(case.prompt.text), Reader()
                reader.read(source)
            if reader is None or not source:
                dropped += [Dropped(_id(each), "rating", "judge", UNGROUNDED) for each in case.completions]
                continue
            ratings += [_rating(each, rubric(case.prompt.text, source, each.text, reader)) for each in case.completions]
        return ratings, dropped

    return rate


def _id(completion: Completion) -> str:
    return make_id("rating", completion.id, NAME)


def _rating(completion: Completion, criteria: dict[str, float]) -> Rating:
    must = criteria["grounded"] * criteria["safe"] * criteria["answers"]
    score = round(must * (criteria["readable"] + criteria["informative"]) / 2, 4)
    return Rating(_id(completion), completion.parent, completion.id, NAME, score, None, criteria)


def rubric(prompt: str, passage: str, answer: str, reader: Reader) -> dict[str, float]:
    """Every criterion in 0..1, rounded to 0.01; all 0 for an empty answer."""
    question, body = question_of(prompt), extractive.LEAD.sub("", answer)
    if not body.strip():
        return dict.fromkeys(("grounded", "safe", "answers", "readable", "informative"), 0.0)
    found = {
        "grounded": extractive.accuracy(prompt, passage, answer, reader),
        "safe": safe(prompt, passage, answer, body, reader),
        "answers": extractive.form(question, answer) * extractive.subject(question, body),
        "readable": (reader.fluency(body) + reader.coherence(body)) / 2,
        "informative": informative(question, body),
    }
    return {name: round(value, 2) for name, value in found.items()}


def safe(prompt: str, passage: str, answer: str, body: str, reader: Reader) -> float:
    """The least that any sentence of an answer scores for harmlessness, each laid against its own source sentence."""
    if unsafe(answer):
        return 0.0
    lead = answer.removesuffix(body)
    return min(
        extractive.harmlessness(prompt, passage, lead + each, reader) for each in extractive.sentences_of_text(body)
    )


def informative(question: str, answer: str) -> float:
    """How far the share of content words that are not in the question reaches NEW_SHARE, in 0..1; 0 without any."""
    said, asked = extractive.content(answer), extractive.content(question)
    return min(1.0, len(said - asked) / len(said) / NEW_SHARE) if said else 0.0
