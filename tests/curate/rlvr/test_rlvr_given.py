"""Rows of datasets become tasks with the verifier that their form asks for."""

import pytest

from realign.curate.rlvr.given import as_task, read_task
from realign.sources.chat import FieldError
from realign.sources.rows import Raw
from realign.verify import Check, verify_all

MBPP = {
    "text": "Write a function to add two numbers.",
    "code": "def add(a, b):\n    return a + b",
    "test_list": ["assert add(1, 2) == 3"],
}
HUMANEVAL = {
    "task_id": "x/0", "prompt": 'def one():\n    """Give 1."""\n', "entry_point": "one",
    "canonical_solution": "    return 1\n", "test": "def check(candidate):\n    assert candidate() == 1\n",
}  # fmt: skip


def test_a_gsm8k_row_is_a_numeric_task_of_its_final_answer() -> None:
    asked, check = read_task({"question": "How many eggs?", "answer": "3 * 6 = <<3*6=18>>18\n#### 1,018"})
    assert asked.startswith("How many eggs?\n")
    assert "18" not in asked
    assert check == Check("numeric", "1,018")


def test_an_mbpp_row_shows_the_head_of_its_function_and_no_test() -> None:
    asked, check = read_task(MBPP)
    assert "def add(a, b)" in asked
    assert "assert" not in asked and "return" not in asked
    assert check.verifier == "code" and check.spec["tests"] == MBPP["test_list"]


def test_a_humaneval_row_is_checked_by_its_own_tests() -> None:
    asked, check = read_task(HUMANEVAL)
    assert 'def one():\n    """Give 1."""' in asked
    assert (check.verifier, check.spec["entry_point"]) == ("code", "one")


@pytest.mark.parametrize(
    ("row", "check"),
    [
        ({"prompt": "How far?", "answer": "12 km"}, Check("numeric", "12 km")),
        ({"question": "How many?", "answer": 7}, Check("numeric", "7")),
        ({"problem": "What city?", "answer": "Paris"}, Check("exact", "Paris")),
        ({"prompt": "2x?", "answer": "x", "verifier": "symbolic"}, Check("symbolic", "x")),
        ({"prompt": "?", "answer": "A", "verifier": {"name": "choice", "choices": ["a", "b"]}},
         Check("choice", "A", {"choices": ["a", "b"]})),
        ({"prompt": [{"role": "user", "content": "How far?"}], "answer": "1"}, Check("numeric", "1")),
    ],
)  # fmt: skip
def test_any_row_with_a_prompt_and_an_answer_is_a_task(row: dict, check: Check) -> None:
    assert read_task(row)[1] == check


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"prompt": "How far?"}, "answer"),
        ({"answer": "12"}, "prompt"),
        ({"question": "How many?", "answer": "#### some"}, "answer"),
        ({"prompt": "?", "answer": "1", "verifier": "magic"}, "verifier"),
        ({**MBPP, "test_list": []}, "test_list"),
        ({**MBPP, "code": "x = 1"}, "code"),
        ({**HUMANEVAL, "test": 3}, "test"),
    ],
)
def test_a_row_that_is_no_task_names_its_field(row: dict, field: str) -> None:
    with pytest.raises(FieldError, match=field):
        read_task(row)


def test_a_line_that_is_no_row_keeps_its_problem() -> None:
    with pytest.raises(FieldError, match="no JSON"):
        as_task(Raw("line 3", 3, "{", None, "no JSON"), 0)


def test_real_gsm8k_answers_are_accepted_as_they_stand_in_the_file(shared) -> None:
    import json

    lines = (shared / "data/benchmarks/gsm8k_train.jsonl").read_text("utf-8").splitlines()[:300]
    rows = [json.loads(line) for line in lines]
    outcomes = verify_all([(read_task(row)[1], row["answer"]) for row in rows])
    assert [outcome.detail for outcome in outcomes if outcome.verdict != "accept"] == []
