"""The words of a plan: why this machine, what its figures rest on, what to beware of, and its one-line summary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from realign.hardware.environment import FACTS
from realign.hardware.fit import Fit, rate_is, shipped_shares, throughput_shares
from realign.hardware.machines import SHARDED_30B_RATE, Machine, default_gpu_gb
from realign.hardware.memory import GENERATES, Memory, assumed
from realign.hardware.models import ModelSize
from realign.hardware.planned import EXO, NONE, Plan
from realign.hardware.refusals import Asked

LOCKSTEP = (
    "training in lockstep has equal shares by construction: the slowest machine sets the pace, and each holds the whole"
    " model; `realign align --hosts` does it"
)
NOT_TRAINED = (
    "no machine holds it in training, and `realign align` divides batches among machines, not a model: fewer bits a"
    " weight, or a smaller model"
)
NOT_INCLUDED = "time: scoring; generating the candidates comes on top"
CEILING = (
    "generation ceiling: memory bandwidth over the bytes read for a token, one sequence at a time; a bound, not a rate"
)
LARGER = ", slower in proportion to this one's active parameters (an estimate)"
SMALLER = ", which is a floor for this smaller one"
ABOUT = {"measured": "about", "floor": "at most about", "estimate": "roughly"}


def why_this(lead: Fit, fitted: Sequence[Fit], too_small: Sequence[Machine], task: str) -> str:
    """Why the lead was chosen: what can't hold the model, and whom it outruns."""
    slower = [fit.machine.name for fit in fitted if fit.machine.name != lead.machine.name and fit.machine.shared_rate]
    small = [machine.name for machine in too_small if machine.system == "macOS"]
    reasons = [f"{' and '.join(small)} can't hold it"] if small else []
    if fitted[0].machine.name != lead.machine.name:
        reasons.append("as asked")
    elif lead.machine.shared_rate and slower:
        at = "" if task == "curate" else " at inference; training was not measured"
        reasons.append(f"faster than {' and '.join(slower)}{at}")
    elif lead.machine.shared_rate is None and len(fitted) > 1:
        reasons.append("the most memory bandwidth of those that hold it; no rate was measured")
    return ", ".join(reasons) or "it holds the model"


def basis_of(
    team: Sequence[Fit], size: ModelSize, task: str, full: bool, *, shares_asked: bool = False
) -> tuple[str, ...]:
    """What the figures of the machines that take part rest on. shares_asked: the shares are the user's own."""
    lead = team[0].machine
    lines = _grouped((fit.machine.basis, fit.machine.name) for fit in team)
    lines.append(f"memory limit of {lead.name}: {default_gpu_gb(lead)[1]}")
    lines.append("memory besides weights: estimates, at the longest sequence")
    lines += [f"memory of training: {line}" for line in assumed(task, full)]
    if task in GENERATES and size.read and any(fit.machine.bandwidth_gbs for fit in team):
        lines.append(CEILING)
    if task != "curate":
        return (*lines, "rate and time: not measured, the shipped rates and calibrations are of inference")
    if team[0].rate is None:
        return (*lines, f"rate and time: not measured on {lead.name}; calibrate it")
    return (*lines, *_rates(team, size), NOT_INCLUDED, *([_shares(team, shares_asked)] if len(team) > 1 else []))


def _rates(team: Sequence[Fit], size: ModelSize) -> list[str]:
    """Where the rates come from, and which way they err for this model."""
    return [f"rate of {line}" for line in _grouped((_rate(f, size), f.machine.name) for f in team)]


def _rate(fit: Fit, size: ModelSize) -> str:
    measured = f"a {fit.machine.rate_parameters / 1e9:.3g}B model"
    measured += " run as separate batches" if fit.machine.share else ""
    kind = rate_is([fit.machine], size)
    return measured + (LARGER if kind == "estimate" else SMALLER if kind == "floor" else "")


def _grouped(lines: Iterable[tuple[str, str]]) -> list[str]:
    """`who: what` of (what, who), with everyone of whom the same is true before it."""
    groups: dict[str, list[str]] = {}
    for what, who in lines:
        groups.setdefault(what, []).append(who)
    return [f"{' and '.join(who)}: {what}" for what, who in groups.items()]


def _shares(team: Sequence[Fit], asked: bool) -> str:
    """How the work is shared and why."""
    if asked:
        better = " : ".join(f"{share:.3f}" for share in throughput_shares(team))
        return f"shares: as asked; by throughput they would be {better}, and all would finish together"
    if shipped_shares(team):
        return (
            "shares: 0.655 : 0.345 as shipped, until one of the two is calibrated; of 2.98 ex/s that is 1.952 and"
            " 1.028, which the shipped rates 1.95 and 1.03 round; re-balanced while the work runs"
        )
    plain = [fit.machine.name for fit in team if not fit.machine.basis.startswith("calibration")]
    mixed = f"; {' and '.join(plain)} not calibrated, so of another workload" if 0 < len(plain) < len(team) else ""
    return f"shares: throughput over the sum at these batch sizes{mixed}; re-balanced while the work runs"


