"""A formula's text as a small syntax tree of known parts, never evaluated as code, and its value at a point.

    parse("2x^2 + \\\\frac{1}{2}")    ->  the same tree as parse("2*x**2 + 1/2")
    value(tree, {"x": 3.0})         ->  (18.5+0j)

Numbers, one-letter and Greek names (with an index), + - * / ^, brackets, and the functions below; what is no formula,
too long, or would compute enormous numbers is refused with ValueError.
"""

from __future__ import annotations

import ast
import cmath
import math
import re
from collections.abc import Callable, Mapping
from fractions import Fraction

LONGEST = 400  # characters
MOST_PARTS = 200  # of a tree
HEAVIEST = 2000  # bits of a number, or degree of a power
GREATEST_POWER = 64
FUNCTIONS: dict[str, Callable[[complex], complex]] = {
    "sin": cmath.sin, "cos": cmath.cos, "tan": cmath.tan, "asin": cmath.asin, "acos": cmath.acos, "atan": cmath.atan,
    "sinh": cmath.sinh, "cosh": cmath.cosh, "tanh": cmath.tanh, "exp": cmath.exp, "log": cmath.log, "ln": cmath.log,
    "sqrt": cmath.sqrt, "abs": abs,
}  # fmt: skip
CONSTANTS = {"pi": math.pi, "e": math.e}
GREEK = set(
    "alpha beta gamma delta epsilon zeta eta theta kappa lambda mu nu xi rho sigma tau phi chi psi omega".split()
)
WORDS = {"or", "and", "not", "is", "nor", "to", "no"}
SIGNS = str.maketrans({
    "−": "-", "–": "-", "·": "*", "×": "*", "÷": "/", "²": "^2", "³": "^3", "[": "(", "]": ")", "{": "(", "}": ")",
    "π": " pi ", "θ": " theta ", "α": " alpha ", "β": " beta ", "λ": " lambda ",
})  # fmt: skip
TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d+)?|\.\d+)|([A-Za-z]+(?:_?\d+)?)|(\*\*|[-+*/^()]))", re.ASCII)
Operation = ast.Add | ast.Sub | ast.Mult | ast.Div | ast.Pow


def parse(text: str) -> ast.expr:
    """The tree of a formula. Raises ValueError that says what is not a formula."""
    text = text.strip()
    if not 0 < len(text) <= LONGEST:
        raise ValueError(f"a formula has 1 to {LONGEST} characters, this has {len(text):,}")
    source = spelled_out(without_latex(text).translate(SIGNS))
    try:
        tree = ast.parse(source.strip(), mode="eval").body
    except (SyntaxError, RecursionError, MemoryError, ValueError):
        raise ValueError(f"{text[:60]!r} is no formula") from None
    if sum(1 for _ in ast.walk(tree)) > MOST_PARTS:
        raise ValueError("the formula has too many parts")
    if weight(tree) > HEAVIEST:
        raise ValueError("the formula's numbers are too large")
    return tree


def without_latex(text: str) -> str:
    """LaTeX's fractions, roots, functions and spacing in plain signs."""
    text = re.sub(r"\\(?:left|right|,|;|!|:|quad|displaystyle)", " ", text)
    text = re.sub(r"\\(?:cdot|times)(?![A-Za-z])", "*", text)
    for _ in range(10):
        before = text
        text = re.sub(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r"((\1)/(\2))", text)
        text = re.sub(r"\\sqrt\s*\{([^{}]*)\}", r"sqrt(\1)", text)
        text = re.sub(r"([\^_])\{([^{}\\]*)\}", lambda m: f"^({m[2]})" if m[1] == "^" else f"_{m[2]}", text)
        if text == before:
            break
    return text.replace("\\", " ")


