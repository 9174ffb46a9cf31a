"""Adapters on disk, in mlx-lm's own two files, named and versioned: <root>/<name>/v1, v2, ...

    info = save_adapter(Path("adapters"), "tides", loaded.model, Adapter(), base, {"loss": 1.2})
    list_adapters(Path("adapters")), find_adapter(Path("adapters"), "tides@2")
    fuse(base, info.folder, Path("out/model"))

`mlx_lm.load(base, adapter_path=info.folder)` and `mlx_lm.fuse` open them. What is ours stands under "realign" in
adapter_config.json, where mlx-lm does not look. Full training has no adapter: models.write_model writes its folder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten

from realign.align.models import blocks_of, lora_parameters, open_model, write_folder, write_model
from realign.engine.folders import model_identity
from realign.errors import ModelError, UsageError
from realign.settings import Adapter

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
VERSION = re.compile(r"v(\d+)")


@dataclass(frozen=True, slots=True)
class AdapterInfo:
    """An adapter on disk. base_identity changes when the base model does; made: UTC; facts: the caller's."""

    name: str
    version: int
    folder: Path
    kind: str
    base: str
    base_identity: str
    made: str
    facts: dict[str, Any]


def write_adapter(
    folder: Path, model: Any, adapter: Adapter, base: Path, facts: Mapping[str, Any] | None = None
) -> Path:
    """A new folder with adapters.safetensors and adapter_config.json. Raises StorageError when it can't be written."""
    config = {
        "fine_tune_type": adapter.kind,
        "num_layers": blocks_of(model, adapter),
        "lora_parameters": lora_parameters(adapter),
        "model": str(base),
        "realign": {
            "base_identity": model_identity(base),
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "facts": dict(facts or {}),
        },
    }

    def fill(beside: Path) -> None:
        weights = dict(tree_flatten(model.trainable_parameters()))
        mx.save_safetensors(str(beside / "adapters.safetensors"), weights, metadata={"format": "mlx"})
        (beside / "adapter_config.json").write_text(json.dumps(config, indent=4, sort_keys=True), encoding="utf-8")

    return write_folder(folder, fill)


def save_adapter(
    root: Path, name: str, model: Any, adapter: Adapter, base: Path, facts: Mapping[str, Any] | None = None
) -> AdapterInfo:
    """The next version of the adapter `name`. Raises UsageError for a name that is no plain folder name."""
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for an adapter", "1 to 64 letters, digits, dots, dashes, underscores")
    version = max((info.version for info in list_adapters(root) if info.name == name), default=0) + 1
    return _read(write_adapter(root / name / f"v{version}", model, adapter, base, facts))


def list_adapters(root: Path) -> list[AdapterInfo]:
    """Every adapter under `root`, by name and version. Folders that are none are passed over."""
    found = []
    for config in root.glob("*/v*/adapter_config.json"):
        if VERSION.fullmatch(config.parent.name):
            try:
                found.append(_read(config.parent))
            except ModelError:
                continue
    return sorted(found, key=lambda info: (info.name, info.version))


def find_adapter(root: Path, words: str) -> AdapterInfo:
    """ "name" for its newest version, "name@2" for that one. Raises UsageError that names what there is."""
    name, _, version = words.partition("@")
    every = list_adapters(root)
    found = [info for info in every if info.name == name and version in ("", str(info.version))]
    if not found:
        there = ", ".join(f"{info.name}@{info.version}" for info in every) or "none"
        raise UsageError(f"No adapter {words} in {root}", f"one of: {there}")
    return found[-1]


def fuse(base: Path, adapter: Path, folder: Path) -> Path:
    """Base and adapter as one plain model folder, of the same function."""
    return write_model(open_model(base, adapter), base, folder)


def _read(folder: Path) -> AdapterInfo:
    """Raises ModelError for a folder whose config is none, or whose weights are missing."""
    try:
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        ours = config.get("realign", {})
        if not (folder / "adapters.safetensors").is_file():
            raise FileNotFoundError("adapters.safetensors is missing")
        return AdapterInfo(
            name=folder.parent.name,
            version=int(folder.name[1:]),
            folder=folder,
            kind=str(config["fine_tune_type"]),
            base=str(config.get("model", "")),
            base_identity=str(ours.get("base_identity", "")),
            made=str(ours.get("made", "")),
            facts=dict(ours.get("facts", {})),
        )
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ModelError(f"{folder} is no adapter ({error})", "adapters.safetensors and adapter_config.json") from None
