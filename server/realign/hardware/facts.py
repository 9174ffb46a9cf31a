"""What the pre-flight knows of every machine of a launch, and the words that its checks share.

A machine says of itself what is true of it (`Seen`, probe.py) and, where a model works in the run, what that model does
there with planted items (`Measured`, job/vitals.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from realign.hardware.plan import TOKENS
from realign.hardware.probe import Said, Seen

PASS, WARNING, FAIL = "pass", "warning", "fail"
Finding = tuple[str, str, str, str]  # status, the machine's name or "" for all, what was found, what to do


class Vitals(Said):
    """A model on one machine. type: that of its logits, before they become float32.

    gradients: norm of the last block's gradient for each planted item; answers: log-probability in nats of each token
    of its answer; None is a number that is none (infinite, or not a number). rate: examples/s of the calibrated batch
    size, timed now; None where there is no calibration. problem: why nothing was measured; no_gradients: or not those.
    """

    type: str = ""
    gradients: tuple[float | None, ...] = ()
    no_gradients: str = ""
    answers: tuple[tuple[float | None, ...], ...] = ()
    rate: float | None = None
    problem: str = ""


class Measured(Said):
    """Vitals of every model, by folder."""

    models: dict[str, Vitals]


@dataclass(frozen=True, slots=True)
class Answered:
    """What one machine answered. seen is None when it did not: problem and fix then say why.

    claimed: its name in the host file. seconds: until its answer. skew: seconds that its clock differs at least.
    measured is None while no model was measured; unmeasured says why, broke that it was tried and went wrong.
    """

    name: str
    ssh: str
    claimed: str = ""
    seen: Seen | None = None
    problem: str = ""
    fix: str = ""
    seconds: float = 0.0
    skew: float = 0.0
    measured: Measured | None = None
    unmeasured: str = "no model was loaded"
    broke: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the checks read. machines: in rank order, the coordinator first; models: folders that will work.

    task: what they do, one of memory.TASKS; full: every weight is trained. batch_size and tokens are a machine's own.
    """

    machines: tuple[Answered, ...]
    models: tuple[str, ...]
    backend: str = "ring"
    sharded: bool = False
    batch_size: int = 1
    task: str = "curate"
    tokens: int = TOKENS
    full: bool = False

    @property
    def seen(self) -> list[tuple[Answered, Seen]]:
        """The machines that answered."""
        return [(machine, machine.seen) for machine in self.machines if machine.seen]

    @property
    def compared(self) -> tuple[Seen, list[tuple[Answered, Seen]]] | None:
        """(the coordinator, the others that answered), or None where there is nothing to compare."""
        first, others = self.machines[0].seen, [pair for pair in self.seen if pair[0] is not self.machines[0]]
        return (first, others) if first and others else None

    def vitals(self, model: str) -> list[tuple[Answered, Vitals]]:
        """What a model did on each machine where it could be measured."""
        pairs = [(machine, machine.measured.models.get(model)) for machine in self.machines if machine.measured]
        return [(machine, found) for machine, found in pairs if found and not found.problem]


# -- words that checks share ---------------------------------------------------------------------------------------


def listed(names: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def no_model(what: str) -> Finding:
    """The warning of a check that needs a model, in a run in which none works."""
    found = f"not measured: no model folder works in this run, so {what}"
    return WARNING, "", found, "--model with a folder that is on every machine"


def unmeasured(facts: Facts, model: str) -> Iterator[Finding]:
    """A warning for each machine on which a model was not measured."""
    for machine in facts.machines:
        if machine.seen and not machine.measured:
            yield WARNING, machine.name, f"not measured: {machine.unmeasured}", ""
        elif machine.measured and (model not in machine.measured.models or machine.measured.models[model].problem):
            yield WARNING, machine.name, "not measured: the model was not loaded", ""
