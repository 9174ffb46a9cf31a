"""What a run worked under and what it cost, in words: the same for the terminal, the tools and the page.

    gather_in_force(run)        -> {"nice": -10, "MLX_METAL_FAST_SYNCH": "1", ..., "mlx": {...}}
    in_force_lines(found)       -> ["nice -10 in force (own right)", ...]
    cost_rows(cost)             -> [("machine", "M4 Max"), ("cost per example", "0.000313 EUR"), ...]

All of it was measured by the workers and noted with the run; what is absent or None was not measured, and is said so.
"""

from __future__ import annotations

import math
from typing import Any

from realign.hardware.environment import FACTS
from realign.run import Run

NOT_MEASURED = "not measured"
NO_MLX = "not loaded: no stage of this run asked a model in this worker"
TRUTHS = {name: truth for name, _, truth in FACTS}
VARIABLES = tuple(name for name in TRUTHS if name != "nice")


def gather_in_force(run: Run) -> dict[str, Any]:
    """What the last worker measured of itself, what changed while it worked, and what MLX said of its device.

    Empty where the stages ran without a worker process.
    """
    found = dict(run.noted("in_force", {}))
    if found:
        found["mlx"] = run.noted("mlx", {})
        found["changed"] = run.noted("changed_in_force", {})
        found["ranks"] = [part for part in _shared(run) if part.get("in_force")]
    return found


def _shared(run: Run) -> list[dict[str, Any]]:
    """What each machine did and measured of itself in the last stage that was shared by several."""
    stages = [run.noted(f"machines of {name}", []) for name in run.noted("stages", [])]
    return next(filter(None, reversed(stages)), [])


