"""A stage of a workflow, as data: what it does, by which gates it is measured, and what its outcome depends on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from realign.quality.gates import Gate
from realign.run import Batch, Run
from realign.settings import Settings
from realign.work import Work


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a workflow. act yields batches; inputs gives what, besides settings, its outcome depends on."""

    name: str
    act: Callable[[Work], Iterator[Batch]]
    gates: tuple[Gate, ...]
    sections: tuple[str, ...]
    code: tuple[str, ...]
    inputs: Callable[[Run, Settings], str] = lambda run, settings: ""
