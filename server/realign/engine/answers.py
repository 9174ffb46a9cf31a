"""A model's answer as JSON, by a ladder: strict, repaired (said so), asked once more, given up with the raw text kept.

    value, how = parse_json_answer('Sure! {"questions": ["Why?",]}')      # how == "repaired"
    answers = ask_json(engine, requests, read, batch_size)                # one Reading a request, in order

Nothing is guessed: a repair only removes what surrounds or ends the JSON wrongly, it never fills in a value.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from realign.engine import Answer, Engine, Request

T = TypeVar("T")
How = Literal["strict", "repaired"]
KEPT = 2000
AGAIN = "\n\nYour answer must be one JSON object exactly as described above, and nothing else: no words around it."
CLOSERS = {"{": "}", "[": "]"}
log = logging.getLogger("realign")


class Unreadable(ValueError):
    """An answer that holds no JSON, or JSON of the wrong shape."""


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """value: what the answer said, or None. how: "strict", "repaired", or "" when nothing could be read.

    reason and raw (the first 2,000 characters of the last answer) say why there is no value.
    """

    value: T | None
    how: str
    reason: str = ""
    raw: str = ""


def parse_json_answer(text: str) -> tuple[Any, How]:
    """The JSON value in a model's answer, and whether it had to be repaired. Raises Unreadable."""
    try:
        return json.loads(text), "strict"
    except (ValueError, RecursionError):
        pass
    start = re.search(r"[{\[]", text)
    if start is None:
        raise Unreadable("no JSON in the answer")
    for candidate in _repairs(text[start.start() : start.start() + 100_000]):
        try:
            return json.JSONDecoder().raw_decode(candidate)[0], "repaired"
        except (ValueError, RecursionError):
            continue
    raise Unreadable("JSON that can't be repaired")


def _repairs(text: str) -> list[str]:
    """The text as it is, with straight quotes, without commas before a closing bracket, and with brackets closed."""
    variants = (text, text.translate({0x201C: '"', 0x201D: '"'}))
    return [*variants, *map(_without_last_commas, variants), *(_without_last_commas(_closed(v)) for v in variants)]


def _without_last_commas(text: str) -> str:
    return re.sub(r",(\s*[}\]])", r"\1", text)


def _closed(text: str) -> str:
    """`text` with the brackets that are still open closed; a string that was cut off is left out, not completed."""
    open_brackets: list[str] = []
    inside = escaped = False
    begun = 0
    for place, char in enumerate(text):
        if inside:
            inside = escaped or char != '"'
            escaped = char == "\\" and not escaped
        elif char == '"':
            inside, begun = True, place
        elif char in CLOSERS:
            open_brackets.append(CLOSERS[char])
        elif open_brackets and char == open_brackets[-1]:
            open_brackets.pop()
    return (text[:begun] if inside else text).rstrip("` \n") + "".join(reversed(open_brackets))


def ask_json(
    engine: Engine, requests: Sequence[Request], read: Callable[[Any], T], batch_size: int
) -> list[Reading[T]]:
    """One reading a request. `read` turns the JSON into what is wanted, and raises Unreadable for a wrong shape."""
    readings = [_read(answer, read) for answer in engine.generate(requests, batch_size)]
    failed = [place for place, reading in enumerate(readings) if reading.value is None]
    again = [
        dataclasses.replace(requests[place], prompt=requests[place].prompt + AGAIN, seed=requests[place].seed + 1)
        for place in failed
    ]
    if again:
        for place, answer in zip(failed, engine.generate(again, batch_size), strict=True):
            readings[place] = _read(answer, read)
    return readings


def _read(answer: Answer, read: Callable[[Any], T]) -> Reading[T]:
    if answer.finish == "too long":
        return Reading(None, "", "prompt longer than the model's context")
    try:
        value, how = parse_json_answer(answer.text)
        if how == "repaired":
            log.info("repaired an answer that was not strict JSON: %s", answer.text[:200].replace("\n", " "))
        return Reading(read(value), how)
    except Unreadable as error:
        return Reading(None, "", str(error), answer.text[:KEPT])
