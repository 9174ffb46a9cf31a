"""A model as author: questions about passages, and several sampled answers to each question.

    prompts, dropped = write_prompts(engine, document, passages, quota=6, seed=0)
    completions, dropped = write_completions(engine, [(prompt, passage), ...], settings.candidates)

Document text goes in between fences and as data. Questions come back as JSON, read by the ladder of engine/answers.py;
what could not be used is dropped with its reason and the raw answer. Works with any engine that can generate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from realign.engine import Engine, Request
from realign.engine.answers import KEPT, Reading, Unreadable, ask_json
from realign.engine.prompts import fence, load_template
from realign.records import Completion, Document, Dropped, Passage, Prompt, make_id
from realign.settings import Candidates

ASK_TEMPERATURE = 0.3
ASK_BATCH = 32
TOKENS_A_QUESTION = 60  # max_tokens of a list: room for its questions and the JSON around them


def write_prompts(
    engine: Engine, document: Document, passages: Sequence[Passage], quota: int, seed: int, template: str = "questions"
) -> tuple[list[Prompt], list[Dropped]]:
    """At most `quota` questions about each passage, in the passages' order. A prompt's span is its whole passage."""
    requests = [_question_request(document, passage, quota, seed, template) for passage in passages]
    prompts: list[Prompt] = []
    dropped: list[Dropped] = []
    for passage, reading in zip(passages, ask_json(engine, requests, read_questions, ASK_BATCH), strict=True):
        if reading.value is None:
            dropped.append(Dropped(passage.id, "passage", "author", reading.reason, reading.raw))
        else:
            _keep_questions(engine, passage, reading, quota, load_template(template).tag, prompts, dropped)
    return prompts, dropped


def _question_request(document: Document, passage: Passage, quota: int, seed: int, template: str) -> Request:
    text = load_template(template).fill(
        title=_one_line(document.title or document.name),
        section=_one_line(" > ".join(passage.headings)),
        passage=fence(passage.text),
        count=quota,
    )
    return Request(text, _seed(template, passage.id, seed), 64 + TOKENS_A_QUESTION * quota, ASK_TEMPERATURE)


def _one_line(text: str) -> str:
    """A heading is document text too: quoted, marked like the passage, and short."""
    return fence(" ".join(text.split())[:200], "TITLE").split("\n")[1] if text.strip() else "(none)"


def read_questions(value: Any) -> list[str]:
    """The questions of {"questions": [...]}. An empty list is an answer too. Raises Unreadable for another shape."""
    questions = value.get("questions") if isinstance(value, dict) else None
    if not isinstance(questions, list) or not all(isinstance(question, str) for question in questions):
        raise Unreadable('JSON without a list of texts under "questions"')
    return [" ".join(question.split()) for question in questions]


def _keep_questions(
    engine: Engine, passage: Passage, reading: Reading[list[str]], quota: int, tag: str,
    prompts: list[Prompt], dropped: list[Dropped],
) -> None:  # fmt: skip
    template = tag + (".repaired" if reading.how == "repaired" else "")
    seen: set[str] = set()
    if not reading.value:
        dropped.append(Dropped(passage.id, "passage", "author", "the model found nothing to ask"))
    for text in reading.value or []:
        prompt = Prompt(
            id=make_id("prompt", passage.id, text), parent=passage.id, text=text, template=template,
            focus=passage.headings[-1] if passage.headings else "", start=passage.start, end=passage.end,
            author=engine.name,
        )  # fmt: skip
        reason = _fault(text, seen, quota)
        if reason:
            dropped.append(Dropped(prompt.id, "prompt", "author", reason, text[:KEPT]))
        else:
            seen.add(text.casefold())
            prompts.append(prompt)


def _fault(text: str, seen: set[str], quota: int) -> str:
    if not text:
        return "empty question"
    if text.casefold() in seen:
        return "the same question twice"
    return "more questions than asked for" if len(seen) >= quota else ""


def write_completions(
    engine: Engine, asked: Sequence[tuple[Prompt, Passage]], settings: Candidates,
    ask: Callable[[Prompt, Passage], str] | None = None, method: str = "sample",
) -> tuple[list[Completion], list[Dropped]]:  # fmt: skip
    """settings.per_prompt sampled answers to each prompt, in order, each with its own seed.

    ask gives what the model is asked for a prompt; None is the template "answer". Empty answers, answers cut off at
    max_tokens and exact repetitions of a prompt's earlier answer are dropped.
    """
    ask = ask or _answer_prompt
    key = "answer" if method == "sample" else method
    seeds = [[_seed(key, p.id, settings.seed, n) for n in range(settings.per_prompt)] for p, _ in asked]
    requests = [
        Request(ask(prompt, passage), seed, settings.max_tokens, settings.temperature)
        for (prompt, passage), mine in zip(asked, seeds, strict=True)
        for seed in mine
    ]
    answers = iter(engine.generate(requests, settings.batch_size))
    completions: list[Completion] = []
    dropped: list[Dropped] = []
    for (prompt, _), mine in zip(asked, seeds, strict=True):
        seen: set[str] = set()
        for seed, answer in zip(mine, answers, strict=False):
            name = make_id("completion", prompt.id, seed, answer.text)
            reason = _flaw(answer.text, answer.finish, seen)
            if reason:
                dropped.append(Dropped(name, "completion", "author", reason, answer.text[:KEPT]))
            else:
                seen.add(answer.text)
                completions.append(Completion(name, prompt.id, answer.text, engine.name, method, seed))
    return completions, dropped


def _answer_prompt(prompt: Prompt, passage: Passage) -> str:
    return load_template("answer").fill(passage=fence(passage.shown), question=fence(prompt.asked, "QUESTION"))


def _flaw(text: str, finish: str, seen: set[str]) -> str:
    if finish == "too long":
        return "prompt longer than the model's context"
    if finish == "length":
        return "cut off at max_tokens"
    if not text:
        return "empty answer"
    return "the same answer twice" if text in seen else ""


def _seed(*parts: object) -> int:
    """31 bits, because some servers read no more."""
    return int(make_id(*parts), 16) & 0x7FFFFFFF
