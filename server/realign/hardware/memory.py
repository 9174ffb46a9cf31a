"""What a model takes of a machine's memory, item by item, for curation and for training.

    estimate_memory(size, machine, batch_size=32, tokens=1024, task="dpo").total        GB

The rule is bytes: weights = parameters * bits / 8, plus what the work adds. All but the weights are estimates; ASSUMED
says in words what each task is taken to do. GB are 1e9 bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from realign.hardware.machines import Machine, default_gpu_gb, most_gpu_gb
from realign.hardware.models import LORA_RANK, ModelSize, cache_at
from realign.hardware.quantization import usual_scales

TASKS = ("curate", "sft", "dpo", "rl")
GENERATES = ("curate", "rl")  # tasks that write or read with a key-value cache
SEQUENCES = {"curate": 1, "sft": 1, "dpo": 2, "rl": 1}  # an example of DPO is two sequences, chosen and rejected
FLOAT32, LOGITS = 4, 8  # bytes: of a float32; of a logit and its gradient
LAYER_BYTES = 34  # of one layer's activations, a token and a unit of width, at 16 bit (Korthikanti et al. 2022)
HEAD = 128  # a head's width, for the attention scores that the backward pass of one layer holds
LORA = f"LoRA of rank {LORA_RANK} in float32 on every linear layer of every block, routed experts frozen"
FULL = "every weight trained; gradients and Adam's two moments in the weights' own precision, as MLX keeps them"
CHECKPOINTED = "activations with gradient checkpointing: one layer's at a time, and float32 logits with their gradient"
ASSUMED = {
    "curate": (),
    "sft": (CHECKPOINTED,),
    "dpo": (CHECKPOINTED, "an example is two sequences"),
    "rl": (
        CHECKPOINTED,
        "a batch of completions is written, then trained on; rewards are computed, not a second model",
    ),
}
REFERENCE = {
    False: "the reference is the same weights without adapters",
    True: "the reference is a copy of the weights",
}


@dataclass(frozen=True, slots=True)
class Memory:
    """GB (1e9 bytes). default_limit is what the GPU gets as the system stands, limit what it can be given.

    scales: of quantized weights. adapters to reference are of training, and 0 elsewhere; total is all before it.
    """

    weights: float
    scales: float
    kv_cache: float
    adapters: float
    gradients: float
    optimizer: float
    activations: float
    reference: float
    overhead: float
    total: float
    default_limit: float
    limit: float


def bits_on(machine: Machine, bits: float) -> float:
    """The precision that will run: float32 on a CPU, where MLX is 8 to 16 times slower at anything narrower."""
    return 32 if machine.system == "Linux" else bits


def estimate_memory(
    size: ModelSize,
    machine: Machine,
    batch_size: int,
    tokens: int,
    task: str,
    bits: float | None = None,
    full: bool = False,
) -> Memory:
    """Memory of a model with `batch_size` examples of `tokens` tokens a sequence. The size must be known.

    bits: other than the model's own. full: train every weight instead of adapters.
    """
    parameters, width = size.parameters or 0.0, bits_on(machine, bits or size.bits)
    own = bits is None and width == size.bits
    weights = parameters * width / 8e9
    scales = parameters * (size.scale_bits if own else usual_scales(width)) / 8e9
    sequences = batch_size * SEQUENCES[task]
    cached = cache_at(size, tokens) * sequences * max(1.0, width / 16) / 1e9 if task in GENERATES else 0.0
    adapters, gradients, optimizer, reference = _trained(size, weights, full, task)
    activations = 0.0 if task == "curate" else _activations(size, sequences, tokens, max(1.0, width / 16))
    overhead = min(1.5, 0.2 + weights) + 0.02 * weights  # MLX, its buffer cache, the longest forward pass
    parts = (weights, scales, cached, adapters, gradients, optimizer, activations, reference, overhead)
    return Memory(*parts, sum(parts), default_gpu_gb(machine)[0], most_gpu_gb(machine))


def estimate_together(
    size: ModelSize,
    machines: Sequence[Machine],
    tokens: int,
    task: str,
    bits: float | None = None,
    full: bool = False,
) -> Memory:
    """Memory of one model spread over several machines, at their smallest batch size, against all their limits."""
    batch_size = min(machine.batch_size for machine in machines)
    memory = estimate_memory(size, machines[0], batch_size, tokens, task, bits, full)
    default = sum(default_gpu_gb(machine)[0] for machine in machines)
    return replace(memory, default_limit=default, limit=sum(map(most_gpu_gb, machines)))


def assumed(task: str, full: bool = False) -> tuple[str, ...]:
    """What the memory of a task takes for granted, in words; nothing for curation."""
    if task == "curate":
        return ()
    return (FULL if full else LORA, *ASSUMED[task], *((REFERENCE[full],) if task in ("dpo", "rl") else ()))


def _trained(size: ModelSize, weights: float, full: bool, task: str) -> tuple[float, float, float, float]:
    """GB of (adapters, gradients, Adam's two moments, reference). Adapters are float32: mlx-lm makes them so."""
    if task == "curate":
        return 0.0, 0.0, 0.0, 0.0
    if full:
        return 0.0, weights, 2 * weights, weights if task in ("dpo", "rl") else 0.0
    adapters = size.adapters * FLOAT32 / 1e9
    return adapters, adapters, 2 * adapters, 0.0


def _activations(size: ModelSize, sequences: int, tokens: int, wide: float) -> float:
    """GB that a training step holds: each layer's input, one layer at work, its attention scores, and the logits."""
    inputs = 2 * size.layers * size.width
    layer = LAYER_BYTES * size.width
    scores = 2 * 2 * tokens * size.width / HEAD  # scores and their gradient, tokens of them for a token of each head
    return sequences * tokens * ((inputs + layer + scores) * wide + LOGITS * size.vocabulary) / 1e9
