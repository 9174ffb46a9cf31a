"""How big a model is: from its own config.json when it is a local folder, else from its name, else nobody knows.

    measure_model("Qwen2.5-7B-Instruct-4bit")           -> 7e9 parameters at 4 bit
    measure_model("/models/tiny")                       -> counted from config.json
    measure_model("", read_parameters("70B"), bits=4)   -> as said

Standard library only. Sizes that a name gives are the name's rounding: Qwen2.5-7B really has 7.6e9 parameters.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from dataclasses import dataclass, replace
from pathlib import Path

from realign.errors import ModelError, UsageError
from realign.hardware.architecture import CHECKED, cache_bytes, count_adapters, count_parameters, matrices, read_shape
from realign.hardware.quantization import POSSIBLE_BITS, read_bits, stored_bits, usual_scales
from realign.intake.words import read_size

FEWEST, MOST = 1e3, 1e15  # parameters: outside these a number is a slip
COUNT = re.compile(r"(?P<number>\d[\d_,]*(?:\.\d+)?(?:e\d{1,3})?)\s*(?P<unit>[kmbt]?)", re.IGNORECASE)
UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
LORA_RANK = 16  # assumed of training, on every linear layer of every block
# What a name does not say is guessed by power laws through Llama 3's 8B and 70B, of the parameters active for a token.
CACHE_LAW, ADAPTER_LAW, WIDTH_LAW, LAYER_LAW = (131_072, 0.421), (41.94e6, 0.735), (4096, 0.319), (32, 0.421)
VOCABULARY = 151_936  # Qwen's, the larger of the usual ones


@dataclass(frozen=True, slots=True)
class ModelSize:
    """parameters count for memory, active ones (of a mixture of experts) for speed; None when unknown.

    bits a weight as stored, scale_bits on top of them. read: weights read to write one token, at least. kv_bytes: of
    key-value cache a token at 16 bit in the layers that keep it, window_kv_bytes in those that keep `window` tokens.
    adapters: weights of LoRA at LORA_RANK. width, layers, vocabulary: for activations. basis: where figures come from.
    """

    parameters: float | None
    active: float | None
    bits: float
    kv_bytes: float | None
    basis: tuple[str, ...]
    scale_bits: float = 0.0
    read: float | None = None
    window_kv_bytes: float = 0.0
    window: int = 0
    adapters: float = 0.0
    width: float = 0.0
    layers: float = 0.0
    vocabulary: int = VOCABULARY


def measure_model(model: str, parameters: float | None = None, bits: int | None = None) -> ModelSize:
    """The size of a model by name or folder; `parameters` and `bits` that were given win over what it says itself.

    Raises ModelError for a folder whose config.json can't be used, UsageError for numbers that can't be.
    """
    folder = _folder(model)
    size = _from_folder(folder) if folder else _from_name(model)
    if parameters is not None:
        check_parameters(parameters, f"{parameters:g}")
        # Another total than the model's own makes what is known of its active part and of its layers void.
        if size.parameters != parameters:
            size = replace(size, parameters=parameters, active=parameters, read=parameters, kv_bytes=None, window=0)
        size = replace(size, basis=("parameters: as given", *(b for b in size.basis if "parameters" not in b)))
    if bits is not None:
        if bits not in POSSIBLE_BITS:
            raise UsageError(f"{bits} bits a weight", f"one of {', '.join(map(str, POSSIBLE_BITS))}")
        basis = ("precision: as given", *(line for line in size.basis if "precision" not in line))
        size = replace(size, bits=bits, scale_bits=usual_scales(bits), basis=basis)
    return size if size.parameters is None or size.kv_bytes is not None else _guessed(size)


def read_parameters(text: str) -> float:
    """A count of parameters as people write it: 70B, 7e9, 0.5b, 1.2T, 8,030,261,248. Raises UsageError."""
    found = COUNT.fullmatch(text.strip())
    digits = found["number"].replace(",", "").replace("_", "") if found else "nan"
    count = float(digits) * UNITS[found["unit"].lower()] if found else math.nan
    check_parameters(count, text)
    return count


def check_parameters(count: float, said: str) -> None:
    """Raises UsageError for a count that no model has; a bare 70 is taken for the slip it is."""
    if not FEWEST <= count <= MOST:  # NaN is outside too
        meant = f"{count:g}B" if 0 < count < FEWEST else "70B"
        raise UsageError(f"{said[:40]!r} parameters", "a count from 1,000 to 1e15", f"{meant}, 7e9 or 0.5b")


def cache_at(size: ModelSize, tokens: int) -> float:
    """Bytes of key-value cache of one sequence of `tokens` tokens, at 16 bit."""
    return (size.kv_bytes or 0.0) * tokens + size.window_kv_bytes * min(tokens, size.window)


# -- where sizes come from ---------------------------------------------------------------------------------------


def _folder(model: str) -> Path | None:
    """The model's folder, where `model` is one (or its config.json); a name that no file system takes is no folder."""
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        path = Path(model).expanduser()
        if model and path.is_dir():
            return path
        if path.name == "config.json" and path.is_file():
            return path.parent
    return None


