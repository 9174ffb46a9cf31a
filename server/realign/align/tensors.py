"""Arrays in a stream of bytes and back, in the safetensors format, without calling MLX while writing.

    frozen = freeze({"weights.w": w})           on the training thread; nothing is copied where MLX can share its memory
    write_tensors(file, frozen, {"step": "7"})  on any thread: the bytes are read, MLX is not used
    arrays, metadata = read_tensors(file)

Format: 8 bytes of length, a JSON header with each tensor's type, shape and place, and the tensors' bytes.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import mlx.core as mx

NAMES = {
    mx.float32: "F32", mx.float16: "F16", mx.bfloat16: "BF16", mx.uint32: "U32", mx.int32: "I32", mx.int64: "I64",
    mx.uint8: "U8", mx.int8: "I8", mx.uint16: "U16", mx.int16: "I16", mx.uint64: "U64", mx.bool_: "BOOL",
}  # fmt: skip


LONGEST_HEADER = 100 << 20  # bytes, the format's own limit


@dataclass(frozen=True, slots=True)
class Tensor:
    """An array's bytes as they are now. MLX never writes into an array that someone else holds, so they stay."""

    kind: str
    shape: tuple[int, ...]
    data: memoryview


def freeze(arrays: Mapping[str, mx.array]) -> dict[str, Tensor]:
    """The bytes of these arrays, whatever is computed with them afterwards."""
    whole = {name: mx.contiguous(array) for name, array in arrays.items()}
    raw = {name: array.reshape(-1).view(mx.uint8) for name, array in whole.items()}
    mx.eval(whole, raw)
    return {name: Tensor(NAMES[array.dtype], tuple(array.shape), _bytes(raw[name])) for name, array in whole.items()}


def _bytes(array: Any) -> memoryview:
    """`Any`: MLX's arrays offer the buffer protocol, and their type stubs don't say so."""
    return memoryview(array)


def write_tensors(file: BinaryIO, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write header and bytes. Raises what the file raises."""
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    place = 0
    for name, tensor in tensors.items():
        end = place + tensor.data.nbytes
        header[name] = {"dtype": tensor.kind, "shape": tensor.shape, "data_offsets": (place, end)}
        place = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write(struct.pack("<Q", len(text)) + text)
    for tensor in tensors.values():
        file.write(tensor.data)


def read_tensors(file: BinaryIO) -> tuple[dict[str, mx.array], dict[str, str]]:
    """(arrays, metadata). Raises RuntimeError, ValueError or OSError for a damaged or cut file."""
    loaded: Any = mx.load(file, format="safetensors", return_metadata=True)
    arrays, metadata = loaded
    mx.eval(arrays)
    return arrays, metadata


def read_metadata(file: BinaryIO) -> dict[str, str]:
    """The header's own words, without the arrays. Raises ValueError or EOFError for a damaged header."""
    head = file.read(8)
    length = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
    if not 0 < length <= LONGEST_HEADER:
        raise ValueError("no safetensors header")
    header = json.loads(file.read(length))
    return dict(header["__metadata__"])
