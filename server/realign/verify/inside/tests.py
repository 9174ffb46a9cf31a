"""The room of the tests: run them unchanged, with stand-ins for the answer's names, and say what came of them.

passed, failed (the answer is wrong), or broken (the tests themselves can't be run, so nothing is decided).
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterator
from typing import Any

from .wire import Channel, NotPlain, decode, encode

# What an answer may raise into a test. Not StopIteration: it would end an all(map(...)) early, as if all were true.
RAISED: dict[str, type[Exception]] = {
    error.__name__: error
    for error in (AssertionError, IndexError, KeyError, NotImplementedError, OverflowError, RecursionError, TypeError,
                  ValueError, ZeroDivisionError)
}  # fmt: skip
USUAL = ("math", "re", "sys", "copy", "random", "string", "itertools", "collections", "functools", "heapq", "cmath")


class Line:
    """Calls to the answer's room. calls: how many there were; errors: what the answer raised."""

    def __init__(self, channel: Channel) -> None:
        self.channel, self.calls, self.errors = channel, 0, list[Exception]()

    def call(self, target: dict[str, Any], args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Call something there with plain values, or objects that came from there."""
        self.calls += 1
        return self.ask({"do": "call", **target, "args": encode(args, number_of), "named": encode(named, number_of)})

    def ask(self, message: dict[str, Any]) -> Any:
        """The value the other room sends, or what the answer raised, raised here."""
        reply = self.channel.ask(message)
        try:
            if "raised" not in reply:
                return decode(reply["value"], lambda number: Kept(self, number))
            name, text = map(str, reply["raised"])
        except (NotPlain, ValueError, TypeError, LookupError, OverflowError, RecursionError) as error:
            name, text = "ValueError", f"the answer's value can't be read: {error}"
        self.errors.append(RAISED.get(name, RuntimeError)(f"{name}: {text}"))
        raise self.errors[-1]


class Kept:
    """Stands for an object in the answer's room: it is passed back, asked, called and gone through, not compared."""

    def __init__(self, line: Line, number: int) -> None:
        object.__setattr__(self, "kept", (line, number))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        line, number = object.__getattribute__(self, "kept")
        return line.ask({"do": "get", "of": number, "name": name})

    def __setattr__(self, name: str, value: Any) -> None:
        line, number = object.__getattribute__(self, "kept")
        line.ask({"do": "set", "of": number, "name": name, "value": encode(value, number_of)})

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Call it there."""
        line, number = object.__getattribute__(self, "kept")
        return line.call({"of": number, "name": ""}, args, named)

    def __iter__(self) -> Iterator[Any]:
        line, number = object.__getattribute__(self, "kept")
        return iter(line.ask({"do": "list", "of": number}))

    def refuse(self, *_: Any) -> Any:
        """No object decides a comparison, a truth or a length."""
        raise TypeError("the answer gave an object, not a plain value")

    __eq__ = __ne__ = __bool__ = __lt__ = __gt__ = __le__ = __ge__ = __len__ = __contains__ = refuse
    __hash__ = refuse


def number_of(value: Any) -> int:
    """The number of an object that came from the answer's room. Raises NotPlain for any other object."""
    if type(value) is Kept:
        return int(object.__getattribute__(value, "kept")[1])
    raise NotPlain(f"the test passes a {type(value).__name__} to the answer, which is no plain value")


def serve(channel: Channel) -> None:
    """Hear what to run, run it, say the verdict."""
    work, line = channel.hear(), Line(channel)
    done = ["the setup"]
    try:
        run(work, line, done)
        verdict, detail = "passed", f"{len(work['tests'])} tests passed in {line.calls} calls"
    except (NotPlain, ImportError, SyntaxError, NameError) as error:
        verdict, detail = "broken", f"{done[-1]}: {type(error).__name__}: {error}"
    except BaseException as error:
        verdict, detail = "failed", f"{done[-1]}: {type(error).__name__}: {error}"
    if verdict == "passed" and not line.calls:
        verdict, detail = "broken", "the tests never call the answer"
    channel.ask({"verdict": verdict, "detail": detail[:500]})


def run(work: dict[str, Any], line: Line, done: list[str]) -> None:
    """Run the code before the tests, then the tests; `done` says where we are. Raises what they raise."""
    names: dict[str, Any] = {module: __import__(module) for module in USUAL}
    names["__name__"] = "tests"
    exec(compile(work["prompt"], "<prompt>", "exec"), names)
    names.update({name: stand_in(line, name) for name in answer_names(work, names)})
    exec(compile(work["setup"], "<setup>", "exec"), names)
    for number, test in enumerate(work["tests"], 1):
        done.append(f"test {number}")
        exec(compile(test, f"<test {number}>", "exec"), names)


def stand_in(line: Line, name: str) -> Callable[..., Any]:
    """What the tests call instead of the answer's function or class of this name."""
    return lambda *args, **named: line.call({"name": name}, args, named)


def answer_names(work: dict[str, Any], known: dict[str, Any]) -> set[str]:
    """The names in the tests that are the answer's: the entry point, or what the reference or nobody else defines."""
    if work["entry"]:
        return {work["entry"]}
    nodes = [node for text in (work["setup"], *work["tests"]) for node in ast.walk(ast.parse(text))]
    used = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    made = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    made |= {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    made |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    made |= {(node.asname or node.name).split(".")[0] for node in nodes if isinstance(node, ast.alias)}
    return used - made - (set(dir(builtins)) | set(known)) | used & set(work["defined"])
