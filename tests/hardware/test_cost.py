"""What a run cost: by hand, and honestly unknown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from realign import settings
from realign.errors import UsageError
from realign.hardware.cost import NOT_MEASURED, add_costs, cost_of_run, measure_cost
from realign.hardware.energy import Energy
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


# -- measured power -------------------------------------------------------------------------------------------------

RAPL = Energy(joules=500.0, seconds=10.0, source="RAPL counter of package, all processes")


def test_measured_joules_win_over_the_users_watts_and_the_profile() -> None:
    cost = measure_cost(20, 10, replace(BOX, watts=999), settings.Cost(watts=70), energy=RAPL)
    assert (cost.watts, cost.energy_kwh) == pytest.approx((50, 1000 / 3.6e6))
    assert cost.watts_basis == "measured: RAPL counter of package, all processes, over 10 s of this work"


def test_where_nothing_could_be_read_the_reason_stands_beside_what_to_do() -> None:
    cost = measure_cost(20, 10, BOX, settings.Cost(), energy=Energy(source="no energy counter (RAPL)"))
    assert cost.watts_basis == "nobody has measured box; no energy counter (RAPL): set cost.watts"
    assert measure_cost(20, 10, BOX, settings.Cost(watts=70), energy=Energy(source="none")).watts == 70


def test_a_processors_counter_is_not_taken_for_a_gpus_watts() -> None:
    assert measure_cost(20, 10, replace(BOX, system="CUDA"), settings.Cost(), energy=RAPL).watts == NOT_MEASURED


# -- several machines -----------------------------------------------------------------------------------------------

HOUR = settings.Cost(electricity_per_kwh=0.5, machine_per_hour=1.0, watts=100)


def rank(machine: str, host: str, examples: int, seconds: float) -> dict[str, object]:
    """What one rank did, as a run notes it."""
    return {"machine": machine, "host": host, "batch_size": 32, "examples": examples, "seconds": seconds}


def test_this_machine_counts_for_the_whole_run_and_the_others_while_they_are_busy() -> None:
    machines = [rank("M4 Max", "127.0.0.1", 655, 1700), rank("M3 Ultra", "studio.local", 345, 1800)]
    cost = cost_of_run(3600, 900, M4_MAX, HOUR, 32, machines=machines)
    assert cost.machine == "M4 Max + M3 Ultra" and cost.total == pytest.approx(1.05 + 1.05 / 2)
    assert (cost.per_example, cost.examples_per_second) == pytest.approx((1.575 / 900, 900 / 3600))
    assert [(part.examples, part.seconds) for part in cost.parts] == [(655, 3600), (345, 1800)]


def test_one_machine_without_watts_leaves_the_total_unmeasured_and_the_known_part_stands() -> None:
    prices = settings.Cost(machine_per_hour=1.0)
    machines = [rank("M4 Max", "127.0.0.1", 5, 3000), rank("M3 Ultra", "studio.local", 5, 1800)]
    cost = cost_of_run(3600, 10, M4_MAX, prices, 32, machines=machines)
    assert {cost.watts, cost.energy_kwh, cost.electricity, cost.total, cost.per_example} == {NOT_MEASURED}
    assert cost.watts_basis == "nobody has measured M3 Ultra: set cost.watts"
    assert cost.known == pytest.approx(0.12 * 0.15 + 1.0 + 0.5)


def test_ranks_of_one_host_are_one_machine() -> None:
    local = [rank("box", "127.0.0.1", 5, 30), rank("box", "127.0.0.1", 5, 31)]
    assert cost_of_run(60, 10, BOX, HOUR, 32, machines=local) == cost_of_run(60, 10, BOX, HOUR, 32)
    away = [rank("M2 Ultra", "a", 4, 30), rank("M2 Ultra", "a", 4, 40), rank("M2 Ultra", "b", 2, 20)]
    parts = cost_of_run(60, 10, BOX, HOUR, 32, machines=[*local, *away]).parts
    assert [(part.machine, part.examples, part.seconds) for part in parts] == [
        ("box", 10, 60), ("M2 Ultra", 8, 40), ("M2 Ultra", 2, 20)
    ]  # fmt: skip


def test_a_machine_that_no_catalogue_knows_is_named_and_priced_by_the_settings_alone() -> None:
    noted = [rank("EPYC 9999 (Linux CPU)", "far", 5, 10)]
    assert cost_of_run(60, 10, M4_MAX, HOUR, 32, machines=noted).parts[1].watts == 100
    unpriced = cost_of_run(60, 10, M4_MAX, settings.Cost(), 32, machines=noted)
    assert unpriced.total == NOT_MEASURED and "EPYC 9999" in unpriced.watts_basis


def test_the_sum_of_one_is_itself() -> None:
    cost = measure_cost(60, 10, M4_MAX, HOUR)
    assert add_costs([cost], 60, 10) is cost
