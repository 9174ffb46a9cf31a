"""Rows of a dataset as tasks: GSM8K, MBPP and HumanEval by their fields, and any row with a prompt and an answer.

    prompt, check = read_task({"question": "How many …?", "answer": "… #### 18"})      # a numeric check of 18

A row names its verifier as ReAlign writes it, {"name": "numeric", "unit": "km"}, or by its name alone; without one it
is numeric where the answer is one number, and exact otherwise. What can't be read raises FieldError with the field.
"""

from __future__ import annotations

import json
import re
from typing import Any

from realign.sources.chat import FieldError, read_text
from realign.sources.shapes import ASKING
from realign.verify import VERIFIERS, Check
from realign.verify.numeric import read_quantity
from realign.verify.spec import plain_spec, wrong_spec

NUMBER_LAST = "End with a line that says “Answer:” and the number."
CALCULATED = re.compile(r"<<[^<>\n]*>>")
Row = dict[str, Any]


def read_task(row: Row) -> tuple[str, Check]:
    """(prompt, what its answers are checked against) of a row. Raises FieldError that names the field."""
    for fields, reader in SHAPES.items():
        if fields <= row.keys():
            return reader(row)
    if "question" in row and "####" in str(row.get("answer")):
        return gsm8k(row)
    asked = next((name for name in ASKING if name in row), "prompt")
    return text_of(row, asked), generic(row)


def text_of(row: Row, field: str) -> str:
    """A field as text; of chat messages, what the last one says."""
    value = row.get(field)
    if isinstance(value, list) and value and isinstance(value[-1], dict):
        value = value[-1].get("content")
    return read_text(value, field)


def gsm8k(row: Row) -> tuple[str, Check]:
    """The final answer stands after ####; what stands before it is a solution, and no part of the check."""
    final = text_of(row, "answer").rpartition("####")[2].strip()
    if isinstance(read_quantity(final), str):
        raise FieldError("answer", f"{final[:40]!r} after ####, expected one number")
    return f"{text_of(row, 'question')}\n{NUMBER_LAST}", Check("numeric", final)


def worked(row: Row) -> str:
    """The solution of a row in GSM8K's form, ended as its prompt asks for, without the marks of its calculator."""
    solution, _, final = text_of(row, "answer").rpartition("####")
    return f"{CALCULATED.sub('', solution).strip()}\nAnswer: {final.strip()}".strip()


def mbpp(row: Row) -> tuple[str, Check]:
    """The function's head comes from the reference solution; the tests with their expected values are not shown."""
    code, tests = text_of(row, "code").replace("\r\n", "\n"), row["test_list"]
    if not isinstance(tests, list) or not tests or not all(isinstance(test, str) for test in tests):
        raise FieldError("test_list", "expected a list of assert lines")
    called = {name for test in tests for name in re.findall(r"(\w+)\(", test)}
    heads = [match for match in re.finditer(r"^def (\w+)\s*\(.*\).*:", code, re.MULTILINE) if match[1] in called]
    if not heads:
        raise FieldError("code", "it does not define the function that the tests call")
    asked = f"{text_of(row, 'text')}\nWrite this Python function: {heads[-1][0].rstrip(':')}. Answer with code only."
    return asked, Check("code", code, {"tests": tests, "setup": str(row.get("test_setup_code") or "")})


def humaneval(row: Row) -> tuple[str, Check]:
    """The reference is the canonical solution, the body that follows the prompt."""
    for field in ("prompt", "canonical_solution", "entry_point", "test"):
        read_text(row[field], field)
    asked, solution = row["prompt"], row["canonical_solution"]
    spec = {"prompt": asked, "entry_point": row["entry_point"], "test": row["test"]}
    return f"Complete this Python function. Answer with code only.\n\n{asked.rstrip()}", Check("code", solution, spec)


def generic(row: Row) -> Check:
    """The check of a row with an answer and perhaps a verifier."""
    number = isinstance(row.get("answer"), int | float) and not isinstance(row["answer"], bool)
    answer = str(row["answer"]) if number else text_of(row, "answer")
    verifier = row.get("verifier")
    if verifier is None:
        return Check("exact" if isinstance(read_quantity(answer), str) else "numeric", answer)
    named = {"name": verifier} if isinstance(verifier, str) else verifier
    if not isinstance(named, dict) or named.get("name") not in VERIFIERS:
        raise FieldError("verifier", f"{json.dumps(verifier)[:60]}, expected one of {', '.join(VERIFIERS)}")
    spec = plain_spec(named)
    if problem := wrong_spec(named["name"], spec):
        raise FieldError("verifier", problem)
    return Check(named["name"], answer, spec)


SHAPES = {
    frozenset(("canonical_solution", "entry_point", "prompt", "test")): humaneval,
    frozenset(("code", "test_list", "text")): mbpp,
}
