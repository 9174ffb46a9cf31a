"""Verifiers: whether an answer is right, decided by rules that anyone can run again. Start here.

    outcomes = verify_all([(Check("numeric", "1000", {"unit": "km"}), "So it is far.\\nAnswer: 1 Mm")])

A check holds the reference answer and what else decides; a completion is free text whose final answer is found first.
`verify_all` works in a child process with a time limit a check.
"""

from __future__ import annotations

from realign.verify.check import Check, Outcome, Verdict, Verifier
from realign.verify.numeric import numeric
from realign.verify.process import verify_all
from realign.verify.words import choice, exact, ordering

VERIFIERS: dict[str, Verifier] = {
    "exact": exact,
    "numeric": numeric,
    "choice": choice,
    "ordering": ordering,
}

__all__ = ["VERIFIERS", "Check", "Outcome", "Verdict", "Verifier", "verify_all"]
