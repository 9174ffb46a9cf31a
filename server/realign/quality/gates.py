"""A gate is a metric, a rule and a severity; the tier of a stage or dataset is its worst gate.

    verdict = judge_gate(gate, evidence, "select")
    worst([verdict, ...]) -> "HIGH" | "MEDIUM" | "REJECT"

A hard gate passes or fails; a tiered gate gives HIGH, MEDIUM or REJECT; a reported one only shows its value. What was
not measured, or rests on too few records, is not decided and does not pass. Gates read records only: nothing here
trusts a stored verdict.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from realign.quality.evidence import Evidence
from realign.quality.metrics import Measure, measured
from realign.settings import Gates

Tier = Literal["HIGH", "MEDIUM", "REJECT"]
TIERS: tuple[Tier, ...] = ("HIGH", "MEDIUM", "REJECT")


@dataclass(frozen=True, slots=True)
class Gate:
    """What must hold, how it is measured, and what to do when it does not.

    high and medium name thresholds in settings.Gates; a gate without medium is hard, one without high is only reported.
    at_least False wants a small value; strictly excludes the threshold itself. minimum is the fewest records
    it decides on; None means settings.gates.minimum_records. meaning says how the value is made, for the card.
    """

    name: str
    measure: Callable[[Evidence], Measure]
    high: str
    medium: str = ""
    at_least: bool = True
    strictly: bool = False
    minimum: int | None = None
    remedy: str = ""
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a gate measured and decided. tier REJECT blocks; decided False says why in reason."""

    stage: str
    gate: str
    tier: Tier
    decided: bool
    value: float | None
    low: float | None
    high: float | None
    n: int
    unit: str
    needed: str
    severity: Literal["hard", "tiered", "reported"]
    borderline: bool
    reason: str
    remedy: str
    details: dict[str, Any]

    def __str__(self) -> str:
        """One line: the gate, its value with interval and count, what was needed, and the tier."""
        if self.value is None:
            return f"{self.gate}: not measured ({self.reason}); needed {self.needed}: {self.tier}"
        digits = 0 if self.unit == "records" else 3
        shown = f"{self.value:,.{digits}f}"
        if self.low is not None and self.high is not None and self.low != self.high:
            shown += f" ({self.low:.{digits}f} to {self.high:.{digits}f})"
        note = " borderline" if self.borderline else "" if self.decided else f" not decided: {self.reason}"
        return f"{self.gate}: {shown}, n = {self.n:,}; needed {self.needed}: {self.tier}{note}"


def judge_gate(gate: Gate, evidence: Evidence, stage: str) -> Verdict:
    """Measure the gate on the evidence and decide its tier. What could not be measured has a reason, and no remedy."""
    limits = evidence.settings.gates
    measure = measured(lambda: gate.measure(evidence))
    minimum = limits.minimum_records if gate.minimum is None else gate.minimum
    reason = measure.reason
    if measure.value is not None and measure.n < minimum:
        reason = f"{measure.n} records, at least {minimum} are needed to decide"
    decided = measure.value is not None and measure.n >= minimum
    tier = _tier(gate, limits, measure.value) if decided else "REJECT" if gate.high else "HIGH"
    return Verdict(
        stage, gate.name, tier, decided, measure.value, measure.low, measure.high, measure.n, measure.unit,
        needed(gate, limits), severity(gate), decided and _borderline(gate, limits, measure),
        reason, "" if tier == "HIGH" or measure.value is None else gate.remedy, measure.details,
    )  # fmt: skip


def severity(gate: Gate) -> Literal["hard", "tiered", "reported"]:
    """Whether a gate passes or fails, has three tiers, or only reports."""
    return "tiered" if gate.medium else "hard" if gate.high else "reported"


def needed(gate: Gate, limits: Gates) -> str:
    """The rule in words: what HIGH needs, and MEDIUM where there is one; "reported" where there is no rule."""
    if not gate.high:
        return "reported"
    sign = (">" if gate.at_least else "<") + "=" * (not gate.strictly)
    text = f"{sign} {getattr(limits, gate.high):g}"
    return f"{text} (MEDIUM {sign} {getattr(limits, gate.medium):g})" if gate.medium else text


def worst(verdicts: Sequence[Verdict]) -> Tier:
    """The worst tier of all; HIGH where no gate stands."""
    return TIERS[max((TIERS.index(verdict.tier) for verdict in verdicts), default=0)]


def as_dict(verdict: Verdict) -> dict[str, Any]:
    """The verdict as plain values, for JSON."""
    return dataclasses.asdict(verdict)


def _tier(gate: Gate, limits: Gates, value: float | None) -> Tier:
    assert value is not None
    if not gate.high or _holds(gate, value, getattr(limits, gate.high)):
        return "HIGH"
    return "MEDIUM" if gate.medium and _holds(gate, value, getattr(limits, gate.medium)) else "REJECT"


def _holds(gate: Gate, value: float, limit: float) -> bool:
    ahead = value - limit if gate.at_least else limit - value
    return ahead > 0 or (ahead == 0 and not gate.strictly)


def _borderline(gate: Gate, limits: Gates, measure: Measure) -> bool:
    """True when the interval reaches across a tier's boundary."""
    if measure.low is None or measure.high is None or measure.low == measure.high:
        return False
    tiers = {_tier(gate, limits, edge) for edge in (measure.low, measure.high)}
    return len(tiers) > 1
