"""What a run cost, from its seconds, its machines and two prices.

    measure_cost(412.0, 1500, machine, settings.Cost())               one machine
    add_costs([cost, cost], seconds=412.0, examples=1500)             several: the parts stay beside their sum

Watts are measured where the system lets us (energy.py), else they come from the settings or the machine's profile, and
`watts_basis` says which. Where nothing is known a figure is the text "not measured", never a number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from realign import settings
from realign.errors import UsageError
from realign.hardware.energy import Energy
from realign.hardware.hosts import LOCAL
from realign.hardware.machines import Machine
from realign.hardware.named import machine_named

NOT_MEASURED: Literal["not measured"] = "not measured"
Figure = float | Literal["not measured"]


@dataclass(frozen=True, slots=True)
class Cost:
    """Money in `currency`, energy in kWh. total is electricity plus hire, and not measured unless both are known.

    known: the part of the total that is known, the total itself where all is. parts: each machine's own cost where
    there were several; their seconds are those in which they were busy.
    """

    machine: str
    batch_size: int
    examples: int
    seconds: float
    examples_per_second: Figure
    watts: Figure
    watts_basis: str
    energy_kwh: Figure
    currency: str
    electricity: Figure
    hire: float
    total: Figure
    per_example: Figure
    basis: str
    known: float = 0.0
    parts: tuple[Cost, ...] = ()


def measure_cost(
    seconds: float,
    examples: int,
    machine: Machine,
    prices: settings.Cost,
    batch_size: int | None = None,
    energy: Energy | None = None,
) -> Cost:
    """The cost of `seconds` of work that made `examples`, on one machine. Raises UsageError for a negative figure.

    energy: what was metered of this work, or of a part of it, whose mean power then stands for all of it.
    """
    if not (seconds >= 0 and examples >= 0):  # NaN is neither
        raise UsageError(f"{seconds} s for {examples} examples", "figures of a finished run, zero or more")
    watts, watts_basis = _watts(machine, prices, energy)
    used: Figure = NOT_MEASURED if watts == NOT_MEASURED else watts * seconds / 3.6e6
    electricity: Figure = NOT_MEASURED if used == NOT_MEASURED else used * prices.electricity_per_kwh
    hire = prices.machine_per_hour * seconds / 3600
    total: Figure = NOT_MEASURED if electricity == NOT_MEASURED else electricity + hire
    return Cost(
        machine=machine.name,
        batch_size=machine.batch_size if batch_size is None else batch_size,
        examples=examples,
        seconds=seconds,
        examples_per_second=examples / seconds if seconds else NOT_MEASURED,
        watts=watts,
        watts_basis=watts_basis,
        energy_kwh=used,
        currency=prices.currency,
        electricity=electricity,
        hire=hire,
        total=total,
        per_example=NOT_MEASURED if total == NOT_MEASURED or not examples else total / examples,
        basis=(
            f"{prices.electricity_per_kwh:g} {prices.currency} a kWh,"
            f" {prices.machine_per_hour:g} {prices.currency} an hour of the machine"
        ),
        known=hire if electricity == NOT_MEASURED else electricity + hire,
    )


def _watts(machine: Machine, prices: settings.Cost, energy: Energy | None) -> tuple[Figure, str]:
    # The counter does not see a GPU of its own: where one does the work, the counter's watts are not the machine's.
    if energy and energy.joules is not None and energy.seconds > 0 and machine.system != "CUDA":
        return energy.joules / energy.seconds, f"measured: {energy.source}, over {energy.seconds:.0f} s of this work"
    if prices.watts is not None:
        return prices.watts, "settings: cost.watts"
    if machine.watts is not None:
        return machine.watts, f"the machine's profile: {machine.watts_basis or machine.basis}"
    why = f"; {energy.source}" if energy and energy.joules is None and energy.source else ""
    return NOT_MEASURED, f"nobody has measured {machine.name}{why}: set cost.watts"


def add_costs(parts: Sequence[Cost], seconds: float, examples: int) -> Cost:
    """The cost of a run of `seconds` that made `examples` on several machines; at least one. One alone is itself.

    A figure that one machine lacks is not measured for all; `known` is what there is of it.
    """
    if len(parts) == 1:
        return parts[0]
    total = _sum([part.total for part in parts])
    lacking = [part.watts_basis for part in parts if part.watts == NOT_MEASURED]
    bases = dict.fromkeys(lacking or [f"{part.machine}: {part.watts_basis}" for part in parts])
    return replace(
        parts[0],
        machine=" + ".join(part.machine for part in parts),
        examples=examples,
        seconds=seconds,
        examples_per_second=examples / seconds if seconds else NOT_MEASURED,
        watts=_sum([part.watts for part in parts]),
        watts_basis="; ".join(bases),
        energy_kwh=_sum([part.energy_kwh for part in parts]),
        electricity=_sum([part.electricity for part in parts]),
        hire=sum(part.hire for part in parts),
        total=total,
        per_example=NOT_MEASURED if total == NOT_MEASURED or not examples else total / examples,
        known=sum(part.known for part in parts),
        parts=tuple(parts),
    )


def _sum(figures: Sequence[Figure]) -> Figure:
    """The sum, or that one of them was not measured."""
    known = [figure for figure in figures if figure != NOT_MEASURED]
    return sum(known) if len(known) == len(figures) else NOT_MEASURED


def cost_of_run(
    seconds: float,
    examples: int,
    here: Machine,
    prices: settings.Cost,
    batch_size: int,
    energy: Energy | None = None,
    machines: Sequence[Mapping[str, Any]] = (),
) -> Cost:
    """The cost of a run: of this machine for all of its seconds, and of each other one for those it was busy.

    machines: what every rank did, as the run has it noted: {machine, host, batch_size, examples, seconds}. Ranks of one
    host shared it at the same time, so it counts once, for its longest rank.
    """
    away: dict[str, list[Mapping[str, Any]]] = {}
    for rank in machines:
        away.setdefault(rank["host"], []).append(rank)
    mine = away.pop(LOCAL, [])
    own = measure_cost(seconds, examples, here, prices, batch_size, energy)
    if not away:
        return own
    answered = sum(rank["examples"] for rank in mine)
    parts = [replace(own, examples=answered, examples_per_second=answered / seconds if seconds else NOT_MEASURED)]
    for ranks in away.values():
        busy, items = max(rank["seconds"] for rank in ranks), sum(rank["examples"] for rank in ranks)
        parts.append(measure_cost(busy, items, _machine(ranks[0]["machine"]), prices, ranks[0]["batch_size"]))
    return add_costs(parts, seconds, examples)


def _machine(name: str) -> Machine:
    """The machine of that name; one that no catalogue has is known by its name alone."""
    try:
        return machine_named(name)
    except UsageError:
        return Machine(name, 0.0, system="")
