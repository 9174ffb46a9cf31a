"""Formulas, right in any equal form: (x+1)^2 is x^2+2x+1, and so is what a LaTeX box says. Needs SymPy, an extra.

    pip install 'realign[symbolic]'

Two formulas that differ at a point are different. Where they agree at all points tried, SymPy has to prove it; a proof
that fails is unknown. An equation `y = ...` is its right side; any other equation is right when it has the reference's
sides up to a factor. Names are real numbers, so sqrt(x^2) is not x.
"""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Mapping
from typing import Any

from realign.verify import expressions
from realign.verify.check import Check, Decision
from realign.verify.expressions import names, parse, value
from realign.verify.extract import Unreadable, judge_statements

POINTS = 16
FEWEST_POINTS = 3
CLOSE = 1e-7
LEFT = re.compile(r"\s*[A-Za-z](?:_?\d+)?\s*(?:\(\s*[A-Za-z]\s*\))?\s*")
MISSING = "symbolic answers need SymPy: pip install 'realign[symbolic]'"


class Unproved(Exception):
    """Neither different at a point nor proved equal."""


def symbolic(check: Check, answer: str) -> Decision:
    """Whether an answer's formula equals the reference's."""
    try:
        import sympy  # noqa: F401
    except ImportError:
        return "unknown", MISSING
    try:
        wanted = read(check.answer)
    except ValueError as error:
        return "unknown", f"the reference answer can't be read: {error}"
    try:
        return judge_statements(answer, lambda statement: wrong(statement, wanted))
    except Unproved as unproved:
        return "unknown", str(unproved)


Formula = tuple[ast.expr, bool]


def read(text: str) -> Formula:
    """A formula, and whether it is an equation's left side minus its right. Raises ValueError."""
    left, *right = text.split("=")
    if not right:
        return parse(text), False
    if len(right) > 1 or not left.strip() or not right[0].strip():
        raise ValueError("more or less than two sides of an equation")
    if LEFT.fullmatch(left):
        return parse(right[0]), False
    return parse(f"({left})-({right[0]})"), True


def wrong(statement: str, wanted: Formula) -> str:
    """What is wrong with a statement, or "". Raises Unproved."""
    try:
        got = read(statement)
    except ValueError as error:
        return Unreadable(error)
    if got[1] != wanted[1]:
        return "it is an equation" if got[1] else "it is no equation"
    if differ(got, wanted):
        return "its value is another"
    return "" if proved(got, wanted) else "its value is another"


def differ(one: Formula, other: Formula) -> bool:
    """Whether a formula has another value than the other somewhere, or none. Raises Unproved for too few values."""
    ratios, tried, without = list[complex](), 0, 0
    for at in points(names(one[0]) | names(other[0])):
        first, second = value_or_none(one[0], at), value_or_none(other[0], at)
        if first is None or second is None:
            without += first is None and second is not None
            continue
        tried += 1
        if one[1]:
            if abs(second) > CLOSE:
                ratios.append(first / second)
            first, second = (ratios[-1], ratios[0]) if ratios else (first, second)
        if not abs(first - second) <= CLOSE * max(1.0, abs(first), abs(second)):
            return True
    if tried < FEWEST_POINTS and without:
        return True
    if tried < FEWEST_POINTS:
        raise Unproved("the formulas have no value at the points tried")
    return bool(ratios) and abs(ratios[0]) <= CLOSE


def value_or_none(tree: ast.expr, at: Mapping[str, float]) -> complex | None:
    """A formula's value at a point, None where it has none."""
    try:
        return value(tree, at)
    except ValueError:
        return None


def points(free: set[str]) -> list[Mapping[str, float]]:
    """The points formulas are compared at: the same every time, of both signs, away from round numbers."""
    chance = random.Random("points")
    return [
        {name: chance.uniform(0.3, 2.7) * chance.choice((1, 1, -1)) for name in sorted(free)} for _ in range(POINTS)
    ]


def proved(one: Formula, other: Formula) -> bool:
    """Whether SymPy finds two formulas equal (equations: up to a factor); False: different. Raises Unproved."""
    import sympy

    first, second = built(one[0], sympy), built(other[0], sympy)
    left = sympy.simplify(first / second if one[1] else first - second)
    if one[1]:
        if left.is_number and left.is_finite:
            return bool(left != 0)
    elif left.is_number:
        return bool(left == 0)
    raise Unproved("the formulas agree in numbers, and that they are equal was not proved")


def built(node: ast.expr, sympy: Any) -> Any:
    """A tree as SymPy's expression, part by part: no text reaches its parser."""
    match node:
        case ast.Constant(value=number):
            return sympy.Integer(number)
        case ast.Name(id=name):
            known = {"pi": sympy.pi, "e": sympy.E}
            return known[name] if name in expressions.CONSTANTS else sympy.Symbol(name, real=True)
        case ast.UnaryOp(op=op, operand=operand):
            return -built(operand, sympy) if isinstance(op, ast.USub) else built(operand, sympy)
        case ast.Call(func=ast.Name(id=name), args=[argument]):
            return getattr(sympy, "Abs" if name == "abs" else name)(built(argument, sympy))
        case ast.BinOp(left=left, op=op, right=right):
            first, second = built(left, sympy), built(right, sympy)
            table: dict[type[ast.operator], Any] = {
                ast.Add: sympy.Add, ast.Mult: sympy.Mul, ast.Pow: sympy.Pow,
                ast.Sub: lambda a, b: a - b, ast.Div: lambda a, b: a / b,
            }  # fmt: skip
            return table[type(op)](first, second)
    raise ValueError(f"a formula has no {type(node).__name__.lower()}")
