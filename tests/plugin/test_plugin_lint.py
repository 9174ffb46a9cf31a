"""The plugin has none of the faults that the client's own validation misses, and each of them would be found."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from lint import TOOLS, faults

from processes import ROOT
from realign import tools

SKILL = "---\nname: good-skill\ndescription: Does good.\n---\n" + "A line.\n" * 50
FIELDS = (
    "name: good-agent\ndescription: Does good.\nmodel: inherit\nskills: good-skill\ntools: Read, Bash\ncolor: red\n"
)
AGENT = f"---\n{FIELDS}---\n" + "Do good.\n" * 20
Change = Callable[[Path], object]


def change(file: str, old: str, new: str) -> Change:
    """Replace a text in a file of the plugin; it must be there."""

    def edit(root: Path) -> None:
        text = (root / file).read_text()
        assert old in text
        (root / file).write_text(text.replace(old, new, 1))

    return edit


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A copy of the plugin with a good skill and a good agent of its own."""
    for name in (".claude-plugin", ".mcp.json", "bin", "hooks", "server/launch.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, tmp_path / name)
    for name, text in (("skills/good-skill/SKILL.md", SKILL), ("agents/good-agent.md", AGENT)):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_plugin_has_no_fault_that_the_clients_validation_misses() -> None:
    assert faults(ROOT) == []


def test_a_good_skill_and_a_good_agent_have_no_fault(plugin: Path) -> None:
    assert faults(plugin) == []


async def test_the_tools_that_pages_may_name_are_those_of_the_server() -> None:
    listed = await tools.server.list_tools()
    assert {f"mcp__plugin_realign_realign__{tool.name}" for tool in listed} == TOOLS


FAULTS: list[tuple[str, Change]] = [
    ("unknown field 'nmae'", change(".claude-plugin/plugin.json", '"displayName"', '"nmae"')),
    ("is not the package's", change(".claude-plugin/plugin.json", '"version": "', '"version": "v')),
    ("not a square PNG", change(".claude-plugin/plugin.json", "icon.png", "icon.gif")),
    ("is not the plugin at", change(".claude-plugin/marketplace.json", '"./"', '"./server"')),
    ("unknown event 'PreTooluse'", change("hooks/hooks.json", "PreToolUse", "PreTooluse")),
    ("is not a command with args", change("hooks/hooks.json", '"args"', '"shell"')),
    ("no timeout of at most", change("hooks/hooks.json", '"timeout": 5', '"timeout": 500')),
    ("no tool is called", change("hooks/hooks.json", "realign__run_stage", "realign__run")),
    ("no variable is called 'CLAUDE_PLUGIN_ROOTT'", change("hooks/hooks.json", "PLUGIN_ROOT}", "PLUGIN_ROOTT}")),
    ("no variable is called 'CLUADE_PLUGIN_ROOT'", change(".mcp.json", "CLAUDE", "CLUADE")),
    ("there is no hooks/pre_tool.py", change("hooks/hooks.json", "pre_tool_use.py", "pre_tool.py")),
    ("cannot be run", change(".mcp.json", "/bin/realign", "/bin/realing")),
    ("unknown field 'cwd'", change(".mcp.json", '"args"', '"cwd": ".", "args"')),
    ("has no executable bit", lambda root: (root / "bin/realign").chmod(0o644)),
    ("names no interpreter", change("bin/realign", "#!/bin/sh", "# /bin/sh")),
    ("its name is 'Good-skill'", change("skills/good-skill/SKILL.md", "name: good", "name: Good")),
    ("may not hold 'claude'", lambda root: (root / "skills/good-skill").rename(root / "skills/claude-skill")),
    ("has 1032 characters", change("skills/good-skill/SKILL.md", "Does", "Does" + "s" * 1022)),
    ("has 0 characters", change("skills/good-skill/SKILL.md", "description: Does good.\n", "")),
    ("cut at 1,536", change("skills/good-skill/SKILL.md", "---\nA", f"when_to_use: {'w' * 1530}\n---\nA")),
    ("the field 'tools' is not honored", change("skills/good-skill/SKILL.md", "---\nA", "tools: Bash\n---\nA")),
    ("field 'allowed-tools' is", change("skills/good-skill/SKILL.md", "---\nA", "allowed-tools: Read\n---\nA")),
    ("155 lines, not 40 to 150", change("skills/good-skill/SKILL.md", "A line.\n", "A line.\n" * 102)),
    ("leads nowhere", change("skills/good-skill/SKILL.md", "A line", "A [line](docs/none.md)")),
    ("there is no none.md", change("skills/good-skill/SKILL.md", "A line", "${CLAUDE_SKILL_DIR}/none.md")),
    ("the field 'permissionMode' is not", change("agents/good-agent.md", "model: inherit", "permissionMode: plan")),
    ("the field 'hooks' is not", change("agents/good-agent.md", "model: inherit", "hooks: {}")),
    ("no model is called 'gpt'", change("agents/good-agent.md", "inherit", "gpt")),
    ("there is no skill 'bad-skill'", change("agents/good-agent.md", "good-skill", "bad-skill")),
    ("no tool is called 'mcp__realign__run_stage'", change("agents/good-agent.md", "Do ", "mcp__realign__run_stage ")),
    ("no tool is called 'Reed'", change("agents/good-agent.md", "Read", "Reed")),
    ("it names no tools", change("agents/good-agent.md", "tools: Read, Bash\n", "")),
    ("no color is called 'beige'", change("agents/good-agent.md", "red", "beige")),
    ("62 lines, not 20 to 60", change("agents/good-agent.md", "Do good.\n", "Do good.\n" * 35)),
    ("its name is 'good-agent'", lambda root: (root / "agents/good-agent.md").rename(root / "agents/other.md")),
]


@pytest.mark.parametrize(("sentence", "plant"), FAULTS, ids=[sentence for sentence, _ in FAULTS])
def test_a_planted_fault_is_found(plugin: Path, sentence: str, plant: Change) -> None:
    plant(plugin)
    assert any(sentence in fault for fault in faults(plugin)), faults(plugin)


def test_the_manifests_name_no_host() -> None:
    for name in (".claude-plugin/plugin.json", ".claude-plugin/marketplace.json", ".mcp.json", "hooks/hooks.json"):
        text = (ROOT / name).read_text()
        assert json.loads(text) and "://" not in text
