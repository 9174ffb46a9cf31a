"""A model folder, looked at before anything in it is loaded: is it there, is it safe, and which model is it.

Only safetensors weights and JSON are accepted. Pickled weights and Python files can run code when they are loaded,
so a folder that needs them is refused by name.
"""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

from realign.errors import ModelError

PICKLED = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")
SMALL_FILES = ("config.json", "generation_config.json", "tokenizer*", "special_tokens_map.json", "chat_template*",
               "vocab.*", "merges.txt", "added_tokens.json", "*.model", "*.tiktoken")  # fmt: skip
EDGE = 1 << 20


def check_folder(folder: Path) -> Path:
    """`folder` when MLX can load it without running foreign code. Raises ModelError that says what is in the way."""
    if not folder.is_dir():
        raise ModelError(
            f"No model folder at {folder.absolute()}",
            "a local mlx-lm model folder, or an address that starts with http:// or https://",
            "the path of a model on this disk, or `--author extractive`, which needs no model",
        )
    scripts = sorted(path.name for pattern in ("*.py", "*/*.py") for path in folder.glob(pattern))
    if scripts or read_config(folder).get("model_file"):
        raise ModelError(
            f"{folder} brings its own code ({', '.join(scripts[:3]) or 'named in config.json'}), which is never run",
            "safetensors only, no remote code",
            "a conversion whose architecture mlx-lm knows, without *.py files",
        )
    if not list(folder.glob("model*.safetensors")):
        pickled = sorted(path.name for pattern in PICKLED for path in folder.glob(pattern))
        raise ModelError(
            f"{folder} has no model*.safetensors"
            + (f" but pickled weights ({', '.join(pickled[:3])})" * bool(pickled)),
            "safetensors only, no remote code",
            "`mlx_lm.convert` on the model, or `--author extractive`, which needs no model",
        )
    return folder


def read_config(folder: Path) -> dict[str, Any]:
    """config.json. Raises ModelError when it is missing or is no JSON object."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{folder / 'config.json'} can't be read ({error})", "a model folder's config.json") from None
    if not isinstance(config, dict):
        raise ModelError(f"{folder / 'config.json'} holds no JSON object", "a model folder's config.json")
    return config


def model_identity(folder: Path) -> str:
    """16 hexadecimal characters that change when the model does.

    Hashes the whole of config, tokenizer and template files; of each safetensors file its name, size, header (names,
    shapes and types of all tensors) and its first and last MiB. Weights edited in place in the middle of a large file
    are therefore not noticed: hashing 60 GB at each start would cost more than it tells.
    """
    digest = hashlib.sha256()
    for path in sorted({path for pattern in SMALL_FILES for path in folder.glob(pattern) if path.is_file()}):
        digest.update(f"{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\0".encode())
    for path in sorted(folder.glob("*.safetensors")):
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        digest.update(_header_and_edges(path))
    return digest.hexdigest()[:16]


def _header_and_edges(path: Path) -> bytes:
    size = path.stat().st_size
    with open(path, "rb") as file:
        head = file.read(8)
        length = min(struct.unpack("<Q", head)[0], size) if len(head) == 8 else 0
        header = file.read(length)
        first = file.read(EDGE)
        file.seek(max(0, size - EDGE))
        return hashlib.sha256(head + header + first + file.read(EDGE)).digest()
