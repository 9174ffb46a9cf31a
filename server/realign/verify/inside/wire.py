"""The line between a room and our process, and plain values as JSON that says their exact types.

None, bool, int, float, complex, str, bytes, list, tuple, set, frozenset, dict and built-in types go as values, by exact
type: a subclass that compares as it likes is an object, and an object is only ever a number that stands for it.
"""

from __future__ import annotations

import builtins
import json
import os
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from typing import Any

DEEPEST = 60  # of a value
MOST_PARTS = 200_000  # of a value
SEQUENCES: dict[Any, str] = {list: "l", tuple: "t", set: "s", frozenset: "z"}
MAKERS: dict[str, Callable[[list[Any]], Any]] = {"l": list, "t": tuple, "s": set, "z": frozenset}
TABLES: tuple[Any, ...] = (dict, Counter, OrderedDict, defaultdict)


class NotPlain(Exception):
    """A value that can't be sent or read: an object, too deep, too large, or not a number."""


class Channel:
    """The line to our process: one JSON value a line."""

    def __init__(self) -> None:
        """Move the line to descriptors of its own; what reads or prints by the usual ones meets nothing."""
        self.reading, self.writing = os.fdopen(os.dup(0), "rb"), os.dup(1)
        nothing = os.open(os.devnull, os.O_RDWR)
        for usual in (0, 1, 2):
            os.dup2(nothing, usual)

    def ask(self, message: dict[str, Any]) -> Any:
        """Send, then wait for what comes back."""
        data = json.dumps(message).encode() + b"\n"
        while data:
            data = data[os.write(self.writing, data) :]
        return self.hear()

    def hear(self) -> Any:
        """The next message. Ends this process when the line ends."""
        line = self.reading.readline()
        if not line:
            os._exit(0)
        return json.loads(line)


def encode(value: Any, keep: Callable[[Any], int]) -> Any:
    """A value as JSON; keep gives a number for an object, or raises. Raises NotPlain for one too deep or too large."""
    parts = 0

    def coded(value: Any, depth: int) -> Any:
        nonlocal parts
        parts += 1
        if depth > DEEPEST or parts > MOST_PARTS:
            raise NotPlain("a value too deep or too large")
        kind: Any = type(value)
        if kind in SEQUENCES:
            return [SEQUENCES[kind], [coded(item, depth + 1) for item in value]]
        if kind in TABLES:
            return ["d", [[coded(side, depth + 1) for side in pair] for pair in value.items()]]
        return scalar(value, kind, keep)

    return coded(value, 0)


def scalar(value: Any, kind: Any, keep: Callable[[Any], int]) -> Any:
    """A value without parts as JSON."""
    if kind in (type(None), bool, str):
        return value
    if kind is int:
        return ["i", hex(value)]
    if kind is float:
        return ["f", value.hex()]
    if kind is complex:
        return ["c", value.real.hex(), value.imag.hex()]
    if kind is bytes:
        return ["b", value.hex()]
    if kind is type and getattr(builtins, name := type.__getattribute__(value, "__name__"), None) is value:
        return ["y", name]
    return ["h", keep(value)]


def decode(data: Any, kept: Callable[[int], Any]) -> Any:
    """The value `encode` wrote; kept(number) stands for an object. Raises NotPlain, and what malformed data raises."""
    if data is None or isinstance(data, (bool, str)):
        return data
    kind, body = data[0], data[1]
    if kind in MAKERS:
        return MAKERS[kind]([decode(item, kept) for item in body])
    if kind == "d":
        return {decode(key, kept): decode(value, kept) for key, value in body}
    if kind in ("f", "c"):
        numbers = [float.fromhex(part) for part in data[1:]]
        if any(number != number for number in numbers):
            raise NotPlain("a float that is not a number")
        return complex(*numbers) if kind == "c" else numbers[0]
    if kind == "i":
        return int(body, 16)
    if kind == "b":
        return bytes.fromhex(body)
    if kind == "y" and type(getattr(builtins, body, None)) is type:
        return getattr(builtins, body)
    if kind == "h" and type(body) is int and body >= 0:
        return kept(body)
    raise NotPlain("an unknown kind of value")
