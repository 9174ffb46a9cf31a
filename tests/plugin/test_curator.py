"""The whole conversation of a request in the real Claude Code: the curator works through the tools to a dataset
on disk, or stops at a gate with its remedy. curator.py stands in for the model; the product's answers are its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from client import BINARY, UNAVAILABLE, client

from processes import ROOT, TIDES, dataset_bytes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(UNAVAILABLE), reason=UNAVAILABLE),
    pytest.mark.xdist_group("acceptance"),
]
ALLOWED = json.dumps({"permissions": {"allow": ["mcp__plugin_realign_realign", "Read"]}})
VARIABLES = {
    "ANTHROPIC_API_KEY": "any-dummy-text", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "IS_SANDBOX": "1",
    "CLAUDE_CODE_MCP_STARTUP_WAIT_MS": "60000", "MCP_TIMEOUT": "60000",
}  # fmt: skip
CHECKED = ["detect_data_type", "plan_hardware", "run_stage"]


class Talk:
    """A conversation with the client in a folder: each `say` goes on with it."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.home, self.folder, self.log, self.spoken = home, folder, folder.parent / "log.jsonl", False
        folder.mkdir()

    def say(self, words: str) -> tuple[str, list[str]]:
        """(the last answer, the tools that were called meanwhile, without the server's prefix)."""
        flags = ["--output-format", "stream-json", "--verbose", "--max-turns", "99", "--settings", ALLOWED]
        told = client(self.home, "-p", *(["-c"] if self.spoken else []), words, *flags, **VARIABLES)
        place = told.index(BINARY)
        stand_in = [sys.executable, str(ROOT / "tests/plugin/curator.py"), str(self.log)]
        self.spoken = True
        done = subprocess.run(
            [*told[:place], *stand_in, *told[place:]], cwd=self.folder, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip
        messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        results = [message["result"] for message in messages if message["type"] == "result"]
        assert results, done.stdout[-2000:] + done.stderr[-2000:]
        return results[-1], [name.rpartition("__")[2] for message in messages for name in called(message)]

    @property
    def told(self) -> str:
        """All that the model was told."""
        return self.log.read_text(encoding="utf-8")


def called(message: dict[str, Any]) -> list[str]:
    """The tools that an assistant's message calls."""
    content = message["message"]["content"] if message["type"] == "assistant" else []
    return [block["name"] for block in content if block["type"] == "tool_use"]


@pytest.fixture
def talk(home: Path, tmp_path: Path) -> Talk:
    """A new conversation in an empty project."""
    return Talk(home, tmp_path / "project")


def test_the_curator_asks_for_the_author_of_a_model_that_is_not_here_and_then_makes_the_dataset(talk: Talk) -> None:
    asked, calls = talk.say(f"Curate DPO preference pairs from {TIDES} for Qwen 7B")
    assert calls == ["Skill", "Agent", *CHECKED]
    assert asked.startswith("Verdict: needs an answer") and "Qwen 7B is not on this disk" in asked
    assert "--author extractive, which needs no model" in asked and not list(talk.folder.iterdir())
    assert "# DPO: from a document to gated preference pairs" in talk.told  # the skill that our hook has named
    assert "# Quality gates: what a verdict says" in talk.told  # and the one that the agent's page preloads
    made, calls = talk.say("Use the extractive author.")
    polls = calls.count("run_stage") - 1
    assert calls == ["Agent", *CHECKED, *["run_stage"] * polls, "check_gates", "summarize", "Read"] and polls > 0
    (train,) = talk.folder.glob("dpo_tides_*/train.jsonl")
    rows = b"".join(dataset_bytes(train.parent).values()).splitlines()
    assert made == f"Verdict: MEDIUM\nExamples: {len(rows)}\nPaths: {train}" and len(rows) >= 100
    assert "ReAlign's gates of stage export of run " in talk.told


def test_the_curator_stops_at_a_reject_with_the_gates_own_remedy(talk: Talk, tmp_path: Path) -> None:
    chapter = (ROOT / "examples/tides.md").read_text(encoding="utf-8").split("\n## ")[:4]
    (tmp_path / "chapter.md").write_text("\n## ".join(chapter), encoding="utf-8")
    stopped, calls = talk.say(f"Curate DPO preference pairs from {tmp_path / 'chapter.md'}")
    assert calls[:4] == ["Skill", "Agent", "detect_data_type", "run_stage"] and calls[-1] == "check_gates"
    assert stopped.startswith("Verdict: REJECT\nWhy: filter: pairs: ")
    assert stopped.endswith("Remedy: more sources, or more prompts a passage")
    assert "A REJECT blocks the next stage" in talk.told and not list(talk.folder.glob("*/train.jsonl"))
