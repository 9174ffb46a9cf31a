"""`realign plan` and `plan_hardware`, as people and clients use them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client

from realign import cli, tools
from realign.hardware.machines import M3_ULTRA, M4_MAX
from realign.hardware.plan import make_plan
from realign.views.plans import plan_lines

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def no_calibrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's folder of its own: what was calibrated on this computer would change these plans."""
    monkeypatch.setenv("REALIGN_HOME", str(tmp_path))


def said(capsys: Capture, *words: str) -> str:
    assert cli.main(["plan", *words]) == 0
    return capsys.readouterr().out


def test_the_decision_is_the_first_line(capsys: Capture) -> None:
    first, empty, *rest = said(capsys, "Qwen 7B", "--examples", "100000").splitlines()
    assert first.startswith("Qwen 7B at 16 bit: M4 Max, batch size 32, separate batches (M4 Max 65.5%, M3 Ultra 34.5%)")
    assert (empty, rest[0].split()[0]) == ("", "why")


def test_lines_after_the_first_are_folded() -> None:
    plan = make_plan("Qwen 7B", machines=(M4_MAX, M3_ULTRA), split="half", words="use RDMA")
    for width in (60, 100):
        lines = plan_lines(plan, width)
        assert all(len(line) <= width for line in lines[1:])
        assert [line.split()[0] for line in lines[2:] if line[2] != " "] == [
            "why", "work", "memory", "time", "cost", "ceiling", "environment", "refused", "beware", "rests", "here",
        ]  # fmt: skip


def test_a_size_needs_no_model(capsys: Capture) -> None:
    answer = json.loads(said(capsys, "--parameters", "70B", "--bits", "4", "--task", "dpo", "--json"))
    assert (answer["size"]["parameters"], answer["size"]["bits"], answer["machine"]) == (70e9, 4, "M4 Max")
    assert answer["memory"]["optimizer"] > 0


def test_machines_are_named_as_the_catalogue_names_them(capsys: Capture) -> None:
    out = said(capsys, "x-70b", "--machines", "M1 Max 64GB, M2 Ultra 192GB")
    assert out.startswith("x-70b at 16 bit: M2 Ultra") and "M1 Max can't hold it" in out


def test_a_longer_context_takes_a_larger_cache(capsys: Capture) -> None:
    caches = [
        json.loads(said(capsys, "x-7b", "--json", "--tokens", tokens))["memory"]["kv_cache"]
        for tokens in ("100", "200")
    ]
    assert caches[1] == pytest.approx(2 * caches[0])


def test_an_unknown_size_is_asked_for(capsys: Capture) -> None:
    assert cli.main(["plan", "Kimi-K2"]) == 2
    out = capsys.readouterr().out
    assert "How many parameters does Kimi-K2 have" in out and "--parameters 70B" in out


WRONG = [
    ([], "Neither a model nor its size"),
    (["--parameters=1e400"], "parameters"),
    (["--parameters=-1"], "parameters"),
    (["--parameters", "nan"], "parameters"),
    (["--parameters", "70"], "70B"),
    (["--parameters", "many"], "parameters"),
    (["x-7b", "--bits", "7"], "bits a weight"),
    (["x-7b", "--task", "align"], "curate, sft, dpo, rl"),
    (["x-7b", "--tokens", "0"], "tokens is 0"),
    (["x-7b", "--machines", "toaster"], "M2 Ultra 192GB"),
    (["x-7b", "--machines", ","], "No machine was named"),
    (["x-7b", "--machine", "M9"], "M3 Ultra"),
    (["x-7b", "--split", "banana"], "2:1"),
    (["x-7b", "--transport", "pigeon"], "separate batches"),
]


@pytest.mark.parametrize(("words", "says"), WRONG)
def test_a_wrong_word_is_one_readable_sentence(words: list[str], says: str, capsys: Capture) -> None:
    assert cli.main(["plan", *words]) == 2
    error = capsys.readouterr().err
    assert says in error and "Traceback" not in error


async def asked(**words: Any) -> dict[str, Any]:
    async with Client(tools.server) as client:
        result = await client.call_tool("plan_hardware", words)
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return result.structured_content


@pytest.mark.parametrize("parameters", ["70B", 70e9, "7e10"])
async def test_a_client_gives_a_size_as_text_or_as_a_number(parameters: str | float) -> None:
    plan = await asked(parameters=parameters, bits=4, task="sft", machines="M4 Max 128GB, M3 Ultra 512GB")
    assert (plan["parameters"], plan["machine"]) == (70e9, "M4 Max")
    assert plan["time"] == "not measured" and any(line.startswith("optimizer: ") for line in plan["memory"])


async def test_a_client_hears_what_is_refused_and_what_is_only_a_bound() -> None:
    plan = await asked(model="Qwen 7B", request="Split it 50/50 between the Macs, the M3 Ultra is faster")
    assert [line.split(":")[0] for line in plan["refused"]] == [
        "half-and-half split", '"M3 Ultra is faster, it has more cores"',
    ]  # fmt: skip
    assert plan["generation_ceiling"] and "floor" in plan["time"]


async def test_a_client_with_neither_model_nor_size_gets_a_question() -> None:
    assert (await asked())["question"].endswith("?")


def test_planning_imports_neither_mlx_nor_numpy() -> None:
    code = (
        "import sys; from realign.hardware.plan import make_plan; make_plan('x-7b');"
        "print([name for name in ('mlx', 'numpy', 'mcp') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
