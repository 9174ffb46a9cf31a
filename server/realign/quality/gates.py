"""A gate is a metric, a rule and a severity; the tier of a stage or dataset is its worst gate.

    verdict = judge_gate(gate, evidence, "select")
    worst([verdict, ...]) -> "HIGH" | "MEDIUM" | "REJECT"

A hard gate passes or fails; a tiered gate gives HIGH, MEDIUM or REJECT. What was not measured, or rests on too few
records, is not decided and does not pass. Gates read records only: nothing here trusts a stored verdict.
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

    high and medium name thresholds in settings.Gates; a gate without medium is hard. minimum is the fewest records
    it decides on; None means settings.gates.minimum_records. meaning says how the value is made, for the card.
    """

    name: str
    measure: Callable[[Evidence], Measure]
    high: str
    medium: str = ""
    at_least: bool = True
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
    severity: Literal["hard", "tiered"]
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
    """Measure the gate on the evidence and decide its tier."""
    limits = evidence.settings.gates
    measure = measured(lambda: gate.measure(evidence))
    minimum = limits.minimum_records if gate.minimum is None else gate.minimum
    reason = measure.reason
    if measure.value is not None and measure.n < minimum:
        reason = f"{measure.n} records, at least {minimum} are needed to decide"
    decided = measure.value is not None and measure.n >= minimum
    tier = _tier(gate, limits, measure.value) if decided else "REJECT"
    return Verdict(
        stage, gate.name, tier, decided, measure.value, measure.low, measure.high, measure.n, measure.unit,
        needed(gate, limits), "tiered" if gate.medium else "hard", decided and _borderline(gate, limits, measure),
        reason, "" if tier == "HIGH" else gate.remedy, measure.details,
    )  # fmt: skip


def needed(gate: Gate, limits: Gates) -> str:
    """The rule in words: what HIGH needs, and MEDIUM where there is one."""
    sign, high = (">=" if gate.at_least else "<="), getattr(limits, gate.high)
    text = f"{sign} {high:g}"
    return f"{text} (MEDIUM {sign} {getattr(limits, gate.medium):g})" if gate.medium else text


def worst(verdicts: Sequence[Verdict]) -> Tier:
    """The worst tier of all; HIGH where no gate stands."""
    return TIERS[max((TIERS.index(verdict.tier) for verdict in verdicts), default=0)]


def as_dict(verdict: Verdict) -> dict[str, Any]:
    """The verdict as plain values, for JSON."""
    return dataclasses.asdict(verdict)


def _tier(gate: Gate, limits: Gates, value: float | None) -> Tier:
    assert value is not None
    for name, tier in ((gate.high, "HIGH"), (gate.medium, "MEDIUM")):
        if name and (value >= getattr(limits, name) if gate.at_least else value <= getattr(limits, name)):
            return "HIGH" if tier == "HIGH" else "MEDIUM"
    return "REJECT"


def _borderline(gate: Gate, limits: Gates, measure: Measure) -> bool:
    """True when the interval reaches across a tier's boundary."""
    if measure.low is None or measure.high is None or measure.low == measure.high:
        return False
    tiers = {_tier(gate, limits, edge) for edge in (measure.low, measure.high)}
    return len(tiers) > 1
