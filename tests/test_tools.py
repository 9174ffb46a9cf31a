import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPError

from processes import EASY_WORDS, TIDES, dataset_bytes, listed, members, until, workers_of
from realign import tools
from realign.intake.runs import remember
from realign.job.attend import patiently
from realign.run import Run
from realign.views.results import GatesResult
from realign.views.shorten import fitted
from realign.workflow import WORKFLOWS
from support import build_run

ERAS = pytest.mark.parametrize("era", ["auto", "legacy"])


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALIGN_HOME", str(tmp_path / "home"))


@contextlib.asynccontextmanager
async def connected(era: str = "auto") -> AsyncIterator[Client]:
    """The real client on a server of its own, over stdio."""
    kept = {name: os.environ[name] for name in ("REALIGN_HOME", "PYTHONPATH") if name in os.environ}
    words = StdioServerParameters(command=sys.executable, args=["-m", "realign", "serve"], env=kept)
    async with Client(words, mode=era) as client:
        yield client


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """What a tool answers, as a client shows it: the structured content."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return dict(result.structured_content)


async def refusal(client: Client, tool: str, **arguments: Any) -> str:
    """The text of a refusal: the only thing that a client shows of one."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    return str(result.content[0].text)


def start_words(folder: Path, **more: Any) -> dict[str, Any]:
    return {"sources": [str(TIDES)], "output": str(folder / "out"), "settings": EASY_WORDS, "stage": "all", **more}


async def the_run(folder: Path) -> Path:
    (found,) = await asyncio.to_thread(until, lambda: list((folder / "out").glob("*/run.db")))
    return Path(found).parent


async def with_a_worker(folder: Path) -> Path:
    """The run's folder, as soon as a worker is at it."""
    run = await the_run(folder)
    await asyncio.to_thread(until, lambda: workers_of(run))
    return run


def server_process() -> int:
    """The id of the server that this test's client has started."""
    rows = [line.split(None, 2) for line in listed("pid=,ppid=,args=")]
    (found,) = [int(pid) for pid, parent, words in rows if int(parent) == os.getpid() and "realign serve" in words]
    return found


# -- all five, in both eras ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("era", ["auto", pytest.param("legacy", marks=pytest.mark.slow)])
async def test_the_five_tools_take_a_document_to_a_summarized_dataset(tmp_path: Path, era: str) -> None:
    steps: list[tuple[float, float | None, str | None]] = []

    async def step(progress: float, total: float | None, message: str | None) -> None:
        steps.append((progress, total, message))

    async with connected(era) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == {
            "detect_data_type", "plan_hardware", "run_stage", "check_gates", "summarize",
        }  # fmt: skip
        found = await call(client, "detect_data_type", request=f"Curate DPO pairs from {TIDES} for Qwen 7B")
        assert (found["data_type"], found["model"], found["sources"]) == ("dpo", "Qwen 7B", [str(TIDES)])
        plan = await call(client, "plan_hardware", model="Qwen 7B", batch_size=8)
        assert (
            plan["machine"] == "M4 Max" and plan["basis"] and plan["environment"]["TOKENIZERS_PARALLELISM"] == "false"
        )
        first = await call(client, "run_stage", **start_words(tmp_path, stage="next"))
        assert (first["stage"], first["status"], first["next_stage"]) == ("source", "passed", "candidates")
        assert {gate["gate"] for gate in first["gates"]} == {"parse success", "prompt clarity"}
        again = {"run": first["run"], "stage": "all"}
        result = await client.call_tool("run_stage", again, progress_callback=step)
        last = dict(result.structured_content or {})
        assert (last["stage"], last["status"], last["next_stage"]) == ("export", "passed", "")
        checked = await call(client, "check_gates", run=first["run"])
        assert checked["tier"] == "HIGH" and len({gate["stage"] for gate in checked["gates"]}) == 6
        summary = await call(client, "summarize", run=first["run"])
        assert summary["examples"] == summary["train"] + summary["valid"] + summary["test"] > 40
        assert Path(summary["paths"]["train"]).is_file() and Path(summary["paths"]["report"]).is_file()
        assert next(iter(summary)) == "summary"
        listed = await client.read_resource("realign://runs")
        assert first["run"] in str(listed.contents[0])
        shown = await client.read_resource(f"realign://runs/{first['run']}")
        assert "Tier   HIGH" in str(shown.contents[0])
    assert steps and all(total == 6 for _, total, _ in steps) and any("of 6" in str(message) for *_, message in steps)
    values = [value for value, *_ in steps]
    assert values == sorted(set(values))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc to see what a process has loaded")
