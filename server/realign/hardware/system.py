"""What the operating system says of this machine: pure readers of its answers, and the few questions that get them.

    ask("sysctl", "-n", "hw.memsize")          a command's answer, or "" after two seconds
    cgroup_limits(Path("/"))                   what a container may use of its host

Everything that can be missing is None or "": nothing here raises, hangs or writes. Standard library only.
"""

from __future__ import annotations

import contextlib
import csv
import json
import math
import os
import re
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

MLX_CUDA = ("mlx-cuda-13", "mlx-cuda-12", "mlx-cuda")  # packages that let MLX run on an NVIDIA GPU


def ask(*command: str, seconds: float = 2.0) -> str:
    """What a command prints, or "" when it is missing, fails or takes too long."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=seconds
        )
        return done.stdout.strip() if done.returncode == 0 else ""
    return ""


def read(path: Path) -> str:
    """A small file's text, or "" where it can't be read."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return path.read_text(encoding="utf-8")
    return ""


def field(text: str, name: str, mark: str = ":") -> str:
    """The value after `name:` in lines such as those of /proc/cpuinfo and of `sysctl`; "" for none."""
    for line in text.splitlines():
        key, _, value = line.partition(mark)
        if key.strip() == name:
            return value.strip()
    return ""


# -- macOS ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sysctl:
    """A Mac by `sysctl`. memory_gb as sold (2**30 bytes each); wired_gb in 1e9 bytes, None for the system's default.

    cores: (kind, how many), fastest kind first, in the system's own words.
    """

    chip: str
    memory_gb: float | None
    wired_gb: float | None
    cores: tuple[tuple[str, int], ...]


def read_sysctl(answer: str) -> Sysctl:
    """A Mac from the answer to `sysctl machdep.cpu.brand_string hw.memsize iogpu.wired_limit_mb hw.perflevel0 ...`."""
    memory, wired = field(answer, "hw.memsize"), field(answer, "iogpu.wired_limit_mb")
    cores = []
    for level in range(4):
        count = field(answer, f"hw.perflevel{level}.physicalcpu")
        if count.isdigit():
            cores.append((field(answer, f"hw.perflevel{level}.name").lower() or f"level {level}", int(count)))
    return Sysctl(
        chip=field(answer, "machdep.cpu.brand_string").removeprefix("Apple "),
        memory_gb=int(memory) / 2**30 if memory.isdigit() else None,
        wired_gb=int(wired) * 2**20 / 1e9 if wired.isdigit() and int(wired) else None,
        cores=tuple(cores),
    )


def gpu_cores(displays: str) -> int | None:
    """GPU cores from `system_profiler SPDisplaysDataType -json`, or None."""
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        cards: list[dict[str, Any]] = json.loads(displays)["SPDisplaysDataType"]
        return next((int(card["sppci_cores"]) for card in cards if "sppci_cores" in card), None)
    return None


def gpu_cores_of_registry(answer: str) -> int | None:
    """GPU cores from `ioreg -r -c AGXAccelerator -d 1`, which answers at once, or None."""
    found = re.search(r'"gpu-core-count"\s*=\s*(\d+)', answer)
    return int(found[1]) if found else None


# -- Linux ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Limits:
    """What a container's control groups allow: bytes of memory and cores; None for no limit."""

    memory: int | None = None
    cores: float | None = None


def cgroup_limits(root: Path = Path("/")) -> Limits:
    """The tightest limits on this process's control groups and all above them, of version 2 and version 1 alike."""
    memory, cores = [], []
    for line in read(root / "proc/self/cgroup").splitlines():  # such as 0::/ or 4:memory:/jobs/7
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        for folder in _levels(root / "sys/fs/cgroup", controllers, path):
            memory += [read(folder / name).strip() for name in ("memory.max", "memory.limit_in_bytes")]
            cores += [
                _quota(read(folder / "cpu.max")),
                _quota(f"{read(folder / 'cpu.cfs_quota_us')} {read(folder / 'cpu.cfs_period_us')}"),
            ]
    bounds = [int(limit) for limit in memory if limit.isdigit() and int(limit) < 2**60]  # version 1's "none" is 2**63
    quotas = [quota for quota in cores if quota]
    return Limits(min(bounds, default=None), min(quotas, default=None))


def _levels(mount: Path, controllers: str, path: str) -> list[Path]:
    """The folders of a group and of those above it. A container sees its own group at the top, whatever its path is."""
    tops = [mount] if not controllers else [mount / name for name in {controllers, *controllers.split(",")}]
    parts = [part for part in path.split("/") if part not in ("", "..")]
    return [top.joinpath(*parts[:depth]) for top in tops for depth in range(len(parts) + 1)]


def _quota(text: str) -> float | None:
    """Cores from "quota period" in microseconds; None for "max", for -1, or for anything else."""
    words = text.split()
    if len(words) == 2 and all(word.isdigit() for word in words) and int(words[1]):
        return int(words[0]) / int(words[1])
    return None


def usable_cores(limits: Limits) -> int | None:
    """Cores this process may use: those it may run on, and no more than its quota, rounded up."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return allowed if limits.cores is None or allowed is None else max(1, min(allowed, math.ceil(limits.cores)))


@dataclass(frozen=True, slots=True)
class Card:
    """An NVIDIA GPU: its name and its memory in GB (1e9 bytes)."""

    name: str
    memory_gb: float


def read_cards(answer: str) -> tuple[Card, ...]:
    """The GPUs in what `nvidia-smi --query-gpu=name,memory.total --format=csv,noheader,nounits` prints (mebibytes)."""
    rows = csv.reader(answer.splitlines(), skipinitialspace=True)
    return tuple(Card(row[0], int(row[1]) * 2**20 / 1e9) for row in rows if len(row) == 2 and row[1].strip().isdigit())


def has_mlx_for_cuda() -> bool:
    """Whether the MLX that is installed here can use an NVIDIA GPU. Nothing is imported."""
    for package in MLX_CUDA:
        with contextlib.suppress(metadata.PackageNotFoundError):
            return bool(metadata.version(package))
    return False