def in_force_rows(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(name, what held, what is true of it): priority first, then every variable, then MLX and the system."""
    if not found:
        return []
    rows = [
        ("nice", str(found.get("nice", NOT_MEASURED)), str(found.get("priority", ""))),
        (
            "quality of service",
            str(found.get("qos", NOT_MEASURED)),
            "the class that macOS schedules by; elsewhere none",
        ),
    ]
    rows += [(name, str(found[name]), TRUTHS[name]) for name in VARIABLES if name in found]
    rows += [(name, said, "changed while the worker was at work") for name, said in found.get("changed", {}).items()]
    rows.append(("MLX", *device_in_words(found.get("mlx", {}))))
    rows += [(rank["machine"], said, "measured in its own worker") for rank, said in _ranks(found)]
    return [*rows, ("system", str(found.get("system", NOT_MEASURED)), "")]


def in_force_lines(found: dict[str, Any]) -> list[str]:
    """The same in a few lines for a terminal."""
    if not found:
        return ["not recorded: the stages ran without a worker process"]
    changed = [f"{name} was {said}" for name, said in found.get("changed", {}).items()]
    version, device = device_in_words(found.get("mlx", {}))
    return [
        f"{found.get('priority') or 'nice ' + str(found.get('nice', NOT_MEASURED))}",
        f"quality of service {found.get('qos', NOT_MEASURED)}, {found.get('system', 'system ' + NOT_MEASURED)}",
        ", ".join(f"{name}={found[name]}" for name in VARIABLES if name in found),
        *changed,
        f"MLX {version}{', ' * bool(device)}{device}",
        *(f"{rank['machine']}: {said}" for rank, said in _ranks(found)),
    ]


def _ranks(found: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """Each machine of a shared stage with what held there, in short."""
    said = []
    for rank in found.get("ranks", []):
        held = rank["in_force"]
        variables = ", ".join(f"{name}={held[name]}" for name in VARIABLES if name in held)
        said.append((rank, f"nice {held.get('nice')}, quality of service {held.get('qos')}, {variables}"))
    return said


def device_in_words(mlx: dict[str, Any]) -> tuple[str, str]:
    """(MLX's version, the device it worked on), or that it was not loaded."""
    if not mlx:
        return NO_MLX, ""
    size = mlx["max_recommended_working_set_gb"]
    limit = f"recommends at most {size:g} GB" if isinstance(size, int | float) else f"recommended memory {size}"
    return f"{mlx['mlx']}, mlx-lm {mlx['mlx-lm']}", f"{mlx['device']} {mlx['name']} ({mlx['architecture']}), {limit}"


# -- cost -----------------------------------------------------------------------------------------------------------


def cost_in_words(cost: dict[str, Any]) -> str:
    """The cost that was noted with the run (hardware/cost.py), or that it was not measured, why, and what is known."""
    total, each, currency = cost.get("total"), cost.get("per_example"), str(cost.get("currency", ""))
    if not isinstance(total, int | float):
        why = f": {cost['watts_basis']}" if cost.get("watts_basis") else ""
        known = f"; the known part is {money(cost['known'], currency)}" if cost.get("known") else ""
        return f"{NOT_MEASURED}{why}{known}"
    shown = money(total, currency)
    return f"{shown}, {money(each, currency)} an example" if isinstance(each, int | float) else shown


def power_in_words(cost: dict[str, Any]) -> str:
    """The watts that the cost rests on, and what they rest on."""
    watts = cost.get("watts")
    if not isinstance(watts, int | float):
        return f"{NOT_MEASURED}: {cost['watts_basis']}" if cost.get("watts_basis") else NOT_MEASURED
    return f"{watts:.3g} W, {cost.get('watts_basis', '')}".rstrip(", ")


def cost_rows(cost: dict[str, Any]) -> list[tuple[str, str]]:
    """Every figure of the cost with its unit, as (name, value); none before a worker noted any."""
    if not cost:
        return []
    currency = str(cost.get("currency", ""))
    return [
        ("machine", str(cost.get("machine") or NOT_MEASURED)),
        ("batch size", str(cost.get("batch_size") or NOT_MEASURED)),
        ("examples", _figure(cost.get("examples"), ",.0f")),
        ("time", _figure(cost.get("seconds"), ",.1f", "s")),
        ("rate", _figure(cost.get("examples_per_second"), ",.3g", "examples/s")),
        ("power", power_in_words(cost)),
        ("energy", energy_in_words(cost.get("energy_kwh"))),
        ("electricity", money(cost.get("electricity"), currency)),
        ("hire of the machine", money(cost.get("hire"), currency)),
        ("cost", money(cost.get("total"), currency)),
        ("cost per example", money(cost.get("per_example"), currency)),
        ("prices", str(cost.get("basis") or NOT_MEASURED)),
    ]


def machine_rows(run: Run) -> list[tuple[str, str, str, str, str]]:
    """(machine, batch size, records answered, busy seconds, records/s) where several shared the work; else none."""
    return [
        (
            part["machine"], str(part["batch_size"]), _figure(part["examples"] or None, ","), f"{part['seconds']:,.1f}",
            _figure(part["examples_per_second"], ",.3g"),
        )
        for part in run.noted("machines", [])
    ]  # fmt: skip


def money(amount: float | None, currency: str) -> str:
    """An amount with its currency, to three digits and without an exponent: a millionth reads as 0.00000113."""
    if amount is None:
        return NOT_MEASURED
    places = max(0, 2 - math.floor(math.log10(abs(amount)))) if amount else 0
    return f"{amount:,.{min(places, 15)}f} {currency}".strip()


def energy_in_words(kwh: float | None) -> str:
    """Kilowatt-hours, or watt-hours where they are few."""
    if kwh is None:
        return NOT_MEASURED
    return f"{kwh:,.3g} kWh" if kwh >= 1 else f"{kwh * 1000:,.3g} Wh"


def _figure(value: float | None, form: str, unit: str = "") -> str:
    """A number with its unit, or that it was not measured."""
    return NOT_MEASURED if value is None else f"{value:{form}} {unit}".strip()
