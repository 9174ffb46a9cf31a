"""Does a model fit a machine, at what batch size, and how fast will it be there.

The rule is bytes: weights = parameters * bits / 8, plus key-value cache and overhead, against the memory the GPU may
use. Every rate rests on the machine's profile; where that has none, the rate is None.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from realign.hardware.machines import Machine, default_gpu_gb, most_gpu_gb
from realign.hardware.models import ModelSize

# The largest model planned for one machine is 200B at 16 bit, 400 GB, on 512 GB: what weights may take of memory.
WEIGHTS_SHARE = 400 / 512
SCALE_BITS = 0.5  # a quantized weight's share of its group's scale and bias, MLX's groups of 64
TRAINING_SHARE = (
    0.2  # of the weights: adapters, their gradients and optimizer, activations with checkpointing; estimate
)
BATCHES = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True, slots=True)
class Memory:
    """GB (1e9 bytes). default_limit is what the GPU gets as the system stands, limit what it can be given."""

    weights: float
    kv_cache: float
    overhead: float
    total: float
    default_limit: float
    limit: float


@dataclass(frozen=True, slots=True)
class Fit:
    """A model on a machine, at the fastest batch size that fits. rate in examples/s, None when nobody measured it."""

    machine: Machine
    batch_size: int
    bits: int
    memory: Memory
    rate: float | None


def bits_on(machine: Machine, bits: int) -> int:
    """The precision that will run: float32 on a CPU, where MLX is 8 to 16 times slower at anything narrower."""
    return bits if machine.system == "macOS" else 32


def estimate_memory(
    size: ModelSize, machine: Machine, batch_size: int, tokens: int, task: str, bits: int | None = None
) -> Memory:
    """Memory of a model with `batch_size` sequences of `tokens` tokens. The size must be known."""
    parameters, width = size.parameters or 0.0, bits_on(machine, bits or size.bits)
    weights = parameters * width / 8e9
    cache = (size.kv_bytes or 0.0) * max(1.0, width / 16) * tokens * batch_size / 1e9  # kept at 16 bit, or at float32
    scales = parameters * SCALE_BITS / 8e9 if width <= 8 else 0.0
    overhead = (
        min(1.5, 0.2 + weights) + 0.02 * weights + scales + (TRAINING_SHARE * weights if task == "align" else 0.0)
    )
    default, _ = default_gpu_gb(machine)
    return Memory(weights, cache, overhead, weights + cache + overhead, default, most_gpu_gb(machine))


def estimate_together(
    size: ModelSize, machines: Sequence[Machine], tokens: int, task: str, bits: int | None = None
) -> Memory:
    """Memory of one model spread over several machines, at their smallest batch size, against all their limits."""
    memory = estimate_memory(size, machines[0], min(m.batch_size for m in machines), tokens, task, bits)
    default = sum(default_gpu_gb(machine)[0] for machine in machines)
    return replace(memory, default_limit=default, limit=sum(map(most_gpu_gb, machines)))


def fits(memory: Memory, machine_gb: float) -> bool:
    """Whether weights take no more than their share and the total stays under the limit."""
    return memory.weights <= machine_gb * WEIGHTS_SHARE and memory.total <= memory.limit


def fit_machine(
    size: ModelSize, machine: Machine, tokens: int, task: str, asked: int | None = None, bits: int | None = None
) -> Fit | None:
    """The model on this machine at `asked`, or at the fastest batch size that fits; None when not even 1 does."""
    best = min(asked or machine.batch_size, machine.max_batch)
    sizes = sorted({best, *(batch for batch in machine.batch_curve or BATCHES if batch < best)}, reverse=True)
    for batch in sizes if asked else sorted(sizes, key=lambda b: -curve_at(machine, b)):
        memory = estimate_memory(size, machine, batch, tokens, task, bits)
        if fits(memory, machine.memory_gb):
            return Fit(machine, batch, bits_on(machine, bits or size.bits), memory, rate_of(machine, size, batch))
    return None


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
    slower = min(1.0, machine.rate_parameters / (size.active or machine.rate_parameters))
    shape = curve_at(machine, batch_size) / curve_at(machine, machine.batch_size) if machine.batch_curve else 1.0
    return machine.shared_rate * slower * shape


def throughput_shares(fitted: Sequence[Fit]) -> tuple[float, ...]:
    """Each machine's share of the work, by throughput, so that all finish together; they sum to one.

    The shipped pair keeps its measured 0.655 : 0.345 while both run at their best batch size.
    """
    given = [fit.machine.share for fit in fitted]
    at_best = all(fit.batch_size == fit.machine.batch_size for fit in fitted)
    if at_best and all(given) and abs(sum(share or 0.0 for share in given) - 1) < 1e-9:
        return tuple(share or 0.0 for share in given)
    rates = [fit.rate or 0.0 for fit in fitted]
    return tuple(rate / sum(rates) for rate in rates) if sum(rates) else (1.0,) * len(fitted)


def deal(examples: int, shares: Sequence[float]) -> tuple[int, ...]:
    """Whole examples a machine: the shares rounded down, the rest to those who lost most by it. Sums to `examples`."""
    exact = [examples * share for share in shares]
    dealt = [int(part) for part in exact]
    order = sorted(range(len(exact)), key=lambda i: dealt[i] - exact[i])
    for i in order[: examples - sum(dealt)]:
        dealt[i] += 1
    return tuple(dealt)
