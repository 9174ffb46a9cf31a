"""Which commands are ours, which only mention us, and which are refused: the table, and what bash itself runs."""

import json
import os
import random
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

TABLE = [
    line.split("\t", 1)
    for line in (Path(__file__).parent / "commands.tsv").read_text(encoding="utf-8").splitlines()
    if not line.startswith("# ")
]


def plain(command: str) -> str:
    r"""A command as the table writes it, with \n, \t and \\ read."""
    return command.replace("\\\\", "\0").replace("\\n", "\n").replace("\\t", "\t").replace("\0", "\\")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "sub").mkdir()
    (folder / "imports_mlx.py").write_text("import os, mlx.core\n", encoding="utf-8")
    (folder / "sub" / "deeper.py").write_text("if True:\n    from mlx_lm import load\n", encoding="utf-8")
    (folder / "plain.py").write_text('# import mlx\nprint("import mlx_lm")\n', encoding="utf-8")
    return folder


def event(command: str, cwd: str = "/") -> bytes:
    told = {
        "session_id": "s", "transcript_path": "/t", "cwd": cwd, "hook_event_name": "PreToolUse", "tool_name": "Bash",
        "tool_input": {"command": command, "description": "runs it"}, "tool_use_id": "toolu_1",
    }  # fmt: skip
    return json.dumps(told).encode()


def test_the_table_is_large_and_has_every_kind_of_verdict() -> None:
    kinds = [kind for kind, _ in TABLE]
    assert len(TABLE) >= 300 and len({command for _, command in TABLE}) == len(TABLE)
    assert min(kinds.count("ours"), kinds.count("not")) > 100 and len(set(kinds)) == 11


@pytest.mark.parametrize(("verdict", "command"), TABLE, ids=[command[:40] for _, command in TABLE])
def test_a_command_has_the_verdict_of_the_table(verdict: str, command: str, project: Path) -> None:
    import pre_tool_use
    from event import command_of
    from programs import jobs
    from shellwords import Unreadable

    text = plain(command)
    seen = command_of(event(text, str(project)))
    try:
        found = jobs(seen, str(project))
    except Unreadable:
        found = []
    answer = pre_tool_use.main(event(text, str(project)))
    if verdict in ("ours", "not"):
        assert (bool(found), answer) == (verdict == "ours", "")
    else:
        decision = json.loads(answer)["hookSpecificOutput"]
        assert decision["permissionDecision"] == "deny"
        assert decision["permissionDecisionReason"].startswith(f"ReAlign: {verdict}: ")
        assert "updatedInput" not in decision and ". Use: " in decision["permissionDecisionReason"]


@pytest.mark.parametrize(
    ("command", "right"),
    [
        ("sudo nice -n -10 realign curate 'my book.pdf' -o out", "realign curate 'my book.pdf' -o out"),
        ("cd a && sudo -E nice python -u -m mlx_lm lora --x", "python -u -m mlx_lm lora --x"),
        (
            "realign plan Q-7B --machine 'M3 Ultra' --batch-size=32",
            "realign plan Q-7B --machine 'M3 Ultra' --batch-size=4",
        ),
        ("realign plan Q-7B --split half --examples 9", "realign plan Q-7B --examples 9"),
        ("realign curate a --set hardware.sharded=true --model Q-7B", "realign curate a --model Q-7B"),
    ],
)
def test_a_refusal_names_the_right_command_and_that_one_is_not_refused(command: str, right: str) -> None:
    from programs import jobs
    from refused import why_not

    (job,) = jobs(command)
    assert why_not(job).endswith(f". Use: {right}")
    assert [why_not(again) for again in jobs(right)] == [""]


def test_a_batch_size_is_refused_where_the_machine_itself_is_an_m3_ultra(monkeypatch: pytest.MonkeyPatch) -> None:
    import refused
    from programs import jobs

    monkeypatch.setattr(refused, "this_chip", lambda job: "M3 Ultra")
    refused_ones = ["mlx_lm.lora --batch-size 8", "realign curate a --set candidates.batch_size=32"]
    assert all(refused.BATCH in refused.why_not(job) for command in refused_ones for job in jobs(command))
    assert [refused.why_not(job) for job in jobs("mlx_lm.lora --batch-size 4; mlx_lm.lora --batch-size $N")] == ["", ""]


@given(st.text(alphabet=st.sampled_from("realign x'\"\\$`(){}[]<>|&;\n#=*~!-0\té"), max_size=60))
@settings(max_examples=400, deadline=None)
def test_any_text_is_read_or_unreadable(text: str) -> None:
    from programs import jobs
    from shellwords import Unreadable

    try:
        found = jobs(text)
    except Unreadable:
        return
    assert all(job.words for job in found)


@pytest.mark.parametrize(
    "text", ["(" * 5000, "$(" * 5000, "$((" * 3000, "`" * 4999, "{" * 50_000, "((a) " * 3000, "x" * 99_999]
)
def test_depth_and_length_end_soon(text: str) -> None:
    import pre_tool_use

    assert pre_tool_use.main(event("realign " + text)) == ""


# -- against bash ------------------------------------------------------------------------------------------------------

