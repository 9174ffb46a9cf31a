"""Numeric tasks that are worked out: computations of the text done again, figures of its lists of numbers, and a
result that a sentence derives from its other numbers.

Each answer is computed here with exact fractions, and a computation of the text is asked about only where its own
result is right, as far as it is rounded.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import pairwise
from statistics import median

from realign.curate.authors.extractive.wording import seed_of
from realign.curate.rlvr.forms.material import Material, Told
from realign.curate.rlvr.forms.quantities import Amount, amounts_in
from realign.curate.rlvr.posed import Posed

# Atomic, and so are the repetitions of it below: a number is never read as two, and no text takes long to read.
TERM = r"(?>\$?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+)"
EQUATION = re.compile(
    rf"(?<![\d^/)\]}}|√²³\-–−+*×⋅·÷%] )(?<!\b\w )(?<![\w.,^/√²³\-–−+*×⋅·÷%])"
    rf"(?P<left>(?:[(] ?)*[-–−]?(?:{TERM})(?: ?(?:[-–−+*×⋅·/÷()]|{TERM})){{1,40}}+) ?[=] ?"
    rf"(?P<right>[-–−]?(?:{TERM}))(?![\w.,]*\d|[%^/(]| ?[-–−+*×⋅·/÷(] ?[\d(])"
)  # fmt: skip
SIGNS = str.maketrans({"–": "-", "−": "-", "×": "*", "⋅": "*", "·": "*", "÷": "/", "$": ""})
OPERATIONS: dict[type[ast.AST], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip
COMPUTE = (
    "Work out the value of this computation: {expression}",
    "Which number belongs in the blank to make this computation right? {expression} = ____",
    "A reader wants to check a computation. What does {expression} come to?",
)
LISTED = re.compile(
    rf"(?<![\d;,.({{] )(?<![\w.;,{{(–-])(?:{TERM})(?:[;,][ \n](?:{TERM})){{5,24}}(?![;,]? ?(?:\d|\.\.|…)|[)}}\w])"
)
FIGURES: dict[str, Callable[[list[Fraction]], Fraction]] = {
    "mean": lambda values: sum(values, Fraction(0)) / len(values),
    "median": median,
    "range (the largest minus the smallest)": lambda values: max(values) - min(values),
    "sum": lambda values: sum(values, Fraction(0)),
}
MOST_PLACES = 2


def equations(material: Material) -> Iterator[Posed]:
    """ "82.5 – 56 = 26.5" -> "Work out the value of this computation: 82.5 - 56"."""
    text = material.passage.text
    for match in EQUATION.finditer(text):
        expression = " ".join(match["left"].split()).replace("$", "")
        value, stated = evaluate(expression), read_number(match["right"])
        if value is None or places(match["right"]) > 6 or not _worth(expression):
            continue
        if abs(value - stated) > Fraction(1, 2 * 10 ** places(match["right"])):
            continue
        question = COMPUTE[seed_of(expression) % len(COMPUTE)].format(expression=expression)
        yield _worked("equation", question + ("" if question[-1] in "?_" else "."), value, material.at(*match.span()))


def _worth(expression: str) -> bool:
    """Something to work out: two operations, or numbers of three digits and more."""
    numbers = re.findall(TERM, expression)
    return len(numbers) > 2 or (len(numbers) == 2 and max(len(re.sub(r"\D", "", n).strip("0")) for n in numbers) > 1)


def statistics(material: Material) -> Iterator[Posed]:
    """The mean, median, range or sum of a list of 6 to 25 numbers that the text gives."""
    for match in LISTED.finditer(material.passage.text):
        values = listed(match[0])
        steps = {after - before for before, after in pairwise(values)}
        if len(steps) < 3:
            continue
        name = list(FIGURES)[seed_of(match[0]) % len(FIGURES)]
        shown = "; ".join(re.split(r"[;,][ \n]", match[0]))
        question = f"What is the {name} of these {len(values)} numbers? {shown}."
        yield _worked("statistic", question, FIGURES[name](values), material.at(*match.span()))


def derivations(material: Material) -> Iterator[Posed]:
    """ "If high water reaches 5.2 meters and low water 1.4 meters, the range is 3.8 meters." -> the result left out.

    What the other sentences of the excerpt say decides it, since the sentence itself is not shown there.
    """
    for told in material.told:
        amounts = amounts_in(told.sentence.text)
        if not told.sentence.text.startswith("If ") or len(amounts) != 3 or len({a.unit for a in amounts}) != 1:
            continue
        one, other, result = (read_number(amount.digits.split()[0]) for amount in amounts)
        if result in (one + other, abs(one - other)) and 0 not in (one, other) and not told.alone:
            yield _derived(told, amounts[2])


def _derived(told: Told, amount: Amount) -> Posed:
    sentence, text = told.sentence, told.sentence.text
    around = " ".join(told.excerpt.replace(text, " ").split())
    question = f"Which number belongs in the blank? {text[: amount.start]}____{text[amount.end :]}"
    return Posed(
        "derivation", question, amount.how, amount.digits, "numeric", sentence.start, sentence.end, amount.spec, around
    )  # fmt: skip


def _worked(form: str, question: str, value: Fraction, span: tuple[int, int]) -> Posed:
    """A task whose answer was computed: exact where its digits end soon, else rounded, and said so."""
    exact = (value * 10**MOST_PLACES).denominator == 1
    how, spec = "Answer with a number, in digits.", {}
    if not exact:
        digits = 2 if abs(value) >= Fraction(1, 10) else 4
        how = f"Answer with a number, in digits, rounded to {digits} decimal places."
        spec, value = {"tolerance": f"{5 * 10 ** -(digits + 1):.{digits + 1}f}"}, Fraction(round(value, digits))
    return Posed(form, question, how, as_digits(value), "numeric", *span, spec)


# -- numbers as written -------------------------------------------------------------------------------------------


def evaluate(expression: str) -> Fraction | None:
    """The exact value of numbers, + - * / and brackets, a number before a bracket multiplying it; None for no such."""
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", expression.translate(SIGNS))
    plain = re.sub(r"(?<=[\d)]) ?(?=\()|(?<=\)) ?(?=[\d.])", "*", plain)
    plain = re.sub(r"(?<![\d.])0+(?=\d)", "", plain)
    try:
        return _value(ast.parse(plain.strip(), mode="eval").body, plain.strip())
    except (SyntaxError, ZeroDivisionError, ValueError, RecursionError):
        return None


def _value(node: ast.AST, source: str) -> Fraction:
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATIONS:
        return OPERATIONS[type(node.op)](_value(node.left, source), _value(node.right, source))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, source)
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return Fraction(ast.get_source_segment(source, node) or "")
    raise ValueError("not arithmetic")


def read_number(text: str) -> Fraction:
    """The exact value of a number as written: "1,600", "–0.025", "$5"."""
    return Fraction(text.translate(SIGNS).replace(",", "").replace("%", "").strip())


def listed(text: str) -> list[Fraction]:
    """The values of a list, in its order."""
    return [read_number(part) for part in re.split(r"[;,][ \n]", text)]


def places(text: str) -> int:
    """How many decimal places a number is written with."""
    return len(text.partition(".")[2])


def as_digits(value: Fraction) -> str:
    """A fraction whose digits end, in digits."""
    whole = f"{float(value):.10f}".rstrip("0").rstrip(".")
    return "0" if whole in ("-0", "") else whole
