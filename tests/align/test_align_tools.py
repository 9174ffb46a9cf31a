"""An alignment through the MCP tools, by the real client: by name, next, all; waited for, cancelled, blocked."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from alignments import QUICK, as_words, pairs, write_rows
from mcp import Client
from mcp.client.stdio import StdioServerParameters

from processes import until, workers_of


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALIGN_HOME", str(tmp_path / "home"))


@contextlib.asynccontextmanager
async def connected() -> AsyncIterator[Client]:
    kept = {name: os.environ[name] for name in ("REALIGN_HOME", "PYTHONPATH") if name in os.environ}
    words = StdioServerParameters(command=sys.executable, args=["-m", "realign", "serve"], env=kept)
    async with Client(words) as client:
        yield client


async def call(client: Client, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool("run_stage", arguments)
    assert not result.is_error, result.content
    return dict(result.structured_content or {})


def beginning(folder: Path, *more: str, **words: Any) -> dict[str, Any]:
    data = write_rows(folder / "data.jsonl", pairs())
    return {"data": str(data), "output": str(folder / "out"), "settings": [*as_words(QUICK), *more], **words}


@pytest.mark.slow
async def test_stages_by_name_next_and_all_with_progress_and_gates(tmp_path: Path) -> None:
    steps: list[str] = []

    async def step(progress: float, total: float | None, message: str | None) -> None:
        steps.append(message or "")

    async with connected() as client:
        first = await call(client, **beginning(tmp_path, stage="sft"))
        assert (first["stage"], first["status"], first["next_stage"]) == ("sft", "passed", "preferences")
        assert "held-out loss falls" in {gate["gate"] for gate in first["gates"]} and first["done"] == first["total"]
        early = await client.call_tool("run_stage", {"run": first["run"], "stage": "evaluate"})
        assert early.is_error and "iterate is waiting" in str(early.content[0].text)
        second = await call(client, run=first["run"], stage="next")
        assert (second["stage"], second["status"]) == ("preferences", "passed")
        at_once = await call(client, run=first["run"], stage="all", wait_seconds=0)
        assert at_once["status"] == "running" and "attaches to it" in at_once["what_to_do"]
        result = await client.call_tool("run_stage", {"run": first["run"], "stage": "all"}, progress_callback=step)
        last = dict(result.structured_content or {})
        assert (last["stage"], last["status"], last["next_stage"]) == ("evaluate", "passed", "")
        assert "summarize" in last["what_to_do"] and any(" of 7)" in each for each in steps)
        summary = dict((await client.call_tool("summarize", {"run": first["run"]})).structured_content or {})
        assert summary["summary"].endswith("DEPLOY, every gate has let it through")
        assert Path(summary["paths"]["model"]).is_dir()


@pytest.mark.slow
async def test_a_cancelled_training_goes_on_and_a_gate_that_rejects_blocks(tmp_path: Path) -> None:
    words = beginning(tmp_path, "fine_tuning.schedule=40:1e-4", "training.save_every=10", stage="sft")
    async with connected() as client:
        asked = asyncio.create_task(client.call_tool("run_stage", words))
        (database,) = await asyncio.to_thread(until, lambda: list((tmp_path / "out").glob("*/run.db")))
        state = database.parent / "checkpoints" / "sft" / "attempt_1" / "state"
        await asyncio.to_thread(until, lambda: list(state.glob("*.safetensors")))
        asked.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asked
        await asyncio.to_thread(until, lambda: not workers_of(database.parent))
        kept = max(state.glob("*.safetensors")).name
        blocked = await call(client, run=database.parent.name, stage="sft", settings=["gates.loss_falls=9"])
        assert blocked["status"] == "blocked" and "REJECT" in blocked["what_to_do"]
        rejected = [gate for gate in blocked["gates"] if gate["tier"] == "REJECT"]
        assert len(rejected) == 1 and "lower the learning rate" in rejected[0]["remedy"]
        assert max(state.glob("*.safetensors")).name > kept
        passed = await call(client, run=database.parent.name, stage="sft", settings=["gates.loss_falls=-9"])
        assert passed["status"] == "passed"
