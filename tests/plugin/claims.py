"""What a page for the model claims, laid against the code: unproven(page, facts) gives a sentence for each claim.

Every word in backticks is something that the code has, and every number on the page follows from it:

    `realign plan M --bits 4`                 parsed by the command's own parser; `mlx_lm.lora --iters` by its source
    `run_stage(stage="all")`                  a tool with such parameters
    `select.minimum_gap` (0.15)               a setting and its default; in a table too, | `select.minimum_gap` | 0.15 |
    `filter.duplicate_jaccard=0.9`            an override, which the settings take
    `pairs >= 1000 (MEDIUM >= 100)`           a gate as it judges
    any other word or file in backticks       stands in the source of ReAlign, its hooks or mlx-lm, or is a file here

What is left of the page's numbers, digits and words from three to nineteen, must be covered by `facts`: phrases whose
numbers the caller has taken from the code.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import io
import json
import re
import shlex
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

from realign import tools, workflow
from realign.cli import parser
from realign.errors import RealignError
from realign.hardware.environment import FACTS as ENVIRONMENT
from realign.intake.roles import overrides
from realign.quality.gates import Gate, needed
from realign.settings import Settings, parse_settings

ROOT = Path(__file__).parents[2]
PROGRAMS = ("mlx_lm.lora", "mlx_lm.convert", "mlx_lm.fuse", "mlx_lm.benchmark", "mlx_lm.server", "mlx.launch")
PLAIN = ("shuf", "command")  # of the shell, whose words claim nothing
NAMES = (
    "M4 Max", "M3 Ultra", "Thunderbolt 5", "SHA-256", "UTF-8", "Qwen 7B", "Qwen2.5-7B-Instruct-4bit", "float32",
    "GSM8K",
)  # fmt: skip
WORDS = "three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen"
NUMBER = re.compile(rf"\d(?:[\d,.]*\d)?|\b(?:{WORDS})\b", re.IGNORECASE)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STATED = re.compile(r"`(\w+\.\w+)`(?:\s\(| +\| +)([^\s|)]+)(?=\)| +\|)")
SPAN = re.compile(r"`([^`\n]+)`")


def unproven(page: Path, facts: Iterable[str]) -> list[str]:
    """A sentence for each claim of the page that the code does not bear out, or that can't be laid against it."""
    return [f"{page.parent.name}/{page.name}: {fault}" for fault in faults_of(page.read_text(encoding="utf-8"), facts)]


def faults_of(text: str, facts: Iterable[str]) -> Iterator[str]:
    """The same for a page's text."""
    for kind, inside in FENCE.findall(text):
        yield from fenced(kind, inside)
    text = re.sub(r"\]\([^)]*\)", "]", FENCE.sub("", text))
    yield from (f"{name} is {shown(default(name))} by default, not {said}" for name, said in STATED.findall(text)
                if shown(default(name)) not in ("", said))  # fmt: skip
    text = STATED.sub(lambda found: f"`{found[1]}`", text)
    yield from (f"nothing in the code is called `{span}`" for span in SPAN.findall(text) if not known(span))
    rest = " ".join(SPAN.sub(" ` ", re.sub(r"^\s*\d+\. ", "", text, flags=re.MULTILINE)).split())
    for phrase in sorted((*facts, *NAMES), key=len, reverse=True):
        rest = re.sub(rf"(?<!\w){re.escape(phrase)}(?!\w)", "~", rest)
    for found in NUMBER.finditer(rest):
        yield f"no fact covers the number in '{rest[max(0, found.start() - 40) : found.end() + 30]}'"


def fenced(kind: str, inside: str) -> Iterator[str]:
    """The faults of a block: of each command of sh, of each call of python, of json that is none."""
    if kind == "json":
        json.loads(inside)
    elif kind == "python":
        calls = [ast.unparse(node) for node in ast.parse(inside).body]
        yield from (f"{call} is no call of a tool" for call in calls if not is_call(call))
    elif kind == "sh":
        lines = [re.sub(r"\s+# .*", "", line).strip() for line in inside.replace("\\\n", " ").splitlines()]
        yield from (f"{line} is no command" for line in lines if line and not is_command(line))
    else:
        yield f"a block of {kind or 'no language'}: expected sh, python or json"


@cache
def known(span: str) -> bool:
    """Whether words in backticks are something that the code has."""
    if span.startswith(tuple(f"{name} " for name in ("realign", *PROGRAMS, *PLAIN))):
        return is_command(span)
    if re.fullmatch(r"\w+\(.*\)", span):
        return is_call(span)
    if re.fullmatch(r"[a-z_]+\.\w+=.+", span):
        return is_override(span)
    if span.startswith("-"):
        return {word.split("=")[0] for word in span.split() if word.startswith("-")} <= options()
    if re.search(r" [<>]=? ", span) or span in rules():
        return span in rules()
    if re.fullmatch(r"[A-Z_]{6,}=\S+", span):
        return tuple(span.split("=")) in {(name, value) for name, value, _ in ENVIRONMENT}
    return default(span) is not None or is_file(span) or is_page(span) or is_word(span)


