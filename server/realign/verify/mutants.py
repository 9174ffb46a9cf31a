"""Code's other right and wrong forms: the reference in other dress, with altered values, and with one operator changed.

`wrong_programs` are wrong by construction: the reference runs and its value is altered on the way out, so tests that
look at the value must fail. `mutants` change one operator, comparison or number of the source; some of them do the same
as before, so the share that tests reject measures the tests, and no verifier has to reject all of them.
"""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Iterator

from realign.verify.check import Check

ALTERED = """

_right, _depth = {name}, [0]

def _more(value):
    if value is None or isinstance(value, (bool, str)):
        return 0 if value is None else value + "x" if isinstance(value, str) else not value
    if isinstance(value, (int, float, complex)):
        return value + 1 + abs(value)
    if isinstance(value, (list, tuple)):
        return value + type(value)([0])
    return {{**value, "x": 1}} if isinstance(value, dict) else [value, 0]

def _less(value):
    if isinstance(value, (str, list, tuple)):
        return value[:-1] if value else [None]
    return value - 1 - abs(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else "less"

def {name}(*args, **named):
    _depth[0] += 1
    try:
        value = _right(*args, **named)
    finally:
        _depth[0] -= 1
    return value if _depth[0] else {altered}
"""
ALTERATIONS = ("_more(value)", "_less(value)", "[value]", "0 if value is None else None", "str(value) + '?'", "1 / 0")
SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
    ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And, ast.Pow: ast.Mult,
}  # fmt: skip


def code_forms(check: Check) -> Iterator[str]:
    """The whole program in a code fence after some talk, and printed anew from its syntax tree."""
    program = program_of(check)
    if program:
        yield f"Here is the function.\n\n```python\n{program}\n```\nIt passes the tests."
        yield ast.unparse(ast.parse(program))


def wrong_programs(check: Check, chance: random.Random) -> Iterator[str]:
    """Programs whose values differ from the reference's at every call, and two that are no answer."""
    program, name = program_of(check), called(check)
    if program and name:
        alterations = chance.sample(ALTERATIONS, len(ALTERATIONS))
        yield from (program + ALTERED.format(name=name, altered=altered) for altered in alterations)
        yield f"def {name}(*args, **named):\n    raise SystemExit(0)\n"
        yield f"def {name}_(*args, **named):\n    return True\n"


def mutants(check: Check, seed: int, most: int = 5) -> list[str]:
    """Up to `most` programs, each the reference with one change; fewer where it has fewer places to change."""
    program = program_of(check)
    if not program:
        return []
    count = sum(1 for _ in places(ast.parse(program)))
    chosen = random.Random(f"{seed} {program}").sample(range(count), count)
    programs = (changed(program, place) for place in chosen)
    return list(dict.fromkeys(programs))[:most]


def places(tree: ast.AST) -> Iterator[tuple[ast.AST, str, int]]:
    """Every place a mutant may change: the node, its field, and the place in it for a list."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.BinOp, ast.AugAssign, ast.BoolOp)) and type(node.op) in SWAPPED:
            yield node, "op", 0
        elif isinstance(node, ast.Compare):
            yield from ((node, "ops", place) for place, op in enumerate(node.ops) if type(op) in SWAPPED)
        elif isinstance(node, ast.Constant) and type(node.value) is int:
            yield node, "value", 0


def changed(program: str, which: int) -> str:
    """The program with one of its places changed."""
    tree = ast.parse(program)
    node, field, place = list(places(tree))[which]
    old = getattr(node, field)
    if isinstance(old, list):
        old[place] = SWAPPED[type(old[place])]()
    else:
        setattr(node, field, old + 1 if isinstance(old, int) else SWAPPED[type(old)]())
    return ast.unparse(tree)


def program_of(check: Check) -> str:
    """The reference as a whole program, prompt included; "" for one that is no Python."""
    prompt = str(check.spec.get("prompt", "")) if check.spec.get("entry_point") else ""
    for program in (prompt + check.answer, f"{prompt}\n{check.answer}"):
        try:
            ast.parse(program)
            return program
        except (SyntaxError, ValueError):
            continue
    return ""


def called(check: Check) -> str:
    """The function of the reference that the tests call: the entry point, or the last one they name; "" for none."""
    if entry := check.spec.get("entry_point"):
        return str(entry)
    defined, tests = functions(check.answer), "\n".join(map(str, check.spec.get("tests", ())))
    named = [name for name in re.findall(r"\b([^\W\d]\w*)\s*\(", tests) if name in defined]
    return named[-1] if named else ""


def functions(program: str) -> list[str]:
    """The names of a program's own functions and classes; none for one that is no Python."""
    try:
        body = ast.parse(program).body
    except (SyntaxError, ValueError):
        return []
    return [node.name for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
