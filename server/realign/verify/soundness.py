"""Whether a check can be trusted: its verifier takes the right answer, and refuses wrong ones, twice alike.

    report = sound(Check("choice", "B", {"choices": ["Paris", "Rome"]}), seed=0)
    report.sound, report.detail

This is the verifiability of a task: the share of sound checks is the gate's value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from realign.verify.check import Check, Outcome
from realign.verify.process import SECONDS, verify_all
from realign.verify.variants import FEWEST_WRONG, equivalents, perturbed


@dataclass(frozen=True, slots=True)
class Soundness:
    """What a check did with its own answers. Counts are of the first time; slowest is wall time in seconds, of both.

    right, accepted: the reference and its equivalents, and how many of them were accepted. wrong, rejected: planted
    wrong answers, and how many were rejected. false_positives: wrong ones that were accepted. unknown: answers of
    both kinds that were not decided. same: the second time gave the same verdicts. detail: what is wrong first, or "".
    """

    right: int
    accepted: int
    wrong: int
    rejected: int
    false_positives: int
    unknown: int
    same: bool
    slowest: float
    detail: str

    @property
    def sound(self) -> bool:
        """Right answers (two or more) all accepted, wrong ones (five or more) all rejected, twice alike."""
        accepted = self.right >= 2 and self.accepted == self.right
        return accepted and self.wrong >= FEWEST_WRONG and self.rejected == self.wrong and self.same


def sound(check: Check, seed: int, seconds: float = SECONDS) -> Soundness:
    """One check tried on its own answers; see `sound_all`."""
    return sound_all([check], seed, seconds)[0]


def sound_all(checks: Sequence[Check], seed: int, seconds: float = SECONDS) -> list[Soundness]:
    """Every check tried twice on its reference, equivalents and planted wrong answers; all of them by one child."""
    right = [(check.answer, *equivalents(check)) for check in checks]
    wrong = [perturbed(check, seed) for check in checks]
    asked = [(check, answer) for check, *sides in zip(checks, right, wrong, strict=True) for s in sides for answer in s]
    first, second = iter(verify_all(asked, seconds)), iter(verify_all(asked, seconds))
    reports = []
    for good, bad in zip(right, wrong, strict=True):
        twice = [(answer, next(first), next(second)) for answer in (*good, *bad)]
        reports.append(report(twice[: len(good)], twice[len(good) :]))
    return reports


Tried = tuple[str, Outcome, Outcome]


def report(right: Sequence[Tried], wrong: Sequence[Tried]) -> Soundness:
    """The counts of one check, from each answer with its two outcomes."""
    both = [*right, *wrong]
    odd = [(tried, "accept") for tried in right if tried[1].verdict != "accept"]
    odd += [(tried, "reject") for tried in wrong if tried[1].verdict != "reject"]
    odd += [(tried, "the same twice") for tried in both if tried[1].verdict != tried[2].verdict]
    few = f"{len(right)} right and {len(wrong)} wrong answers are too few" if len(right) < 2 or len(wrong) < 5 else ""
    return Soundness(
        len(right),
        sum(outcome.verdict == "accept" for _, outcome, _ in right),
        len(wrong),
        sum(outcome.verdict == "reject" for _, outcome, _ in wrong),
        sum(outcome.verdict == "accept" for _, outcome, _ in wrong),
        sum(outcome.verdict == "unknown" for _, outcome, _ in both),
        all(once.verdict == twice.verdict for _, once, twice in both),
        max((outcome.seconds for tried in both for outcome in tried[1:]), default=0.0),
        described(*odd[0]) if odd else few,
    )


def described(tried: Tried, expected: str) -> str:
    """One outcome that is not as it should be, for a person."""
    answer, once, twice = tried
    return f"{answer[:80]!r}: {once.verdict}, then {twice.verdict} ({once.detail}); expected {expected}"
