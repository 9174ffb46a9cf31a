"""What a run cost, from its seconds, its machine and two prices.

    measure_cost(412.0, 1500, machine, settings.Cost())

macOS gives its power only to root, so watts come from the settings or the machine's profile, and `watts_basis` says
which. Where nothing is known a figure is the text "not measured", never a number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from realign import settings
from realign.errors import UsageError
from realign.hardware.machines import Machine

NOT_MEASURED: Literal["not measured"] = "not measured"
Figure = float | Literal["not measured"]


@dataclass(frozen=True, slots=True)
class Cost:
    """Money in `currency`, energy in kWh. total is electricity plus hire, and not measured unless both are known."""

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


def measure_cost(
    seconds: float, examples: int, machine: Machine, prices: settings.Cost, batch_size: int | None = None
) -> Cost:
    """The cost of `seconds` of work that made `examples`, on one machine. Raises UsageError for a negative figure."""
    if not (seconds >= 0 and examples >= 0):  # NaN is neither
        raise UsageError(f"{seconds} s for {examples} examples", "figures of a finished run, zero or more")
    watts, watts_basis = _watts(machine, prices)
    energy: Figure = NOT_MEASURED if watts == NOT_MEASURED else watts * seconds / 3.6e6
    electricity: Figure = NOT_MEASURED if energy == NOT_MEASURED else energy * prices.electricity_per_kwh
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
        energy_kwh=energy,
        currency=prices.currency,
        electricity=electricity,
        hire=hire,
        total=total,
        per_example=NOT_MEASURED if total == NOT_MEASURED or not examples else total / examples,
        basis=(
            f"{prices.electricity_per_kwh:g} {prices.currency} a kWh,"
            f" {prices.machine_per_hour:g} {prices.currency} an hour of the machine"
        ),
    )


def _watts(machine: Machine, prices: settings.Cost) -> tuple[Figure, str]:
    if prices.watts is not None:
        return prices.watts, "settings: cost.watts"
    if machine.watts is not None:
        return machine.watts, f"the machine's profile: {machine.watts_basis or machine.basis}"
    return NOT_MEASURED, f"nobody has measured {machine.name}: set cost.watts"
