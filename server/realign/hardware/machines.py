"""The machines a plan chooses from: the two whose figures ship with the product, and the one this runs on.

    known_machines()   -> this machine, then M4 Max and M3 Ultra (a shipped one that is this machine counts once)

Every profile says what its figures rest on. None means that nobody has measured it: a plan says so instead of guessing.
No mlx here; the operating system is asked (system.py), each question with a time limit.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from realign.hardware import system
from realign.hardware.catalogue import CHIPS, Chip, find_variant, variants

SHIPPED = "shipped by the product: measured by its user, model and precision not stated"
ESTIMATE = "estimate: not measured on this machine; calibrate it"


@dataclass(frozen=True, slots=True)
class Machine:
    """What is known of one machine. Memory in GB (1e9 bytes for limits, as sold for memory), rates in examples/s.

    batch_size is the best one known, max_batch the largest a plan may use. batch_curve: batch size -> examples/s, peak
    throughput on the workload of its measurement; only its shape is used for others.
    scoring_rate: LLM scoring. shared_rate: a 30B model run as separate batches, rate_parameters its active parameters.
    share: of the work of the shipped pair, until one of them is calibrated. gpu_gb: max_recommended_working_set_size
    when MLX reported it, or what gpu_basis says. watts under load; watts_basis says where they come from.
    bandwidth_gbs as the maker prints it. system: macOS, Linux (MLX on the CPU) or CUDA (MLX on an NVIDIA GPU, whose
    memory it then is). core_kinds: (kind, how many), fastest first. basis: what the figures rest on.
    """

    name: str
    memory_gb: float
    gpu_cores: int | None = None
    batch_size: int = 8
    max_batch: int = 64
    batch_curve: Mapping[int, float] = field(default_factory=lambda: MappingProxyType({}))
    scoring_rate: float | None = None
    shared_rate: float | None = None
    rate_parameters: float = 30e9
    share: float | None = None
    gflops: float | None = None
    bandwidth_gbs: float | None = None
    watts: float | None = None
    watts_basis: str = ""
    gpu_gb: float | None = None
    system: str = "macOS"
    cores: int | None = None
    basis: str = ESTIMATE
    gpu_basis: str = ""
    core_kinds: tuple[tuple[str, int], ...] = ()


M4_MAX = Machine(
    name="M4 Max",
    memory_gb=128,
    gpu_cores=40,
    batch_size=32,
    max_batch=64,
    batch_curve=MappingProxyType({1: 200.0, 8: 450.0, 16: 620.0, 32: 776.0, 64: 750.0}),
    scoring_rate=3.86,
    shared_rate=1.95,
    share=0.655,
    gflops=12_956,
    bandwidth_gbs=546,
    watts=120,
    watts_basis="a published wall reading of a Mac Studio M4 Max under full CPU load; another workload than this",
    basis=SHIPPED,
)
M3_ULTRA = Machine(
    name="M3 Ultra",
    memory_gb=512,
    gpu_cores=80,
    batch_size=4,
    max_batch=4,
    batch_curve=MappingProxyType({1: 180.0, 4: 278.0, 8: 265.0, 16: 240.0, 32: 210.0}),
    scoring_rate=0.76,
    shared_rate=1.03,
    share=0.345,
    gflops=4_599,
    bandwidth_gbs=819,
    basis=SHIPPED,
)
SHIPPED_MACHINES = (M4_MAX, M3_ULTRA)
CUDA_SHARE = 0.9  # the driver and MLX's own work space keep the rest
SHARDED_30B_RATE = 2.5  # examples/s of a 30B model sharded over both by RDMA; 2.98 as separate batches


def default_gpu_gb(machine: Machine) -> tuple[float, str]:
    """(GB that the GPU may use as the system stands, what that rests on).

    macOS lets the GPU have about 75 % of unified memory above 36 GB, two thirds below; MLX on a CPU takes 0.8 of RAM.
    """
    if machine.gpu_gb is not None:
        return machine.gpu_gb, machine.gpu_basis or "max_recommended_working_set_size, reported by MLX"
    if machine.system == "CUDA":
        return machine.memory_gb * CUDA_SHARE, f"estimate: {CUDA_SHARE:.0%} of the GPU's memory"
    if machine.system != "macOS":
        return machine.memory_gb * 0.8, "0.8 of memory, MLX's own limit on a CPU"
    share = 0.75 if machine.memory_gb > 36 else 2 / 3
    return machine.memory_gb * share, f"estimate: macOS lets the GPU have about {share:.0%} of unified memory"


def most_gpu_gb(machine: Machine) -> float:
    """GB that the GPU may use once `iogpu.wired_limit_mb` is raised, leaving the system a 16th and at least 8 GB."""
    default, _ = default_gpu_gb(machine)
    if machine.system != "macOS":
        return default
    return max(default, machine.memory_gb - max(8.0, machine.memory_gb / 16))


def profile(chip: Chip, memory_gb: float) -> Machine:
    """What is known of a variant with this memory: the shipped figures, or the printed ones alone."""
    if shipped := _shipped(chip):
        return dataclasses.replace(shipped, memory_gb=memory_gb)
    full = max(other.gpu_cores for other in variants(chip.name))
    name = chip.name if chip.gpu_cores == full else f"{chip.name} ({chip.gpu_cores}-core GPU)"
    basis = f"{ESTIMATE}; bandwidth and cores: {chip.source}"
    return Machine(name, memory_gb, chip.gpu_cores, bandwidth_gbs=chip.bandwidth_gbs, basis=basis)


def _shipped(chip: Chip) -> Machine | None:
    """The shipped machine with this chip and as many GPU cores."""
    return next((m for m in SHIPPED_MACHINES if (m.name, m.gpu_cores) == (chip.name, chip.gpu_cores)), None)


@functools.cache
def this_machine() -> Machine:
    """The machine this runs on, by asking its operating system; a chip that ships with figures gets those figures."""
    return _mac() if sys.platform == "darwin" else _linux()


def known_machines() -> tuple[Machine, ...]:
    """This machine first, then the shipped ones that are not this one."""
    here = this_machine()
    return here, *(machine for machine in SHIPPED_MACHINES if machine.name != here.name)


# -- this machine ---------------------------------------------------------------------------------------------------

SYSCTL = (
    "machdep.cpu.brand_string", "hw.memsize", "iogpu.wired_limit_mb",
    "hw.perflevel0.name", "hw.perflevel0.physicalcpu", "hw.perflevel1.name", "hw.perflevel1.physicalcpu",
)  # fmt: skip


def _mac() -> Machine:
    """A Mac, from sysctl; the GPU's cores from the registry, else from system_profiler, which may take seconds."""
    told = system.read_sysctl("\n".join(f"{name}: {system.ask('sysctl', '-n', name)}" for name in SYSCTL))
    cores = system.gpu_cores_of_registry(system.ask("ioreg", "-r", "-c", "AGXAccelerator", "-d", "1"))
    if cores is None:
        cores = system.gpu_cores(system.ask("system_profiler", "SPDisplaysDataType", "-json", seconds=5.0))
    return describe_mac(told, cores)


