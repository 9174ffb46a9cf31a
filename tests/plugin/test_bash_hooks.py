"""The hooks in the real Claude Code, which a scripted stand-in for the model makes issue Bash commands.

Set REALIGN_CLAUDE to the binary (npm package @anthropic-ai/claude-code) to run these; they are skipped without it. No
login, no network: the client speaks to model_api.py on the loopback device of a network namespace of its own.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from realign import workflow
from support import build_run

ROOT = Path(__file__).parents[2]
BINARY = os.environ.get("REALIGN_CLAUDE", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path(BINARY).is_file(), reason="REALIGN_CLAUDE names no Claude Code binary"),
    pytest.mark.skipif(
        not shutil.which("unshare") or subprocess.run(["unshare", "-n", "true"], check=False).returncode != 0,
        reason="no network namespace can be made to keep the client off the network",
    ),
]
BODY = """#!/bin/sh
echo "ran $(basename "$0") $* nice=$(nice) parallel=$TOKENIZERS_PARALLELISM synch=$MLX_METAL_FAST_SYNCH"
exit ${EXIT:-0}
"""
Outcome = tuple[bool, str]


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A plugin with nothing but the hooks, as hooks.json registers them."""
    folder = tmp_path / "plugin"
    (folder / ".claude-plugin").mkdir(parents=True)
    shutil.copytree(ROOT / "hooks", folder / "hooks")
    shutil.copytree(ROOT / "server" / "realign" / "intake", folder / "server" / "realign" / "intake")
    (folder / ".claude-plugin" / "plugin.json").write_text('{"name": "realign", "version": "0.0.1"}', encoding="utf-8")
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a script that imports MLX; harmless programs of our names stand on PATH."""
    (tmp_path / "bin").mkdir()
    for name in ("realign", "mlx_lm.lora", "uv"):
        (tmp_path / "bin" / name).write_text(BODY, encoding="utf-8")
        (tmp_path / "bin" / name).chmod(0o755)
    folder = tmp_path / "project"
    folder.mkdir()
    code = "import os\nif 0:\n    import mlx\nprint('ran', os.nice(0), os.environ['TOKENIZERS_PARALLELISM'])\n"
    (folder / "train.py").write_text(code, encoding="utf-8")
    return folder


def converse(
    commands: list[str], project: Path, plugin: Path | None, allowed: str = "Bash", prompt: str = "go"
) -> tuple[list[Outcome], str]:
    """((whether it was an error, what the model got) for each command, all that the model was told)."""
    folder = project.parent
    log, script, rules = folder / "log.jsonl", folder / "script.json", folder / "rules.json"
    log.unlink(missing_ok=True)
    script.write_text(json.dumps([[["Bash", {"command": command}]] for command in commands]), encoding="utf-8")
    rules.write_text(json.dumps({"permissions": {"allow": allowed.split("|")}}), encoding="utf-8")
    environment = {
        "HOME": str(folder / "home"), "PATH": f"{folder / 'bin'}:/usr/bin:/bin", "TERM": "dumb", "LANG": "C.UTF-8",
        "SHELL": "/bin/bash", "ANTHROPIC_API_KEY": "any-dummy-text", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "IS_SANDBOX": "1",
    }  # fmt: skip
    words = [BINARY, "-p", prompt, "--output-format", "stream-json", "--verbose", "--max-turns", "99"]
    words += ["--settings", str(rules), *(["--plugin-dir", str(plugin)] if plugin else [])]
    api = ["/usr/bin/env", "python3", str(ROOT / "tests" / "plugin" / "model_api.py"), str(script), str(log)]
    alone = ["unshare", "-n", "env", "-i", *(f"{name}={value}" for name, value in environment.items())]
    (folder / "home").mkdir(exist_ok=True)
    done = subprocess.run([*alone, *api, *words], cwd=project, capture_output=True, text=True, timeout=120, check=False)
    results: dict[str, Outcome] = {}
    for line in done.stdout.splitlines():
        message: dict[str, Any] = json.loads(line) if line.startswith("{") else {}
        for block in message.get("message", {}).get("content", []) if message.get("type") == "user" else []:
            if isinstance(block, dict) and block.get("type") == "tool_result":
                results[block["tool_use_id"]] = bool(block.get("is_error")), str(block["content"])
    assert len(results) == len(commands), done.stdout[-2000:] + done.stderr[-2000:]
    return list(results.values()), log.read_text(encoding="utf-8")


def may_raise() -> bool:
    return not subprocess.run(["nice", "-n", "-10", "true"], capture_output=True, check=True).stderr


def test_the_shell_gets_environment_and_priority_and_breaches_are_refused(project: Path, plugin: Path) -> None:
    normal, raised = os.nice(0), -10 if may_raise() else os.nice(0)
    ours = [
        "realign curate 'a  b' \"$HOME\"", "cd . && A=1 mlx_lm.lora --x | cat", "uv run mlx_lm.lora", "(realign 1)",
        "bash -c 'realign 2'", "timeout 9 nohup realign 3", "EXIT=3 realign 4", 'echo "$(realign 5)"',
    ]  # fmt: skip
    others = ["nice; echo realign", "grep -c mlx train.py; nice", "nice; git commit -m 'realign x' || true"]
    refused = [
        "sudo nice -n -10 realign x",
        "TOKENIZERS_PARALLELISM=true mlx_lm.lora",
        "realign plan Q-7B --split half",
    ]
    interleaved = [command for pair in zip(ours, others * 3, strict=False) for command in pair]
    results, told = converse([*interleaved, "python3 train.py", *refused], project, plugin)
    for turn in range(0, len(interleaved), 2):
        assert f"nice={raised} parallel=false synch=1" in results[turn][1], interleaved[turn]
        assert re.search(rf"^{normal}$", results[turn + 1][1], re.MULTILINE), interleaved[turn + 1]
    assert results[0][1].startswith(f"ran realign curate a  b {project.parent / 'home'} nice=")
    assert results[len(interleaved)] == (False, f"ran {raised} false")
    assert results[2 * ours.index("EXIT=3 realign 4")] == (
        True,
        f"Exit code 3\nran realign 4 nice={raised} parallel=false synch=1",
    )
    for (wrong, said), name in zip(
        results[-3:], ["sudo nice", "an environment that contradicts the standard", "half-and-half split"], strict=True
    ):
        assert wrong and f"ReAlign: {name}: " in said and ". Use: " in said
    (lines,) = (project.parent / "home").glob(".claude/plugins/data/*/activity.jsonl")
    recorded = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    assert {line["command"] for line in recorded} >= {*ours[:7], "python3 train.py"}
    assert {line["command"] for line in recorded if line["failed"]} == {"EXIT=3 realign 4"}
    assert not {line["command"] for line in recorded} & {*others, *refused} and told


def test_a_gate_that_blocks_a_command_is_recorded_and_told_though_the_command_failed(
    project: Path, plugin: Path, tmp_path: Path
) -> None:
    run = build_run(tmp_path, until="select", settings={"gates": {"gap_high": 0.99, "gap_medium": 0.98}})
    settings = workflow.settings_of(run)
    verdicts = workflow.judge_stage(run, workflow.CURATE["dpo"][3], settings)
    workflow.keep_verdicts(run, "select", workflow.fingerprints(run, settings)["select"], verdicts)
    run.close()
    blocked = f"#!/bin/sh\necho 'realign: working in {run.folder}' >&2\nexit 3\n"
    (tmp_path / "bin" / "realign").write_text(blocked, encoding="utf-8")
    (outcome,), told = converse(["realign curate book.pdf --type dpo"], project, plugin)
    assert outcome[0] and outcome[1].startswith("Exit code 3")
    assert f"ReAlign's gates of run {run.id}: REJECT" in told and "remedy: harder negatives" in told
    (lines,) = (tmp_path / "home").glob(".claude/plugins/data/*/activity.jsonl")
    (line,) = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    assert line["failed"] and line["run"] == run.id


RULES = (
    "Bash(realign:*)|Bash(uv run mlx_lm.lora *)|Bash(timeout 5 mlx_lm.lora *)|Bash(A=1 realign *)|Bash(nice *)"
    "|Bash(echo hi && realign x)"
)


def test_every_permission_is_with_the_hooks_what_it_is_without_them(project: Path, plugin: Path) -> None:
    commands = [
        "realign x", "A=1 realign x", "B=1 realign x", "cd . && realign x", "realign x | cat", "timeout 5 realign x",
        "uv run mlx_lm.lora x", "uv run realign x", "timeout 5 mlx_lm.lora x", "mlx_lm.lora x", "nice mlx_lm.lora x",
        "echo hi && realign x", "echo hi && mlx_lm.lora x", "bash -c 'realign x'", "(realign x)", "python3 train.py",
        "for i in 1 2; do realign $i; done", "realign x > out.txt", "realign x &",
    ]  # fmt: skip
    without, _ = converse(commands, project, None, RULES)
    with_hooks, _ = converse(commands, project, plugin, RULES)
    bare = re.compile(r" nice=.*")
    assert [(wrong, bare.sub("", said)) for wrong, said in with_hooks] == [
        (wrong, bare.sub("", said)) for wrong, said in without
    ]
    assert {wrong for wrong, _ in without} == {True, False}


def test_the_model_is_told_the_skill_of_a_request(project: Path, plugin: Path) -> None:
    _, told = converse(["true"], project, plugin, prompt="Curate DPO preference pairs from book.pdf for Qwen 7B")
    assert "data type dpo (confidence 0.95" in told and "the matching skill is realign-dpo-workflow." in told
    _, told = converse(["true"], project, plugin, prompt="fix the failing test")
    assert "ReAlign:" not in told
