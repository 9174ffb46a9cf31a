"""Formulas: equal forms are right, everything else is wrong or refused, and no text is ever evaluated."""

import importlib.util
import sys

import pytest

from realign.verify import VERIFIERS, Check, sound_all, verify_all
from realign.verify.expressions import parse, value

SYMPY = pytest.mark.skipif(importlib.util.find_spec("sympy") is None, reason="SymPy, the extra `symbolic`, is missing")
RIGHT = {
    "(x+1)^2": ["x^2+2x+1", "x**2 + 2*x + 1", "Answer: (1+x)(1+x)", r"\boxed{x^{2}+2x+1}", "y = x²+2x+1",
                "f(x) = (x+1)^2"],
    "1/2": ["0.5", r"\frac{1}{2}", "2^-1", "sqrt(1/4)", "sin(pi/6)"],
    "2sqrt(2)": ["sqrt(8)", r"2\sqrt{2}", "8^(1/2)", "2^(3/2)"],
    "sin(x)^2 + cos(x)^2": ["1", "cos(0)"],
    "y = 2x + 1": ["2x+1", "y = 1 + 2x", "f(x) = 2x + 1"],
    "x^2 + y^2 = 1": ["y^2 + x^2 = 1", "2x^2 + 2y^2 = 2", "1 - x^2 = y^2"],
    "exp(2x)": ["e^(2x)", "exp(x)^2", "(e^x)^2"],
    r"\frac{a}{b} + \lambda": ["a/b + lambda", "(a + lambda*b)/b", "λ + a/b"],
}  # fmt: skip
WRONG = {
    "(x+1)^2": ["x^2+1", "x^2+2x+1 or x^2", "(x-1)^2", "", "x^2+2x+1.0000001", "x^2+2x = 1", "(y+1)^2", "x^2+2x+1, 3"],
    "1/2": ["0.05", "2", "1/0", "5 10", "half", "nan", "inf", "1e400", "１/２"],
    "sqrt(x^2)": ["x", "-x"],
    "y = 2x + 1": ["y = 2x - 1", "2y = 2x + 1"],
    "x^2 + y^2 = 1": ["x^2 + y^2 = 2", "x^2 - y^2 = 1", "x^2 + y^2", "0 = 0", "x = 1"],
    "x": ["__import__('os').system('id')", "x.__class__", "x if x else x", "[x][0]", "lambda: x",
          "(x:=2)", "'x'", "f'{x}'"],
    "9": ["9**9**9", "9^9^9^9", "(((9^64)^64)^64)^64", "9" * 5000,
          "(" * 300 + "9" + ")" * 300, "10^(10^10)", "factorial(9)"],
}  # fmt: skip


def undecided(table: dict[str, list[str]], expected: str) -> list[tuple[str, str, str]]:
    asked = [(Check("symbolic", formula), answer) for formula, answers in table.items() for answer in answers]
    found = zip(asked, verify_all(asked), strict=True)
    return [(check.answer, answer[:40], o.detail) for (check, answer), o in found if o.verdict != expected]


@SYMPY
def test_equal_forms_are_accepted() -> None:
    assert undecided(RIGHT, "accept") == []


@SYMPY
def test_other_formulas_words_code_and_bombs_are_rejected() -> None:
    assert undecided(WRONG, "reject") == []


@SYMPY
def test_formulas_are_sound_to_check() -> None:
    checks = [Check("symbolic", formula) for formula in ("0", "y = (x+1)^2", "x^2 + y^2 = 1")]
    assert [(check, r.detail) for check, r in zip(checks, sound_all(checks, 0), strict=True) if not r.sound] == []


@SYMPY
@pytest.mark.parametrize("reference", ["the square", "x = 1 = 2", "1/0", ""])
def test_a_reference_that_is_no_formula_is_unknown(reference: str) -> None:
    assert VERIFIERS["symbolic"](Check("symbolic", reference), "1")[0] == "unknown"


def test_without_sympy_nothing_is_decided_and_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sympy", None)
    verdict, detail = VERIFIERS["symbolic"](Check("symbolic", "x + 1"), "x + 1")
    assert verdict == "unknown"
    assert "realign[symbolic]" in detail


def test_a_formula_has_its_value_at_a_point() -> None:
    assert value(parse("2x^2 + \\frac{1}{2}"), {"x": 3.0}) == 18.5
    with pytest.raises(ValueError, match="no value here"):
        value(parse("1/x"), {"x": 0.0})
