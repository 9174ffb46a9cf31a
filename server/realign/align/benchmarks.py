"""Capability benchmarks from local JSON lines: the same items before and after alignment.

    items = read_benchmark(Path("exam.jsonl"))      {"question", "choices", "answer"} or {"question", "answer"}
    scores = score_items(loaded, items)             one number in 0..1 an item

A choice is right when the model finds its text likelier a token than every other choice's, after the question; ties are
wrong. Any other item is answered greedily, and a verifier decides: the row's own, numeric for GSM8K's `#### 42`, else
exact. Where a verifier can't tell, the answer counts as wrong.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realign.align.data import Asked
from realign.errors import EmptySource, UsageError
from realign.records import make_id

if TYPE_CHECKING:
    from realign.engine.mlx import Loaded

GOLD = "####"  # what stands before the final answer in GSM8K
LETTERS = "ABCDEFGHIJ"
MAX_TOKENS = 256
OTHERS = 3  # wrong choices of an item made from rows


@dataclass(frozen=True, slots=True)
class Item:
    """A question with choices, of which `right` is the place, or with an answer that `verifier` decides on."""

    id: str
    question: Asked | str
    choices: tuple[str, ...] = ()
    right: int = -1
    answer: str = ""
    verifier: str = "exact"
    spec: tuple[tuple[str, Any], ...] = ()


def read_benchmark(path: Path) -> list[Item]:
    """The items of a file. Raises UsageError that names line and field, EmptySource for a file without any."""
    items = []
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} can't be read: {error}", "JSON lines in UTF-8", "check the path") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            items.append(parse_item(json.loads(line), f"{path.stem}:{number}"))
        except (ValueError, KeyError, TypeError) as error:
            wants = '{"question", "choices", "answer"} or {"question", "answer"}'
            raise UsageError(f"{path}, line {number}: {error}", wants, "mend or leave out the line") from None
    if not items:
        raise EmptySource(f"{path} holds no item", "one JSON object a line", "another benchmark file")
    return items


def parse_item(row: Any, name: str) -> Item:
    """One item. Raises ValueError that names the field."""
    if not isinstance(row, dict):
        raise ValueError(f"a {type(row).__name__}, expected an object")
    question = _text(row, "question" if "question" in row else "prompt")
    if "choices" in row:
        choices = row["choices"]
        if not isinstance(choices, list) or len(choices) < 2 or not all(isinstance(c, str) and c for c in choices):
            raise ValueError("field 'choices': expected at least two texts")
        return Item(name, question, tuple(choices), _place(row.get("answer"), choices))
    answer = _text(row, "answer")
    if GOLD in answer:
        return Item(name, question, answer=answer.rpartition(GOLD)[2].strip(), verifier="numeric")
    verifier = row.get("verifier") or {"name": "exact"}
    if not isinstance(verifier, dict) or not isinstance(verifier.get("name"), str):
        raise ValueError("field 'verifier': expected an object with a name")
    spec = tuple((name, value) for name, value in sorted(verifier.items()) if name != "name")
    return Item(name, question, answer=answer, verifier=verifier["name"], spec=spec)


def _text(row: dict[str, Any], field: str) -> str:
    value = row.get(field)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"field {field!r}: {type(value).__name__}, expected text")
    return value.strip()


def _place(answer: Any, choices: Sequence[str]) -> int:
    """The right choice's place, from its number from 0, its letter, or its text."""
    if isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer < len(choices):
        return answer
    if isinstance(answer, str):
        if answer in choices:
            return list(choices).index(answer)
        if len(answer) == 1 and answer.upper() in LETTERS[: len(choices)]:
            return LETTERS.index(answer.upper())
    raise ValueError(f"field 'answer': {answer!r}, expected a place from 0, a letter or one of the choices")


def choices_from(rows: Sequence[tuple[str, Asked | str, str]], seed: int = 0) -> list[Item]:
    """Items from held-out (id, prompt, answer): which answer belongs to the prompt, among those of three other rows.

    The others are those of nearest length, so that length does not tell. Fewer than four rows give nothing.
    """
    if len(rows) <= OTHERS:
        return []
    items = []
    for place, (name, prompt, answer) in enumerate(rows):
        rest = [other for n, (_, _, other) in enumerate(rows) if n != place and other != answer]
        rest = sorted(set(rest), key=lambda other: (abs(len(other) - len(answer)), make_id(seed, name, other)))
        if len(rest) >= OTHERS:
            choices = sorted([answer, *rest[:OTHERS]], key=lambda choice: make_id(seed, name, "place", choice))
            items.append(Item(name, prompt, tuple(choices), choices.index(answer)))
    return items


# -- scoring --------------------------------------------------------------------------------------------------------


def score_items(loaded: Loaded, items: Sequence[Item], batch_size: int = 32) -> list[float]:
    """1.0 for a right answer and 0.0 for a wrong one, in the items' order."""
    scores = [0.0] * len(items)
    chosen = [place for place, item in enumerate(items) if item.choices]
    written = [place for place, item in enumerate(items) if not item.choices]
    for place in chosen:
        scores[place] = float(_chooses_right(loaded, items[place]))
    for place, right in zip(written, _answers_right(loaded, [items[p] for p in written], batch_size), strict=True):
        scores[place] = float(right)
    return scores


def _chooses_right(loaded: Loaded, item: Item) -> bool:
    from realign.align.examples import prompt_tokens
    from realign.engine.scoring import token_logprobs

    prefix = prompt_tokens(loaded, item.question)
    texts = [list(loaded.tokenizer.encode(choice, add_special_tokens=False)) for choice in item.choices]
    means = [float(logprobs.mean()) for logprobs in token_logprobs(loaded.scorer, prefix, texts)]
    best = max(means)
    return means[item.right] == best and means.count(best) == 1


def _answers_right(loaded: Loaded, items: Sequence[Item], batch_size: int) -> list[bool]:
    from realign.align.measure import rightness, sample_answers

    if not items:
        return []
    asked = [item.question for item in items]
    answers = sample_answers(loaded, asked, seed=0, max_tokens=MAX_TOKENS, temperature=0.0, batch_size=batch_size)
    return [right is True for right in rightness([as_task(item) for item in items], answers)]


def as_task(item: Item) -> dict[str, Any]:
    """An item that is answered freely, as a row with a verifier."""
    return {"answer": item.answer, "verifier": {"name": item.verifier, **dict(item.spec)}}
