"""The eight checks before a distributed launch, from what every machine said of itself.

    checks = judge(facts)            -> Check("hardware", "pass", ...), ... in the order of CHECKS
    blocking(checks)                 -> those that fail: one of them blocks the launch

Pure functions: flight.py asks the machines. A check gives findings: a status, what was found and what to do. What could
not be measured is a warning that says so, never a pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from realign.hardware import able, alike
from realign.hardware.facts import FAIL, PASS, WARNING, Facts, Finding, listed

ORDER = (FAIL, WARNING, PASS)
CHECKS: dict[str, Callable[[Facts], Iterator[Finding]]] = {
    "hardware": able.find_hardware,
    "workers": able.find_workers,
    "checkpoint": alike.find_checkpoint,
    "gradients": alike.find_gradients,
    "performance": able.find_performance,
    "health": able.find_health,
    "sync": alike.find_sync,
    "consistency": alike.find_consistency,
}


@dataclass(frozen=True, slots=True)
class Check:
    """One of the eight. status: pass, warning or fail; fix is "" where there is nothing to do."""

    name: str
    status: str
    detail: str
    fix: str


def judge(facts: Facts) -> list[Check]:
    """All eight checks, in order."""
    silent: list[Finding] = [
        (WARNING, machine.name, "not measured: no answer", "") for machine in facts.machines if not machine.seen
    ]
    return [_summed(name, [*find(facts), *(silent if name != "workers" else [])]) for name, find in CHECKS.items()]


def blocking(checks: Sequence[Check]) -> list[Check]:
    """The checks that fail."""
    return [check for check in checks if check.status == FAIL]


def _summed(name: str, findings: Sequence[Finding]) -> Check:
    """The worst status, what was found in that order (machines of which the same is true together), and what to do."""
    ranked = sorted(findings, key=lambda finding: ORDER.index(finding[0]))
    status = ranked[0][0]
    shown = [finding for finding in ranked if finding[0] != PASS] or ranked
    whose: dict[str, list[str]] = {}
    for _, who, what, _ in shown:
        whose.setdefault(what, []).extend([who] if who else [])
    details = [f"{listed(names)}: {what}" if names else what for what, names in whose.items()]
    return Check(name, status, "; ".join(details), "; ".join(dict.fromkeys(fix for *_, fix in shown if fix)))