def describe_mac(told: system.Sysctl, gpu_cores: int | None) -> Machine:
    """The Mac that sysctl and the GPU's cores describe; a chip that no table knows keeps its own name, and no rate."""
    memory = told.memory_gb or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    listed = {chip.gpu_cores for chip in CHIPS if chip.name == told.chip}
    if listed and (gpu_cores is None or gpu_cores in listed):
        chip, assumed = find_variant(told.chip, gpu_cores, memory)
        machine = profile(chip, memory)
        machine = dataclasses.replace(machine, basis=f"{machine.basis}; {assumed}") if assumed else machine
    else:
        machine = Machine(told.chip or platform.machine(), memory, gpu_cores)
    return dataclasses.replace(
        machine,
        gpu_gb=told.wired_gb,
        gpu_basis="iogpu.wired_limit_mb, as it is set" if told.wired_gb else "",
        cores=sum(count for _, count in told.cores) or os.cpu_count(),
        core_kinds=told.cores,
    )


def _linux() -> Machine:
    """A Linux box: an NVIDIA GPU where MLX can use it, else its CPU, within the limits of its container."""
    cpuinfo = system.read(Path("/proc/cpuinfo"))
    name = system.field(cpuinfo, "model name") or platform.processor() or platform.machine()
    cards = system.read_cards(
        system.ask("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits", seconds=5.0)
    )
    return describe_linux(
        f"{name} ({sys.platform.capitalize()} CPU)",
        os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        system.cgroup_limits(),
        cards,
        system.has_mlx_for_cuda(),
    )


def describe_linux(
    name: str, physical: int, limits: system.Limits, cards: tuple[system.Card, ...] = (), mlx_for_cuda: bool = False
) -> Machine:
    """The Linux machine that these describe. physical: bytes of memory in the box; of several GPUs the first is used.

    Without MLX's CUDA package the models run on the CPU, in float32, whatever GPU there is.
    """
    memory, cores = min(physical, limits.memory or physical) / 1e9, system.usable_cores(limits)
    basis = ESTIMATE
    if limits.memory and limits.memory < physical:
        basis += f"; its container may use {memory:.1f} of {physical / 1e9:.1f} GB of memory"
    if cards and mlx_for_cuda:
        card = cards[0]
        return Machine(f"{card.name} (CUDA)", round(card.memory_gb, 1), system="CUDA", cores=cores, basis=ESTIMATE)
    if cards:
        basis += f"; its {cards[0].name} is idle: MLX's CUDA package is not installed (mlx[cuda13])"
    return Machine(name, round(memory, 1), system="Linux", cores=cores, basis=basis)
