"""Rows of datasets in the forms that ReAlign itself writes, whatever form they came in: a pair, a conversation, a task.

    as_pair(row)    {"prompt", "chosen", "rejected"}        prompt: a text, or all messages before the answer
    as_chat(row)    {"messages"}                            ends with the answer that is taught
    as_task(row)    {"prompt", "answer", "verifier"}        "completion" too, where the row brings a solution

Each raises FieldError, with the field, for a row that is no such thing. kept(row) is what stands beside the texts.
"""

from __future__ import annotations

import json
from typing import Any

from realign.sources.chat import FieldError
from realign.sources.shapes import ASKING, Answer, Given, asked, asked_of, read_given

Row = dict[str, Any]
KEPT = ("id", "scores", "provenance", "split")  # what ReAlign writes beside the texts


def as_pair(row: Row) -> Row:
    """A preference pair. Of several answers that the dataset scored, the best and the worst."""
    given = read_given(row)
    chosen, rejected = _ranked(given)
    return {"prompt": _asked(given), "chosen": chosen.text, "rejected": rejected.text, **_tools(given)}


def _ranked(given: Given) -> tuple[Answer, Answer]:
    if given.ranked:
        return given.answers[0], given.answers[1]
    scored = [answer for answer in given.answers if answer.score is not None]
    if not scored:
        raise FieldError("chosen", f"missing: the form is {given.shape!r}, expected chosen and rejected")
    best, worst = (end(scored, key=lambda answer: answer.score or 0.0) for end in (max, min))
    if best.score == worst.score:
        raise FieldError("completions", "no two answers with different scores, expected a better and a worse one")
    return best, worst


def as_chat(row: Row) -> Row:
    """A conversation that ends with the answer it teaches; of a pair about a context, the right answer."""
    given = read_given(row)
    if (given.ranked and not given.context) or not given.prompt:
        raise FieldError("messages", f"missing: the form is {given.shape!r}, expected a prompt and one answer")
    if not given.answers:
        raise FieldError("messages", "no answer after the last question")
    before = list(given.turns) or [{"role": "user", "content": asked_of(given)}]
    return {"messages": [*before, {"role": "assistant", "content": given.answers[0].text}], **_tools(given)}


def as_task(row: Row) -> Row:
    """A prompt, the answer, and how a program checks answers against it; GSM8K's solution too, as the completion."""
    from realign.sources.tasks import read_task, worked

    text, check = read_task(row)
    name = next((name for name in ASKING if name in row), "prompt")
    turns = list(asked(row).turns) if isinstance(row.get(name), list) else []
    solution = {"completion": worked(row)} if "question" in row and "####" in str(row.get("answer")) else {}
    verifier = {"name": check.verifier, **check.spec}
    return {"prompt": turns or text, "answer": check.answer, "verifier": verifier, **solution}


def _asked(given: Given) -> Any:
    return list(given.turns) or asked_of(given)


def _tools(given: Given) -> Row:
    return {"tools": list(given.tools)} if given.tools else {}


def kept(row: Row) -> Row:
    """What ReAlign writes beside the texts. Judges' scores, where there are any, must be two pairs of 0..1 each."""
    scores = row.get("scores")
    if scores is not None and not isinstance(scores, dict):
        raise FieldError("scores", f"{type(scores).__name__}, expected an object")
    judges = (scores or {}).get("judges") or {}
    if not isinstance(judges, dict):
        raise FieldError("scores.judges", f"{type(judges).__name__}, expected an object")
    for judge, both in judges.items():
        for order in ("straight", "swapped"):
            pair = both.get(order) if isinstance(both, dict) else None
            if not (isinstance(pair, list) and len(pair) == 2 and all(_is_score(value) for value in pair)):
                raise FieldError(f"scores.judges.{judge}.{order}", f"{json.dumps(pair)}, expected two numbers in 0..1")
    if not isinstance(row.get("provenance") or {}, dict):
        raise FieldError("provenance", f"{type(row['provenance']).__name__}, expected an object")
    return {name: row[name] for name in KEPT if row.get(name) is not None}


def _is_score(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0.0 <= value <= 1.0
