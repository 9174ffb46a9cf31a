"""What was in force and what it cost, in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from realign.report.conditions import (
    cost_in_words,
    cost_rows,
    energy_in_words,
    in_force_lines,
    in_force_rows,
    money,
    power_in_words,
)
from realign.report.page import render_page
from realign.report.summary import as_text, summarize
from support import build_run

HELD: dict[str, Any] = {
    "nice": 0, "qos": "none", "priority": "normal priority (nice 0): nice -10 needs privilege", "system": "Linux 6.1",
    "MLX_METAL_PREALLOCATE": "1", "MLX_METAL_FAST_SYNCH": "0", "TOKENIZERS_PARALLELISM": "false",
    "OPENBLAS_NUM_THREADS": "1",
}  # fmt: skip
MLX = {
    "device": "Device(gpu, 0)", "name": "Apple M4 Max", "architecture": "applegpu_g16s", "mlx": "0.32.4",
    "mlx-lm": "0.32.2", "max_recommended_working_set_gb": 107.52,
}  # fmt: skip
COST: dict[str, Any] = {
    "machine": "M4 Max", "batch_size": 32, "examples": 1500, "seconds": 412.0, "examples_per_second": 3.64,
    "watts": 120.0, "watts_basis": "settings: cost.watts", "energy_kwh": 0.01373, "currency": "EUR",
    "electricity": 0.00206, "hire": 0.0, "total": 0.00206, "per_example": 1.3733e-06, "known": 0.00206,
    "basis": "0.15 EUR a kWh, 0 EUR an hour of the machine", "parts": [],
}  # fmt: skip


def noted(folder: Path) -> Any:
    """A finished run whose worker noted everything."""
    run = build_run(folder)
    run.note("in_force", HELD)
    run.note("mlx", MLX)
    run.note("changed_in_force", {"TOKENIZERS_PARALLELISM": "false at first, true now"})
    run.note("cost", COST)
    return run


def test_the_summary_shows_priority_environment_device_power_prices_and_cost(tmp_path: Path) -> None:
    text = as_text(summarize(noted(tmp_path)))
    for shown in (
        "normal priority (nice 0)", "quality of service none, Linux 6.1", "MLX_METAL_FAST_SYNCH=0",
        "TOKENIZERS_PARALLELISM was false at first, true now", "Device(gpu, 0) Apple M4 Max",
        "recommends at most 107.52 GB", "120 W, settings: cost.watts", "0.15 EUR a kWh", "0.00206 EUR",
        "0.00000137 EUR an example",
    ):  # fmt: skip
        assert shown in text


def test_the_page_shows_what_is_true_of_each_variable_and_every_figure_of_the_cost(tmp_path: Path) -> None:
    page = render_page(noted(tmp_path))
    for shown in ("does not read it", "can hang the GPU", "applegpu_g16s", "13.7 Wh", "3.64 examples/s", "412.0 s"):
        assert shown in page
    assert "MLX_<wbr>METAL_<wbr>FAST_<wbr>SYNCH" in page


def test_each_machine_that_shared_the_work_is_a_line_of_the_page(tmp_path: Path) -> None:
    run = noted(tmp_path)
    part = {"machine": "M3 Ultra", "host": "studio", "batch_size": 4, "examples": 345, "seconds": 99.5}
    assert "What each machine did" not in render_page(run)
    run.note("machines", [{**part, "examples_per_second": 3.467}])
    run.note("stages", ["source", "candidates", "judge"])
    run.note("machines of candidates", [{**part, "in_force": {**HELD, "nice": -10}}])
    page = render_page(run)
    assert "What each machine did" in page and "99.5" in page and "3.47" in page
    assert "M3 Ultra: nice -10, quality of service none" in as_text(summarize(run))


def test_stages_that_ran_without_a_worker_say_that_nothing_was_recorded(tmp_path: Path) -> None:
    run = build_run(tmp_path)
    assert in_force_rows({}) == [] and "not recorded" in in_force_lines({})[0]
    assert "Not recorded: the stages ran without a worker process" in render_page(run)


def test_a_worker_that_loaded_no_mlx_says_so() -> None:
    assert "MLX not loaded" in in_force_lines({**HELD, "mlx": {}})[-1]
    assert ("MLX", "not loaded: no stage of this run asked a model in this worker", "") in in_force_rows(HELD)


def test_a_device_without_a_recommended_size_says_so() -> None:
    line = in_force_lines({**HELD, "mlx": {**MLX, "max_recommended_working_set_gb": "not told by MLX"}})[-1]
    assert line.endswith("recommended memory not told by MLX")


@pytest.mark.parametrize(
    ("cost", "words"),
    [
        ({}, "not measured"),
        ({"total": None, "watts_basis": "nobody has measured it"}, "not measured: nobody has measured it"),
        (
            {"total": None, "watts_basis": "set cost.watts", "known": 1.5, "currency": "USD"},
            "not measured: set cost.watts; the known part is 1.50 USD",
        ),
        ({"total": 2.0, "per_example": None, "currency": "USD"}, "2.00 USD"),
        ({"total": 2.0, "per_example": 0.25, "currency": "USD"}, "2.00 USD, 0.250 USD an example"),
    ],
)
def test_a_cost_is_said_as_far_as_it_is_known(cost: dict[str, Any], words: str) -> None:
    assert cost_in_words(cost) == words


def test_no_figure_of_a_cost_is_left_out_or_made_up() -> None:
    unknown = dict.fromkeys(COST) | {"machine": "box", "currency": "USD", "watts_basis": "set cost.watts"}
    rows = dict(cost_rows(unknown))
    assert rows["power"] == "not measured: set cost.watts" == power_in_words(unknown)
    assert {rows[name] for name in ("energy", "cost", "cost per example", "rate", "prices")} == {"not measured"}
    assert cost_rows({}) == []


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (None, "not measured"),
        (0.0, "0 EUR"),
        (1.3733e-06, "0.00000137 EUR"),
        (12.3456, "12.3 EUR"),
        (54321, "54,321 EUR"),
    ],
)
def test_money_is_read_without_an_exponent(amount: float | None, words: str) -> None:
    assert money(amount, "EUR") == words


def test_little_energy_is_said_in_watt_hours() -> None:
    assert [energy_in_words(kwh) for kwh in (None, 0.0, 0.000035, 12.5)] == [
        "not measured", "0 Wh", "0.035 Wh", "12.5 kWh"
    ]  # fmt: skip
