"""Apple's chips as printed, and machines by their names."""

from __future__ import annotations

import pytest

from realign.errors import UsageError
from realign.hardware.catalogue import CHIPS, SOURCES, find_variant, variants
from realign.hardware.machines import M3_ULTRA, M4_MAX, SHIPPED_MACHINES, this_machine
from realign.hardware.named import machine_named

TIERS = ("", " Pro", " Max", " Ultra")


def test_every_chip_from_m1_to_m5_is_there_and_there_is_no_m4_ultra() -> None:
    made = {f"M{generation}{tier}" for generation in range(1, 6) for tier in TIERS} - {"M4 Ultra"}
    assert {chip.name for chip in CHIPS} == made | {"M6"} == set(SOURCES)


@pytest.mark.parametrize("chip", CHIPS, ids=lambda chip: f"{chip.name} {chip.gpu_cores}")
def test_every_row_has_a_source_figures_and_sizes_in_order(chip) -> None:
    assert chip.source.startswith("Apple, ") and chip.bandwidth_gbs > 0 and chip.gpu_cores > 0
    assert chip.memory == tuple(sorted(set(chip.memory))) and all(8 <= size <= 512 for size in chip.memory)


@pytest.mark.parametrize(
    ("name", "slow", "fast"),
    [("M3 Max", (30, 300), (40, 400)), ("M4 Max", (32, 410), (40, 546)), ("M5 Max", (32, 460), (40, 614))],
)
def test_variants_of_one_name_are_told_apart_by_their_gpu_cores(name: str, slow: tuple, fast: tuple) -> None:
    for cores, bandwidth in (slow, fast):
        assert find_variant(name, cores)[0].bandwidth_gbs == bandwidth
    assert find_variant(name)[0].gpu_cores == 40


def test_no_variant_has_less_bandwidth_than_one_with_fewer_cores() -> None:
    for name in SOURCES:
        rows = sorted(variants(name), key=lambda chip: (chip.gpu_cores, chip.memory))
        assert [chip.bandwidth_gbs for chip in rows] == sorted(chip.bandwidth_gbs for chip in rows)


def test_a_memory_size_that_only_one_variant_was_sold_with_tells_which_it_is() -> None:
    assert find_variant("M3 Max", memory_gb=36) == (CHIPS[20], "")
    assert find_variant("M3 Ultra", memory_gb=512)[0].gpu_cores == 80
    assert find_variant("M6", memory_gb=24)[0].bandwidth_gbs == 170
    assert find_variant("M3 Ultra", memory_gb=96)[1] == "80 GPU cores assumed, there is one with 60"


def test_the_shipped_machines_agree_with_the_catalogue() -> None:
    for machine in SHIPPED_MACHINES:
        chip, _ = find_variant(machine.name, machine.gpu_cores)
        assert (chip.bandwidth_gbs, machine.memory_gb in chip.memory) == (machine.bandwidth_gbs, True)


@pytest.mark.parametrize(
    ("words", "name", "cores", "memory", "bandwidth"),
    [
        ("M2 Ultra 192GB", "M2 Ultra", 76, 192, 800),
        ("m4 max", "M4 Max", 40, 128, 546),
        ("M4 Max 40-core 128 GB", "M4 Max", 40, 128, 546),
        ("Mac Studio M3 Ultra", "M3 Ultra", 80, 512, 819),
        ("Apple M4 Max (32-core GPU), 36 GB unified memory", "M4 Max (32-core GPU)", 32, 36, 410),
        ("M4Max 36G", "M4 Max (32-core GPU)", 32, 36, 410),
        ("14-inch MacBook Pro M3-Max 30 cores", "M3 Max (30-core GPU)", 30, 36, 300),
        ("MacBook Pro, M4", "M4", 10, 16, 120),
        ("m5 ultra 512", "M5 Ultra", 80, 512, 1200),
        ("M6", "M6", 12, 16, 153),
    ],
)
def test_a_machine_is_found_by_its_words(words: str, name: str, cores: int, memory: float, bandwidth: float) -> None:
    machine = machine_named(words)
    found = (machine.name, machine.gpu_cores, machine.memory_gb, machine.bandwidth_gbs, machine.system)
    assert found == (name, cores, memory, bandwidth, "macOS")


def test_shipped_figures_go_with_their_chip_and_cores_whatever_the_memory() -> None:
    assert machine_named("M4 Max 64 GB").batch_curve == M4_MAX.batch_curve
    assert machine_named("M3 Ultra 80-core 256GB").max_batch == M3_ULTRA.max_batch
    assert machine_named("M4 Max 32-core").shared_rate is None
    assert "calibrate" in machine_named("M4 Max 32-core").basis


def test_what_was_assumed_and_what_was_never_sold_is_said() -> None:
    assert "76 GPU cores assumed" in machine_named("M2 Ultra").basis
    assert "64 GB assumed, it comes with 64 or 128 or 192" in machine_named("M2 Ultra").basis
    assert "assumed" not in machine_named("M2 Ultra 76-core 192GB").basis
    assert "no size that Apple sold with it (64, 128, 192)" in machine_named("M2 Ultra 100GB").basis


@pytest.mark.parametrize("chip", CHIPS, ids=lambda chip: f"{chip.name} {chip.gpu_cores}")
def test_a_machines_own_name_and_memory_give_it_again(chip) -> None:
    machine = machine_named(f"{chip.name} {chip.gpu_cores}-core {chip.memory[0]}GB")
    again = machine_named(f"{machine.name} {machine.memory_gb:g}GB")
    assert (again.name, again.gpu_cores, again.memory_gb) == (machine.name, chip.gpu_cores, chip.memory[0])


def test_this_machines_name_gives_this_machine() -> None:
    here = this_machine()
    assert machine_named(here.name).name == here.name


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "M1"),
        ("H100", "M1"),
        ("M4 Ultra", "M3 Ultra"),
        ("M5 Ultr", "M5 Ultra"),
        ("M9", "M6"),
        ("M4 Max and M3 Ultra", "M3 Ultra"),
        ("M4 Max 30-core", "32 or 40 GPU cores"),
        ("M4 Max 0GB", "from 1 to 2048 GB"),
        ("M4 Max 9999999GB", "from 1 to 2048 GB"),
        ("M4 Max 128GB 64GB", "one size of memory"),
        ("M4 Max -3 GB", "one size of memory"),
        ("M4 Max turbo", "'turbo'"),
        ("M2 Ultra\x00192GB", "one of M2 Ultra"),
    ],
)
def test_what_is_no_machine_is_refused_with_near_names(words: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        machine_named(words)
