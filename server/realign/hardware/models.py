"""How big a model is: from its own config when it is a local folder, else from its name, else nobody knows.

    measure_model("Qwen2.5-7B-Instruct-4bit")   -> 7e9 parameters at 4 bit
    measure_model("/models/tiny")               -> counted from config.json

Standard library only. Sizes that a name gives are the name's rounding: Qwen2.5-7B really has 7.6e9 parameters.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realign.errors import ModelError
from realign.intake.words import read_size

BITS = re.compile(
    r"(?<![a-z0-9])(?:(?P<n>\d{1,2})[-_ ]?bits?|(?:q|int|(?:mx|nv)?fp|bf|b?float)(?P<m>\d{1,2}))(?![a-z0-9])",
    re.IGNORECASE,
)
TYPES = {"float32": 32, "float16": 16, "bfloat16": 16}
POSSIBLE_BITS = (2, 3, 4, 5, 6, 8, 16, 32)


@dataclass(frozen=True, slots=True)
class ModelSize:
    """parameters count for memory, active ones (of a mixture of experts) for speed; None when unknown.

    kv_bytes: of key-value cache a token, for all layers at 16 bit. basis says where each figure comes from.
    """

    parameters: float | None
    active: float | None
    bits: int
    kv_bytes: float | None
    basis: tuple[str, ...]


def measure_model(model: str, parameters: float | None = None, bits: int | None = None) -> ModelSize:
    """The size of a model by name or folder; `parameters` and `bits` that were given win over what the name says.

    Raises ModelError for a folder whose config.json can't be used.
    """
    folder = Path(model).expanduser()
    named = _from_folder(folder) if model and folder.is_dir() else _from_name(model)
    basis = list(named.basis)
    total, active, kv = named.parameters, named.active, named.kv_bytes
    if parameters is not None:
        # Another total than the name's makes what the name says of active parameters void.
        active = active if total == parameters else parameters
        total = parameters
        basis.append("parameters: as given")
    if bits is not None:
        basis.append("precision: as given")
    return ModelSize(total, active, bits or named.bits, kv or (total and guess_kv_bytes(total)), tuple(basis))


def guess_kv_bytes(parameters: float) -> float:
    """Bytes of cache a token at 16 bit, a power law through Llama 3's 8B (131 kB) and 70B (328 kB)."""
    return 131e3 * math.pow(parameters / 8e9, 0.42)


def read_bits(name: str) -> int | None:
    """The precision that a name states, in bits a weight, or None."""
    found = [int(match["n"] or match["m"]) for match in BITS.finditer(name)]
    return next((bits for bits in found if bits in POSSIBLE_BITS), None)


def _from_name(name: str) -> ModelSize:
    last = name.rstrip("/").rpartition("/")[2]
    size, bits = read_size(last), read_bits(last)
    basis = ["parameters: the model's name"] if size else []
    if size and re.search(r"\d+x\d", last):
        basis.append(
            "NxS counts as 0.834 * N * S, the share published for Mixtral 8x7B (46.7B): approximate for others"
        )
    basis.append("precision: the model's name" if bits else "precision: 16 bit assumed, the name gives none")
    total, active = size or (None, None)
    return ModelSize(total, active, bits or 16, None, tuple(basis))


def _from_folder(folder: Path) -> ModelSize:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config = {**config, **config.get("text_config", {})}
        total, active = count_parameters(config)
        kv = kv_bytes(config)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
        raise ModelError(
            f"{folder} has no usable config.json ({type(error).__name__}: {error})",
            "a model folder with hidden_size, num_hidden_layers, num_attention_heads, intermediate_size and vocab_size",
            "give the parameter count and precision instead",
        ) from None
    quantization = config.get("quantization") or config.get("quantization_config") or {}
    stored = TYPES.get(str(config.get("torch_dtype") or config.get("dtype")), 16)
    bits = int(quantization.get("bits", stored))
    return ModelSize(total, active, bits, kv, ("parameters: counted from config.json", "precision: config.json"))


def count_parameters(config: dict[str, Any]) -> tuple[float, float]:
    """(total, active a token) weights of a decoder: attention, gated feed-forward or experts, norms, embeddings.

    Raises KeyError for a config without the five sizes that every decoder has. Biases are left out (under 0.1 %).
    """
    width, layers, vocabulary = (int(config[key]) for key in ("hidden_size", "num_hidden_layers", "vocab_size"))
    heads = int(config["num_attention_heads"])
    kv_heads = int(config.get("num_key_value_heads") or heads)
    head = int(config.get("head_dim") or width // heads)
    attention = width * head * (2 * heads + 2 * kv_heads)
    experts = int(config.get("num_local_experts") or config.get("num_experts") or config.get("n_routed_experts") or 0)
    used = int(config.get("num_experts_per_tok") or 1)
    inner = int((experts and config.get("moe_intermediate_size")) or config["intermediate_size"])
    forward = 3 * width * inner
    shared = attention + 2 * width + width * experts
    embeddings = vocabulary * width * (1 if config.get("tie_word_embeddings") else 2) + width
    total = layers * (shared + forward * max(experts, 1)) + embeddings
    return float(total), float(layers * (shared + forward * (used if experts else 1)) + embeddings)


def kv_bytes(config: dict[str, Any]) -> float:
    """Bytes of key-value cache a token, over all layers, at 16 bit."""
    heads = int(config["num_attention_heads"])
    head = int(config.get("head_dim") or int(config["hidden_size"]) // heads)
    return float(2 * int(config["num_hidden_layers"]) * int(config.get("num_key_value_heads") or heads) * head * 2)
