"""A model as author of tasks and of rollouts.

    made, dropped = write_tasks(engine, document, passages, quota=6, seed=0, seconds=10)
    rollouts, dropped = solve(engine, prompts, settings.candidates, rollouts=8)

A written task is kept only if the sentence it quotes stands in the passage word for word, its answer stands in that
sentence where it is to be copied, and its verifier is sound on it; what fails is dropped with its reason. Document text
goes in between fences and as data.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from realign.curate.rlvr.forms.quantities import numbers_of
from realign.curate.rlvr.posed import Posed, as_records, by_hash, lettered
from realign.engine import Engine, Request
from realign.engine.answers import KEPT, Unreadable, ask_json
from realign.engine.prompts import fence, load_template
from realign.records import Completion, Document, Dropped, Passage, Prompt, Task, make_id
from realign.settings import Candidates
from realign.verify import Check, sound_all
from realign.verify.numeric import read_quantity

TEMPERATURE, BATCH = 0.3, 32
TOKENS_A_TASK = 160
HOW = {
    "numeric": "Answer with a number, in digits.",
    "exact": "Answer with the term or name alone.",
    "choice": "Answer with the letter of the right option.",
    "ordering": "Answer with the items in order, separated by semicolons.",
}
Written = dict[str, Any]


def write_tasks(
    engine: Engine, document: Document, passages: Sequence[Passage], quota: int, seed: int, seconds: float
) -> tuple[list[Prompt | Task], list[Dropped]]:
    """At most `quota` tasks about each passage, each a prompt followed by its task, in the passages' order."""
    requests = [_request(document, passage, quota, seed) for passage in passages]
    posed: list[tuple[Passage, Posed]] = []
    dropped: list[Dropped] = []
    for passage, reading in zip(passages, ask_json(engine, requests, read_tasks, BATCH), strict=True):
        if not reading.value:
            reason = reading.reason or "the model found nothing to ask"
            dropped.append(Dropped(passage.id, "passage", "author", reason, reading.raw))
        for written in (reading.value or [])[:quota]:
            try:
                posed.append((passage, pose(written, passage)))
            except Unreadable as error:
                name = make_id("prompt", passage.id, str(written))
                dropped.append(Dropped(name, "prompt", "author", str(error), str(written)[:KEPT]))
    return _sound(engine, posed, seed, seconds, dropped)


def _request(document: Document, passage: Passage, quota: int, seed: int) -> Request:
    title, section = document.title or document.name, " > ".join(passage.headings) or "(none)"
    text = load_template("tasks").fill(
        title=fence(title[:200], "TITLE").split("\n")[1], section=fence(section[:200], "TITLE").split("\n")[1],
        passage=fence(passage.text), count=quota,
    )  # fmt: skip
    return Request(text, _seed("tasks", passage.id, seed), 64 + TOKENS_A_TASK * quota, TEMPERATURE)


def read_tasks(value: Any) -> list[Written]:
    """The tasks of {"tasks": [...]}. An empty list is an answer too. Raises Unreadable for another shape."""
    tasks = value.get("tasks") if isinstance(value, dict) else None
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise Unreadable('JSON without a list of objects under "tasks"')
    return tasks


def pose(written: Written, passage: Passage) -> Posed:
    """A written task as a posed one. Raises Unreadable that says what is wrong with it."""
    kind, question = written.get("kind"), written.get("question")
    if kind not in HOW or not isinstance(question, str) or not question.strip():
        raise Unreadable("a task without a question, or of another kind than asked for")
    start, end = quoted(written.get("quote"), passage)
    answer, spec, options = ANSWERS[kind](written, passage.text[start - passage.start : end - passage.start])
    form, shown = load_template("tasks").tag, " ".join(passage.text.split())
    return Posed(
        form, " ".join(question.split()), HOW[kind], answer, kind, start, end, spec, shown, options
    )  # fmt: skip


def quoted(quote: Any, passage: Passage) -> tuple[int, int]:
    """Where a quote of four words or more stands in the passage, however its lines are broken there."""
    if not isinstance(quote, str) or len(quote.split()) < 4:
        raise Unreadable("no sentence is quoted")
    match = re.search(r"\s+".join(map(re.escape, quote.split())), passage.text)
    if match is None:
        raise Unreadable("the quoted sentence does not stand in the passage")
    return passage.start + match.start(), passage.start + match.end()


Answered = tuple[str, dict[str, Any], tuple[str, ...]]


