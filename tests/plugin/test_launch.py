"""The launcher, as a client and a shell start it, with a script in the place of `uv`.

The script links the packages of the tests: it makes a real virtual environment, notes each call in a file, and waits or
fails where a test asks it to.
"""

from __future__ import annotations

import ast
import fcntl
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from typing import Any

import pytest

from processes import ROOT, ended_for_sure, until

UV = f"""#!/bin/sh
echo "$1" >> "$UV_CALLS"
if [ "$1" = venv ]; then exec {shlex.quote(sys.executable)} -m venv --without-pip "$5"; fi
if [ -n "$UV_WAITS_FOR" ]; then read -r _ < "$UV_WAITS_FOR"; fi
if [ -n "$UV_FAILS_WITH" ]; then echo "$UV_FAILS_WITH"; exit 2; fi
for site in "${{4%/bin/python}}"/lib/python*/site-packages; do
    echo {shlex.quote(sysconfig.get_path("purelib"))} > "$site/packages.pth"
done
"""
FILES = ("bin", "server", "pyproject.toml", "constraints.txt")


@pytest.fixture
def surroundings(tmp_path: Path) -> dict[str, str]:
    """The variables of a start: an empty home, the plugin's data folder, and the `uv` above, first on the PATH."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "uv").write_text(UV)
    (tmp_path / "tools" / "uv").chmod(0o755)
    return {
        "HOME": str(tmp_path / "home"),
        "PATH": f"{tmp_path / 'tools'}:{Path(sys.executable).parent}:/usr/bin:/bin",
        "CLAUDE_PLUGIN_DATA": str(tmp_path / "plugin data"),
        "UV_CALLS": str(tmp_path / "calls"),
    }


def start(variables: dict[str, str], *words: str, plugin: Path = ROOT, **options: Any) -> subprocess.Popen[str]:
    """Start the command as a client does."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([str(plugin / "bin/realign"), *words], env=variables, text=True, **pipes, **options)