# -- commands, calls, settings, gates -----------------------------------------------------------------------------


@cache
def is_command(line: str) -> bool:
    """Whether `realign` understands the line, or a program of mlx or mlx-lm has each option in it."""
    program, *words = shlex.split(line)
    if program in PLAIN:
        return True
    if program != "realign":
        return program in PROGRAMS and {word for word in words if word.startswith("--")} <= options_of(program)
    if len(words) == 1:
        return words[0] in subcommands()
    with contextlib.redirect_stderr(io.StringIO()):
        try:
            parser().parse_args(words)
        except SystemExit:
            return False
    given = [word for flag, word in pairwise(words) if flag == "--set"]
    return all(is_override(word) for word in given)


@cache
def subcommands() -> dict[str, argparse.ArgumentParser]:
    """Every subcommand of `realign`, by its name."""
    return dict(next(act for act in parser()._actions if isinstance(act, argparse._SubParsersAction)).choices)


@cache
def options() -> frozenset[str]:
    """Every option of the command and of the programs beside it."""
    ours = {flag for command in subcommands().values() for flag in command._option_string_actions}
    return frozenset(ours.union(*map(options_of, PROGRAMS)))


@cache
def options_of(program: str) -> frozenset[str]:
    """The options that a program's source adds to its parser."""
    return frozenset(re.findall(r"[\"'](--?[a-z][\w-]*)[\"']", source_of(program)))


def source_of(program: str) -> str:
    """The source of a program of mlx or mlx-lm."""
    package, _, name = program.partition(".")
    place = "_distributed_utils/launch.py" if package == "mlx" else f"{name}.py"
    return inside(package, place).read_text(encoding="utf-8")


def inside(package: str, place: str) -> Path:
    """A file or folder of an installed package, without importing it. mlx lies in several folders."""
    spec = find_spec(package)
    assert spec and spec.submodule_search_locations
    return next(Path(folder, place) for folder in spec.submodule_search_locations if Path(folder, place).exists())


def is_call(span: str) -> bool:
    """Whether a Python expression calls one of the five tools with parameters that it has."""
    try:
        call = ast.parse(span, mode="eval").body
    except SyntaxError:
        return False
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
        return False
    return {word.arg for word in call.keywords} <= parameters().get(call.func.id, set()) - {None}


@cache
def parameters() -> dict[str, set[str | None]]:
    """The parameters of each tool."""
    listed = tools.server._tool_manager.list_tools()
    return {tool.name: set(tool.parameters["properties"]) for tool in listed}


def is_override(span: str) -> bool:
    """Whether the settings take NAME=VALUE."""
    try:
        return bool(parse_settings(overrides([span])))
    except RealignError:
        return False


def default(name: str) -> object:
    """The default of a setting written section.name, None where there is no such setting."""
    section, _, field = name.partition(".")
    values = getattr(Settings(), section, None)
    if not field or field not in getattr(type(values), "model_fields", {}):
        return None
    value = getattr(values, field)
    return "none" if value is None else value


def shown(value: object) -> str:
    """A default as pages write it: 0.85, 1000, true, none; "" for an empty text and for what is no setting."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:g}" if abs(value) < 1e6 else str(value)
    return "none" if value == () else str(value or "")


@cache
def rules() -> frozenset[str]:
    """Every gate of every workflow as it judges by default: `pairs >= 1000 (MEDIUM >= 100)`."""
    stages = [stage for stages in workflow.WORKFLOWS.values() for stage in stages]
    return frozenset(rule_of(gate) for stage in stages for gate in stage.gates)


def rule_of(gate: Gate) -> str:
    """A gate as it judges by default."""
    return f"{gate.name} {needed(gate, Settings().gates)}"


# -- words and files ----------------------------------------------------------------------------------------------


def is_file(span: str) -> bool:
    """Whether a path of this repository is called so."""
    return bool(re.fullmatch(r"[\w./-]+", span)) and (ROOT / span).exists()


def is_page(span: str) -> bool:
    """Whether a skill or an agent is called so."""
    return (ROOT / "skills" / span).is_dir() or (ROOT / "agents" / f"{span}.md").is_file()


def is_word(span: str) -> bool:
    """Whether the words stand in the source as they are, with a letter among them."""
    return bool(re.search("[A-Za-z]", span) and re.search(rf"(?<![\w.]){re.escape(span)}(?!\w)", sources()))


@cache
def sources() -> str:
    """All that ReAlign, its hooks, and the parts of mlx and mlx-lm that pages speak of are made of."""
    ours = [ROOT / "server/realign", ROOT / "hooks"]
    theirs = [inside("mlx_lm", "tuner"), inside("mlx", "_distributed_utils")]
    files = [path for folder in (*ours, *theirs) for path in sorted(folder.rglob("*.*")) if path.suffix in TEXTS]
    programs = [source_of(name) for name in PROGRAMS]
    listed = [tool.description + json.dumps(tool.parameters) for tool in tools.server._tool_manager.list_tools()]
    return "\n".join([*(path.read_text(encoding="utf-8") for path in files), *programs, *listed])


TEXTS = (".py", ".md", ".html", ".json")
