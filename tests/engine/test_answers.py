"""The ladder: strict, repaired, asked once more, given up with the raw answer kept."""

from collections.abc import Sequence
from typing import Any

import pytest

from realign.engine import Answer, Engine, Request
from realign.engine.answers import AGAIN, KEPT, Unreadable, ask_json, parse_json_answer


def scripted(*rounds: Sequence[str]) -> tuple[Engine, list[list[Request]]]:
    """An engine that gives these answers, round by round, and the requests it was asked."""
    asked: list[list[Request]] = []

    def generate(requests: Sequence[Request], batch_size: int) -> list[Answer]:
        asked.append(list(requests))
        return [Answer(text, "stop") for text in rounds[len(asked) - 1]]

    return Engine("scripted", "scripted", generate), asked


def a_number(value: Any) -> int:
    if not isinstance(value, dict) or not isinstance(value.get("n"), int):
        raise Unreadable("no n")
    return int(value["n"])


def test_strict_json_is_taken_as_it_is() -> None:
    assert parse_json_answer(' {"n": 1} ') == ({"n": 1}, "strict")


@pytest.mark.parametrize(
    "text",
    [
        'Sure! Here it is: {"n": [1]}',
        '```json\n{"n": [1]}\n```',
        '{"n": [1,],}',
        '{"n": [1]} I hope this helps {really}.',
        "{\u201cn\u201d: [1]}",
        '{"n": [1]',
        '{"n": [1',
        '{"n": [1, "cut o',
    ],
)
def test_what_surrounds_or_ends_json_wrongly_is_repaired(text: str) -> None:
    assert parse_json_answer(text) == ({"n": [1]}, "repaired")


@pytest.mark.parametrize("text", ["", "I would rate it four.", "{n: 1}", '{"n":', "[" * 100_000])
def test_what_is_no_json_stays_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        parse_json_answer(text)


def test_only_failed_requests_are_asked_once_more() -> None:
    engine, asked = scripted(['{"n": 1}', "four", 'x {"n": 3}'], ['{"n": 2}'])
    readings = ask_json(engine, [Request("a"), Request("b", seed=5), Request("c")], a_number, 8)
    assert [(r.value, r.how) for r in readings] == [(1, "strict"), (2, "strict"), (3, "repaired")]
    assert asked[1] == [Request("b" + AGAIN, seed=6)]


def test_a_second_failure_keeps_the_raw_answer_and_is_no_value() -> None:
    engine, asked = scripted(["four"], ["four! " * 1000])
    (reading,) = ask_json(engine, [Request("a")], a_number, 8)
    assert (reading.value, reading.how, len(asked)) == (None, "", 2)
    assert reading.raw == ("four! " * 1000)[:KEPT]


def test_json_of_the_wrong_shape_is_asked_again() -> None:
    engine, asked = scripted(['{"m": 1}'], ['{"m": 2}'])
    (reading,) = ask_json(engine, [Request("a")], a_number, 8)
    assert (reading.value, reading.reason, len(asked)) == (None, "no n", 2)


def test_a_prompt_that_did_not_fit_is_named_as_such() -> None:
    engine = Engine("small", "small", lambda requests, size: [Answer("", "too long") for _ in requests])
    (reading,) = ask_json(engine, [Request("a")], a_number, 8)
    assert (reading.value, reading.reason) == (None, "prompt longer than the model's context")
