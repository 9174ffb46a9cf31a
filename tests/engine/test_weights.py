"""A weights file that is not whole is named, with what is wrong, before anything is loaded."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from realign.engine.weights import INDEX, find_damage

TENSORS = {
    "__metadata__": {"format": "mlx"},
    "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
    "b": {"dtype": "BF16", "shape": [4], "data_offsets": [24, 32]},
    "scalar": {"dtype": "F16", "shape": [], "data_offsets": [32, 34]},
}


def write(folder: Path, tensors: Any, held: int = 34) -> Path:
    header = json.dumps(tensors).encode()
    file = folder / "model.safetensors"
    file.write_bytes(struct.pack("<Q", len(header)) + header + bytes(held))
    return folder


def test_whole_files_have_no_damage(tiny: Path, tmp_path: Path) -> None:
    assert find_damage(tiny) == find_damage(write(tmp_path, TENSORS)) == ""


def test_a_type_the_table_does_not_know_is_taken_at_its_word(tmp_path: Path) -> None:
    assert find_damage(write(tmp_path, {"a": {"dtype": "F4", "shape": [7], "data_offsets": [0, 4]}}, held=4)) == ""


def test_a_truncated_checkpoint_is_cut_short(tiny: Path, tmp_path: Path) -> None:
    file = Path(shutil.copytree(tiny, tmp_path / "copy")) / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    assert find_damage(file.parent).startswith("model.safetensors is cut short: ")


def changed(name: str, **fields: Any) -> dict[str, Any]:
    return {**TENSORS, name: {**TENSORS[name], **fields}}


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut short": (lambda f: write(f, TENSORS, held=33), "is cut short: 33 bytes of weights, its header says 34"),
    "too long": (lambda f: write(f, TENSORS, held=35), "is too long: 35 bytes"),
    "another shape": (lambda f: write(f, changed("a", shape=[2, 2])), "shape and bytes disagree"),
    "negative places": (lambda f: write(f, changed("a", data_offsets=[-1, 23])), "shape and bytes disagree"),
    "an overlap": (lambda f: write(f, changed("b", data_offsets=[20, 28])), "tensors that overlap"),
    "no places": (lambda f: write(f, {"a": {"dtype": "F32", "shape": []}}), "a header that can't be read"),
    "a list": (lambda f: write(f, [1]), "a header that can't be read"),
    "empty": (lambda f: (f / "model.safetensors").write_bytes(b""), "has no header (0 bytes)"),
    "a web page": (lambda f: (f / "model.safetensors").write_bytes(b"<html>not found</html>"), "has no header"),
    "not there": (lambda f: None, "no safetensors file is there"),
}


@pytest.mark.parametrize(("plant", "said"), FAULTS.values(), ids=FAULTS.keys())
def test_a_damaged_file_is_named_with_its_fault(tmp_path: Path, plant: Callable[[Path], object], said: str) -> None:
    plant(tmp_path)
    assert said in find_damage(tmp_path)


def test_a_part_that_the_index_lists_and_nobody_has_is_missed(tmp_path: Path) -> None:
    write(tmp_path, TENSORS)
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}))
    assert find_damage(tmp_path) == f"model-2.safetensors is missing, {INDEX} lists it"
    (tmp_path / INDEX).write_text("[]")
    assert "a readable" in find_damage(tmp_path)
