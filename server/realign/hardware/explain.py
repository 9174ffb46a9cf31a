"""The words of a plan: what its figures rest on, what to beware of, and its one-line summary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from realign.hardware.environment import FACTS
from realign.hardware.fit import Fit, Memory
from realign.hardware.machines import default_gpu_gb

if TYPE_CHECKING:
    from realign.hardware.plan import Plan


def basis_of(team: Sequence[Fit], lockstep: bool) -> tuple[str, ...]:
    """What the figures of the machines that take part rest on."""
    lines = [f"{fit.machine.name}: {fit.machine.basis}" for fit in team]
    lines.append(f"memory limit of {team[0].machine.name}: {default_gpu_gb(team[0].machine)[1]}")
    lines.append("key-value cache and overhead: estimates, at the longest sequence")
    if team[0].rate is None:
        return (*lines, f"rate and time: not measured on {team[0].machine.name}; calibrate it")
    lines.append(
        f"rate: a {team[0].machine.rate_parameters / 1e9:g}B model run as separate batches; in proportion slower for"
        " more active parameters, a floor for fewer; one scored example a row, generation not included"
    )
    if len(team) > 1 and not lockstep:
        lines.append("shares: by throughput; re-balanced while the work runs, so that all finish together")
    return tuple(lines)


def memory_warnings(who: str, memory: Memory) -> list[str]:
    """What must be raised first where the model needs more than the GPU gets as the system stands. Limits are GB."""
    if memory.total <= memory.default_limit:
        return []
    return [
        f"{who}: {memory.total:.0f} GB needed, more than the {memory.default_limit:.0f} GB that macOS gives the GPU by"
        " default: first raise `sudo sysctl iogpu.wired_limit_mb` (up to"
        f" {round(memory.limit * 1e9 / 2**20)} in all), or take fewer bits a weight"
    ]


def environment_warnings(fast_synch: bool) -> tuple[str, ...]:
    """What is true of the settings that a user may have to act on."""
    risky = "MLX_METAL_FAST_SYNCH"
    return tuple(f"{name}={value}: {truth}" for name, value, truth in FACTS if name == risky and fast_synch)


def summarize(plan: Plan) -> str:
    """One line: the model, the machine, batch size, transport, shares, time and cost; or why it can't be done."""
    what = f"{plan.model or f'{(plan.size.parameters or 0) / 1e9:g}B'} at {plan.size.bits} bit"
    if not plan.machine:
        return f"{what} {plan.warnings[-1]}"
    how = "EXO over both" if plan.transport == "EXO" else plan.transport
    line = f"{what}: {plan.machine}, batch size {plan.batch_size}" + (f", {how}" if how != "none" else "")
    if len(plan.work) > 1:
        line += " (" + ", ".join(f"{part.machine} {part.share:.1%}" for part in plan.work) + ")"
    time = "time not measured" if plan.seconds is None else f"about {duration(plan.seconds)}"
    cost = "cost not measured" if isinstance(plan.cost, str) else f"{plan.cost:.2f} {plan.costs[0].currency}"
    line += f"; {time} for {plan.examples:,} examples, {cost}"
    return line + (f"; refused: {', '.join(name for name, _ in plan.refused)}" if plan.refused else "")


def duration(seconds: float) -> str:
    """Seconds as people say them: 40 s, 5.6 min, 3.1 h."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
