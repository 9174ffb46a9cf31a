"""The real Claude Code connects to the server and calls its tools, without login, model or network.

Set REALIGN_CLAUDE to the binary (npm package @anthropic-ai/claude-code) to run these; they are skipped without it.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

BINARY = os.environ.get("REALIGN_CLAUDE", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path(BINARY).is_file(), reason="REALIGN_CLAUDE names no Claude Code binary"),
    pytest.mark.skipif(
        not shutil.which("unshare") or subprocess.run(["unshare", "-n", "true"], check=False).returncode != 0,
        reason="no network namespace can be made to keep the client off the network",
    ),
]
TOOLS = {"detect_data_type", "plan_hardware", "run_stage", "check_gates", "summarize"}


def client(home: Path, *words: str, **environment: str) -> list[str]:
    """The command line of a Claude Code with an empty home, an empty environment and no network."""
    plain = {"HOME": str(home), "PATH": "/usr/bin:/bin", "TERM": "dumb", "LANG": "C.UTF-8", **environment}
    return ["unshare", "-n", "env", "-i", *(f"{key}={value}" for key, value in plain.items()), BINARY, *words]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home in which the server is registered for the current folder."""
    words = ("mcp", "add", "realign", "--", sys.executable, "-P", "-m", "realign", "serve")
    subprocess.run(client(tmp_path, *words), check=True, capture_output=True, cwd=tmp_path)
    return tmp_path


@pytest.mark.parametrize("era", ["auto", "legacy"])
def test_claude_code_connects_in_both_eras(home: Path, era: str) -> None:
    environment = {"MCP_PROTOCOL_NEGOTIATION": "legacy"} if era == "legacy" else {}
    shown = subprocess.run(
        client(home, "mcp", "list", **environment), check=True, capture_output=True, text=True, cwd=home
    )
    assert "✔ Connected" in shown.stdout


def test_claude_code_shows_the_model_what_the_tools_answer(home: Path) -> None:
    words = ("-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose")
    with subprocess.Popen(
        client(home, *words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=home
    ) as process:

        def ask(identity: str, **request: Any) -> dict[str, Any]:
            assert process.stdin and process.stdout
            message = {"type": "control_request", "request_id": identity, "request": request}
            process.stdin.write(json.dumps(message) + "\n")
            process.stdin.flush()
            for line in process.stdout:
                answer = json.loads(line)
                if answer["type"] == "control_response" and answer["response"]["request_id"] == identity:
                    return dict(answer["response"])
            raise AssertionError("the client ended")

        ask("first", subtype="initialize")
        deadline, status = time.monotonic() + 30, {"status": "pending"}
        while status["status"] == "pending" and time.monotonic() < deadline:
            status = ask(f"status {time.monotonic()}", subtype="mcp_status")["response"]["mcpServers"][0]
        assert status["status"] == "connected"
        assert {tool["name"] for tool in status["tools"]} == TOOLS
        asked = {"request": "Curate DPO preference pairs from /data/books/ml_textbook.pdf for Qwen 7B"}
        seen = ask("detect", subtype="mcp_call", tool="mcp__realign__detect_data_type", arguments=asked)
        assert json.loads(seen["response"]["content"])["data_type"] == "dpo"
        wrong = ask("wrong", subtype="mcp_call", tool="mcp__realign__summarize", arguments={"run": "none_such"})
        assert "No run called 'none_such' is known" in wrong["error"] and "Try:" in wrong["error"]
