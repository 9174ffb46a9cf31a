"""The simulated splits: the table in the docs is what the simulation gives, and it says what the docs conclude."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    place = ROOT / "benchmarks" / "simulate_split.py"
    spec = importlib.util.spec_from_file_location("simulate_split", place)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def documented() -> str:
    return (ROOT / "docs" / "hardware.md").read_text("utf-8")


def test_the_small_half_of_the_documented_table_is_what_the_simulation_gives(simulation: ModuleType) -> None:
    wrong = [row for row in simulation.rows(10_000) if row not in documented().splitlines()]
    assert wrong == [], "put the output of benchmarks/simulate_split.py into docs/hardware.md"


@pytest.mark.slow
def test_the_whole_documented_table_is_what_the_simulation_gives(simulation: ModuleType) -> None:
    assert simulation.table() in documented()


def test_without_luck_a_split_by_the_true_rates_leaves_nobody_idle(
    simulation: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulation, "OF_A_DAY", 0.0)
    monkeypatch.setattr(simulation, "OF_A_PORTION", 0.0)
    hours, idle = simulation.simulate(simulation.dealt_once(0.75, 0.25), 10_000, (3.0, 1.0))
    assert hours == pytest.approx(10_000 / 4.0 / 3600) and idle == pytest.approx(0.0, abs=1e-9)
    hours, idle = simulation.simulate(simulation.dealt_once(0.5, 0.5), 10_000, (3.0, 1.0))
    assert hours == pytest.approx(5_000 / 1.0 / 3600) and idle == pytest.approx(1 / 3)


def test_rounds_work_through_every_example(simulation: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "OF_A_DAY", 0.0)
    monkeypatch.setattr(simulation, "OF_A_PORTION", 0.0)
    luck = [simulation.luck_of(0, machine) for machine in range(2)]
    end, work = simulation.rebalanced()(10_000, (2.0, 2.0), luck)
    assert work == pytest.approx(10_000 / 2.0) and end >= work / 2


def test_exo_is_said_not_to_be_measured_and_its_implied_rates_are_arithmetic(simulation: ModuleType) -> None:
    rows = simulation.in_lockstep(10_000)
    assert any("| EXO | not measured | not measured | not measured |" in row for row in rows)
    assert f"| {1 / (0.2 / 1.95 + 0.8 / 1.03):.2f} | 50% |" in rows[2]
    assert f"| {1.03 / 0.8:.2f} |" in rows[3]
