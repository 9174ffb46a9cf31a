"""The shipped figures, and what this very machine says of itself."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

import pytest

from realign.hardware.machines import (
    M3_ULTRA,
    M4_MAX,
    SHIPPED_MACHINES,
    Machine,
    default_gpu_gb,
    gpu_cores,
    known_machines,
    most_gpu_gb,
    this_machine,
)


def test_the_shipped_figures_are_those_of_the_specification() -> None:
    shown = [(m.name, m.memory_gb, m.gpu_cores, m.gflops, m.scoring_rate, m.batch_size) for m in SHIPPED_MACHINES]
    assert shown == [("M4 Max", 128, 40, 12_956, 3.86, 32), ("M3 Ultra", 512, 80, 4_599, 0.76, 4)]
    assert M4_MAX.batch_curve == {1: 200, 8: 450, 16: 620, 32: 776, 64: 750}
    assert M3_ULTRA.batch_curve == {1: 180, 4: 278, 8: 265, 16: 240, 32: 210}
    assert [round(m.gflops / m.gpu_cores) for m in SHIPPED_MACHINES if m.gflops and m.gpu_cores] == [324, 57]


def test_each_shipped_batch_size_is_the_peak_of_its_curve() -> None:
    for machine in SHIPPED_MACHINES:
        assert max(machine.batch_curve, key=lambda b: machine.batch_curve[b]) == machine.batch_size
        assert "measured by its user" in machine.basis


def test_what_mlx_reports_wins_over_the_estimate_of_the_gpu_share() -> None:
    assert default_gpu_gb(M4_MAX)[0] == 96
    assert default_gpu_gb(replace(M4_MAX, memory_gb=24))[0] == 16
    assert "estimate" in default_gpu_gb(M4_MAX)[1]
    reported, basis = default_gpu_gb(replace(M4_MAX, gpu_gb=107.5))
    assert reported == 107.5 and "reported" in basis


def test_the_raised_limit_leaves_the_system_its_memory() -> None:
    assert [most_gpu_gb(m) for m in SHIPPED_MACHINES] == [120, 480]
    assert most_gpu_gb(Machine("box", 100, system="Linux")) == 80


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_this_linux_box_knows_its_memory_and_claims_no_rate() -> None:
    here = this_machine()
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    assert here.memory_gb == pytest.approx(physical, rel=0.05)
    assert here.cores == len(os.sched_getaffinity(0))
    assert here.scoring_rate is None and here.watts is None and "estimate" in here.basis


def test_this_machine_comes_first_and_no_name_twice() -> None:
    names = [machine.name for machine in known_machines()]
    assert names[0] == this_machine().name and len(names) == len(set(names)) and {"M4 Max", "M3 Ultra"} <= set(names)


@pytest.mark.parametrize(
    "answer", ["", "{}", "[]", "no json", '{"SPDisplaysDataType": [{}]}', '{"SPDisplaysDataType": 3}']
)
def test_gpu_cores_that_the_system_does_not_tell_are_unknown(answer: str) -> None:
    assert gpu_cores(answer) is None


def test_gpu_cores_are_read_from_the_profilers_answer() -> None:
    assert gpu_cores('{"SPDisplaysDataType": [{"_name": "Apple M4 Max", "sppci_cores": "40"}]}') == 40
