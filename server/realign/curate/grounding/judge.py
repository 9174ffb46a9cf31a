"""Stage 3 of anti-hallucination data: every claim of every answer against the span it cites.

The embedded judge computes (curate/judges/grounding.py), a model rates by its digits or as JSON (model.py). It sees the
prompt and the answer as texts and nothing of how they were made. Citations are found in the shown passage and then in
the document, so that each has its place; one that is in neither supports nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from realign.curate.authors import author_identity
from realign.curate.authors.rules import passage_of, question_of
from realign.curate.judges import grounding
from realign.quality.citations import REFUSES, Said, Spoken, find_quote, read_answer
from realign.records import Completion, Document, Dropped, Grounding, Passage, Prompt, make_id
from realign.run import Batch, Run
from realign.settings import Settings
from realign.work import Work

PROMPTS_A_BATCH, PROMPTS_AT_LEAST = 64, 8
SHORT = 6  # words up to which a claim that the citation holds word for word is an answer and not a quotation
PARTS = re.compile(r"(?<=\?) (?:And|Also,|In addition,) ")  # two questions in one
Support = Callable[[Sequence["Cited"]], list[float | None]]


@dataclass(frozen=True, slots=True)
class Cited:
    """One claim as a judge sees it. cited: what it cites, "" where a citation was not found in the shown passage."""

    question: str
    said: Said
    cited: str
    shown: str
    alone: bool


def inputs(run: Run, settings: Settings) -> str:
    """The judge's identity."""
    return author_identity(settings.judge.judge)


def judge_claims(work: Work) -> Iterator[Batch]:
    """Read and judge every completion, a fixed batch of prompts at a time."""
    run, seen = work.run, work.run.done(work.stage)
    documents = {document.id: document for document in run.records("document")}
    passages = {passage.id: passage for passage in run.records("passage")}
    answers: dict[str, list[Completion]] = {}
    for completion in run.records("completion"):
        answers.setdefault(completion.parent, []).append(completion)
    prompts = [prompt for prompt in run.records("prompt") if prompt.id in answers]
    pending = [prompt for prompt in prompts if prompt.id not in seen]

    def prepare() -> Callable[[Sequence[Prompt]], Batch]:
        name, judge = _judge(work)
        return lambda some: _judged(some, answers, passages, documents, name, judge)

    yield from work.each(pending, PROMPTS_A_BATCH, PROMPTS_AT_LEAST, prepare, "judging claims", len(prompts))


def _judge(work: Work) -> tuple[str, Support]:
    name = work.settings.judge.judge
    if name == "extractive":
        return name, embedded
    from realign.curate.grounding import model

    return model.open_judging(work)


def _judged(
    some: Sequence[Prompt], answers: dict[str, list[Completion]], passages: dict[str, Passage],
    documents: dict[str, Document], name: str, judge: Support,
) -> Batch:  # fmt: skip
    """A batch of groundings; a prompt none of whose answers claims anything, or could be judged, is dropped."""
    asked = [(prompt, completion, case) for prompt in some for completion in answers[prompt.id]
             for case in cases_of(prompt.text, completion.text)]  # fmt: skip
    supports = judge([case for _, _, case in asked])
    found: list[Grounding] = []
    drops: list[Dropped] = []
    for place, ((prompt, completion, case), support) in enumerate(zip(asked, supports, strict=True)):
        passage = passages[prompt.parent]
        if support is None:
            reason = "a claim that the judge could not rate"
            drops.append(Dropped(make_id(completion.id, place), "claim", "judge", reason, case.said.text))
        else:
            found += _groundings(prompt, completion, case, support, name, place, passage, documents[passage.parent])
    judged = {grounding.parent for grounding in found}
    drops += [Dropped(p.id, "prompt", "judge", "no claim could be judged") for p in some if p.id not in judged]
    return Batch([prompt.id for prompt in some], list(found), drops)


def _groundings(
    prompt: Prompt, completion: Completion, case: Cited, support: float, judge: str, place: int,
    passage: Passage, document: Document,
) -> Iterator[Grounding]:  # fmt: skip
    """One grounding for each citation of a claim, or one without a span where it cites nothing."""
    spoken = read_answer(completion.text)
    for cite in case.said.cites or (-1,):
        start, end = place_of(spoken.quotes[cite], passage, document) if cite >= 0 else (0, 0)
        yield Grounding(
            make_id("grounding", completion.id, judge, place, cite), prompt.id, completion.id, judge, case.said.text,
            start, end, round(support, 4), spoken.confidence,
        )  # fmt: skip


def place_of(quote: str, passage: Passage, document: Document) -> tuple[int, int]:
    """The span of a quotation in the document, inside its passage; (0, 0) where it does not stand there.

    A given passage is a line of JSON: there the quotation is also looked for as JSON writes it.
    """
    import json

    text = document.text[passage.start : passage.end]
    forms = (quote, json.dumps(quote)[1:-1], json.dumps(quote, ensure_ascii=False)[1:-1])
    for form in forms if passage.role == "given" else (quote,):
        if found := find_quote(form, text):
            return passage.start + found[0], passage.start + found[1]
    return 0, 0


# -- cases ----------------------------------------------------------------------------------------------------------


def cases_of(prompt: str, answer: str) -> list[Cited]:
    """The claims of an answer as a judge sees them."""
    question, shown, spoken = question_of(prompt), passage_of(prompt), read_answer(answer)
    return [Cited(question, said, cited_text(said, spoken, shown), shown, spoken.refuses) for said in spoken.claims]


def cited_text(said: Said, spoken: Spoken, shown: str) -> str:
    """What a claim cites as the shown passage has it: all of it without a citation, "" where one is not there."""
    if not said.cites:
        return shown
    found = [find_quote(spoken.quotes[cite], shown) for cite in said.cites]
    return "\n".join(shown[span[0] : span[1]] for span in found if span) if all(found) else ""


# -- the embedded judge ---------------------------------------------------------------------------------------------


def embedded(cases: Sequence[Cited]) -> list[float | None]:
    """Support of each claim by computation."""
    return [support_of(case) for case in cases]


def support_of(case: Cited) -> float:
    """How far a claim is supported, in 0..1: a refusal by what the passage leaves open, the rest by what it cites."""
    said = case.said
    if said.kind == "refusal":
        return grounding.not_told(_left_open(case), case.shown)
    if said.kind == "denial":
        return grounding.denied(case.question, case.cited)
    if case.alone:
        return grounding.support("", said.text, case.cited, case.shown)
    parts = PARTS.split(case.question)
    if find_quote(said.text, case.cited) and len(said.text.split()) > SHORT:
        return max(grounding.relevance(part, case.cited) for part in parts)
    return max(grounding.support(part, said.text, case.cited, case.shown) for part in parts)


def _left_open(case: Cited) -> str:
    """What a refusal is about: the question, or where the answer gives something first, the refusal's own words."""
    if case.alone:
        return case.question
    own = REFUSES.split(case.said.text)[-1] or ""
    return own if len(own.split()) > 2 else case.question
