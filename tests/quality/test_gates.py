"""A gate's rule: which side of a threshold passes, what strictness excludes, and what only reports."""

import pytest

from realign.errors import EmptyInput
from realign.quality.evidence import Evidence
from realign.quality.gates import Gate, Verdict, judge_gate
from realign.quality.metrics import Measure
from realign.settings import Settings

EVIDENCE = Evidence.of_rows([], Settings())


def verdict(value: float | None, **rule) -> Verdict:
    return judge_gate(Gate("some gate", lambda evidence: Measure(value, 100), **rule), EVIDENCE, "stage")


@pytest.mark.parametrize(
    ("value", "tier"), [(0.2, "HIGH"), (0.15, "HIGH"), (0.12, "MEDIUM"), (0.1, "MEDIUM"), (0.09, "REJECT")]
)
def test_a_tiered_gate_gives_the_tier_of_the_threshold_that_holds(value, tier):
    assert verdict(value, high="gap_high", medium="gap_medium").tier == tier


@pytest.mark.parametrize(
    ("value", "strictly", "tier"), [(0.7, False, "HIGH"), (0.7, True, "REJECT"), (0.69, True, "HIGH")]
)
def test_a_strict_gate_excludes_the_threshold_itself(value, strictly, tier):
    found = verdict(value, high="length_bias", at_least=False, strictly=strictly)
    assert (found.tier, found.needed) == (tier, "< 0.7" if strictly else "<= 0.7")


def test_a_reported_gate_shows_its_value_and_never_blocks():
    found = verdict(12.5, high="")
    assert (found.tier, found.value, found.needed, found.severity) == ("HIGH", 12.5, "reported", "reported")


def test_a_hard_gate_that_was_not_measured_rejects_and_a_reported_one_says_so():
    def nothing(evidence: Evidence) -> Measure:
        raise EmptyInput("Nothing to measure", "at least one value")

    hard = judge_gate(Gate("hard", nothing, "length_bias"), EVIDENCE, "stage")
    shown = judge_gate(Gate("shown", nothing, ""), EVIDENCE, "stage")
    assert (hard.tier, hard.decided) == ("REJECT", False)
    assert (shown.tier, shown.decided) == ("HIGH", False) and "not measured" in str(shown)
