"""A trained adapter and its base as one plain model folder that mlx_lm.load opens, and what the fusing changed.

    fuse_checked(Path("models/qwen"), Path("adapters/tides/v2"), Path("out/tides"), dequantize=False)

Unlike adapters.fuse, which the stages use, the weights keep the type of their files on a CPU too. Where the base is
quantized, a fused layer is packed again: that rounds the sum, and the rounding is measured here, not guessed.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import mlx.core as mx

from realign.align.losses import full_kl
from realign.align.models import attach, float_type, fuse_in_place, is_quantized, round_to, write_folder, write_weights
from realign.engine.accel import use_fast_blas
from realign.engine.folders import check_folder
from realign.engine.mlx import read_weights
from realign.errors import ModelError
from realign.quality.metrics import Measure, not_measured

PROBE_TOKENS = 32
PROBELESS = "MLX can't run weights of this type on this machine"  # a mixture of experts in bfloat16 on a CPU
PROBE = "Which of these names stands first in the alphabet, and why? Answer in one sentence, then count to ten. " * 2
Say = Callable[[str], None]


def fuse_checked(
    base: Path, adapter: Path, folder: Path, *, dequantize: bool, say: Say = lambda doing: None
) -> dict[str, Any]:
    """Write a new folder, and tell how far base and adapter are from the fused model: KL, in nats a token, on a fixed
    text of 32 tokens. Raises ModelError for an adapter that does not fit, or that makes numbers that are none."""
    say("loading base and adapter")
    use_fast_blas()
    model, tokenizer = read_weights(base)
    packed = is_quantized(model)
    attach(model, adapter)
    tokens = mx.array([tokenizer.encode(PROBE, add_special_tokens=False)[:PROBE_TOKENS]])
    before = run(model, tokens)
    say("fusing")
    fuse_stored(model, dequantize)
    round_to(model, float_type(base))
    after = run(model, tokens)
    moved = not_measured(PROBELESS) if before is None or after is None else distance(before, after)
    if moved.value is not None and not math.isfinite(moved.value):
        raise ModelError(f"{adapter} gives numbers that are none (NaN)", "finite weights", "another version of it")
    say("writing")
    write_weights(model, tokenizer, base, folder)
    return {"kl": asdict(moved), "quantized": is_quantized(model), "base_quantized": packed}


def distance(before: mx.array, after: mx.array) -> Measure:
    """Mean KL over the positions of the text; rounding can make an exact 0 a little less, which is 0."""
    tokens = before.shape[1]
    return Measure(float(mx.maximum(full_kl(before, after).mean(), 0.0)), tokens, unit="nats a token")


def fuse_stored(model: Any, dequantize: bool) -> None:
    """Fuse in place, and unpack every weight where that is asked for. Raises ModelError where mlx-lm can't."""
    from mlx_lm.utils import dequantize_model

    try:
        fuse_in_place(model, dequantize)
        if dequantize:
            dequantize_model(model)
            mx.eval(model.parameters())
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise ModelError(
            f"The adapter can't be fused into this base ({type(error).__name__}: {str(error)[:300]})",
            "a base in 16 or 32 bit, or one that mlx-lm packs as it does itself",
            "`realign convert BASE -o PLAIN --dequantize`, then fuse with --base PLAIN",
        ) from error


def run(model: Any, tokens: mx.array) -> mx.array | None:
    """Logits (1, T, V) of tokens (1, T); None where MLX has no kernel for the type of these weights here."""
    try:
        logits: mx.array = model(tokens)
        mx.eval(logits)
    except RuntimeError:
        return None
    return logits


def copy_model(source: Path, folder: Path) -> Path:
    """A model of which every weight was trained has nothing to fuse: its folder, copied."""
    check_folder(source)
    return write_folder(folder, lambda beside: shutil.copytree(source, beside, dirs_exist_ok=True))
