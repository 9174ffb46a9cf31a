"""Rows of datasets become tasks with the verifier that their form asks for."""

from itertools import product

import pytest

from realign.curate.rlvr.given import as_task
from realign.curate.rlvr.posed import make_task
from realign.records import Prompt
from realign.sources.chat import FieldError
from realign.sources.rows import Raw
from realign.sources.tasks import read_task
from realign.verify import VERIFIERS, Check, verify_all
from realign.verify.spec import FIELDS

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


WRONG = (5, "", [], [None], {"a": 1}, True, [["x"]], "9" * 5000, -1.5)


@pytest.mark.parametrize("field", FIELDS)
def test_a_verifier_with_a_field_of_the_wrong_type_is_refused_or_usable_and_never_an_error(field: str) -> None:
    refused = 0
    for name, value, answer in product(VERIFIERS, WRONG, ("A", "12 km", "(((", "def f(x): return x")):
        try:
            asked, check = read_task({"prompt": "?", "answer": answer, "verifier": {"name": name, field: value}})
        except FieldError as error:
            refused += "field 'verifier'" in str(error)
        else:
            make_task(Prompt("p", "s", asked, "t", "", 0, 1, "given"), check, 0)
    assert refused > 0


def test_a_field_that_a_table_filled_with_none_is_absent() -> None:
    verifier = {"name": "choice", "choices": ["oak", "ash"], "aliases": None, "unit": None}
    assert read_task({"prompt": "?", "answer": "A", "verifier": verifier})[1].spec == {"choices": ["oak", "ash"]}


def test_a_line_that_is_no_row_keeps_its_problem() -> None:
    with pytest.raises(FieldError, match="no JSON"):
        as_task(Raw("line 3", 3, "{", None, "no JSON"), 0)


def test_real_gsm8k_answers_are_accepted_as_they_stand_in_the_file(shared) -> None:
    import json

    lines = (shared / "data/benchmarks/gsm8k_train.jsonl").read_text("utf-8").splitlines()[:300]
    rows = [json.loads(line) for line in lines]
    outcomes = verify_all([(read_task(row)[1], row["answer"]) for row in rows])
    assert [outcome.detail for outcome in outcomes if outcome.verdict != "accept"] == []