async def test_the_server_does_not_load_mlx_even_while_it_works(tmp_path: Path) -> None:
    async with connected() as client:
        await call(client, "run_stage", **start_words(tmp_path))
        loaded = Path(f"/proc/{server_process()}/maps").read_text()
    assert "libmlx" not in loaded and "pdfium" not in loaded


# -- stopping -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@ERAS
async def test_cancelling_the_call_stops_the_worker_and_the_run_goes_on_later(tmp_path: Path, era: str) -> None:
    async with connected(era) as client:
        asked = asyncio.create_task(client.call_tool("run_stage", start_words(tmp_path)))
        folder = await with_a_worker(tmp_path)
        asked.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asked
        await asyncio.to_thread(until, lambda: not workers_of(folder), 10)
        again = await call(client, "run_stage", **start_words(tmp_path))
        assert again["status"] == "passed" and again["folder"] == str(folder)


@pytest.mark.slow
async def test_no_orphan_survives_a_server_that_is_interrupted_and_then_terminated(tmp_path: Path) -> None:
    with contextlib.suppress(BaseExceptionGroup, MCPError, OSError):
        async with connected() as client:
            asked = asyncio.create_task(client.call_tool("run_stage", start_words(tmp_path)))
            folder = await with_a_worker(tmp_path)
            server, (worker,) = server_process(), workers_of(folder)
            os.kill(server, signal.SIGINT)
            await asyncio.sleep(0.1)  # as the client does it
            with contextlib.suppress(ProcessLookupError):
                os.kill(server, signal.SIGTERM)
            await asyncio.to_thread(until, lambda: not members(worker) and not members(server), 10)
            await asked
    assert not workers_of(folder)
    async with connected() as client:
        whole = await call(client, "run_stage", **start_words(tmp_path / "unbroken"))
        resumed = await call(client, "run_stage", **start_words(tmp_path))
    assert resumed["status"] == "passed" and resumed["folder"] == str(folder)
    assert dataset_bytes(folder) == dataset_bytes(Path(whole["folder"]))


@pytest.mark.slow
async def test_no_orphan_survives_the_end_of_the_session(tmp_path: Path) -> None:
    async with connected() as client:
        asked = await call(client, "run_stage", **start_words(tmp_path, wait_seconds=0))
        folder = await with_a_worker(tmp_path)
    assert asked["status"] == "running" and asked["next_stage"] == ""
    until(lambda: not workers_of(folder), 10)


# -- attaching ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_after_its_seconds_a_call_says_running_and_the_next_one_attaches(tmp_path: Path) -> None:
    async with connected() as client:
        first = await call(client, "run_stage", **start_words(tmp_path, wait_seconds=0))
        assert first["status"] == "running" and first["run"] in first["what_to_do"]
        (worker,) = await asyncio.to_thread(until, lambda: workers_of(Path(first["folder"])))
        second = await call(client, "run_stage", run=first["run"], stage="all")
        assert second["status"] == "passed" and second["next_stage"] == ""
    log = (Path(first["folder"]) / "worker.log").read_text()
    assert log.count("--- ") == 1 and f"process {worker}" in log


