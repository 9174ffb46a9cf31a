"""The shipped figures, and machines from what their operating systems answer, recorded and on this very one."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from realign.hardware.machines import (
    M3_ULTRA,
    M4_MAX,
    SHIPPED_MACHINES,
    Machine,
    default_gpu_gb,
    describe_linux,
    describe_mac,
    known_machines,
    most_gpu_gb,
    this_machine,
)
from realign.hardware.system import (
    Card,
    Limits,
    ask,
    cgroup_limits,
    gpu_cores,
    gpu_cores_of_registry,
    read_cards,
    read_sysctl,
    usable_cores,
)

SYSCTL_M4_MAX = """machdep.cpu.brand_string: Apple M4 Max
hw.memsize: 137438953472
iogpu.wired_limit_mb: 0
hw.perflevel0.name: Performance
hw.perflevel0.physicalcpu: 12
hw.perflevel1.name: Efficiency
hw.perflevel1.physicalcpu: 4"""
IOREG = """+-o AGXAcceleratorG16X  <class AGXAcceleratorG16X, id 0x1000003d1, registered, matched, active, busy 0>
    {
      "IOClass" = "AGXAcceleratorG16X"
      "gpu-core-count" = 40
      "model" = "Apple M4 Max"
    }"""


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
    assert 0 < here.memory_gb <= physical * 1.01
    assert 1 <= (here.cores or 0) <= len(os.sched_getaffinity(0))
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


# -- a Mac, from recorded answers -----------------------------------------------------------------------------------


def test_a_mac_is_its_chip_cores_and_unified_memory() -> None:
    mac = describe_mac(read_sysctl(SYSCTL_M4_MAX), gpu_cores_of_registry(IOREG))
    assert (mac.name, mac.memory_gb, mac.gpu_cores, mac.cores, mac.system) == ("M4 Max", 128, 40, 16, "macOS")
    assert mac.core_kinds == (("performance", 12), ("efficiency", 4))
    assert (mac.batch_curve, mac.gpu_gb) == (M4_MAX.batch_curve, None)


def test_a_binned_chip_does_not_get_the_figures_of_the_full_one() -> None:
    binned = describe_mac(replace(read_sysctl(SYSCTL_M4_MAX), memory_gb=36.0), 32)
    assert (binned.name, binned.bandwidth_gbs, binned.shared_rate) == ("M4 Max (32-core GPU)", 410, None)


def test_gpu_cores_that_nobody_tells_are_inferred_from_the_memory_or_said_to_be_assumed() -> None:
    told = read_sysctl(SYSCTL_M4_MAX)
    assert describe_mac(replace(told, memory_gb=36.0), None).gpu_cores == 32
    assert "assumed" not in describe_mac(told, None).basis
    assert "80 GPU cores assumed" in describe_mac(replace(told, chip="M3 Ultra", memory_gb=256.0), None).basis


def test_a_wired_limit_that_was_raised_is_the_gpus_share_and_is_named() -> None:
    raised = describe_mac(read_sysctl(SYSCTL_M4_MAX.replace("limit_mb: 0", "limit_mb: 114688")), 40)
    assert default_gpu_gb(raised) == (pytest.approx(120.26, abs=0.01), "iogpu.wired_limit_mb, as it is set")


def test_a_chip_of_tomorrow_keeps_its_name_and_has_no_rate() -> None:
    told = read_sysctl("machdep.cpu.brand_string: Apple M9 Max\nhw.memsize: 68719476736\nhw.perflevel0.physicalcpu: 8")
    mac = describe_mac(told, 48)
    assert (mac.name, mac.memory_gb, mac.gpu_cores, mac.core_kinds) == ("M9 Max", 64, 48, (("level 0", 8),))
    assert mac.bandwidth_gbs is None and mac.shared_rate is None


def test_a_mac_that_answers_nothing_still_has_a_name_and_memory() -> None:
    mac = describe_mac(read_sysctl(""), None)
    assert mac.name and mac.memory_gb > 0 and mac.gpu_gb is None


@pytest.mark.parametrize("answer", ["", "gpu-core-count", '"gpu-core-count" = "forty"'])
def test_a_registry_without_gpu_cores_tells_none(answer: str) -> None:
    assert gpu_cores_of_registry(answer) is None


# -- Linux, from recorded answers -----------------------------------------------------------------------------------


def tree(root: Path, files: dict[str, str]) -> Path:
    """A file system that holds these files."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    return root