def spelled_out(text: str) -> str:
    """The formula in Python's signs, every multiplication written. Raises ValueError for what is no part of one."""
    parts: list[str] = []
    place = 0
    while place < len(text.rstrip()):
        match = TOKEN.match(text, place)
        if match is None:
            raise ValueError(f"{text[place : place + 20].strip()!r} is no part of a formula")
        number, name, sign = match.groups()
        for part in [number] if number else names_in(name) if name else [sign.replace("^", "**")]:
            parts += joined(parts[-1] if parts else "", part)
        place = match.end()
    return "".join(f"({Fraction(part)})" if part[0].isdigit() or part[0] == "." else part for part in parts)


def joined(before: str, part: str) -> list[str]:
    """A part with the multiplication sign that is understood before it. Raises ValueError for two numbers in a row."""
    ends = before[-1:].isalnum() or before == ")"
    if ends and (part[0].isdigit() or part[0] == "."):
        raise ValueError(f"{before} {part} are two numbers, or lack a sign between them")
    understood = ends and (part[0].isalpha() or part == "(") and before not in FUNCTIONS
    return ["*", part] if understood else [part]


def names_in(word: str) -> list[str]:
    """A known name whole, else a product of letters: xy is x*y. Raises ValueError for an ordinary word."""
    stem = re.sub(r"_?\d+$", "", word)
    if stem in FUNCTIONS or stem in CONSTANTS or stem in GREEK or len(stem) == 1:
        return [f"{word}_" if word == "lambda" else word]
    if len(word) > 3 or word.lower() in WORDS or stem != word:
        raise ValueError(f"{word!r} is a word, not a formula")
    return list(word)


def weight(node: ast.AST) -> float:
    """About how many bits or powers a tree's value has. Raises ValueError for a part that no formula has."""
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return float(node.value.bit_length())
    if isinstance(node, ast.Name):
        return 1.0
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.UAdd, ast.USub)):
        return weight(node.operand)
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in FUNCTIONS
        and len(node.args) == 1
    ):
        return 1 + weight(node.args[0])
    if isinstance(node, ast.BinOp) and isinstance(node.op, Operation):
        left, right = weight(node.left), weight(node.right)
        if not isinstance(node.op, ast.Pow):
            return left + right if isinstance(node.op, (ast.Mult, ast.Div)) else max(left, right) + 1
        return max(left, 1) * power(node.right) + right
    raise ValueError(f"a formula has no {type(node).__name__.lower()}")


def power(node: ast.expr) -> float:
    """The size of an exponent; 1 for one that holds a name. Raises ValueError for one that is too large."""
    if any(isinstance(part, ast.Name) and part.id not in FUNCTIONS for part in ast.walk(node)):
        return 1.0
    size = abs(value(node, {}))
    if not size <= GREATEST_POWER:
        raise ValueError(f"an exponent is larger than {GREATEST_POWER}")
    return max(size, 1.0)


def names(tree: ast.expr) -> set[str]:
    """The free names of a formula."""
    functions = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in functions}
    return found - set(CONSTANTS)


def value(node: ast.expr, at: Mapping[str, float]) -> complex:
    """A formula's value at a point. Raises ValueError: division by zero, overflow, a name without a value."""
    try:
        return complex(_value(node, at))
    except (ArithmeticError, KeyError, ValueError) as error:
        raise ValueError(f"no value here: {error}") from error


def _value(node: ast.expr, at: Mapping[str, float]) -> complex:
    match node:
        case ast.Constant(value=int(number)):
            return complex(number)
        case ast.Name(id=name):
            return complex(CONSTANTS[name] if name in CONSTANTS else at[name])
        case ast.UnaryOp(op=op, operand=operand):
            return -_value(operand, at) if isinstance(op, ast.USub) else _value(operand, at)
        case ast.Call(func=ast.Name(id=name), args=[argument]):
            return FUNCTIONS[name](_value(argument, at))
        case ast.BinOp(left=left, op=op, right=right):
            first, second = _value(left, at), _value(right, at)
            match op:
                case ast.Add():
                    return first + second
                case ast.Sub():
                    return first - second
                case ast.Mult():
                    return first * second
                case ast.Div():
                    return first / second
                case ast.Pow():
                    return complex(first**second)
    raise ValueError(f"a formula has no {type(node).__name__.lower()}")