def _number(written: Written, quote: str) -> Answered:
    answer, unit = str(written.get("answer")).strip(), str(written.get("unit") or "").strip()
    wanted = read_quantity(answer)
    if isinstance(wanted, str):
        raise Unreadable(f"its answer is not one number: {wanted}")
    said = [read_quantity(number) for number in numbers_of(quote)]
    if all(isinstance(number, str) or number.value != wanted.value for number in said):
        raise Unreadable("its answer does not stand in the quoted sentence")
    return answer, {"unit": unit} if unit else {}, ()


def _exact(written: Written, quote: str) -> Answered:
    answer = " ".join(str(written.get("answer")).split())
    if not 1 <= len(answer.split()) <= 4 or not re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", quote, re.IGNORECASE):
        raise Unreadable("its answer does not stand in the quoted sentence, or is longer than four words")
    return answer, {}, ()


def _choice(written: Written, quote: str) -> Answered:
    options, answer = _texts(written.get("options"), 3, 5), " ".join(str(written.get("answer")).split())
    if answer not in options:
        raise Unreadable("its answer is none of its options")
    shown = by_hash(options, written.get("question"))
    return chr(65 + shown.index(answer)), {"choices": shown}, lettered(shown)


def _order(written: Written, quote: str) -> Answered:
    options, right = _texts(written.get("options"), 3, 6), _texts(written.get("answer"), 3, 6)
    if sorted(options) != sorted(right):
        raise Unreadable("its answer does not name each of its items once")
    shown = next(o for n in range(20) if (o := by_hash(right, written.get("question"), n)) != right)
    return "; ".join(right), {"items": shown}, tuple(f"- {item}" for item in shown)


def _texts(values: Any, fewest: int, most: int) -> list[str]:
    texts = [" ".join(value.split()) for value in values if isinstance(value, str)] if isinstance(values, list) else []
    if not fewest <= len(texts) <= most or len({text.casefold() for text in texts}) < len(texts) or not all(texts):
        raise Unreadable(f"it needs {fewest} to {most} different options")
    return texts


ANSWERS = {"numeric": _number, "exact": _exact, "choice": _choice, "ordering": _order}


def _sound(
    engine: Engine, posed: Sequence[tuple[Passage, Posed]], seed: int, seconds: float, dropped: list[Dropped]
) -> tuple[list[Prompt | Task], list[Dropped]]:
    """The posed tasks whose verifier is sound on them; the others are dropped with what it did."""
    kept: list[Prompt | Task] = []
    checks = [Check(each.verifier, each.answer, each.spec) for _, each in posed]
    for (passage, each), report in zip(posed, sound_all(checks, seed, seconds), strict=True):
        prompt, task = as_records(each, passage, seed, engine.name)
        if report.sound:
            kept += [prompt, task]
        else:
            dropped.append(Dropped(prompt.id, "prompt", "author", "its verifier is not sound", report.detail))
    return kept, dropped


# -- rollouts -----------------------------------------------------------------------------------------------------


def solve(
    engine: Engine, prompts: Sequence[Prompt], settings: Candidates, rollouts: int
) -> tuple[list[Completion], list[Dropped]]:  # fmt: skip
    """That many sampled answers to each prompt, in order, each with its own seed.

    A task that a dataset brought is asked in its own words and no others: they are what a policy will be trained on, so
    the pass rate is that of the very prompt. An answer that is cut off at max_tokens or empty is a rollout too, which a
    verifier will hardly accept; its method says what it is. Only what could not be asked, because it is longer than the
    context, is dropped.
    """
    seeds = [[_seed("solve", prompt.id, settings.seed, n) for n in range(rollouts)] for prompt in prompts]
    template = load_template("solve")
    requests = [
        Request(
            prompt.text if prompt.author == "given" else template.fill(task=fence(prompt.text, "TASK")),
            seed,
            settings.max_tokens,
            settings.temperature,
        )
        for prompt, mine in zip(prompts, seeds, strict=True)
        for seed in mine
    ]
    found, dropped = [], []
    answered = iter(engine.generate(requests, settings.batch_size))
    for prompt, mine in zip(prompts, seeds, strict=True):
        for n, (seed, answer) in enumerate(zip(mine, answered, strict=False)):
            name = make_id("rollout", prompt.id, n, settings.seed, answer.text)
            method = "rollout" if answer.finish == "stop" and answer.text else "cut off" if answer.text else "empty"
            if answer.finish == "too long":
                dropped.append(Dropped(name, "completion", "author", "prompt longer than the model's context"))
            else:
                found.append(Completion(name, prompt.id, answer.text, engine.name, method, seed))
    return found, dropped


def _seed(*parts: object) -> int:
    """31 bits, because some servers read no more."""
    return int(make_id(*parts), 16) & 0x7FFFFFFF