QUOTINGS = ["{}", "'{}'", '"{}"', "$'{}'"]
SHAPES = [
    "{}", "true && {}", "false || {}", "A=1 B='x y' {}", "({})", "{{ {}; }}", "{} | cat", "echo a | {}", "echo $({})",
    'echo "$({})"', "if true; then {}; fi", "for i in 1 2; do {}; done", "case a in a) {};; esac", "! {}", "time {}",
    "bash -c '{}'", "nohup {}", "nice -n 1 {}", "env X=1 {}", "timeout 9 {}", "echo a | xargs {}", "eval '{}'",
    "cat <<END\n$({})\nEND", "cat <<'END'\n$({})\nEND", "echo '{}'", 'echo "{}"', "# {}", "echo {}", "true # {}",
    "false && {}", "cat <<< '{}'", "x='{}'", "exec {}", "command {}", "command -v {}", "2>&1 {}", "{} 2>&1 > /dev/null",
    "f() {{ {}; }}; f", "[[ a == b ]] || {}", "((1)) && {}", "x=(1 2); {}", "{} &\nwait", "\\\n{}",
    "echo ${{y:-$({})}}",
]  # fmt: skip


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with harmless programs of our names, which print their words and end with 3."""
    folder = tmp_path_factory.mktemp("bin")
    for name in ("realign", "mlx_lm.lora", "mlx.launch"):
        body = '#!/bin/sh\necho ran >> "$RAN"\nprintf "<%s>" "$0" "$@"\necho here >&2\nexit 3\n'
        (folder / name).write_text(body, encoding="utf-8")
        (folder / name).chmod(0o755)
    return folder


def made_up(seed: int) -> str:
    """A command with one of our programs somewhere in one or two shapes, its name quoted somehow."""
    pick = random.Random(seed)
    name = pick.choice(["realign", "mlx_lm.lora", "mlx.launch"])
    outer, inner = pick.choice(SHAPES), pick.choice(SHAPES)
    quoted = "'" in outer or "'" in inner
    inside = pick.choice(["{}", "{}", '"{}"'] if quoted else QUOTINGS).format(name)
    inside += pick.choice(["", " curate 'my book.pdf' --x=1", " $UNSET a\\ b", ' "*" ~ {1,2}'])
    if "'" in inside and ("'" in inner or "'" in outer):
        inside = inside.replace("'", "")
    nested = inner.format(inside)
    clash = any(mark in nested and mark in outer for mark in "'\"") or "#" in nested or "\n" in nested
    return nested if clash else outer.format(nested)


ENVIRONMENT = ("MLX_METAL_PREALLOCATE", "MLX_METAL_FAST_SYNCH", "TOKENIZERS_PARALLELISM", "OPENBLAS_NUM_THREADS")


def run_bash(command: str, stand_ins: Path, folder: Path, before: str = "") -> tuple[bool, int, list[str]]:
    """(whether a program of ours ran, exit code, the lines printed), run as the client runs a command."""
    ran = folder / "ran"
    ran.unlink(missing_ok=True)
    quoted = "'" + command.replace("'", "'\"'\"'") + "'"
    text = f"true && {before}: && eval {quoted} < /dev/null"
    environment = {
        "PATH": f"{stand_ins}:/usr/bin:/bin",
        "RAN": str(ran),
        "HOME": str(folder),
        "LC_ALL": "C",
        "TIMEFORMAT": "",
        "TIME": "time",
    }
    done = subprocess.run(
        ["bash", "-c", text], capture_output=True, text=True, env=environment, cwd=folder, check=False
    )
    # Lines before a command move the line number in bash's own complaints; `env` alone shows what was to change.
    said = re.sub(r"\bline \d+:", "line N:", done.stdout + done.stderr).splitlines()
    said = sorted(line for line in said if line.partition("=")[0] not in ENVIRONMENT)
    return ran.exists(), done.returncode, said


@pytest.mark.parametrize("seed", range(100))
def test_what_bash_runs_is_found_and_the_environments_lines_change_nothing_it_does(
    seed: int, stand_ins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import priority
    from programs import jobs
    from shellwords import Unreadable

    command, work, data = made_up(seed), tmp_path / "work", tmp_path / "data"
    work.mkdir()
    (data / "priority").mkdir(parents=True)
    ran, code, said = run_bash(command, stand_ins, work)
    try:
        found = bool(jobs(command, str(work)))
    except Unreadable:
        found = False
    # The reader does not ask whether bash comes to a command, nor whether a wrapper exists or bash likes the syntax.
    excused = "&&" in command or "||" in command or code in (2, 126, 127)
    assert found == ran or (found and excused), command
    monkeypatch.setenv("CLAUDE_PLUGIN_DATA", str(data))
    (data / "priority" / "s").write_text(priority.piece_of(command) + "\n", encoding="utf-8")
    lines = priority.shell_lines(priority.marker_of("s"))
    assert run_bash(command, stand_ins, work, before=f"{lines}\n") == (ran, code, said), command


def test_a_marked_command_runs_at_the_raised_priority_and_the_next_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import priority

    if subprocess.run(["nice", "-n", "-10", "true"], capture_output=True, check=True).stderr:
        pytest.skip("this user may not raise a priority")
    monkeypatch.setenv("CLAUDE_PLUGIN_DATA", str(tmp_path))
    (tmp_path / "priority").mkdir()
    shell = f"true && {priority.shell_lines(priority.marker_of('s'))}\n: && eval"
    command = "(exit 0); nice  # realign"

    def nice() -> str:
        return subprocess.run(["bash", "-c", f"{shell} '{command}'"], capture_output=True, text=True, check=True).stdout

    (tmp_path / "priority" / "s").write_text(priority.piece_of(command) + "\n", encoding="utf-8")
    assert [nice(), nice()] == [f"{priority.NICE}\n", f"{os.nice(0)}\n"]
    (tmp_path / "priority" / "s").write_text("realign another\n", encoding="utf-8")
    assert nice() == f"{os.nice(0)}\n"