@pytest.mark.slow
async def test_of_two_servers_at_one_run_one_writes_and_the_other_attaches(tmp_path: Path) -> None:
    async with connected() as one, connected("legacy") as other:
        asked = asyncio.create_task(call(one, "run_stage", **start_words(tmp_path)))
        folder = await with_a_worker(tmp_path)
        await asyncio.to_thread(until, lambda: opened(folder).holder())
        seen = await call(other, "run_stage", **start_words(tmp_path, wait_seconds=0))
        assert seen["status"] == "running" and len(workers_of(folder)) <= 1
        both = await asyncio.gather(asked, call(other, "run_stage", **start_words(tmp_path)))
    assert [answer["status"] for answer in both] == ["passed", "passed"]
    with closing(Run.open(folder)) as run:
        rows = [row.id for row in run.records("row")]
    assert len(rows) == len(set(rows)) == len(b"".join(dataset_bytes(folder).values()).splitlines())


def opened(folder: Path) -> Run:
    """A reader of the run, closed already: enough to ask who holds its lock."""
    run = Run.open(folder)
    run.close()
    return run


# -- refusals -----------------------------------------------------------------------------------------------------

NOWHERE = "/nowhere/book.pdf"


@ERAS
@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("detect_data_type", {}, 'request="Curate DPO pairs'),
        ("detect_data_type", {"file": NOWHERE}, "check the path"),
        ("plan_hardware", {"model": "Qwen 7B", "examples": 0}, "greater than or equal to 1"),
        ("run_stage", {}, 'sources=["/path/book.pdf"]'),
        ("run_stage", {"run": "a", "sources": ["b"]}, "More than one beginning"),
        ("run_stage", {"run": "../../etc/passwd"}, "starting a run first"),
        ("run_stage", {"sources": [NOWHERE]}, "check the path"),
        ("run_stage", {"sources": [str(TIDES)], "data_type": "poetry"}, "anti_hallucination"),
        ("run_stage", {"sources": [str(TIDES)], "model": "Qwen 7B"}, "--author extractive"),
        ("run_stage", {"sources": [str(TIDES)], "author": "ftp://x"}, "http://127.0.0.1:8080/v1"),
        ("run_stage", {"sources": [str(TIDES)], "settings": ["x"]}, "filter.duplicate_jaccard=0.9"),
        ("run_stage", {"sources": [str(TIDES)], "settings": ["filter.nonsense=1"]}, "filter.nonsense"),
        ("run_stage", {"sources": [str(TIDES)], "wait_seconds": "long"}, "wait_seconds"),
        ("check_gates", {}, 'run="RUN ID"'),
        ("check_gates", {"file": NOWHERE}, "check the path"),
        ("check_gates", {"run": "nonsense"}, "starting a run first"),
        ("summarize", {"run": "nonsense"}, "starting a run first"),
        ("summarize", {}, "run"),
    ],
)
async def test_a_refusal_says_what_to_do(
    tool: str, arguments: dict[str, Any], says: str, era: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with Client(tools.server, mode=era) as client:
        said = await refusal(client, tool, **arguments)
    assert says in said
    assert said != f"Error executing tool {tool}"
    assert not list(tmp_path.glob("dpo_*"))


@pytest.mark.slow
async def test_a_blocked_stage_shows_its_gates_and_the_next_one_is_refused(tmp_path: Path) -> None:
    async with Client(tools.server) as client:
        words = start_words(tmp_path, settings=[*EASY_WORDS, "gates.gap_high=0.99", "gates.gap_medium=0.98"])
        blocked = await call(client, "run_stage", **words)
        assert (blocked["status"], blocked["stage"]) == ("blocked", "select")
        gap = next(gate for gate in blocked["gates"] if gate["gate"] == "preference gap")
        assert gap["tier"] == "REJECT" and "harder negatives" in gap["remedy"]
        said = await refusal(client, "run_stage", run=blocked["run"], stage="filter")
    assert "filter can't start: select was rejected: preference gap" in said and "harder negatives" in said


@pytest.mark.slow
async def test_settings_given_with_a_run_id_do_the_later_stages_again(tmp_path: Path) -> None:
    async with Client(tools.server) as client:
        blocked = await call(
            client, "run_stage", **start_words(tmp_path, settings=[*EASY_WORDS, "gates.gap_high=0.99"])
        )
        assert blocked["status"] in ("blocked", "warned")
        changed = {"run": blocked["run"], "stage": "all", "settings": ["gates.gap_high=0.1", "gates.gap_medium=0.05"]}
        again = await call(client, "run_stage", **changed)
        assert (again["status"], again["next_stage"], again["folder"]) == ("passed", "", blocked["folder"])
        assert "stays where it is" in await refusal(client, "run_stage", run=blocked["run"], output=str(tmp_path))


async def test_work_that_takes_long_gives_signs_of_life_and_its_own_error() -> None:
    said, enough = [], threading.Event()

    async def report(progress: float, total: float | None, message: str) -> None:
        said.append((progress, message))
        if len(said) == 3:
            enough.set()

    assert await patiently(report, 0.01, "waiting", enough.wait, 20) is True
    assert len(said) >= 3 and said == sorted(said) and said[0][1] == "waiting, for 0 s now"
    with pytest.raises(ZeroDivisionError):
        await patiently(report, 9.0, "dividing", divmod, 1, 0)


async def test_an_error_nobody_foresaw_is_told_with_its_type_and_advice() -> None:
    @tools.told
    async def divide() -> float:
        return 1 / 0

    with pytest.raises(ToolError, match=r"ZeroDivisionError: division by zero.*Expected: .*Try: the same call again"):
        await divide()


async def test_a_run_that_is_not_known_is_no_resource() -> None:
    async with Client(tools.server) as client:
        for name in ("nonsense", "..%2F..%2Fetc"):
            with pytest.raises(MCPError):
                await client.read_resource(f"realign://runs/{name}")


# -- what a client reads before it calls --------------------------------------------------------------------------


async def test_everything_a_client_lists_fits_and_every_parameter_has_a_type() -> None:
    async with Client(tools.server) as client:
        listed = (await client.list_tools()).tools
    assert len(tools.INSTRUCTIONS.encode()) < 2048
    for tool in listed:
        assert len((tool.description or "").encode()) < 2048
        assert not {"anyOf", "oneOf", "allOf"} & tool.input_schema.keys()
        for name, parameter in tool.input_schema["properties"].items():
            assert parameter.get("type"), f"{tool.name}.{name}"
        assert next(iter((tool.output_schema or {})["properties"])) == "summary"


async def test_every_workflow_has_a_prompt_that_names_the_tools_in_order() -> None:
    async with Client(tools.server) as client:
        prompts = (await client.list_prompts()).prompts
        assert {prompt.name for prompt in prompts} == {f"{name}-{kind.replace('_', '-')}" for name, kind in WORKFLOWS}
        text = str((await client.get_prompt("curate-dpo", {"sources": "book.pdf", "model": "Qwen 7B"})).messages)
    order = ["book.pdf", "Qwen 7B", "detect_data_type", "plan_hardware", "run_stage", "check_gates", "summarize"]
    assert [text.index(word) for word in order] == sorted(text.index(word) for word in order)


async def test_a_long_answer_is_cut_below_the_limit_and_the_whole_is_in_a_file(tmp_path: Path) -> None:
    notes = [f"line {n}: " + "x" * 200 for n in range(2000)]
    whole = GatesResult(summary="s", tier="HIGH", gates=[], notes=notes, rows=1, bad_rows=2000)
    short = fitted(whole, "check_gates")
    assert len(short.model_dump_json()) < 80_000 and short.notes[0] == notes[0]
    assert short.notes[-1] == f"… and {2000 - len(short.notes) + 1} more"
    assert json.loads(Path(short.details_file).read_text())["notes"] == notes
    assert fitted(short.model_copy(update={"notes": []}), "check_gates").notes == []


async def test_a_dataset_file_is_checked_and_its_bad_rows_are_named(tmp_path: Path) -> None:
    with closing(build_run(tmp_path)) as run:
        remember(run.folder)
        rows = [json.dumps(row.data) for row in run.records("row")]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join([*rows, "nonsense"]))
    async with Client(tools.server) as client:
        answer = await call(client, "check_gates", file=str(path))
        found = await call(client, "detect_data_type", file=str(path))
    assert answer["rows"] == len(rows) and answer["bad_rows"] == 1 and f"line {len(rows) + 1}" in answer["notes"][0]
    assert found["data_type"] == "dpo"
