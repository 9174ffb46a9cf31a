"""Verifiers: whether an answer is right, decided by rules that anyone can run again. Start here.

    outcomes = verify_all([(Check("numeric", "1000", {"unit": "km"}), "So it is far.\\nAnswer: 1 Mm")])

A check holds the reference answer and what else decides; a completion is free text whose final answer is found first.
`verify_all` works in a child process with a time limit a check. `sound` tries a check on the right
answer's other forms and on planted wrong ones, twice.
"""

from __future__ import annotations

from realign.verify.check import Check, Outcome, Verdict, Verifier
from realign.verify.code import code
from realign.verify.numeric import numeric
from realign.verify.process import verify_all
from realign.verify.soundness import Soundness, sound, sound_all
from realign.verify.symbolic import symbolic
from realign.verify.variants import equivalents, perturbed
from realign.verify.words import choice, exact, ordering

VERIFIERS: dict[str, Verifier] = {
    "exact": exact,
    "numeric": numeric,
    "choice": choice,
    "ordering": ordering,
    "symbolic": symbolic,
    "code": code,
}

__all__ = [
    "VERIFIERS", "Check", "Outcome", "Soundness", "Verdict", "Verifier", "equivalents", "perturbed", "sound",
    "sound_all", "verify_all",
]  # fmt: skip
