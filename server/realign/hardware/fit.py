"""Does a model fit a machine, at what batch size, how fast will it be there, and who does how much of the work.

Bytes decide what fits (memory.py); every rate rests on the machine's profile; where that has none, the rate is None.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from realign.hardware.machines import Machine
from realign.hardware.memory import Memory, bits_on, estimate_memory
from realign.hardware.models import ModelSize, cache_at

# The largest model planned for one machine is 200B at 16 bit, 400 GB, on 512 GB: what weights may take of memory.
WEIGHTS_SHARE = 400 / 512
BATCHES = (1, 2, 4, 8, 16, 32, 64)
# Examples/s of a 30B model on the shipped pair as separate batches. Each one's own rate is shipped to two places, 1.95
# and 1.03; 0.655 and 0.345 of 2.98 are 1.952 and 1.028, the same figures, and with these both finish together.
PAIR_RATE = 2.98


@dataclass(frozen=True, slots=True)
class Fit:
    """A model on a machine, at the fastest batch size that fits. rate in examples/s, None when nobody measured it."""

    machine: Machine
    batch_size: int
    bits: float
    memory: Memory
    rate: float | None


def fits(memory: Memory, machine_gb: float) -> bool:
    """Whether weights take no more than their share of one machine, and the total stays under the limit."""
    return memory.weights <= machine_gb * WEIGHTS_SHARE and memory.total <= memory.limit


def fit_machine(
    size: ModelSize,
    machine: Machine,
    tokens: int,
    task: str,
    asked: int | None = None,
    bits: float | None = None,
    full: bool = False,
) -> Fit | None:
    """The model on this machine at `asked`, or at the fastest batch size that fits; None when not even 1 does."""
    best = min(asked or machine.batch_size, machine.max_batch)
    sizes = sorted({best, 1, *(batch for batch in machine.batch_curve or BATCHES if batch < best)}, reverse=True)
    for batch in sizes if asked else sorted(sizes, key=lambda b: -curve_at(machine, b)):
        memory = estimate_memory(size, machine, batch, tokens, task, bits, full)
        if fits(memory, machine.memory_gb):
            rate = rate_of(machine, size, batch) if task == "curate" else None
            return Fit(machine, batch, bits_on(machine, bits or size.bits), memory, rate)
    return None


def speed(fit: Fit, size: ModelSize) -> tuple[float, float, float]:
    """What decides who is faster: the measured rate of inference, then the memory bandwidth, then memory."""
    machine = fit.machine
    return rate_of(machine, size, fit.batch_size) or 0.0, machine.bandwidth_gbs or 0.0, machine.memory_gb


def curve_at(machine: Machine, batch_size: int) -> float:
    """Throughput at a batch size: linear between the points of the curve, flat outside; the size itself without one."""
    points = sorted(machine.batch_curve.items())
    if not points:
        return float(batch_size)
    for (low, slow), (high, fast) in pairwise(points):
        if low <= batch_size <= high:
            return slow + (fast - slow) * (batch_size - low) / (high - low)
    return points[0][1] if batch_size < points[0][0] else points[-1][1]


def rate_of(machine: Machine, size: ModelSize, batch_size: int) -> float | None:
    """Examples/s: the profile's rate, slower in proportion for more active parameters than it was measured with.

    For fewer it is left as it is, so it is a floor there. A batch size beside the best costs what the curve says.
    """
    if machine.shared_rate is None:
        return None
    measured = machine.shared_rate if machine.share is None else PAIR_RATE * machine.share
    slower = min(1.0, machine.rate_parameters / (size.active or machine.rate_parameters))
    shape = curve_at(machine, batch_size) / curve_at(machine, machine.batch_size) if machine.batch_curve else 1.0
    return measured * slower * shape


def rate_is(machines: Sequence[Machine], size: ModelSize) -> str:
    """What the rate is for this model: "measured" on its size (within a fifth), a "floor", or an "estimate"."""
    active = size.active or 0.0
    if any(active > machine.rate_parameters * 1.2 for machine in machines):
        return "estimate"
    return "floor" if any(active < machine.rate_parameters / 1.2 for machine in machines) else "measured"


def ceiling_of(machine: Machine, size: ModelSize, tokens: int) -> float | None:
    """Tokens/s that generation of one sequence can't pass: memory bandwidth over the bytes read for a token.

    Those are the active weights with their scales, and the cache of `tokens` tokens. No measurement: a bound. None
    where the bandwidth is unknown.
    """
    if machine.bandwidth_gbs is None or not size.read:
        return None
    read = size.read * (size.bits + size.scale_bits) / 8 + cache_at(size, tokens)
    return machine.bandwidth_gbs * 1e9 / read


# -- sharing the work --------------------------------------------------------------------------------------------


def throughput_shares(fitted: Sequence[Fit]) -> tuple[float, ...]:
    """Each machine's share of the work, by throughput, so that all finish together; they sum to one.

    The shipped pair keeps its 0.655 : 0.345 exactly while both run at their best batch size.
    """
    if shipped_shares(fitted):
        return tuple(fit.machine.share or 0.0 for fit in fitted)
    rates = [fit.rate or 0.0 for fit in fitted]
    return tuple(rate / sum(rates) for rate in rates) if sum(rates) else (1.0,) * len(fitted)


def shipped_shares(fitted: Sequence[Fit]) -> bool:
    """Whether these are the two shipped machines, neither calibrated, both at their best batch size."""
    at_best = all(fit.batch_size == fit.machine.batch_size for fit in fitted)
    shares = [fit.machine.share for fit in fitted if fit.machine.share is not None]
    return at_best and len(shares) == len(fitted) and abs(sum(shares) - 1) < 1e-9


def deal(examples: int, shares: Sequence[float]) -> tuple[int, ...]:
    """Whole examples a machine: the shares rounded down, the rest to those who lost most by it. Sums to `examples`."""
    exact = [examples * share for share in shares]
    dealt = [int(part) for part in exact]
    order = sorted(range(len(exact)), key=lambda i: dealt[i] - exact[i])
    for i in order[: examples - sum(dealt)]:
        dealt[i] += 1
    return tuple(dealt)
