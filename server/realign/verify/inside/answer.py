"""The room of the answer: load its code, then call what is asked for and send the value, or what it raised.

Objects that are not plain stay here under a number, so that the tests can pass them back, ask for their attributes and
go through them.
"""

from __future__ import annotations

import sys
import types
from typing import Any

from .wire import MOST_PARTS, Channel, decode, encode

LONGEST_RAISED = 200  # characters of an exception's text


def serve(channel: Channel) -> None:
    """Do what is asked until the line ends."""
    module = types.ModuleType("answer")
    sys.modules["answer"] = module  # dataclasses and pickle look a class's module up
    kept: list[Any] = []

    def keep(value: Any) -> int:
        kept.append(value)
        return len(kept) - 1

    message = channel.hear()
    while True:
        try:
            reply = {"value": encode(act(message, module, kept), keep)}
        except BaseException as error:  # an answer may raise anything, SystemExit too
            reply = {"raised": [type(error).__name__, text_of(error)]}
        message = channel.ask(reply)


def act(message: dict[str, Any], module: types.ModuleType, kept: list[Any]) -> Any:
    """One request: load, call, get, set or list. `of` is an object's number; else it is the answer's module."""
    do, name = message["do"], message.get("name", "")
    if do == "load":
        exec(compile(message["source"], "<answer>", "exec"), module.__dict__)
        return None
    target = kept[message["of"]] if "of" in message else module
    if do == "set":
        return setattr(target, name, decode(message["value"], kept.__getitem__))
    if do == "get":
        return getattr(target, name)
    if do == "list":
        return [item for item, _ in zip(target, range(MOST_PARTS), strict=False)]
    function: Any = getattr(target, name) if name else target
    args, named = decode(message["args"], kept.__getitem__), decode(message["named"], kept.__getitem__)
    return function(*args, **named)


def text_of(error: BaseException) -> str:
    """An exception's text, as far as it gives one."""
    try:
        return str(error)[:LONGEST_RAISED]
    except BaseException:
        return ""
