"""What the machine that was asked can do with a model itself, whatever the plan chooses."""

from __future__ import annotations

from dataclasses import dataclass

from realign.hardware.fit import estimate_memory, fit_machine
from realign.hardware.machines import Machine, default_gpu_gb, this_machine
from realign.hardware.models import ModelSize


@dataclass(frozen=True, slots=True)
class Here:
    """This machine and this model. Memory in GB; needed_gb, fits and batch_size are None where the size is unknown."""

    machine: str
    system: str
    memory_gb: float
    cores: int | None
    limit_gb: float
    needed_gb: float | None
    fits: bool | None
    batch_size: int | None
    note: str


def look_here(size: ModelSize, tokens: int, task: str, machine: Machine | None = None) -> Here:
    """What `machine` (None: this one) will do with a model of this size."""
    machine = machine or this_machine()
    runs = "on the GPU, in the model's own precision" if machine.system == "macOS" else "on the CPU, in float32"
    limit, _ = default_gpu_gb(machine)
    needed: float | None = None
    batch: int | None = None
    note = f"models run {runs}; the size of this one is unknown"
    if size.parameters is not None:
        fit = fit_machine(size, machine, tokens, task)
        memory = fit.memory if fit else estimate_memory(size, machine, 1, tokens, task)
        needed, limit, batch = memory.total, memory.limit, fit.batch_size if fit else None
        verdict = "it fits" if fit else "it does not fit; the extractive author needs no model"
        rate = "not measured" if machine.shared_rate is None else machine.basis
        note = f"models run {runs}: {needed:.1f} GB against {limit:.1f} GB, {verdict}. Examples/s: {rate}"
    known = size.parameters is not None
    return Here(
        machine.name,
        machine.system,
        machine.memory_gb,
        machine.cores,
        limit,
        needed,
        batch is not None if known else None,
        batch,
        note,
    )