V1_NONE = "9223372036854771712"
GROUPS = {
    "a container of version 2": (
        {
            "proc/self/cgroup": "0::/",
            "sys/fs/cgroup/memory.max": "4294967296",
            "sys/fs/cgroup/cpu.max": "150000 100000",
        },
        Limits(4294967296, 1.5),
    ),
    "a service within a limited slice": (
        {
            "proc/self/cgroup": "0::/user.slice/job.service",
            "sys/fs/cgroup/user.slice/memory.max": "2000000000",
            "sys/fs/cgroup/user.slice/job.service/memory.max": "max",
            "sys/fs/cgroup/user.slice/job.service/cpu.max": "max 100000",
        },
        Limits(2000000000, None),
    ),
    "version 1, seen from its host": (
        {
            "proc/self/cgroup": "4:memory:/jobs/7\n3:cpu,cpuacct:/jobs/7\n0::/",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": V1_NONE,
            "sys/fs/cgroup/memory/jobs/7/memory.limit_in_bytes": "1073741824",
            "sys/fs/cgroup/cpu,cpuacct/jobs/7/cpu.cfs_quota_us": "50000",
            "sys/fs/cgroup/cpu,cpuacct/jobs/7/cpu.cfs_period_us": "100000",
        },
        Limits(1073741824, 0.5),
    ),
    "version 1 without limits": (
        {
            "proc/self/cgroup": "4:memory:/\n3:cpu:/",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": V1_NONE,
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
        },
        Limits(None, None),
    ),
    "version 1 in a container, whose path is its host's": (
        {
            "proc/self/cgroup": "4:memory:/docker/0123",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "536870912",
        },
        Limits(536870912, None),
    ),
    "no control groups": ({}, Limits(None, None)),
    "rubbish": (
        {
            "proc/self/cgroup": "0::/../..\nno colons",
            "sys/fs/cgroup/cpu.max": "many 0",
            "sys/fs/cgroup/memory.max": "?",
        },
        Limits(),
    ),
}


@pytest.mark.parametrize(("files", "limits"), GROUPS.values(), ids=GROUPS.keys())
def test_what_a_container_may_use_is_the_tightest_limit(tmp_path: Path, files: dict[str, str], limits: Limits) -> None:
    assert cgroup_limits(tree(tmp_path, files)) == limits


def test_a_container_with_4_gb_of_a_64_gb_host_has_4_gb_and_says_so() -> None:
    here = describe_linux("EPYC", 64 * 10**9, Limits(memory=4 * 10**9, cores=1.5))
    assert (here.memory_gb, here.system) == (4, "Linux") and "4.0 of 64.0 GB" in here.basis
    assert describe_linux("EPYC", 64 * 10**9, Limits(memory=99 * 10**9)).memory_gb == 64


@pytest.mark.parametrize(("quota", "most"), [(0.2, 1), (1.0, 1), (1e6, 10**6)])
def test_a_quota_of_a_part_of_a_core_is_one_core(quota: float, most: int) -> None:
    allowed = usable_cores(Limits()) or 1
    assert usable_cores(Limits(cores=quota)) == min(allowed, most)


NVIDIA = "NVIDIA H200, 143771\nNVIDIA H200, 143771"


def test_an_nvidia_gpu_that_mlx_can_use_is_the_machine() -> None:
    here = describe_linux("Xeon", 64 * 10**9, Limits(), read_cards(NVIDIA), mlx_for_cuda=True)
    assert (here.name, here.memory_gb, here.system) == ("NVIDIA H200 (CUDA)", 150.8, "CUDA")
    assert default_gpu_gb(here)[0] == pytest.approx(135.7, abs=0.1) and most_gpu_gb(here) == default_gpu_gb(here)[0]


def test_an_nvidia_gpu_that_mlx_cannot_use_leaves_the_work_to_the_cpu_and_says_so() -> None:
    here = describe_linux("Xeon", 64 * 10**9, Limits(), read_cards(NVIDIA))
    assert (here.name, here.memory_gb, here.system) == ("Xeon", 64, "Linux")
    assert "NVIDIA H200 is idle" in here.basis and "mlx[cuda13]" in here.basis


@pytest.mark.parametrize(
    ("answer", "cards"),
    [
        ("", ()),
        ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", ()),
        ("NVIDIA A100, [N/A]", ()),
        ("NVIDIA GeForce RTX 4090, 24564", (Card("NVIDIA GeForce RTX 4090", 24564 * 2**20 / 1e9),)),
    ],
)
def test_only_what_nvidia_smi_says_of_a_gpu_counts(answer: str, cards: tuple[Card, ...]) -> None:
    assert read_cards(answer) == cards


@pytest.mark.parametrize(
    "command", [("no-such-command-here",), ("false",), ("sh", "-c", "exec sleep 60"), ("sh", "-c", "read answer")]
)
def test_a_command_that_is_missing_fails_hangs_or_asks_answers_nothing(command: tuple[str, ...]) -> None:
    assert ask(*command, seconds=0.3) == ""
