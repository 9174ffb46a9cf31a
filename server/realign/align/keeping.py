"""A run's adapters as one, on the model that went in: kept by a name and a version, whatever becomes of the run.

    keep(Path("models/qwen"), [sft, optimize, iterate], Path("adapters"), "tides", {"from": "dpo_book_20260128"})

Each stage trains an adapter on the model that the stage before left. LoRA adds up: the sum of the products a_i b_i is
the product of the a_i side by side and the b_i one below the other, an adapter whose rank is the sum of theirs. DoRA
does not, since it scales the sum.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mlx.core as mx

from realign.align.adapters import CONFIG, WEIGHTS, AdapterInfo, next_version, read_adapter, write_files
from realign.errors import ModelError

Weights = dict[str, mx.array]


def keep(base: Path, adapters: Sequence[Path], root: Path, name: str, facts: Mapping[str, Any]) -> AdapterInfo:
    """The next version of `name` under `root`: the adapters, oldest first, as one on `base`.

    Raises ModelError for adapters that don't add up, UsageError for a name that can't be one.
    """
    folder, parts = next_version(root, name), [opened(adapter) for adapter in adapters]
    config, weights = parts[0] if len(parts) == 1 else summed(parts)
    return read_adapter(write_files(folder, weights, config, base, facts))


def opened(folder: Path) -> tuple[dict[str, Any], Weights]:
    """(mlx-lm's part of the config, the arrays). Raises ModelError for a folder that is no adapter."""
    read_adapter(folder)
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    try:
        found: Any = mx.load(str(folder / WEIGHTS))
    except (RuntimeError, ValueError, OSError) as error:
        raise ModelError(f"{folder / WEIGHTS} can't be read ({error})", "a whole safetensors file") from None
    return {key: value for key, value in config.items() if key not in ("model", "realign")}, dict(found)


def summed(parts: Sequence[tuple[dict[str, Any], Weights]]) -> tuple[dict[str, Any], Weights]:
    """Several LoRA adapters of the same layers as one; each keeps its own scale, which goes into its b."""
    configs, weights = [config for config, _ in parts], [arrays for _, arrays in parts]
    alike = all(arrays.keys() == weights[0].keys() for arrays in weights)
    if not alike or any(config.get("fine_tune_type") != "lora" for config in configs):
        kinds = ", ".join(str(config.get("fine_tune_type")) for config in configs)
        raise ModelError(
            f"{len(parts)} adapters ({kinds}) don't add up to one",
            "LoRA adapters of the same layers",
            "`realign adapters fuse`, which writes the whole model",
        )
    settings = [config["lora_parameters"] for config in configs]
    scales = [float(each["scale"]) for each in settings]
    rank = sum(int(each["rank"]) for each in settings)
    columns = {name: [arrays[name] for arrays in weights] for name in weights[0]}
    one = {name: joined(name, arrays, scales) for name, arrays in columns.items()}
    return {**configs[0], "lora_parameters": {**settings[0], "rank": rank}}, one


def joined(name: str, arrays: Sequence[mx.array], scales: Sequence[float]) -> mx.array:
    """lora_a (in, r) or (experts, r, in) and lora_b (r, out) or (experts, out, r), along r."""
    if name.endswith("lora_b"):
        arrays = [array * (scale / scales[0]) for array, scale in zip(arrays, scales, strict=True)]
        return mx.concatenate(list(arrays), axis=2 if arrays[0].ndim == 3 else 0)
    return mx.concatenate(list(arrays), axis=1)
