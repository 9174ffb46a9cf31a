"""Code answers and their tests: MBPP's and HumanEval's shapes, what is accepted, and what can't be decided."""

import json
from pathlib import Path

import pytest

from realign.verify import VERIFIERS, Check, perturbed, sandbox, sound, verify_all
from realign.verify.mutants import mutants

pytestmark = pytest.mark.skipif(bool(sandbox.why_not()), reason=f"no sandbox here: {sandbox.why_not()}")
DOUBLE = Check(
    "code", "def double(n):\n    return 2 * n", {"tests": ["assert double(2) == 4", "assert double(-3) == -6"]}
)
HUMAN = {
    "prompt": "import math\n\ndef poly(xs, x):\n    return sum(c * x ** i for i, c in enumerate(xs))\n\n"
    "def root(xs):\n    'Where poly is zero.'\n",
    "entry_point": "root",
    "test": "def check(candidate):\n    for n in range(1, 9):\n"
    "        assert math.fabs(poly([-n, 1], candidate([-n, 1]))) < 1e-4\n",
}  # fmt: skip


def verdict(answer: str, check: Check = DOUBLE) -> tuple[str, str]:
    return VERIFIERS["code"](check, answer)


def test_a_program_that_passes_is_accepted_in_a_code_fence_or_bare() -> None:
    assert verdict(DOUBLE.answer) == ("accept", "2 tests passed in 2 calls")
    talk = f"Multiply by two.\n```python\n{DOUBLE.answer}\n```\nFor example:\n```python\nprint(double(3))\n```\n"
    assert verdict(talk)[0] == "accept"


def test_a_program_that_fails_one_test_is_rejected_and_the_test_is_named() -> None:
    assert verdict("def double(n):\n    return abs(2 * n)") == ("reject", "test 2: AssertionError: ")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("I would multiply by two.", "no Python"),
        (
            "```python\ndef double(n): return 2 * n\n```\n```python\ndef double(n): return n + n\n```",
            "gives 2 programs",
        ),
        ("def twice(n): return 2 * n", "AttributeError"),
        ("def double(n): return 1 / 0", "ZeroDivisionError"),
        ("import numpy_that_is_not_there", "ModuleNotFoundError"),
        ("def double(n): return 2 * n\n" + "#" * 200_000, "characters, more than"),
        ("def double(n): return str(2 * n)", "test 1"),
        ("\0", "no Python"),
        ("(" * 5000, "no Python"),
    ],
)
def test_what_is_no_answer_is_rejected_with_its_reason(answer: str, reason: str) -> None:
    assert verdict(answer)[0] == "reject"
    assert reason in verdict(answer)[1]


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({}, "the check needs"),
        ({"tests": ["assert True"]}, "never call the answer"),
        ({"tests": ["import no_such_module\nassert double(2) == 4"]}, "ModuleNotFoundError"),
        ({"tests": ["assert double(2) == "]}, "SyntaxError"),
        ({"tests": ["assert double(lambda: 2) == 4"]}, "no plain value"),
    ],
)
def test_tests_that_cannot_decide_are_unknown(spec: dict[str, object], reason: str) -> None:
    answered, detail = verdict(DOUBLE.answer, Check("code", DOUBLE.answer, spec))
    assert answered == "unknown"
    assert reason in detail


def test_tests_run_unchanged_with_loops_tolerance_and_the_prompts_own_functions() -> None:
    check = Check("code", "    return -xs[0] / xs[1]\n", HUMAN)
    assert verdict(check.answer, check)[0] == "accept"
    assert verdict("def poly(xs, x):\n    return 0\n\ndef root(xs):\n    return 5\n", check)[0] == "reject"
    assert verdict("    return 1.00001 * -xs[0] / xs[1]\n", check)[0] == "accept"
    assert verdict("    return float('nan')\n", check)[0] == "reject"


def test_objects_of_the_answer_can_be_made_changed_and_passed_back_by_the_tests() -> None:
    answer = "class Node:\n    def __init__(self, v):\n        self.v, self.left = v, None\n"
    answer += "def depth(n):\n    return 1 + depth(n.left) if n else 0"
    spec = {
        "setup": "root = Node(1)\nroot.left = Node(2)",
        "tests": ["assert depth(root) == 2", "assert root.left.v == 2"],
    }
    assert verdict(answer, Check("code", answer, spec))[0] == "accept"


def test_a_function_that_has_a_built_in_ones_name_is_still_the_answers() -> None:
    check = Check("code", "def sum(a, b):\n    return a * b", {"tests": ["assert sum(2, 5) == 10"]})
    assert verdict(check.answer, check)[0] == "accept"


def test_mutants_are_programs_with_one_change_each() -> None:
    assert mutants(DOUBLE, 0) == ["def double(n):\n    return 3 * n", "def double(n):\n    return 2 + n"]
    assert mutants(Check("code", "no program"), 0) == []


def test_reference_solutions_of_mbpp_and_humaneval_are_accepted_and_altered_ones_rejected(shared: Path) -> None:
    checks = [mbpp(shared, line) for line in (125, 532, 600)] + [humaneval(shared, 32)]
    asked = [(check, answer) for check in checks for answer in (check.answer, *perturbed(check, 0)[:1])]
    assert [outcome.verdict for outcome in verify_all(asked)] == ["accept", "reject"] * len(checks)


def test_a_code_check_whose_tests_do_not_look_at_the_value_is_unsound() -> None:
    report = sound(Check("code", "def double(n):\n    return 2 * n", {"tests": ["assert double(2) or True"]}), 0)
    assert not report.sound
    assert report.false_positives >= 4


def mbpp(shared: Path, line: int) -> Check:
    row = json.loads((shared / "data/benchmarks/mbpp.jsonl").read_text(encoding="utf-8").splitlines()[line])
    return Check("code", row["code"], {"tests": row["test_list"], "setup": row["test_setup_code"]})


def humaneval(shared: Path, line: int) -> Check:
    row = json.loads((shared / "data/benchmarks/humaneval.jsonl").read_text(encoding="utf-8").splitlines()[line])
    return Check("code", row["canonical_solution"], {key: row[key] for key in ("prompt", "entry_point", "test")})
