"""The anti-patterns: what a plan refuses when it is asked for, each by name and with its reason.

    kept, refused = refuse(asked, fitted, fleet, "curate")

They are heard in the arguments and in the request's own words. What is refused is taken out of what was asked, and the
plan goes on with the right value.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from realign.hardware.fit import Fit
from realign.hardware.machines import M3_ULTRA, Machine

HALF = "half-and-half split"
CORES = "split by GPU cores"
BATCH = "batch size above 4 on M3 Ultra"
FASTER = '"M3 Ultra is faster, it has more cores"'
RDMA = "RDMA for a model that fits one machine"
REASONS = {
    HALF: "the machines differ in throughput, so the faster one would wait for the slower: 0.655 : 0.345 for M4 Max :"
    " M3 Ultra until calibrated, then by measured throughput",
    CORES: "throughput does not follow GPU cores: M4 Max gives 324 GFLOPS a core, M3 Ultra 57, as measured by the user",
    BATCH: "its throughput peaks at 4 (278 ex/s) and falls from there: 265 at 8, 240 at 16, 210 at 32",
    FASTER: "with twice the cores it measured 0.76 ex/s of LLM scoring against 3.86 on M4 Max; what it has is memory,"
    " for models that M4 Max can't hold",
    RDMA: "work on separate examples needs no traffic between machines: a 30B model gives 2.98 ex/s as separate batches"
    " and about 2.5 sharded",
}
SAID = {
    HALF: r"half[- ]and[- ]half|50 ?[/:-] ?50|fifty[- ]fifty"
    r"|(?:split|share|divide)\w*\b[^.;]{0,40}\b(?:in half|even(?:ly)?|equal(?:ly)?)\b",
    CORES: r"(?:split|share|divide|balance)\w*\b[^.;]{0,40}\bcores\b",
    FASTER: r"\bultra\b[^.;]{0,40}\b(?:is|are|runs?) (?:\w+ )?faster|\bultra\b[^.;]{0,40}\bmore (?:gpu )?cores"
    r"|more (?:gpu )?cores[^.;]{0,40}\bultra\b",
    RDMA: r"\brdma\b|\bjaccl\b|\bshard(?:ed|ing)?\b",
}
HEARD = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in SAID.items()}
HALVES = ("half", "halves", "half-and-half", "equal", "even", "50/50")
Refusal = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user wants of a plan; None where nothing was said. words: the request itself."""

    machine: str | None = None
    batch_size: int | None = None
    split: str | Mapping[str, float] | None = None
    transport: str | None = None
    words: str = ""


def refuse(
    asked: Asked, fitted: Sequence[Fit], fleet: Sequence[Machine], task: str
) -> tuple[Asked, tuple[Refusal, ...]]:
    """(what may be honored, (name, reason) of what may not). fitted: machines that hold the model, fastest first."""
    lead = fitted[0].machine.name if fitted else ""
    curating = task == "curate"
    runs_on = asked.machine or lead
    found = {
        HALF: curating and (asked.split in HALVES or _equal(asked.split)),
        CORES: asked.split == "cores" or _by_cores(asked.split, fleet),
        BATCH: (asked.batch_size or 0) > M3_ULTRA.max_batch and runs_on == M3_ULTRA.name,
        FASTER: asked.machine == M3_ULTRA.name and lead not in ("", M3_ULTRA.name),
        RDMA: curating and bool(fitted) and bool(HEARD[RDMA].search(asked.transport or "")),
    }
    for name, pattern in HEARD.items():
        applies = (curating or name not in (HALF, RDMA)) and (name != RDMA or bool(fitted))
        found[name] = found[name] or (applies and bool(pattern.search(asked.words)))
    kept = dataclasses.replace(
        asked,
        split=None if found[HALF] or found[CORES] else asked.split,
        batch_size=None if found[BATCH] else asked.batch_size,
        machine=None if found[FASTER] else asked.machine,
        transport=None if found[RDMA] else asked.transport,
    )
    return kept, tuple((name, REASONS[name]) for name in REASONS if found[name])


def _equal(split: str | Mapping[str, float] | None) -> bool:
    shares = list(split.values()) if isinstance(split, Mapping) else []
    return len(shares) > 1 and max(shares) - min(shares) < 0.01


def _by_cores(split: str | Mapping[str, float] | None, fleet: Sequence[Machine]) -> bool:
    """Whether shares are the machines' GPU cores over their sum, to a hundredth; equal cores are another mistake."""
    if not isinstance(split, Mapping) or _equal(split):
        return False
    cores = {machine.name: machine.gpu_cores or 0 for machine in fleet if machine.name in split}
    total = sum(cores.values())
    return total > 0 and all(abs(share - cores.get(name, 0) / total) < 0.01 for name, share in split.items())
