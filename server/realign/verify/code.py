"""Code answers, decided by their tests in two sandboxed rooms: the tests in one, the answer in the other.

Tests are MBPP's (a list of asserts, with code before them) or HumanEval's (a prompt, an entry point and a `check`
function). They run unchanged; only calls go to the answer's room, and only plain values come back (inside.py), so an
answer can lie about its own values and about nothing else. A run out of processor time is wrong; out of wall time, or a
test that itself is broken, is unknown.
"""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Mapping
from typing import Any

from realign.verify.check import Check, Decision
from realign.verify.mutants import called, functions
from realign.verify.sandbox import SECONDS, Broken, Room, why_not

LONGEST = 100_000  # characters of an answer's code
MOST_CALLS = 20_000  # of an answer by its tests
WALL = 1.8  # seconds of wall time for a second of processor time
FENCE = re.compile(r"^[ \t]*```[ \t]*(\w*)[^\n]*\n(.*?)^[ \t]*```[ \t]*$", re.MULTILINE | re.DOTALL)
VERDICTS: Mapping[str, Any] = {"passed": "accept", "failed": "reject"}


def code(check: Check, answer: str) -> Decision:
    """Whether an answer's code passes the check's tests. Nothing is run where no sandbox works."""
    if reason := why_not():
        return "unknown", f"code is not run without a sandbox: {reason}"
    work = tests_of(check)
    if work is None:
        return "unknown", "the check needs `tests`, or `prompt`, `entry_point` and `test`"
    source = source_of(check, answer)
    if isinstance(source, Exception):
        return "reject", str(source)
    seconds = int(check.spec.get("seconds", SECONDS))
    return decided(work, source, seconds)


def tests_of(check: Check) -> dict[str, Any] | None:
    """What the tests' room is told: code to run first, the tests, the answer's names. None where there is no test."""
    spec = check.spec
    work = {"prompt": "", "setup": str(spec.get("setup", "")), "entry": "", "defined": functions(check.answer)}
    if entry := spec.get("entry_point"):
        tests = [f"{spec['test']}\n\ncheck({entry})\n"]
        return {**work, "prompt": str(spec.get("prompt", "")), "tests": tests, "entry": entry}
    tests = [str(test) for test in spec.get("tests", ())]
    return {**work, "tests": tests} if tests else None


def source_of(check: Check, answer: str) -> str | ValueError:
    """The answer's program, or what is wrong with it. A HumanEval answer is the body alone or the whole function."""
    text, name = answer.rpartition("</think>")[2], called(check)
    blocks = [body for language, body in FENCE.findall(text) if language.lower() in ("", "python", "py", "python3")]
    if blocks:
        programs = list(dict.fromkeys(body for body in blocks if defines(body, name))) or blocks
        if len(programs) > 1:
            return ValueError(f"it gives {len(programs)} programs where one was expected")
        text = programs[0]
    if len(text) > LONGEST:
        return ValueError(f"its code has {len(text):,} characters, more than {LONGEST:,}")
    prompt = str(check.spec.get("prompt", "")) if check.spec.get("entry_point") else ""
    whole = f"{prompt}\n{text}" if defines(text, name) else prompt + text
    try:
        compile(whole, "<answer>", "exec", dont_inherit=True, flags=ast.PyCF_ONLY_AST)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return ValueError(f"its code is no Python: {type(error).__name__}: {error}"[:300])
    return whole


def defines(text: str, entry: str) -> bool:
    """Whether a text, on its own, defines a name at its top level."""
    try:
        return entry in functions(text)
    except (RecursionError, MemoryError):
        return False


def decided(work: dict[str, Any], source: str, seconds: int) -> Decision:
    """Run the tests against the answer, each in its room."""
    deadline = time.monotonic() + WALL * seconds
    try:
        with Room("answer", seconds) as answer, Room("tests", seconds) as tests:
            loaded = told(answer, {"do": "load", "source": source}, deadline)
            if "raised" in loaded:
                return "reject", f"its code raises {shown(loaded['raised'])}"
            return relayed(answer, tests, work, deadline)
    except WrongAnswer as wrong:
        return "reject", f"its code {wrong}"
    except TimeoutError:
        return "unknown", f"not decided in {WALL * seconds:g} s"
    except Broken as broken:
        return "unknown", f"the tests' room {broken}"


class WrongAnswer(Exception):
    """The answer's room ended or broke its line: the answer did that, and is wrong."""


def told(answer: Room, message: dict[str, Any], deadline: float) -> dict[str, Any]:
    """Ask the answer's room. Raises WrongAnswer for one that broke, TimeoutError."""
    try:
        return answer.ask(message, deadline)
    except Broken as broken:
        raise WrongAnswer(str(broken)) from broken


def relayed(answer: Room, tests: Room, work: dict[str, Any], deadline: float) -> Decision:
    """Carry calls from the tests to the answer and values back, until the tests have their verdict."""
    message = tests.ask(work, deadline)
    for _ in range(MOST_CALLS):
        if "verdict" in message:
            return VERDICTS.get(message["verdict"], "unknown"), str(message.get("detail", ""))
        reply = told(answer, message, deadline)
        message = tests.ask({name: reply[name] for name in ("value", "raised") if name in reply}, deadline)
    return "unknown", f"the tests make more than {MOST_CALLS:,} calls"


def shown(raised: Any) -> str:
    """An exception as the answer's room told it."""
    return ": ".join(str(part) for part in raised)[:300] if isinstance(raised, list) else "something"
