"""Joules from counters in a folder that looks like /sys/class/powercap."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from realign.hardware.energy import NOT_ON_MACOS, difference, find_counters, metered

pytestmark = pytest.mark.skipif(sys.platform == "darwin", reason=NOT_ON_MACOS)
RANGE = 262_143_328_850


def zone(root: Path, place: str, name: str, energy: int | str) -> Path:
    """A zone of the power capping interface; gives the file of its counter."""
    folder = root / f"intel-rapl:{place}"
    folder.mkdir(parents=True)
    for file, value in (("name", name), ("energy_uj", energy), ("max_energy_range_uj", RANGE)):
        (folder / file).write_text(f"{value}\n", encoding="utf-8")
    return folder / "energy_uj"


def test_what_the_counters_move_while_the_work_goes_on_is_its_energy(tmp_path: Path) -> None:
    package, memory = zone(tmp_path, "0", "package-0", 1_000_000), zone(tmp_path, "0:1", "dram", 500_000)
    with metered(tmp_path) as energy:
        package.write_text("4000000\n")
        memory.write_text("1000000\n")
    assert energy.joules == pytest.approx(3.5) and energy.seconds > 0
    assert energy.source == "RAPL counter of package + dram, all processes"


def test_a_counter_that_starts_again_from_zero_loses_nothing(tmp_path: Path) -> None:
    package = zone(tmp_path, "0", "package-0", RANGE - 1_000_000)
    with metered(tmp_path) as energy:
        package.write_text("2000000\n")
    assert energy.joules == pytest.approx(3.0)
    assert [difference(5, 9, 10), difference(9, 5, 10), difference(7, 7, 10)] == [4, 6, 0]


def test_parts_of_a_package_are_not_counted_twice_and_a_platform_counter_has_it_all(tmp_path: Path) -> None:
    zone(tmp_path, "0", "package-0", 1)
    zone(tmp_path, "0:0", "core", 1)
    zone(tmp_path, "0:1", "uncore", 1)
    zone(tmp_path, "1", "package-1", 1)
    assert [counter.file.parent.name for counter in find_counters(tmp_path)[0]] == ["intel-rapl:0", "intel-rapl:1"]
    zone(tmp_path, "2", "psys", 1)
    assert [counter.file.parent.name for counter in find_counters(tmp_path)[0]] == ["intel-rapl:2"]


def test_no_counter_is_no_measurement_and_says_why(tmp_path: Path) -> None:
    with metered(tmp_path / "absent") as energy:
        pass
    assert energy.joules is None and energy.source == "no energy counter (RAPL) on this machine"


@pytest.mark.parametrize("first", ["", "many"])
def test_a_counter_that_cannot_be_read_is_no_measurement(tmp_path: Path, first: str) -> None:
    zone(tmp_path, "0", "package-0", first)
    assert find_counters(tmp_path) == ((), "the energy counter (RAPL) can be read by root alone")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_counter_for_root_alone_is_no_measurement(tmp_path: Path) -> None:
    zone(tmp_path, "0", "package-0", 1).chmod(0o000)
    assert "root alone" in find_counters(tmp_path)[1]


def test_a_counter_that_is_lost_on_the_way_measures_nothing(tmp_path: Path) -> None:
    package = zone(tmp_path, "0", "package-0", 1)
    with metered(tmp_path) as energy:
        package.unlink()
    assert energy.joules is None and "to the end" in energy.source


def test_work_that_fails_has_used_its_energy_all_the_same(tmp_path: Path) -> None:
    package = zone(tmp_path, "0", "package-0", 0)
    with pytest.raises(ZeroDivisionError), metered(tmp_path) as energy:
        package.write_text("7000000\n")
        raise ZeroDivisionError
    assert energy.joules == pytest.approx(7.0)