def ended(variables: dict[str, str], *words: str, **options: Any) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a start that ends by itself."""
    with ended_for_sure(start(variables, *words, **options)) as process:
        out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def environments(variables: dict[str, str]) -> list[Path]:
    """The environments in the data folder, whole or not."""
    return [path for path in Path(variables["CLAUDE_PLUGIN_DATA"], "environments").glob("*") if path.is_dir()]


def built(variables: dict[str, str]) -> int:
    """How many times an environment was made."""
    return Path(variables["UV_CALLS"]).read_text().split().count("venv")


def plugin_in(folder: Path) -> Path:
    """A copy of the plugin in a folder of its own."""
    for name in FILES:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    return folder


# -- a start ------------------------------------------------------------------------------------------------------


def test_the_first_start_builds_and_says_so_on_stderr_and_the_second_says_nothing(
    surroundings: dict[str, str],
) -> None:
    code, out, err = ended(surroundings, "--version")
    assert (code, out) == (0, "realign 0.1.0\n")
    assert "0 s  first start" in err and "later starts skip all this" in err
    assert ended(surroundings, "--version") == (0, "realign 0.1.0\n", "")
    assert built(surroundings) == 1


def test_words_working_folder_and_exit_code_are_passed_on_unchanged(
    surroundings: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "a 'quoted' folder").mkdir()
    words = 'DPO "pairs" from $HOME/*.pdf;\n\\ for Qwen 7B'
    ended(surroundings, "--version")
    code, out, _ = ended(surroundings, "detect", words, "--json", cwd=tmp_path / "a 'quoted' folder")
    assert code == 0 and json.loads(out)["data_type"] == "dpo"
    missing = ended(surroundings, "check", "no such.jsonl", cwd=tmp_path / "a 'quoted' folder")
    direct = subprocess.run(
        [sys.executable, "-m", "realign", "check", "no such.jsonl"],
        cwd=tmp_path / "a 'quoted' folder", env=surroundings, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert missing == (direct.returncode, direct.stdout, direct.stderr)
    assert ended(surroundings, "nonsense")[0] == 2


def test_the_server_is_the_process_that_was_started_and_gets_its_signals(surroundings: dict[str, str]) -> None:
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    request = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
    with ended_for_sure(start(surroundings, "serve")) as process:
        assert process.stdin and process.stdout
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["result"]["serverInfo"]["name"] == "realign"
        shown = subprocess.run(
            ["ps", "-ww", "-o", "args=", "-p", str(process.pid)], capture_output=True, text=True, check=True
        )
        assert "-P -m realign serve" in shown.stdout
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def test_nothing_of_the_users_python_reaches_the_environment(surroundings: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "theirs" / "realign").mkdir(parents=True)
    (tmp_path / "theirs" / "realign" / "__init__.py").write_text("raise SystemExit('theirs')")
    hostile = {"PYTHONPATH": str(tmp_path / "theirs"), "PYTHONHOME": str(tmp_path), "VIRTUAL_ENV": str(tmp_path)}
    for _ in range(2):
        assert ended({**surroundings, **hostile}, "--version", cwd=tmp_path / "theirs")[:2] == (0, "realign 0.1.0\n")


def test_the_bash_tools_command_finds_the_plugins_environment_without_being_told_its_folder(
    surroundings: dict[str, str],
) -> None:
    data = Path(surroundings["HOME"], ".claude/plugins/data/realign-some-marketplace")
    surroundings["CLAUDE_PLUGIN_DATA"] = str(data)
    ended(surroundings, "--version")
    del surroundings["CLAUDE_PLUGIN_DATA"]
    assert ended(surroundings, "--version") == (0, "realign 0.1.0\n", "")


def test_a_link_to_the_command_is_the_command(surroundings: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(ROOT / "bin" / "realign")
    with subprocess.Popen([str(tmp_path / "link"), "--version"], env=surroundings, stdout=subprocess.PIPE) as process:
        assert process.communicate()[0] == b"realign 0.1.0\n"


# -- which environment --------------------------------------------------------------------------------------------


def test_new_code_builds_nothing_and_new_pins_build_anew_and_remove_the_old(
    surroundings: dict[str, str], tmp_path: Path
) -> None:
    plugin = plugin_in(tmp_path / "plugin")
    ended(surroundings, "--version", plugin=plugin)
    code = plugin / "server/realign/__init__.py"
    code.write_text(code.read_text().replace("0.1.0", "0.1.1"))
    assert ended(surroundings, "--version", plugin=plugin) == (0, "realign 0.1.1\n", "")
    first = environments(surroundings)
    pins = plugin / "constraints.txt"
    pins.write_text(pins.read_text() + "new==1\n")
    assert "removed " + first[0].name in ended(surroundings, "--version", plugin=plugin)[2]
    assert built(surroundings) == 2 and len(environments(surroundings)) == 1
    assert environments(surroundings) != first


def test_an_environment_that_somebody_runs_in_stays_and_a_half_one_goes(surroundings: dict[str, str]) -> None:
    folder = Path(surroundings["CLAUDE_PLUGIN_DATA"], "environments")
    used, half = folder / "0123456789abcdef-3.11", folder / "fedcba9876543210-3.11"
    used.mkdir(parents=True), half.mkdir()
    with open(used / "complete", "w") as marker:
        fcntl.flock(marker, fcntl.LOCK_SH)
        ended(surroundings, "--version")
    assert used.exists() and not half.exists() and len(environments(surroundings)) == 2


def test_an_environment_whose_python_is_gone_is_built_again(surroundings: dict[str, str]) -> None:
    ended(surroundings, "--version")
    (environments(surroundings)[0] / "bin" / "python").unlink()
    assert ended(surroundings, "--version")[:2] == (0, "realign 0.1.0\n")
    assert built(surroundings) == 2


def test_a_plugin_that_cannot_be_written_works_from_a_path_with_spaces(
    surroundings: dict[str, str], tmp_path: Path
) -> None:
    plugin = plugin_in(tmp_path / "a plugin's folder")
    for path in (plugin, *plugin.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        assert ended(surroundings, "--version", plugin=plugin)[:2] == (0, "realign 0.1.0\n")
        assert ended(surroundings, "--version", plugin=plugin) == (0, "realign 0.1.0\n", "")
    finally:
        for path in (plugin, *plugin.rglob("*")):
            path.chmod(path.stat().st_mode | 0o200)


def test_the_launcher_reads_the_same_requirements_as_a_reader_of_toml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "server"))
    import launch

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert launch.requirements() == project["dependencies"] + project["optional-dependencies"]["fast"]


@pytest.mark.parametrize("name", ["launch.py", "build.py"])
def test_an_old_python_can_read_what_starts_it(name: str) -> None:
    text = (ROOT / "server" / name).read_text()
    assert ast.parse(text, feature_version=(3, 9)).body
    assert "from __future__ import annotations" in text


# -- building -----------------------------------------------------------------------------------------------------


def test_of_two_starts_at_once_one_builds_and_the_other_waits_and_says_so(
    surroundings: dict[str, str], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "gate")
    surroundings["UV_WAITS_FOR"] = str(tmp_path / "gate")
    with ended_for_sure(start(surroundings, "--version")) as first:
        until(lambda: environments(surroundings))
        with ended_for_sure(start(surroundings, "--version")) as second:
            assert second.stderr
            assert "is setting up: waiting for it, at most 15 minutes" in second.stderr.readline()
            (tmp_path / "gate").write_text("\n")
            assert [process.communicate()[0] for process in (first, second)] == ["realign 0.1.0\n"] * 2
    assert built(surroundings) == 1


def test_a_client_that_gives_up_ends_the_start_and_not_the_build(surroundings: dict[str, str], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gate")
    surroundings["UV_WAITS_FOR"] = str(tmp_path / "gate")
    with ended_for_sure(start(surroundings, "serve")) as process:
        until(lambda: environments(surroundings))
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert not list(environments(surroundings)[0].glob("complete"))
    (tmp_path / "gate").write_text("\n")
    until(lambda: list(environments(surroundings)[0].glob("complete")))
    assert ended(surroundings, "--version")[:2] == (0, "realign 0.1.0\n")
    assert built(surroundings) == 1


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        ("dns error: failed to lookup address information", "go online once"),
        ("OSError: [Errno 28] No space left on device", "free 1 GB"),
        ("Permission denied (os error 13)", "make the folder writable"),
        ("no matching distribution found for mlx", "Apple silicon"),
        ("a failure never seen before", "build.log"),
    ],
)
def test_a_failed_build_leaves_nothing_half_and_says_the_fix(
    surroundings: dict[str, str], words: str, fix: str
) -> None:
    surroundings["UV_FAILS_WITH"] = words
    code, out, err = ended(surroundings, "--version")
    assert (code, out) == (1, "")
    assert words in err and "Expected: " in err and fix in err.split("Try: ")[1]
    assert environments(surroundings) == []


def test_a_client_is_told_why_there_is_no_server_and_sees_only_the_protocol(surroundings: dict[str, str]) -> None:
    surroundings["UV_FAILS_WITH"] = "dns error"
    with ended_for_sure(start(surroundings, "serve")) as process:
        asked = [{"jsonrpc": "2.0", "id": 7, "method": "server/discover"}, {"jsonrpc": "2.0", "method": "note"},
                 {"jsonrpc": "2.0", "id": 8, "method": "initialize"}]  # fmt: skip
        out, _ = process.communicate("".join(json.dumps(message) + "\n" for message in asked), timeout=60)
    answers = [json.loads(line) for line in out.splitlines()]
    assert [answer["id"] for answer in answers] == [7, 8]
    assert all("go online once" in answer["error"]["message"] for answer in answers)


def test_a_builder_that_was_killed_leaves_a_half_environment_that_nobody_uses(
    surroundings: dict[str, str], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "gate")
    with ended_for_sure(start({**surroundings, "UV_WAITS_FOR": str(tmp_path / "gate")}, "--version")) as process:
        until(lambda: environments(surroundings))
        builder = int(Path(surroundings["CLAUDE_PLUGIN_DATA"], "environments", "lock").read_text())
        os.killpg(builder, signal.SIGKILL)
        assert process.wait(10) == 1
    assert len(environments(surroundings)) == 1
    assert ended(surroundings, "--version")[:2] == (0, "realign 0.1.0\n")
    assert built(surroundings) == 2


def test_without_a_python_that_will_do_and_without_uv_the_start_says_what_to_install(
    surroundings: dict[str, str], tmp_path: Path
) -> None:
    tools = tmp_path / "few tools"
    tools.mkdir()
    (tools / "python3").write_text(
        "#!/bin/sh\ncase $* in *ensurepip*) echo 3 9 True /usr/bin/python3; exit;; esac\nexit 1\n"
    )
    (tools / "python3").chmod(0o755)
    code, _, err = ended({**surroundings, "PATH": str(tools)}, "--version")
    assert code == 1 and "no Python that will do. Expected: 3.11 or later, or uv. Try: install" in err
