"""Who holds a model, how fast, and who does how much of the work."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realign.hardware.fit import (
    Fit,
    ceiling_of,
    curve_at,
    deal,
    fit_machine,
    rate_is,
    rate_of,
    shipped_shares,
    throughput_shares,
)
from realign.hardware.machines import M3_ULTRA, M4_MAX, Machine
from realign.hardware.models import measure_model

M2_ULTRA = Machine("M2 Ultra", 192, gpu_cores=76, bandwidth_gbs=800)


def fit(machine: Machine, model: str = "x-7b", **more: int) -> Fit:
    found = fit_machine(measure_model(model), machine, 1024, "curate", **more)
    assert found is not None
    return found


# 200B at 16 bit is the most that the table plans for 512 GB: 400 GB of weights. By that share 128 GB hold 100.
BOUNDARIES = [
    (M4_MAX, 49.9, True),
    (M4_MAX, 50, True),
    (M4_MAX, 50.1, False),
    (M4_MAX, 64, False),
    (M3_ULTRA, 70, True),
    (M3_ULTRA, 199.9, True),
    (M3_ULTRA, 200, True),
    (M3_ULTRA, 200.1, False),
    (M3_ULTRA, 256, False),
    (dataclasses.replace(M4_MAX, memory_gb=64), 25, True),
    (dataclasses.replace(M4_MAX, memory_gb=64), 25.1, False),
    (dataclasses.replace(M3_ULTRA, memory_gb=96), 38, False),
]


@pytest.mark.parametrize(("machine", "billions", "holds"), BOUNDARIES)
def test_a_machine_holds_weights_up_to_its_share_of_memory(machine: Machine, billions: float, holds: bool) -> None:
    found = fit_machine(measure_model("m", billions * 1e9), machine, 1024, "curate")
    assert (found is not None) == holds


def test_the_batch_size_is_the_best_one_or_the_fastest_that_fits() -> None:
    assert (fit(M4_MAX).batch_size, fit(M3_ULTRA).batch_size) == (32, 4)
    long = fit_machine(measure_model("x-30b"), M4_MAX, 32_768, "curate")
    assert long is not None and long.batch_size == 1 and long.memory.total <= 120
    assert fit(M3_ULTRA, asked=32).batch_size == 4


def test_a_curve_is_linear_between_its_points_and_flat_outside() -> None:
    points = [(1, 200), (8, 450), (12, 535), (32, 776), (48, 763), (64, 750), (100, 750)]
    assert [(batch, curve_at(M4_MAX, batch)) for batch, _ in points] == points


def test_a_larger_model_is_slower_in_proportion_and_a_smaller_one_has_a_floor() -> None:
    rates = [rate_of(M4_MAX, measure_model(name), 32) for name in ("x-7b", "x-30b", "x-60b", "Qwen3-235B-A22B")]
    assert rates == [pytest.approx(rate, abs=0.005) for rate in (1.95, 1.95, 0.975, 1.95)]
    kinds = [rate_is([M4_MAX], measure_model(name)) for name in ("x-7b", "x-30b", "x-32b", "x-70b")]
    assert kinds == ["floor", "measured", "measured", "estimate"]
    assert rate_of(M2_ULTRA, measure_model("x-7b"), 8) is None


def test_the_shipped_rates_are_their_shares_of_the_measured_sum_to_two_places() -> None:
    size = measure_model("x-30b")
    pair = [rate_of(machine, size, machine.batch_size) or 0 for machine in (M4_MAX, M3_ULTRA)]
    assert [round(rate, 2) for rate in pair] == [M4_MAX.shared_rate, M3_ULTRA.shared_rate]
    assert sum(pair) == pytest.approx(2.98)


CEILINGS = [
    (M4_MAX, "x-70b", 546e9 / (140e9 + 0.34e9)),
    (M3_ULTRA, "x-70b", 819e9 / (140e9 + 0.34e9)),
    (M2_ULTRA, "x-70b-4bit", 800e9 / (70e9 * 4.5 / 8 + 0.34e9)),
    (M2_ULTRA, "Qwen3-235B-A22B-4bit", 800e9 / (22e9 * 4.5 / 8 + 0.2e9)),
]


@pytest.mark.parametrize(("machine", "model", "tokens_per_second"), CEILINGS)
def test_generation_can_not_outrun_the_memory(machine: Machine, model: str, tokens_per_second: float) -> None:
    assert ceiling_of(machine, measure_model(model), 1024) == pytest.approx(tokens_per_second, rel=0.01)


def test_a_machine_of_unknown_bandwidth_has_no_ceiling() -> None:
    assert ceiling_of(Machine("m", 64), measure_model("x-7b"), 1024) is None


# Rates that mlx-lm's own benchmark publishes for an M4 Max with 64 GB: none may pass the ceiling.
MEASURED = [("Qwen3-4B-bf16", 52), ("Qwen3-4B-4bit", 135), ("Qwen3-30B-A3B-4bit", 113)]


@pytest.mark.parametrize(("model", "measured"), MEASURED)
def test_published_generation_stays_under_the_ceiling(model: str, measured: float) -> None:
    ceiling = ceiling_of(M4_MAX, measure_model(model), 1024)
    assert ceiling is not None and measured < ceiling < 4 * measured


def test_the_shipped_pair_shares_0_655_to_0_345_until_one_is_calibrated() -> None:
    assert throughput_shares([fit(M4_MAX), fit(M3_ULTRA)]) == (0.655, 0.345)
    assert throughput_shares([fit(M3_ULTRA), fit(M4_MAX)]) == (0.345, 0.655)
    measured = dataclasses.replace(M4_MAX, shared_rate=9.0, rate_parameters=7e9, share=None)
    assert throughput_shares([fit(measured), fit(M3_ULTRA)])[0] == pytest.approx(9 / (9 + 1.028), rel=1e-3)
    assert not shipped_shares([fit(M4_MAX, asked=8), fit(M3_ULTRA)])
    assert not shipped_shares([fit(M4_MAX), fit(M3_ULTRA), fit(dataclasses.replace(M4_MAX, name="m", share=None))])


@given(st.integers(0, 10**9), st.lists(st.floats(0.01, 1), min_size=1, max_size=6))
def test_dealing_gives_every_example_to_somebody_and_nobody_one_too_many(examples: int, weights: list[float]) -> None:
    shares = [weight / sum(weights) for weight in weights]
    dealt = deal(examples, shares)
    assert sum(dealt) == examples
    assert all(abs(count - examples * share) < 1.001 for count, share in zip(dealt, shares, strict=True))
