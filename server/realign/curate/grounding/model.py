"""A model as author and judge of grounded answers, in process or behind an endpoint.

It asks what a passage answers and what it does not, answers with quotations and stated confidence, writes unfounded
answers to be rejected, and rates each claim against what it cites: by the probabilities of its digits, or as JSON
where an endpoint gives none. What it can't ask, write or rate is dropped with the reason and the raw answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from realign.curate.authors import model as author
from realign.curate.authors.extractive.wording import one_of
from realign.curate.authors.rules import PASSAGE_FORMS, question_of
from realign.curate.grounding.judge import Cited, Support
from realign.curate.judges.grounding import answerable
from realign.curate.judges.model import JSON_TOKENS, LEAD, unit_score
from realign.engine import Engine, Question, Request, open_engine
from realign.engine.answers import Unreadable, ask_json
from realign.engine.prompts import fence, load_template
from realign.records import Completion, Document, Dropped, Passage, Prompt, make_id
from realign.settings import Candidates, Source
from realign.work import Work

ANSWERED, OPEN = "questions", "questions_open"  # templates
READABLE = ("prose", "glossary", "list")
TOLD = 0.9  # a question of which the passage holds this much is none that it does not answer


def _engine(work: Work, spec: str) -> Engine:
    engine = open_engine(spec, sharded=work.settings.hardware.sharded)
    work.run.note("engine", list(engine.notes))
    return engine


# -- author ---------------------------------------------------------------------------------------------------------


Asking = Callable[[Document, Sequence[Passage]], tuple[list[Prompt], list[Dropped]]]
Answering = Callable[[Sequence[tuple[Prompt, Passage]]], tuple[list[Completion], list[Dropped]]]


def open_asking(work: Work) -> Asking:
    """Who asks, by the model that the settings name."""
    return asking(_engine(work, work.settings.source.author), work.settings.source)


def asking(engine: Engine, settings: Source) -> Asking:
    """(document, passages) -> (prompts that show their passage, drops): half answered by it, half not."""
    quota = settings.prompts_per_passage
    quotas = {ANSWERED: -(-quota // 2), OPEN: quota // 2}

    def write(document: Document, some: Sequence[Passage]) -> tuple[list[Prompt], list[Dropped]]:
        readable = [passage for passage in some if passage.role in READABLE]
        texts = {passage.id: " ".join(passage.text.split()) for passage in readable}
        found: list[Prompt] = []
        drops: list[Dropped] = []
        for template, count in quotas.items():
            asked = readable if count else []
            prompts, lost = author.write_prompts(engine, document, asked, count, settings.seed, template)
            found += [_showing(prompt, texts[prompt.parent]) for prompt in prompts]
            drops += [drop for drop in lost if drop.kind == "prompt"]
        told = [p for p in found if p.template.startswith(OPEN) and _told(p, texts[p.parent])]
        drops += [Dropped(p.id, "prompt", "clarity", "the passage seems to answer it", p.text[-200:]) for p in told]
        return [prompt for prompt in found if prompt not in told], drops

    return write


def _showing(prompt: Prompt, shown: str) -> Prompt:
    """The prompt with its passage; its focus, which is no answer, is left empty."""
    text = one_of(PASSAGE_FORMS, prompt.text, shown).format(passage=shown, question=prompt.text)
    return replace(prompt, id=make_id("prompt", prompt.parent, text), text=text, focus="")


def _told(prompt: Prompt, shown: str) -> bool:
    return answerable(question_of(prompt.text), shown) > TOLD


def open_answering(work: Work) -> Answering:
    """Who answers, by the model that the settings name."""
    return answering(_engine(work, work.settings.candidates.author), work.settings.candidates)


def answering(engine: Engine, settings: Candidates) -> Answering:
    """Prompts -> (completions, drops): per_prompt - 1 sampled answers, and one unfounded one to be rejected."""
    grounded, unfounded = (settings.model_copy(update={"per_prompt": count}) for count in (settings.per_prompt - 1, 1))

    def write(some: Sequence[tuple[Prompt, Passage]]) -> tuple[list[Completion], list[Dropped]]:
        good, lost = author.write_completions(engine, some, grounded, _asking("answer_cited"))
        bad, more = author.write_completions(engine, some, unfounded, _asking("answer_unfounded"), "invented")
        return good + bad, lost + more

    return write


def _asking(template: str) -> Callable[[Prompt, Passage], str]:
    return lambda prompt, passage: load_template(template).fill(question=fence(prompt.asked, "PASSAGE AND QUESTION"))


# -- judge ----------------------------------------------------------------------------------------------------------


def open_judging(work: Work) -> tuple[str, Support]:
    """(the judge's name, cases -> the support of each in 0..1, or None where it could not be rated)."""
    settings = work.settings.judge
    engine = _engine(work, settings.judge)
    return engine.name, lambda cases: rate_claims(engine, cases, settings.scale, settings.batch_size)


def rate_claims(engine: Engine, cases: Sequence[Cited], scale: int, batch_size: int) -> list[float | None]:
    """The support of each claim; one whose citation is not in the passage has none, and the model is not asked."""
    asked = [place for place, case in enumerate(cases) if case.cited]
    found: list[float | None] = [0.0 for _ in cases]
    if engine.rate is not None:
        questions = [Question(_shared(cases[n]), (_ask(cases[n], "claim_rating", scale),), LEAD, scale) for n in asked]
        ratings = engine.rate(questions, batch_size)
        values = [unit_score(rating[0].expected, scale) if rating else None for rating in ratings]
    else:
        requests = [
            Request(f"{_shared(cases[n])}\n\n{_ask(cases[n], 'claim_json', scale)}", max_tokens=JSON_TOKENS)
            for n in asked
        ]
        values = [reading.value for reading in ask_json(engine, requests, rating_reader(scale), batch_size)]
    for place, value in zip(asked, values, strict=True):
        found[place] = value
    return found


def _shared(case: Cited) -> str:
    return load_template("claim_shared").fill(
        passage=fence(case.shown, "SOURCE"), question=fence(case.question, "QUESTION"),
        cited=fence(case.cited, "CITED") if case.said.cites else "(nothing)", claim=fence(case.said.text, "CLAIM"),
    )  # fmt: skip


def _ask(case: Cited, template: str, scale: int) -> str:
    asked = load_template("claim_untold" if case.said.kind == "refusal" else "claim_supported").text
    return load_template(template).fill(asked=asked, scale=scale)


def rating_reader(scale: int) -> Callable[[Any], float]:
    """Reads {"rating": n} as a score of 0..1; raises Unreadable for a missing or impossible rating."""

    def read(value: Any) -> float:
        rating = value.get("rating") if isinstance(value, dict) else None
        if not isinstance(rating, int | float) or isinstance(rating, bool) or not 1 <= rating <= scale:
            raise Unreadable(f'JSON without a rating of 1 to {scale} under "rating"')
        return unit_score(rating, scale)

    return read
