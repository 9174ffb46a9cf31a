"""What is checked, and what comes of it: the three words everyone who uses a verifier shares.

`unknown` is a verdict of its own. It says that nothing was decided (the time ran out, the reference can't be read, a
tool is missing) and is never counted as accept or as reject.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Verdict = Literal["accept", "reject", "unknown"]


@dataclass(frozen=True, slots=True)
class Check:
    """What an answer is checked against.

    verifier: a name in `verify.VERIFIERS`. answer: the reference answer as text; for code, the reference solution.
    spec: what else decides, all of it optional except for choice and code, and all of it JSON:
        exact     aliases: list of other right answers. case: true when upper and lower case differ
        numeric   unit: the unit asked for ("km", "%", "$"); without it a reference in a unit needs one in the answer.
                  tolerance: absolute, in the reference's unit. relative: a share of the reference.
                  fraction: true when 0.2 and 20 % are the same answer
        choice    choices: list of texts (labelled A, B, ...) or {label: text}; answer is the label or the text
        ordering  items: the texts to be put in order; answer names them in the right order
        symbolic  nothing
        code      tests: list of assert lines, with setup: code before them (MBPP); or prompt, entry_point and test
                  (HumanEval). seconds: processor time of the answer, and of the tests (default 5)
    """

    verifier: str
    answer: str
    spec: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict on one answer. detail: why, for a person. seconds: wall time from asking to verdict."""

    verdict: Verdict
    detail: str
    seconds: float


Decision = tuple[Verdict, str]
Verifier = Callable[[Check, str], Decision]
