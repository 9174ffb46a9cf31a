"""The anti-patterns: what a plan refuses when it is asked for, each by name and with its reason.

    kept, refused = refuse(Asked(split="half"), fitted, fleet, "curate")

They are looked for in the arguments here, and in the request's own words by hearing.py. What is refused is taken out of
what was asked, and the plan goes on with the right value.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from realign.hardware.fit import Fit, throughput_shares
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
    " for models that M4 Max can't hold. To use it alone all the same, plan with it as the only machine",
    RDMA: "work on separate examples needs no traffic between machines: a 30B model gives 2.98 ex/s as separate batches"
    " and about 2.5 sharded",
}
SHARDINGS = ("rdma", "jaccl", "sharded", "sharded over rdma")
Refusal = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user wants of a plan; None where nothing was said.

    split: "none", "half", "cores", or shares by machine. transport: one word of SHARDINGS, "exo", "separate batches".
    heard: names of the anti-patterns in the request's own words; heard_batch: the batch size they ask of M3 Ultra.
    """

    machine: str | None = None
    batch_size: int | None = None
    split: str | Mapping[str, float] | None = None
    transport: str | None = None
    heard: frozenset[str] = frozenset()
    heard_batch: int | None = None


def refuse(
    asked: Asked, fitted: Sequence[Fit], fleet: Sequence[Machine], task: str
) -> tuple[Asked, tuple[Refusal, ...]]:
    """(what may be honored, (name, reason) of what may not). fitted: machines that hold the model, fastest first.

    Training in lockstep has equal shares and synchronized gradients: there, halves and RDMA are no mistakes.
    """
    curating = task == "curate"
    by_arguments = {
        HALF: asked.split == "half" or _equal(asked.split),
        CORES: asked.split == "cores" or _by_cores(asked.split, fleet),
        BATCH: _above_4(asked.batch_size, [_runs_on(asked, fitted)]),
        FASTER: _slower_ultra(asked, fitted),
        RDMA: asked.transport in SHARDINGS,
    }
    applies = {
        HALF: curating and not _alike(fitted),
        CORES: True,
        BATCH: True,
        FASTER: not fitted or not _is_ultra(fitted[0].machine),
        RDMA: curating and bool(fitted),
    }
    heard = asked.heard | ({BATCH} if _above_4(asked.heard_batch, fleet) else set())
    found = {name: applies[name] and (by_arguments[name] or name in heard) for name in REASONS}
    kept = dataclasses.replace(
        asked,
        split=None if found[HALF] or found[CORES] else asked.split,
        batch_size=None if applies[BATCH] and by_arguments[BATCH] else asked.batch_size,
        machine=None if found[FASTER] and by_arguments[FASTER] else asked.machine,
        transport=None if found[RDMA] else asked.transport,
    )
    return kept, tuple((name, REASONS[name]) for name in REASONS if found[name])


def _is_ultra(machine: Machine) -> bool:
    """Whether this is the shipped M3 Ultra with its shipped figures, which a calibration of its own would replace."""
    return machine.name.startswith(M3_ULTRA.name) and machine.basis.startswith(M3_ULTRA.basis)


def _runs_on(asked: Asked, fitted: Sequence[Fit]) -> Machine | None:
    by_name = {fit.machine.name: fit.machine for fit in fitted}
    return by_name.get(asked.machine or "") or (fitted[0].machine if fitted else None)


def _above_4(batch_size: int | None, machines: Sequence[Machine | None]) -> bool:
    return any(batch_size and m and _is_ultra(m) and batch_size > m.max_batch for m in machines)


def _slower_ultra(asked: Asked, fitted: Sequence[Fit]) -> bool:
    """Whether M3 Ultra was asked for by name while another machine that holds the model is faster."""
    wanted = next((fit.machine for fit in fitted if fit.machine.name == asked.machine), None)
    return wanted is not None and _is_ultra(wanted) and fitted[0].machine.shared_rate is not None


def _alike(fitted: Sequence[Fit]) -> bool:
    """Whether the machines that share the work are equally fast, so that halves are what throughput gives too."""
    shares = throughput_shares([fit for fit in fitted if fit.rate])
    return len(shares) > 1 and max(shares) - min(shares) < 0.01


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
