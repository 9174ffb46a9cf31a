"""Each hook as a real process fed recorded events: what it answers, what it leaves behind, what it survives."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from realign import hook_constants
from realign.hardware.environment import worker_environment
from realign.intake.detect import detect
from realign.settings import Cost

HOOKS = Path(__file__).parents[2] / "hooks"
NAMES = ("pre_tool_use", "post_tool_use", "user_prompt_submit", "session_start")
RunHook = Callable[..., tuple[int, str, str]]


def bash_event(command: str, **more: Any) -> dict[str, Any]:
    """A Bash event as the client sends it."""
    told = {
        "session_id": "5f0c-1", "transcript_path": "/home/u/realign/t.jsonl", "cwd": "/", "prompt_id": "p",
        "permission_mode": "default", "hook_event_name": "PreToolUse", "tool_name": "Bash",
        "tool_input": {"command": command, "description": "a description"}, "tool_use_id": "toolu_1",
    }  # fmt: skip
    return {**told, **more}


def told(answer: str) -> str:
    """The context in a hook's answer, "" for silence."""
    return str(json.loads(answer)["hookSpecificOutput"]["additionalContext"]) if answer else ""


# -- what holds for all -----------------------------------------------------------------------------------------------

RUBBISH = [
    b"", b"{", b"null", b"[]", b"[" * 100_000, b"\xff\xfe\x00realign", b'"command": "realign', b"realign __run_stage",
    b'{"tool_name": "Bash"}', b'{"tool_input": {"command": 7}}', b'{"session_id": ["a"]}', b'{"prompt": 3}',
    b'{"tool_name": "Bash", "tool_input": {"command": null, "x": "realign"}}', b'{"prompt": "\\ud800 dpo"}',
    b'{"tool_name": "mcp__realign__run_stage", "tool_response": "\\"x\\""}',
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_rubbish_passes_with_one_line_on_stderr_at_most(name: str, run_hook: RunHook) -> None:
    for event in RUBBISH:
        code, said, complained = run_hook(name, event)
        assert code == 0 and len(complained.splitlines()) <= 1, event
        assert not said or "additionalContext" in said


@pytest.mark.parametrize("name", NAMES)
def test_a_megabyte_of_command_passes(name: str, run_hook: RunHook) -> None:
    assert run_hook(name, bash_event("realign " + "'x' $(y) " * 120_000))[:2] == (0, "")


def test_a_failure_of_its_own_lets_the_command_through_and_says_so(run_hook: RunHook, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("no folder", encoding="utf-8")
    event = bash_event("mlx_lm.lora", hook_event_name="PostToolUse", tool_response={"stdout": ""})
    code, said, complained = run_hook("post_tool_use", event, CLAUDE_PLUGIN_DATA=str(file))
    assert (code, said) == (0, "") and "passed this by" in complained and len(complained.splitlines()) == 1


def test_hooks_are_standard_library_only_and_can_be_read_by_python_3_9() -> None:
    own = {path.stem for path in HOOKS.glob("*.py")}
    for path in HOOKS.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        modules = {alias.name for node in imports if isinstance(node, ast.Import) for alias in node.names}
        modules |= {node.module or "" for node in imports if isinstance(node, ast.ImportFrom)}
        foreign = {module for module in modules if module.partition(".")[0] not in own | sys.stdlib_module_names}
        assert foreign <= ({"realign.intake.detect", "realign.intake.words"} if path.stem == "intake" else set()), path


def test_the_constants_are_those_of_the_code() -> None:
    written = (HOOKS / "standard.py").read_text(encoding="utf-8")
    assert written == hook_constants.source(), "run `python -m realign.hook_constants`"


# -- before a command -------------------------------------------------------------------------------------------------


def test_a_command_is_never_rewritten_nor_allowed(run_hook: RunHook) -> None:
    for command in ("realign x", "cd a && mlx_lm.lora", "ls", "grep realign a"):
        assert run_hook("pre_tool_use", bash_event(command)) == (0, "", "")
    _, said, _ = run_hook("pre_tool_use", bash_event("sudo nice realign x"))
    decision = json.loads(said)["hookSpecificOutput"]
    assert decision["permissionDecision"] == "deny" and set(decision) == {
        "hookEventName", "permissionDecision", "permissionDecisionReason"
    }  # fmt: skip


def test_a_script_is_looked_into_from_the_folder_of_the_command(run_hook: RunHook, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import mlx.core as mx\n", encoding="utf-8")
    os.mkfifo(tmp_path / "pipe.py")
    denied = [
        bool(run_hook("pre_tool_use", bash_event(f"TOKENIZERS_PARALLELISM=true python {name}", cwd=str(tmp_path)))[1])
        for name in ("train.py", "./train.py", "gone.py", "pipe.py", ".")
    ]
    assert denied == [True, True, False, False, False]


# -- the session's start ----------------------------------------------------------------------------------------------


def test_the_sessions_environment_is_that_of_a_worker_and_is_written_once(run_hook: RunHook, tmp_path: Path) -> None:
    file = tmp_path / "env.sh"
    file.write_text("export OTHERS=kept", encoding="utf-8")
    for _ in range(2):
        assert run_hook("session_start", {"session_id": "5f0c-1", "source": "startup"}, CLAUDE_ENV_FILE=str(file)) == (
            0,
            "",
            "",
        )
    assert file.read_text(encoding="utf-8").count("TOKENIZERS_PARALLELISM") == 1
    for base in ({}, {"OPENBLAS_NUM_THREADS": "4"}, {"MLX_METAL_FAST_SYNCH": "0"}, {"TOKENIZERS_PARALLELISM": "true"}):
        plain = {"PATH": "/usr/bin:/bin", **base}
        script = f"set -eu; . {file}; env -0"
        shown = subprocess.run(["bash", "-c", script], env=plain, capture_output=True, text=True, check=True).stdout
        seen = dict(line.split("=", 1) for line in shown.split("\0") if line)
        wanted = worker_environment(plain, fast_synch=base.get("MLX_METAL_FAST_SYNCH") != "0")
        assert {name: seen.get(name) for name in wanted} == wanted and seen["OTHERS"] == "kept"


def test_without_an_environment_file_or_a_plain_session_nothing_is_left_behind(
    run_hook: RunHook, tmp_path: Path
) -> None:
    assert run_hook("session_start", {"session_id": "a"}) == (0, "", "")
    file = tmp_path / "env.sh"
    assert run_hook("session_start", {"session_id": "../../a'b"}, CLAUDE_ENV_FILE=str(file)) == (0, "", "")
    assert "renice" not in file.read_text(encoding="utf-8") and not (tmp_path / "data").exists()


# -- the user's words -------------------------------------------------------------------------------------------------

WORDS = [
    "Curate DPO preference pairs from /data/books/ml_textbook.pdf for Qwen 7B", "make Qwen better at math",
    "SFT and DPO", "not DPO, plain SFT", "stop it from hallucinating", "fix the failing test in cli.py", "",
    "srft please", "\x00¿qué? 数据",
]  # fmt: skip


@pytest.mark.parametrize("prompt", WORDS)
def test_a_prompt_gets_the_packages_own_decision_in_one_line_or_nothing(prompt: str, run_hook: RunHook) -> None:
    found = detect(prompt)
    code, said, complained = run_hook("user_prompt_submit", {"session_id": "s", "prompt": prompt, "cwd": "/"})
    line = told(said)
    assert (code, complained, bool(line)) == (0, "", bool(found.data_type))
    assert "\n" not in line and (not line or f"data type {found.data_type} " in line)
    assert not line or line.endswith(f"the matching skill is {found.skill}.")


def test_the_hooks_detection_is_the_packages_for_made_up_requests() -> None:
    import random

    pick = random.Random(7)
    pieces = (
        "dpo|SFT|not|no|preference pairs|reward|math|rlvr|for Qwen 7B|from a.pdf|,|or|hallucinations|without|instead of"
        "|unit tests|chat|citations|.|rather than|grpo"
    ).split("|")
    texts = [" ".join(pick.choices(pieces, k=pick.randint(1, 8))) for _ in range(400)]
    code = (
        "import sys, json; sys.path.insert(0, sys.argv[1]); import intake;"
        "print(json.dumps([[d.data_type, d.confidence, d.skill] for d in map(intake.detect, json.load(sys.stdin))]))"
    )
    words = [sys.executable, "-S", "-E", "-I", "-c", code, str(HOOKS)]
    shown = subprocess.run(words, input=json.dumps(texts), capture_output=True, text=True, check=True).stdout
    assert json.loads(shown) == [[d.data_type, d.confidence, d.skill] for d in map(detect, texts)]


# -- after a command --------------------------------------------------------------------------------------------------


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A run's folder with what the hook reads of it, made by the package's own Run."""
    from realign.run import Run

    run = Run.create(tmp_path, "dpo", "book")
    run.note(
        "cost",
        {"machine": "M4 Max", "batch_size": 32, "examples": 120, "seconds": 60.0, "cost": 0.0003, "currency": "USD"},
    )
    gate = {
        "stage": "filter",
        "gate": "pairs",
        "tier": "REJECT",
        "value": 12,
        "needed": ">= 100",
        "remedy": "more sources",
    }
    with run.writing("a test"):
        run.db.execute("INSERT INTO stages (name, place, status, fingerprint) VALUES ('filter', 0, 'blocked', 'f')")
        row = ("filter", "pairs", "f", json.dumps(gate), 0.0)
        run.db.execute("INSERT INTO gates VALUES (?, ?, ?, ?, ?)", row)
        run.db.execute("INSERT INTO gates VALUES ('filter', 'old', 'stale', '{}', 0)")
    run.close()
    return run.folder


def kept(tmp_path: Path) -> list[dict[str, Any]]:
    file = tmp_path / "data" / "activity.jsonl"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


@pytest.mark.parametrize("failed", [False, True])
def test_a_curation_is_recorded_with_its_runs_figures_and_its_verdict_is_told(
    failed: bool, run_hook: RunHook, run_folder: Path, tmp_path: Path
) -> None:
    output = f"realign: working in {run_folder}\nmore"
    after = {"hook_event_name": "PostToolUseFailure", "error": f"Exit code 3\n{output}"} if failed else {
        "hook_event_name": "PostToolUse", "tool_response": {"stdout": "x", "stderr": output}}  # fmt: skip
    code, said, complained = run_hook(
        "post_tool_use", bash_event("cd a && realign curate b.pdf", duration_ms=61_500, **after)
    )
    assert (code, complained) == (0, "")
    assert json.loads(said)["hookSpecificOutput"]["hookEventName"] == after["hook_event_name"]
    assert (
        "REJECT, 1 measured, 0 of them HIGH. filter, pairs: 12, needed >= 100: REJECT (remedy: more sources)."
        in told(said)
    )
    (line,) = kept(tmp_path)
    assert line["call_seconds"] == 61.5 and line["failed"] == failed and line["run"] == run_folder.name
    figures = (line["machine"], line["batch_size"], line["examples"], line["seconds"], line["cost"], line["currency"])
    assert figures == ("M4 Max", 32, 120, 60.0, 0.0003, "USD")


def test_mlx_work_without_a_run_is_recorded_with_what_is_known(run_hook: RunHook, tmp_path: Path) -> None:
    event = bash_event(
        "nohup mlx_lm.lora --batch-size 8", hook_event_name="PostToolUse", tool_response={}, duration_ms=2000
    )
    assert run_hook("post_tool_use", event) == (0, "", "")
    background = {**event, "tool_input": {"command": "mlx_lm.lora", "run_in_background": True}}
    assert run_hook("post_tool_use", background) == (0, "", "")
    first, second = kept(tmp_path)
    assert (first["job"], first["batch_size"], first["seconds"], first["examples"]) == ("mlx_lm.lora", 8, 2.0, None)
    assert first["machine"] and (second["seconds"], second["batch_size"], second["cost"]) == (None, None, None)


def test_a_stages_answer_is_recorded_and_told_under_any_name_of_our_server(
    run_hook: RunHook, run_folder: Path, tmp_path: Path
) -> None:
    gates = [{"stage": "select", "gate": "agreement", "tier": "HIGH", "value": 0.97, "needed": ">= 0.9"}]
    answer = {"run": run_folder.name, "folder": str(run_folder), "stage": "select", "status": "passed", "gates": gates}
    for response in (json.dumps(answer), answer, [{"type": "text", "text": json.dumps(answer)}]):
        event = {"session_id": "s", "hook_event_name": "PostToolUse", "tool_input": {}, "tool_response": response,
                 "tool_name": "mcp__plugin_realign_realign__run_stage", "duration_ms": 9}  # fmt: skip
        _, said, complained = run_hook("post_tool_use", event)
        assert complained == "" and "HIGH, 1 measured, 1 of them HIGH." in told(said) and "REJECT" not in told(said)
    running = {**answer, "status": "running", "gates": []}
    assert run_hook("post_tool_use", {**event, "tool_response": json.dumps(running)}) == (0, "", "")
    assert [line["status"] for line in kept(tmp_path)] == ["passed"] * 3 + ["running"]
    assert run_hook("post_tool_use", {**event, "tool_name": "mcp__other__run_stage"}) == (0, "", "")
    assert len(kept(tmp_path)) == 4


def test_other_commands_and_foreign_run_folders_leave_nothing(run_hook: RunHook, tmp_path: Path) -> None:
    for command in ("ls", "grep realign a", "git commit -m mlx_lm"):
        event = bash_event(command, hook_event_name="PostToolUse", tool_response={"stdout": "realign: working in /x"})
        assert run_hook("post_tool_use", event) == (0, "", "")
    assert kept(tmp_path) == []
    (tmp_path / "run.db").write_text("no database", encoding="utf-8")
    event = bash_event(
        "realign show x", hook_event_name="PostToolUse", tool_response={"stdout": f"realign: working in {tmp_path}"}
    )
    assert run_hook("post_tool_use", event) == (0, "", "")
    assert [line["run"] for line in kept(tmp_path)] == [None]


def test_many_hooks_at_once_keep_every_line_whole_and_the_record_bounded(run_hook: RunHook, tmp_path: Path) -> None:
    event = bash_event("mlx_lm.lora", hook_event_name="PostToolUse", tool_response={}, duration_ms=1)
    with ThreadPoolExecutor(8) as threads:
        assert {*threads.map(lambda _: run_hook("post_tool_use", event), range(24))} == {(0, "", "")}
    assert len(kept(tmp_path)) == 24
    file = tmp_path / "data" / "activity.jsonl"
    file.write_text(file.read_text(encoding="utf-8") + "{}\n" * 400_000, encoding="utf-8")
    run_hook("post_tool_use", event)
    assert len(kept(tmp_path)) == 1 and (tmp_path / "data" / "activity.1.jsonl").is_file()


def test_the_cost_of_a_command_is_that_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    import ledger

    from realign.hardware.cost import measure_cost
    from realign.hardware.machines import M3_ULTRA, M4_MAX

    ours = ledger.priced({"machine": M4_MAX.name, "run": None}, 412.0)["cost"]
    assert ours == pytest.approx(measure_cost(412.0, 1, M4_MAX, Cost()).total)
    assert ledger.priced({"machine": M3_ULTRA.name, "run": None}, 412.0)["cost"] is None
    assert measure_cost(412.0, 1, M3_ULTRA, Cost()).total == "not measured"
