"""What the machine that was asked can do with a model itself, whatever the plan chooses."""

from __future__ import annotations

from dataclasses import dataclass

from realign.hardware.fit import Fit, fit_machine
from realign.hardware.machines import Machine, default_gpu_gb
from realign.hardware.memory import Memory, estimate_memory
from realign.hardware.models import ModelSize

RUNS = {
    "macOS": "on the GPU, in the model's own precision",
    "CUDA": "on the GPU, in the model's own precision",
    "Linux": "on the CPU, in float32",
}


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


def look_here(size: ModelSize, tokens: int, task: str, machine: Machine, full: bool = False) -> Here:
    """What `machine`, the one this runs on, will do with a model of this size."""
    same = (machine.name, machine.system, machine.memory_gb, machine.cores)
    runs = f"models run {RUNS[machine.system]}"
    if size.parameters is None:
        limit, _ = default_gpu_gb(machine)
        return Here(*same, limit, None, None, None, f"{runs}; the size of this one is unknown")
    fit = fit_machine(size, machine, tokens, task, full=full)
    memory = fit.memory if fit else estimate_memory(size, machine, 1, tokens, task, full=full)
    note = f"{runs}: {_verdict(fit, memory)}. Examples/s: {_rate(machine)}"
    return Here(*same, memory.limit, memory.total, fit is not None, fit.batch_size if fit else None, note)


def _verdict(fit: Fit | None, memory: Memory) -> str:
    needs = f"{memory.total:.1f} GB of the {memory.limit:.1f} GB it may use"
    return f"it fits, {needs}" if fit else f"it does not fit, {needs}; the extractive author needs no model"


def _rate(machine: Machine) -> str:
    return "not measured" if machine.shared_rate is None else machine.basis
