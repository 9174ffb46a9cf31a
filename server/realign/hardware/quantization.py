"""How many bits a weight takes as it is stored: from a model's name, or from its config.json layer by layer.

    read_bits("Qwen3-8B-4bit-DWQ")            -> 4
    stored_bits(config, matrices(shape))      -> Stored(bits=4, scales=0.5, note="precision: config.json")

Standard library only. Scales are what groups of weights share: a 16-bit scale and bias for each 64 weights is half a
bit a weight on top of the four.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from realign.hardware.architecture import Matrix

POSSIBLE_BITS = (2, 3, 4, 5, 6, 8, 16, 32)
BITS = re.compile(
    r"(?<![a-z0-9])(?:(?P<n>\d{1,2})[-_ ]?bits?|(?:i?q|w|int|(?:mx|nv)?fp|bf?|f|b?float)(?P<m>\d{1,2})(?:a\d{1,2})?)"
    r"(?![a-z0-9])",
    re.IGNORECASE,
)
FOUR = re.compile(r"(?<![a-z0-9])(?:dwq|awq|gptq|qat)(?![a-z0-9])", re.IGNORECASE)  # four bits unless they say others
TYPES = {"float32": 32, "float16": 16, "bfloat16": 16}
METHODS = {"mxfp4": 4, "nvfp4": 4, "fp8": 8, "mxfp8": 8, "fbgemm_fp8": 8}  # methods that state no bits
FLOAT_GROUPS = {"mxfp4": 32, "mxfp8": 32, "nvfp4": 16}  # an 8-bit scale a group, no bias
GROUP = 64  # MLX's default


@dataclass(frozen=True, slots=True)
class Stored:
    """bits a weight, and bits of scales a weight on top of them: averages over all weights where layers differ."""

    bits: float
    scales: float
    note: str


def read_bits(name: str) -> int | None:
    """The precision that a name states, in bits a weight, or None. `DWQ`, `AWQ`, `GPTQ` and `QAT` alone mean 4."""
    found = [int(match["n"] or match["m"]) for match in BITS.finditer(name.replace("_", "-"))]
    stated = next((bits for bits in found if bits in POSSIBLE_BITS), None)
    return 4 if stated is None and FOUR.search(name) else stated


def usual_scales(bits: float) -> float:
    """Bits of scales a weight where nothing states them: MLX's groups of 64 for quantized weights, else none."""
    return 32 / GROUP if bits <= 8 else 0.0


def stored_bits(config: Mapping[str, Any], every: Iterable[Matrix]) -> Stored:
    """What the config says of each matrix, averaged. Raises ValueError for an entry that states no precision."""
    plain = _plain_bits(config)
    settings = config.get("quantization") or config.get("quantization_config")
    if not settings:
        return Stored(plain, 0.0, "precision: config.json")
    if not isinstance(settings, Mapping):
        raise ValueError(f"quantization is a {type(settings).__name__}, not an object")
    usual = _bits_and_scales(settings)
    own = {path: value for path, value in settings.items() if isinstance(value, Mapping | bool) and "." in path + "."}
    layers = {tail: _of_layer(value, usual, plain) for path, value in own.items() for tail in _tails(path)}
    weights = bits = scales = 0.0
    for each in every:
        width, more = layers.get(_key(each.path), usual)
        if "quant_method" in settings and _left_alone(each, settings):
            width, more = plain, 0.0
        weights, bits, scales = weights + each.weights, bits + each.weights * width, scales + each.weights * more
    average, extra = round(bits / weights, 2), round(scales / weights, 3)
    mixed = "" if average == usual[0] else f": {usual[0]:g} bit, other layers differ, {average:g} on average"
    return Stored(int(average) if average == int(average) else average, extra, f"precision: config.json{mixed}")


def _plain_bits(config: Mapping[str, Any]) -> int:
    return TYPES.get(str(config.get("torch_dtype") or config.get("dtype")), 16)


def _bits_and_scales(settings: Mapping[str, Any]) -> tuple[float, float]:
    """(bits, bits of scales) a weight of one set of quantization settings."""
    method = str(settings.get("mode") or settings.get("quant_method") or "affine")
    bits = settings.get("bits")
    if bits is None:
        loaded = 4 if settings.get("load_in_4bit") else 8 if settings.get("load_in_8bit") else None
        bits = loaded or METHODS.get(method)
    if isinstance(bits, bool) or not isinstance(bits, int) or bits not in POSSIBLE_BITS:
        raise ValueError(f"quantization at {str(bits)[:40]} bits, not one of {', '.join(map(str, POSSIBLE_BITS))}")
    if method in FLOAT_GROUPS:
        return bits, 8 / FLOAT_GROUPS[method]
    group = settings.get("group_size", GROUP)
    if isinstance(group, bool) or not isinstance(group, int) or not (group == -1 or 1 <= group <= 2**20):
        raise ValueError(f"quantization in groups of {str(group)[:40]}, not of a whole number of weights")
    per_tensor = group == -1 or method in METHODS  # one scale for a row or a block of thousands
    return bits, 0.0 if per_tensor or bits > 8 else 32 / group


def _of_layer(value: Mapping[str, Any] | bool, usual: tuple[float, float], plain: int) -> tuple[float, float]:
    """A layer's own settings: an object of them, or false for a layer that stays as it was."""
    if isinstance(value, bool):
        return usual if value else (plain, 0.0)
    return _bits_and_scales(value)


def _tails(path: str) -> list[str]:
    """`model.layers.3.mlp.gate_proj` as `3 mlp.gate_proj` and `3 gate_proj`: families differ in what is before."""
    before, _, after = path.rpartition("layers.")
    layer, _, module = after.partition(".") if before or path.startswith("layers.") else ("", "", path)
    parts = module.split(".")
    return [f"{layer} {'.'.join(parts[start:])}" for start in range(len(parts))]


def _key(path: str) -> str:
    return _tails(path)[0]


def _left_alone(each: Matrix, settings: Mapping[str, Any]) -> bool:
    """Whether a format other than MLX's leaves a matrix as it was: embeddings, head, and all but experts in mxfp4."""
    outside = each.path in ("embed_tokens", "lm_head")
    return outside or (settings["quant_method"] == "mxfp4" and each.copies == 1)