def basis_together(pool: Sequence[Machine], sharded: bool, task: str, full: bool) -> tuple[str, ...]:
    """What a plan over several machines as one rests on."""
    how = (
        "layers are placed by the sharded launch (mlx.launch: jaccl over Thunderbolt 5 with macOS 26.2 or later, else"
        " ring over TCP): examples are not split"
        if sharded
        else "layers are placed by EXO (endpoint on port 52415): examples are not split"
    )
    limits = f"memory limits of {', '.join(machine.name for machine in pool)}: {default_gpu_gb(pool[0])[1]}"
    training = tuple(f"memory of training: {line}" for line in assumed(task, full))
    shipped = {machine.share for machine in pool} == {0.655, 0.345}
    known = (
        f"; a 30B model sharded over both gave about {SHARDED_30B_RATE} ex/s" if shipped and task == "curate" else ""
    )
    return (how, limits, *training, f"rate and time: not measured for a model spread over machines{known}")


def memory_warnings(who: str, memory: Memory) -> list[str]:
    """What must be raised first where the model needs more than the GPU gets as the system stands. Limits are GB."""
    if memory.total <= memory.default_limit:
        return []
    return [
        f"{who}: {memory.total:.0f} GB needed, more than the {memory.default_limit:.0f} GB that macOS gives the GPU by"
        " default: first raise `sudo sysctl iogpu.wired_limit_mb` (up to"
        f" {round(memory.limit * 1e9 / 2**20)} in all), or take fewer bits a weight"
    ]


def wishes_not_met(asked: Asked, lead: Fit) -> list[str]:
    """What was asked for and can't be, though it is no anti-pattern."""
    name, lines = lead.machine.name, []
    if asked.machine not in (None, name):
        lines.append(f"{asked.machine} was asked for and can't hold this model")
    if asked.batch_size and lead.batch_size != asked.batch_size:
        lines.append(f"batch size {asked.batch_size} is too much for {name}: {lead.batch_size} it is")
    elif asked.batch_size and lead.machine.batch_curve and lead.batch_size > lead.machine.batch_size:
        lines.append(f"{name} is fastest at batch size {lead.machine.batch_size}")
    if asked.transport == "exo":
        lines.append(f"EXO is for models that no machine holds alone; {name} holds this one")
    return lines


def left_out(fitted: Sequence[Fit], team: Sequence[Fit], task: str, asked: Asked) -> list[str]:
    """The machines that hold the model and get no work, where that is not what was asked for."""
    rest = [fit.machine.name for fit in fitted if fit not in team and fit.machine.system != "Linux"]
    working = {fit.machine.name for fit in team}
    rest = [name for name in rest if name not in working]
    if not rest or asked.machine or asked.split == "none":
        return []
    if task != "curate":
        return [f"{' and '.join(rest)} could train in lockstep beside it, in equal shares: ask for a split"]
    return [f"{' and '.join(rest)} would hold it too: no share until each is calibrated"]


def environment_warnings(fast_synch: bool) -> tuple[str, ...]:
    """What is true of the settings that a user may have to act on."""
    risky = "MLX_METAL_FAST_SYNCH"
    return tuple(f"{name}={value}: {truth}" for name, value, truth in FACTS if name == risky and fast_synch)


def summarize(plan: Plan) -> str:
    """One line: the model, the machine, batch size, transport, shares, time and cost; or why it can't be done."""
    what = f"{plan.model or f'{(plan.size.parameters or 0) / 1e9:g}B'} at {plan.size.bits:g} bit"
    what += "" if plan.task == "curate" else f", {plan.task.upper()} training"
    if not plan.machine:
        return f"{what} {plan.warnings[-1]}"
    how = "EXO over both" if plan.transport == EXO and plan.machine.count(" + ") == 1 else plan.transport
    line = f"{what}: {plan.machine}, batch size {plan.batch_size}" + (f", {how}" if how != NONE else "")
    if len(plan.work) > 1:
        line += " (" + ", ".join(f"{part.machine} {part.share:.1%}" for part in plan.work) + ")"
    time = "time not measured" if plan.seconds is None else f"{ABOUT[plan.rate_is]} {duration(plan.seconds)}"
    cost = "cost not measured" if isinstance(plan.cost, str) else f"{plan.cost:.2g} {plan.costs[0].currency}"
    line += f"; {time} for {plan.examples:,} examples, {cost}"
    return line + (f"; refused: {', '.join(name for name, _ in plan.refused)}" if plan.refused else "")


def duration(seconds: float) -> str:
    """Seconds as people say them: 40 s, 5.6 min, 3.1 h, 12 days."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 72 * 3600 else f"{seconds / 86400:,.1f} days"