def _from_name(name: str) -> ModelSize:
    last = name.rstrip("/").rpartition("/")[2]
    size, bits = read_size(last), read_bits(last)
    basis = ["parameters: the model's name"] if size else []
    if size and re.search(r"\d+x\d", last):
        basis.append(
            "NxS counts as 0.834 * N * S parameters, as published for Mixtral 8x7B (46.7B): approximate for others"
        )
    basis.append("precision: the model's name" if bits else "precision: 16 bit assumed, the name gives none")
    total, active = size or (None, None)
    return ModelSize(total, active, bits or 16, None, tuple(basis), usual_scales(bits or 16), active)


def _guessed(size: ModelSize) -> ModelSize:
    """The size with the figures that only a config has, guessed from the parameters that are active for a token."""
    times = (size.active or size.parameters or 0.0) / 8e9

    def law(at_8b: float, exponent: float) -> float:
        return at_8b * math.pow(times, exponent)

    return replace(
        size,
        kv_bytes=law(*CACHE_LAW),
        window_kv_bytes=0.0,
        adapters=law(*ADAPTER_LAW),
        width=law(*WIDTH_LAW),
        layers=law(*LAYER_LAW),
        basis=(*size.basis, "layers and width: guessed from the parameters; a folder's config.json would say"),
    )


def _from_folder(folder: Path) -> ModelSize:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        shape = read_shape(config)
        every = tuple(matrices(shape))
        total, active = count_parameters(shape)
        stored = stored_bits(config, every)
        if total > MOST:
            raise ValueError(f"it describes {total:.3g} parameters")
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"{folder} has no usable config.json: {error}",
            "a model folder with hidden_size, num_hidden_layers, num_attention_heads, intermediate_size and vocab_size",
            "give its size instead: --parameters 7B --bits 16",
        ) from None
    known = shape.family in CHECKED
    doubt = () if known else (f"architecture {shape.family or 'not named'}: counted as a plain decoder, not checked",)
    kept, windowed = cache_bytes(shape)
    looked_up = 0 if shape.tied else shape.vocabulary * shape.width  # one row of it is read for a token
    return ModelSize(
        parameters=float(total),
        active=float(active),
        bits=stored.bits,
        kv_bytes=float(kept),
        basis=("parameters: counted from config.json", stored.note, *doubt),
        scale_bits=stored.scales,
        read=float(active - looked_up),
        window_kv_bytes=float(windowed),
        window=shape.window,
        adapters=float(count_adapters(shape, LORA_RANK)),
        width=float(shape.width),
        layers=float(shape.layers),
        vocabulary=shape.vocabulary,
    )
