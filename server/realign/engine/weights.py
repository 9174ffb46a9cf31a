"""Whether a folder's weights are whole: each safetensors file against its own header, before anything is loaded.

    find_damage(Path("models/qwen"))     -> "" or "model-00002-of-00003.safetensors is cut short: ..."

A file is 8 bytes of length, a JSON header, and the tensors' bytes one after the other; the header says where each
begins and ends. Wrong bytes inside a tensor don't show here: the folder's hash and its answers tell those.
"""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

INDEX = "model.safetensors.index.json"
LONGEST_HEADER = 100 << 20  # bytes, the format's own limit
BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1,
    "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1, "C64": 8,
}  # fmt: skip


def find_damage(folder: Path) -> str:
    """What is wrong with the safetensors files of a folder, the first fault by file name; "" for nothing."""
    try:
        files = sorted(folder.glob("*.safetensors"))
        if missing := _missing_parts(folder, {file.name for file in files}):
            return f"{missing[0]} is missing, {INDEX} lists it"
        faults = (f"{file.name} {fault}" for file in files if (fault := _fault(file)))
        return next(faults, "" if files else "no safetensors file is there")
    except OSError as error:
        return f"{Path(error.filename or folder).name} can't be read: {error.strerror or error}"


def _missing_parts(folder: Path, present: set[str]) -> list[str]:
    """Files that the index names and that are not there."""
    if not (folder / INDEX).is_file():
        return []
    try:
        named = set(json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values())
    except (ValueError, KeyError, TypeError, AttributeError):
        return [f"a readable {INDEX}"]
    return sorted(str(name) for name in named if name not in present)


def _fault(file: Path) -> str:
    """What is wrong with one file, or ""."""
    size = file.stat().st_size
    with open(file, "rb") as opened:
        head = opened.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
        if not 0 < length <= min(size - 8, LONGEST_HEADER):
            return f"has no header ({size:,} bytes)"
        text = opened.read(length)
    try:
        tensors = {name: tensor for name, tensor in json.loads(text).items() if name != "__metadata__"}
        spans = [_span(tensor) for tensor in tensors.values()]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "has a header that can't be read"
    if None in spans:
        return "has a tensor whose shape and bytes disagree"
    places = sorted(filter(None, spans))
    held, needed = size - 8 - length, max((end for _, end in places), default=0)
    if held != needed:
        return (
            f"is {'cut short' if held < needed else 'too long'}: {held:,} bytes of weights, its header says {needed:,}"
        )
    ends = [0, *(end for _, end in places)]
    apart = all(begin == end for (begin, _), end in zip(places, ends, strict=False))
    return "" if apart else "has tensors that overlap, or bytes between them"


def _span(tensor: dict[str, Any]) -> tuple[int, int] | None:
    """(first byte, end) of a tensor, or None where that is not what its shape and type take."""
    begin, end = (int(place) for place in tensor["data_offsets"])
    takes = math.prod(tensor["shape"]) * BYTES[tensor["dtype"]] if tensor["dtype"] in BYTES else end - begin
    return (begin, end) if 0 <= begin <= end and end - begin == takes else None
