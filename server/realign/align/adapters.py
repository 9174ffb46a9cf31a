"""Adapters on disk, in mlx-lm's own two files, named and versioned: <root>/<name>/v1, v2, ...

    info = save_adapter(Path("adapters"), "tides", loaded.model, Adapter(), base, {"loss": 1.2})
    list_adapters(Path("adapters")), find_adapter(Path("adapters"), "tides@2"), read_adapter(Path("any/folder"))
    fuse(base, info.folder, Path("out/model"))

`mlx_lm.load(base, adapter_path=info.folder)` and `mlx_lm.fuse` open them. What is ours stands under "realign" in
adapter_config.json, where mlx-lm does not look. Full training has no adapter: models.write_model writes its folder.
Looking at adapters imports no mlx; writing one does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from realign.engine.folders import model_identity
from realign.errors import ModelError, UsageError
from realign.settings import Adapter

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
VERSION = re.compile(r"v(\d+)")
CONFIG, WEIGHTS = "adapter_config.json", "adapters.safetensors"
KINDS = ("lora", "dora", "full")


@dataclass(frozen=True, slots=True)
class AdapterInfo:
    """An adapter on disk. base_identity changes when the base model does; made: UTC; facts: the caller's.

    An adapter that mlx-lm trained by itself knows its base by name alone, and not when it was made. version is 0 where
    its folder's name is none.
    """

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
    from mlx.utils import tree_flatten

    from realign.align.models import blocks_of, lora_parameters

    config = {
        "fine_tune_type": adapter.kind,
        "num_layers": blocks_of(model, adapter),
        "lora_parameters": lora_parameters(adapter),
    }
    return write_files(folder, dict(tree_flatten(model.trainable_parameters())), config, base, facts or {})


def write_files(
    folder: Path, weights: Mapping[str, Any], config: Mapping[str, Any], base: Path, facts: Mapping[str, Any]
) -> Path:
    """A new folder with these arrays and mlx-lm's own config, to which what is ours is added."""
    import mlx.core as mx

    from realign.align.models import write_folder

    config = {
        **config,
        "model": str(base),
        "realign": {
            "base_identity": model_identity(base),
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "facts": dict(facts),
        },
    }

    def fill(beside: Path) -> None:
        mx.save_safetensors(str(beside / WEIGHTS), dict(weights), metadata={"format": "mlx"})
        (beside / CONFIG).write_text(json.dumps(config, indent=4, sort_keys=True), encoding="utf-8")

    return write_folder(folder, fill)


def save_adapter(
    root: Path, name: str, model: Any, adapter: Adapter, base: Path, facts: Mapping[str, Any] | None = None
) -> AdapterInfo:
    """The next version of the adapter `name`. Raises UsageError for a name that is no plain folder name."""
    return read_adapter(write_adapter(next_version(root, name), model, adapter, base, facts))


def next_version(root: Path, name: str) -> Path:
    """The folder of the version after the last one of `name`. Raises UsageError for a name that can't be one."""
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for an adapter", "1 to 64 letters, digits, dots, dashes, underscores")
    version = max((info.version for info in list_adapters(root) if info.name == name), default=0) + 1
    return root / name / f"v{version}"


def list_adapters(root: Path) -> list[AdapterInfo]:
    """Every adapter under `root`, by name and version. Folders that are none are passed over."""
    found = []
    for config in root.glob(f"*/v*/{CONFIG}"):
        if VERSION.fullmatch(config.parent.name):
            try:
                found.append(read_adapter(config.parent))
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
    from realign.align.models import open_model, write_model

    return write_model(open_model(base, adapter), base, folder)


def read_adapter(folder: Path) -> AdapterInfo:
    """An adapter in any folder, ours or mlx-lm's. Raises ModelError for a folder that holds none."""
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        ours, kind = config.get("realign", {}), str(config.get("fine_tune_type", "lora"))
        if kind not in KINDS:
            raise ValueError(f"fine_tune_type {kind!r}, expected one of {', '.join(KINDS)}")
        if not (folder / WEIGHTS).is_file():
            raise FileNotFoundError(f"{WEIGHTS} is missing")
        numbered = VERSION.fullmatch(folder.name)
        return AdapterInfo(
            name=folder.parent.name if numbered else folder.name,
            version=int(numbered[1]) if numbered else 0,
            folder=folder,
            kind=kind,
            base=str(config.get("model", "")),
            base_identity=str(ours.get("base_identity", "")),
            made=str(ours.get("made", "")),
            facts=dict(ours.get("facts", {})),
        )
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise ModelError(f"{folder} is no adapter ({error})", f"{WEIGHTS} and {CONFIG}") from None
