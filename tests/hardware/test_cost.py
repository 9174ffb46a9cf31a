"""What a run cost: by hand, and honestly unknown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from realign import settings
from realign.errors import UsageError
from realign.hardware.cost import NOT_MEASURED, measure_cost
from realign.hardware.machines import M3_ULTRA, M4_MAX, Machine

BOX = Machine("box", 32, system="Linux")


def test_an_hour_at_100_watts_is_a_tenth_of_a_kilowatt_hour() -> None:
    prices = settings.Cost(electricity_per_kwh=0.30, machine_per_hour=2.0)
    cost = measure_cost(3600, 500, replace(M4_MAX, watts=100), prices)
    assert (cost.energy_kwh, cost.electricity, cost.hire) == pytest.approx((0.1, 0.03, 2.0))
    assert (cost.total, cost.per_example) == pytest.approx((2.03, 2.03 / 500))
    assert (cost.examples_per_second, cost.batch_size) == (500 / 3600, 32)


def test_watts_that_nobody_measured_leave_energy_and_total_not_measured() -> None:
    for machine in (BOX, M3_ULTRA):
        cost = measure_cost(60, 10, machine, settings.Cost())
        assert {cost.watts, cost.energy_kwh, cost.electricity, cost.total, cost.per_example} == {NOT_MEASURED}
        assert machine.name in cost.watts_basis and cost.hire == 0.0


def test_the_users_watts_win_and_are_named() -> None:
    cost = measure_cost(60, 10, M4_MAX, settings.Cost(watts=50))
    assert (cost.watts, cost.watts_basis) == (50, "settings: cost.watts")
    assert "another workload" in measure_cost(60, 10, M4_MAX, settings.Cost()).watts_basis


def test_the_default_prices_are_visible() -> None:
    assert measure_cost(1, 1, BOX, settings.Cost()).basis == "0.15 USD a kWh, 0 USD an hour of the machine"


def test_a_run_without_examples_or_time_divides_by_nothing() -> None:
    cost = measure_cost(0, 0, M4_MAX, settings.Cost())
    assert (cost.examples_per_second, cost.per_example, cost.total) == (NOT_MEASURED, NOT_MEASURED, 0)


@pytest.mark.parametrize(("seconds", "examples"), [(-1, 5), (5, -1), (float("nan"), 1)])
def test_figures_that_no_run_has_are_refused(seconds: float, examples: int) -> None:
    with pytest.raises(UsageError):
        measure_cost(seconds, examples, M4_MAX, settings.Cost())
