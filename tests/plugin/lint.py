"""What `claude plugin validate --strict` misses: faults(folder) gives a sentence for each fault, [] for a good plugin.

Missing scripts, misspelt variables, lost executable bits, hooks without a limit, fields that a plugin's agents do not
honor, and the limits of skills. Limits and fields: Claude Code 2.1.329 and the specification of Agent Skills.
"""

from __future__ import annotations

import json
import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from realign import __version__

SERVER = "mcp__plugin_realign_realign__"
TOOLS = {
    SERVER + name for name in ("detect_data_type", "plan_hardware", "run_stage", "check_gates", "summarize")
}  # as Claude Code names them
VARIABLES = {"CLAUDE_PLUGIN_ROOT", "CLAUDE_PLUGIN_DATA", "CLAUDE_PROJECT_DIR", "CLAUDE_SKILL_DIR", "CLAUDE_SESSION_ID"}
MANIFEST = set(
    "name displayName version description author homepage repository license keywords metadata icon skills commands"
    " agents hooks mcpServers userConfig dependencies privacyPolicy network".split()
)
EVENTS = set(
    "SessionStart SessionEnd UserPromptSubmit PreToolUse PostToolUse PostToolUseFailure PostToolBatch Stop SubagentStop"
    " PreCompact Notification".split()
)
HANDLER = {"type", "command", "args", "timeout", "if", "statusMessage", "async"}
SERVER_KEYS = {"type", "command", "args", "env", "timeout", "alwaysLoad"}
LONGEST_HOOK = 60  # seconds; a session waits for it
SKILL = set(  # without allowed-tools: a skill that grants any is asked about before it starts, and refused with -p
    "name description when_to_use argument-hint arguments disable-model-invocation user-invocable"
    " model effort context agent paths metadata license compatibility".split()
)
SKILL_LINES = range(40, 151)
AGENT = set(
    "name description tools disallowedTools model maxTurns skills memory background effort isolation color"
    " initialPrompt".split()
)
AGENT_LINES = range(20, 61)
BUILT_IN = set("Bash Edit Glob Grep NotebookEdit Read Skill ToolSearch WebFetch WebSearch Write".split())
COLORS = set("red blue green yellow purple orange pink cyan".split())
MODELS = {"sonnet", "opus", "haiku", "fable", "inherit"}


def faults(root: Path) -> list[str]:
    """Every fault of the plugin in a folder, each a sentence that begins with its file."""
    skills = sorted((root / "skills").glob("*/SKILL.md"))
    agents = sorted((root / "agents").glob("*.md"))
    return [
        *manifest_faults(root),
        *hook_faults(root),
        *server_faults(root),
        *(fault for path in sorted((root / "bin").iterdir()) for fault in program_faults(root, path)),
        *(fault for path in skills for fault in skill_faults(root, path)),
        *(fault for path in agents for fault in agent_faults(root, path)),
        *(fault for path in texts(root) for fault in reference_faults(root, path)),
    ]


def texts(root: Path) -> list[Path]:
    """The files in which Claude Code replaces variables, and which name tools."""
    pages = [path for folder in ("skills", "agents") for path in sorted((root / folder).rglob("*.md"))]
    return [root / ".mcp.json", root / "hooks/hooks.json", *pages]


# -- manifests, hooks, server -------------------------------------------------------------------------------------


def manifest_faults(root: Path) -> Iterator[str]:
    """Fields, version and icon of plugin.json; what the marketplace offers."""
    manifest = json.loads((root / ".claude-plugin/plugin.json").read_text())
    yield from (f"plugin.json: unknown field {key!r}" for key in manifest.keys() - MANIFEST)
    if manifest.get("version") != __version__:
        yield f"plugin.json: version {manifest.get('version')!r} is not the package's, {__version__!r}"
    width, height = png_size(root / str(manifest.get("icon", "")))
    if width != height or width < 512:
        yield f"plugin.json: the icon is {width} x {height}, not a square PNG of 512 or more"
    offered = json.loads((root / ".claude-plugin/marketplace.json").read_text())["plugins"]
    for entry in offered:
        if entry["name"] != manifest["name"] or not (root / entry["source"] / ".claude-plugin/plugin.json").is_file():
            yield f"marketplace.json: {entry['name']!r} is not the plugin at {entry['source']!r}"


def png_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels, (0, 0) where there is no PNG."""
    head = path.read_bytes()[:24] if path.is_file() else b""
    return struct.unpack(">II", head[16:]) if head.startswith(b"\x89PNG") else (0, 0)


def hook_faults(root: Path) -> Iterator[str]:
    """Events, fields, limits and scripts of hooks.json."""
    events = json.loads((root / "hooks/hooks.json").read_text())["hooks"]
    yield from (f"hooks.json: unknown event {event!r}" for event in events.keys() - EVENTS)
    for event, groups in events.items():
        for handler in (handler for group in groups for handler in group["hooks"]):
            yield from (f"hooks.json: unknown field {key!r} at {event}" for key in handler.keys() - HANDLER)
            if handler.get("type") != "command" or "args" not in handler:
                yield f"hooks.json: {event} is not a command with args, which needs no shell and bears spaces"
            if not 0 < handler.get("timeout", 0) <= LONGEST_HOOK:
                yield f"hooks.json: {event} has no timeout of at most {LONGEST_HOOK} seconds"


def server_faults(root: Path) -> Iterator[str]:
    """Fields and program of .mcp.json."""
    for name, server in json.loads((root / ".mcp.json").read_text())["mcpServers"].items():
        yield from (f".mcp.json: unknown field {key!r} of {name}" for key in server.keys() - SERVER_KEYS)
        program = Path(server["command"].replace("${CLAUDE_PLUGIN_ROOT}", str(root)))
        if not os.access(program, os.X_OK):
            yield f".mcp.json: {server['command']} cannot be run"


def program_faults(root: Path, path: Path) -> Iterator[str]:
    """A program on the Bash tool's PATH can be run and says by what."""
    if not os.access(path, os.X_OK):
        yield f"{path.relative_to(root)}: has no executable bit"
    if not path.read_text(encoding="utf-8").startswith("#!"):
        yield f"{path.relative_to(root)}: its first line names no interpreter"


