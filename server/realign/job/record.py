"""What a worker notes in the run of itself: what was in force, what MLX worked on, energy and cost.

    first = note_conditions(run)                       as it begins: raises its priority, then measures
    with metered() as energy: ...                      around each stage
    note_work(run, first, energy); note_cost(run)      after it

Everything is measured in the worker, and None is what was not.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from typing import Any

from realign.hardware.cost import NOT_MEASURED, cost_of_run
from realign.hardware.energy import Energy
from realign.hardware.environment import changes, conditions, in_force
from realign.hardware.machines import this_machine
from realign.run import Run


def note_conditions(run: Run) -> dict[str, str | int]:
    """Keep what holds while this process works, and count the time of a worker that was killed before it could."""
    first = conditions()
    run.note("in_force", first)
    run.db.execute(
        "UPDATE stages SET status = 'cancelled', seconds = seconds + MAX(updated - started, 0) WHERE status = 'running'"
    )
    return first


def note_work(run: Run, first: Mapping[str, str | int], energy: Energy) -> None:
    """After a stage: the settings that changed meanwhile, the device where MLX was used, and the energy so far.

    A stage that needed no model loads no MLX, and none is loaded to ask it: what an earlier one noted then stays.
    """
    if changed := changes(first, in_force()):
        run.note("changed_in_force", {**run.noted("changed_in_force", {}), **changed})
    if "mlx.core" in sys.modules:
        from realign.engine.device import describe_device

        run.note("mlx", describe_device())
    run.note("energy", dataclasses.asdict(together(noted_energy(run), energy)))


def noted_energy(run: Run) -> Energy:
    """The energy of the stages before, as noted."""
    return Energy(**run.noted("energy", {}))


def together(before: Energy, now: Energy) -> Energy:
    """Two readings as one: what could be read of both, and the seconds that it covers."""
    if before.joules is None or now.joules is None:
        return before if now.joules is None and before.joules is not None else now
    return Energy(before.joules + now.joules, before.seconds + now.seconds, now.source)


def note_cost(run: Run) -> None:
    """Keep what the run has cost so far: all its stages together, on all its machines."""
    from realign.workflow import settings_of, stages_of

    settings = settings_of(run)
    cost = cost_of_run(
        seconds=sum(run.stage(stage.name).seconds for stage in stages_of(run)),
        examples=run.count("row"),
        here=this_machine(),
        prices=settings.cost,
        batch_size=settings.candidates.batch_size,
        energy=noted_energy(run),
        machines=run.noted("machines", []),
    )
    plain = as_plain(dataclasses.asdict(cost))
    run.note("cost", {**plain, "cost": plain["total"], "cost_per_example": plain["per_example"]})


def as_plain(cost: dict[str, Any]) -> dict[str, Any]:
    """A cost as JSON keeps it: None for what was not measured, in its parts as well."""
    plain = {name: None if value == NOT_MEASURED else value for name, value in cost.items()}
    return {**plain, "parts": [as_plain(part) for part in cost["parts"]]}
