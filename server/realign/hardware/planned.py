"""What a plan says: the record that plan.py fills in and explain.py puts into words."""

from __future__ import annotations

from dataclasses import dataclass

from realign.hardware.cost import NOT_MEASURED, Cost, Figure
from realign.hardware.environment import NICE
from realign.hardware.here import Here
from realign.hardware.memory import Memory
from realign.hardware.models import ModelSize
from realign.hardware.refusals import Refusal

SEPARATE, SHARDED, EXO, NONE = "separate batches", "sharded over RDMA", "EXO", "none"


@dataclass(frozen=True, slots=True)
class Part:
    """One machine's part: its share in 0..1, whole examples, examples/s and seconds (None: not measured).

    ceiling: tokens/s that generation of one sequence can't pass, by memory bandwidth; a bound, no measurement.
    """

    machine: str
    share: float
    batch_size: int
    examples: int
    rate: float | None
    seconds: float | None
    ceiling: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer. machine is where the run runs ("" for nowhere); rates in examples/s; None is not measured.

    why: this machine and no other. rate_is: "measured" on a model of this size, "floor" from a larger one, "estimate"
    from a smaller one. refused: (anti-pattern, reason) of what was asked for. question: set when the size is unknown.
    """

    model: str
    data_type: str
    task: str
    examples: int
    tokens: int
    size: ModelSize
    here: Here
    environment: dict[str, str]
    summary: str = ""
    machine: str = ""
    why: str = ""
    batch_size: int | None = None
    transport: str = NONE
    work: tuple[Part, ...] = ()
    memory: Memory | None = None
    rate: float | None = None
    rate_is: str = ""
    seconds: float | None = None
    costs: tuple[Cost, ...] = ()
    cost: Figure = NOT_MEASURED
    nice: int = NICE
    refused: tuple[Refusal, ...] = ()
    basis: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    question: str = ""

    @property
    def split(self) -> tuple[tuple[str, float], ...]:
        """(machine, share) of the work; the shares sum to one, or there are none."""
        return tuple((part.machine, part.share) for part in self.work)