def reference_faults(root: Path, path: Path) -> Iterator[str]:
    """Variables that exist, files behind them, tools by their whole names, links that lead somewhere."""
    text, where = path.read_text(encoding="utf-8"), path.relative_to(root)
    for variable in re.findall(r"\$\{(\w+)[^}]*\}", text):
        if variable not in VARIABLES and (path.suffix == ".json" or variable.startswith("CLAUDE")):
            yield f"{where}: no variable is called {variable!r}"
    for variable, file in re.findall(r"\$\{(CLAUDE_PLUGIN_ROOT|CLAUDE_SKILL_DIR)\}/([\w./-]*\w)", text):
        folder = root if variable == "CLAUDE_PLUGIN_ROOT" else root.joinpath(*where.parts[:2])
        if not (folder / file).exists():
            yield f"{where}: there is no {file} behind ${{{variable}}}"
    yield from (f"{where}: no tool is called {name!r}" for name in set(re.findall(r"\bmcp__\w+", text)) - TOOLS)
    if path.suffix == ".md":
        links = re.findall(r"\]\(((?!\w+:)[^)#\s]+)", text)
        yield from (f"{where}: the link {link!r} leads nowhere" for link in links if not (path.parent / link).exists())


# -- skills and agents --------------------------------------------------------------------------------------------


def front_matter(path: Path) -> dict[str, str]:
    """The fields at the top of a page as text, continued lines joined; {} where there are none."""
    _, fence, rest = path.read_text(encoding="utf-8").partition("---\n")
    fields: dict[str, str] = {}
    key = ""
    for line in rest.partition("\n---\n")[0].splitlines() if fence else []:
        if re.match(r"[\w-]+:", line):
            key, _, value = line.partition(":")
            fields[key] = value.strip().strip("\"'").removeprefix(">-").removeprefix(">").removeprefix("|")
        elif key:
            fields[key] = f"{fields[key]} {line.strip()}".strip()
    return fields


def page_faults(where: Path, fields: dict[str, Any], name: str, known: set[str]) -> Iterator[str]:
    """What holds for a skill and for an agent: name, description, and no field that nobody reads."""
    yield from (f"{where}: the field {key!r} is not honored" for key in fields.keys() - known)
    if fields.get("name") != name or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) or len(name) > 64:
        yield f"{where}: its name is {fields.get('name')!r}, not {name!r} in 64 small letters, digits and hyphens"
    if re.search("claude|anthropic", name):
        yield f"{where}: a name may not hold 'claude' or 'anthropic'"
    if not 1 <= len(fields.get("description", "")) <= 1024:
        yield f"{where}: its description has {len(fields.get('description', ''))} characters, not 1 to 1,024"


def skill_faults(root: Path, path: Path) -> Iterator[str]:
    """The limits of a skill, and our own for its length."""
    where, fields = path.relative_to(root), front_matter(path)
    yield from page_faults(where, fields, path.parent.name, SKILL)
    if len(fields.get("description", "") + fields.get("when_to_use", "")) > 1536:
        yield f"{where}: description and when_to_use are cut at 1,536 characters together"
    lines = len(path.read_text(encoding="utf-8").splitlines())
    if lines not in SKILL_LINES:
        yield f"{where}: {lines} lines, not {SKILL_LINES.start} to {SKILL_LINES.stop - 1}"


def agent_faults(root: Path, path: Path) -> Iterator[str]:
    """The fields that Claude Code honors in a plugin's agent: it ignores hooks, mcpServers and permissionMode there."""
    where, fields = path.relative_to(root), front_matter(path)
    yield from page_faults(where, fields, path.stem, AGENT)
    if "model" in fields and fields["model"] not in MODELS and not fields["model"].startswith("claude-"):
        yield f"{where}: no model is called {fields['model']!r}"
    if fields.get("color", "blue") not in COLORS:
        yield f"{where}: no color is called {fields['color']!r}"
    named = re.findall(r"[^\s,]+", fields.get("tools", ""))
    yield from (f"{where}: no tool is called {name!r}" for name in named if name not in BUILT_IN | TOOLS)
    if not named:
        yield f"{where}: it names no tools, and so gets all of them"
    lines = len(path.read_text(encoding="utf-8").splitlines())
    if lines not in AGENT_LINES:
        yield f"{where}: {lines} lines, not {AGENT_LINES.start} to {AGENT_LINES.stop - 1}"
    for skill in re.findall(r"[\w-]*\w", fields.get("skills", "").replace("realign:", "")):
        if not (root / "skills" / skill / "SKILL.md").is_file():
            yield f"{where}: there is no skill {skill!r}"
