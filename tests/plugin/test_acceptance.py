"""The plugin in the real Claude Code, from validation to uninstalling, as `make acceptance` runs it.

No login, no model, no network: the environment is built before, by the plugin's own launcher. Control requests do what
a model would.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from client import UNAVAILABLE, Control, client, control, said
from lint import TOOLS

from processes import EASY_WORDS, ROOT, TIDES, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(UNAVAILABLE), reason=UNAVAILABLE),
    pytest.mark.xdist_group("acceptance"),
]
SENTENCE = "Curate DPO preference pairs from /data/books/ml_textbook.pdf for Qwen 7B"
SKILLS = (
    "realign-dpo-workflow", "realign-srf-workflow", "realign-rlvr-workflow", "realign-antihallucination-workflow",
    "realign-quality-gates", "preference-data-quality", "mlx-performance",
)  # fmt: skip
AGENTS = ("realign-curator", "mlx-training-specialist")
SERVER = "plugin:realign:realign"


@pytest.fixture(scope="module")
def session(home: Path) -> Iterator[Control]:
    """A client with the server connected."""
    with control(home) as asking:
        assert until(asking.server)["status"] == "connected"
        yield asking


def called(session: Control, tool: str, **arguments: Any) -> dict[str, Any]:
    """What the model sees of a tool's answer."""
    answer = session.ask("mcp_call", tool=f"mcp__plugin_realign_realign__{tool}", arguments=arguments)
    assert "error" not in answer, answer["error"]
    return dict(json.loads(answer["response"]["content"]))


@pytest.mark.parametrize("profile", [(), ("--profile", "directory")])
def test_the_plugin_is_valid_by_the_strictest_rules(shipped: Path, tmp_path: Path, profile: tuple[str, ...]) -> None:
    assert "Validation passed" in said(tmp_path, "plugin", "validate", str(shipped), "--strict", *profile)


def test_the_installed_plugin_is_enabled_and_has_all_its_parts(home: Path) -> None:
    listed = json.loads(said(home, "plugin", "list", "--json"))
    assert [(entry["id"], entry["enabled"]) for entry in listed] == [("realign@realign", True)]
    details = said(home, "plugin", "details", "realign")
    for part, count in (("Skills", len(SKILLS)), ("Agents", len(AGENTS)), ("Hooks", 5), ("MCP servers", 1)):
        assert f"{part} ({count})" in details
    assert [name for name in SKILLS + AGENTS if name not in details] == []


@pytest.mark.parametrize("era", ["auto", "legacy"])
def test_the_server_connects_in_both_protocol_eras(home: Path, era: str) -> None:
    assert re.search(f"{SERVER}: .*✔ Connected", said(home, "mcp", "list", MCP_PROTOCOL_NEGOTIATION=era))


def test_a_sessions_start_runs_our_hook(home: Path, tmp_path: Path) -> None:
    said(home, "--debug-file", str(tmp_path / "log"), "--init-only")
    hook = r"session_start\.py\] \(plugin realign@realign\) finished with status 0"
    assert re.search(hook, (tmp_path / "log").read_text())


def test_the_client_sees_the_five_tools_and_the_five_hooks(session: Control) -> None:
    assert {f"mcp__plugin_realign_realign__{tool['name']}" for tool in session.server()["tools"]} == TOOLS
    rows = session.ask("get_hooks_listing")["response"]["hooks"]
    ours = {(row["event"], row["commandText"].rpartition("/")[2]) for row in rows if row["source"] == "pluginHook"}
    assert ours == {
        ("SessionStart", "session_start.py"), ("UserPromptSubmit", "user_prompt_submit.py"),
        ("PreToolUse", "pre_tool_use.py"), ("PostToolUse", "post_tool_use.py"),
        ("PostToolUseFailure", "post_tool_use.py"),
    }  # fmt: skip


def test_each_tool_answers_the_model_and_a_book_becomes_a_dataset(session: Control, tmp_path: Path) -> None:
    assert called(session, "detect_data_type", request=SENTENCE)["data_type"] == "dpo"
    assert called(session, "plan_hardware", model="Qwen 7B", data_type="dpo")["batch_size"] > 0
    asked = {"sources": [str(TIDES)], "data_type": "dpo", "output": str(tmp_path), "settings": EASY_WORDS}
    done = called(session, "run_stage", stage="all", wait_seconds=60, **asked)
    while done["status"] == "running":
        done = called(session, "run_stage", stage="all", wait_seconds=60, run=done["run"])
    assert done["status"] in ("passed", "warned") and list(tmp_path.glob("*/train.jsonl"))
    assert called(session, "check_gates", run=done["run"])["gates"]
    assert called(session, "summarize", run=done["run"])["examples"] > 0


def test_the_model_reads_why_a_tool_failed_and_what_to_try(session: Control) -> None:
    wrong = session.ask("mcp_call", tool="mcp__plugin_realign_realign__summarize", arguments={"run": "none_such"})
    assert "No run called 'none_such' is known" in wrong["error"] and "Try:" in wrong["error"]


def test_the_command_is_a_bare_word_in_the_bash_tool_and_runs_in_the_same_environment(home: Path) -> None:
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    call = {"name": "Bash", "arguments": {"command": "realign --version; command -v realign", "description": "look"}}
    asked = [{"id": 1, "method": "initialize", "params": hello}, {"method": "notifications/initialized"},
             {"id": 2, "method": "tools/call", "params": call}]  # fmt: skip
    with subprocess.Popen(
        client(home, "mcp", "serve"), cwd=home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin and process.stdout
        process.stdin.write("".join(json.dumps({"jsonrpc": "2.0", **message}) + "\n" for message in asked))
        process.stdin.flush()
        answer = next(message for line in process.stdout if (message := json.loads(line)).get("id") == 2)
        process.stdin.close()
    shown = json.loads(answer["result"]["content"][0]["text"])
    assert re.fullmatch(r"realign 0\.1\.0\n/.*/realign/bin/realign", shown["stdout"]) and shown["stderr"] == ""


def test_the_server_alone_connects_as_the_readme_says(home: Path, tmp_path: Path) -> None:
    command = (str(ROOT / "bin/realign"), "serve")
    said(tmp_path, "mcp", "add", "alone", "-e", f"REALIGN_HOME={home / '.claude/plugins/data/realign-realign'}", "--",
         *command)  # fmt: skip
    assert re.search("alone: .*✔ Connected", said(tmp_path, "mcp", "list"))
