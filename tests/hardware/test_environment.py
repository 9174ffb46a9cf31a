"""The environment and priority of workers: set, measured, and never in the way."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from realign.hardware.environment import (
    FACTS,
    changes,
    in_force,
    operating_system,
    raise_priority,
    worker_environment,
)

SERVER = Path(__file__).resolve().parents[2] / "server"
SHOW = (
    "import dataclasses, json; from realign.hardware.environment import *;"
    "p = raise_priority(); print(json.dumps([dataclasses.asdict(p), in_force()]))"
)
SETPRIV = shutil.which("setpriv") or ""
may_renice = pytest.mark.skipif(
    subprocess.run(["nice", "-n", "-1", "true"], capture_output=True, check=False).stderr != b"",
    reason="needs the right to raise a priority",
)
can_drop = pytest.mark.skipif(not SETPRIV or os.geteuid() != 0, reason="needs root and setpriv to drop the right")


def raised(path: Path | None = None) -> tuple[dict[str, object], dict[str, object]]:
    """(priority, in force) of a real child that raises its own; given a PATH, it has that one and not the right."""
    environment = worker_environment({**os.environ, "PYTHONPATH": str(SERVER)})
    command = [sys.executable, "-c", SHOW]
    if path:
        environment["PATH"] = str(path)
        command = [SETPRIV, "--bounding-set=-sys_nice", "--inh-caps=-sys_nice", *command]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=30)
    priority, held = json.loads(done.stdout)
    return priority, held


def tools(folder: Path, sudo: str) -> Path:
    """A folder with a renice and with a sudo that does what the shell lines say."""
    (folder / "renice").symlink_to(shutil.which("renice") or "/usr/bin/renice")
    (folder / "sudo").write_text(f"#!/bin/sh\n{sudo}\n", encoding="utf-8")
    (folder / "sudo").chmod(0o755)
    return folder


def test_every_setting_is_in_the_workers_environment() -> None:
    made = worker_environment({"HOME": "/h"})
    assert {name: made[name] for name, _, _ in FACTS if name != "nice"} == {
        "MLX_METAL_PREALLOCATE": "1",
        "MLX_METAL_FAST_SYNCH": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "OPENBLAS_NUM_THREADS": "1",
    }
    assert made["HOME"] == "/h"


def test_the_base_is_left_alone_and_its_blas_threads_win() -> None:
    base = {"OPENBLAS_NUM_THREADS": "4", "TOKENIZERS_PARALLELISM": "true"}
    made = worker_environment(base)
    assert (made["OPENBLAS_NUM_THREADS"], made["TOKENIZERS_PARALLELISM"]) == ("4", "false")
    assert base == {"OPENBLAS_NUM_THREADS": "4", "TOKENIZERS_PARALLELISM": "true"}


def test_one_setting_turns_fast_synch_off() -> None:
    assert worker_environment({"MLX_METAL_FAST_SYNCH": "1"}, fast_synch=False)["MLX_METAL_FAST_SYNCH"] == "0"


def test_the_facts_do_not_claim_that_mlx_reads_preallocate() -> None:
    truths = {name: truth for name, _, truth in FACTS}
    assert "does not read it" in truths["MLX_METAL_PREALLOCATE"] and "hang" in truths["MLX_METAL_FAST_SYNCH"]


@may_renice
def test_a_worker_with_the_right_runs_at_minus_ten_and_reports_it() -> None:
    priority, held = raised()
    assert (priority["nice"], priority["how"], held["nice"]) == (-10, "own right", -10)
    assert held["MLX_METAL_FAST_SYNCH"] == "1"


SUDOS = {
    "refuses": "exit 1",
    "hangs": "exec /bin/sleep 60",
    "asks on the terminal": "read answer < /dev/tty || exit 1",
    "asks on its input": "read answer || exit 1",
    "claims success and does nothing": "exit 0",
}


@can_drop
@pytest.mark.parametrize("sudo", SUDOS.values(), ids=SUDOS.keys())
def test_without_the_right_the_work_goes_on_at_normal_priority_and_says_so(tmp_path: Path, sudo: str) -> None:
    priority, held = raised(tools(tmp_path, sudo))
    assert (priority["nice"], priority["how"], held["nice"]) == (0, "normal", 0)
    assert "normal priority" in str(priority["note"])


@can_drop
def test_no_sudo_at_all_is_no_obstacle(tmp_path: Path) -> None:
    assert raised(tmp_path)[0]["how"] == "normal"


@can_drop
@may_renice
def test_password_less_sudo_renices_the_running_process(tmp_path: Path) -> None:
    """The fake sudo passes its words to this test, which has the right and runs them as sudo would."""
    asked, answer = tmp_path / "asked", tmp_path / "answer"
    os.mkfifo(asked)
    os.mkfifo(answer)

    def be_root() -> None:
        flag, *command = asked.read_text(encoding="utf-8").split()
        done = subprocess.run(command, capture_output=True, check=False)
        answer.write_text(f"{0 if flag == '-n' else 1}{done.returncode}", encoding="utf-8")

    threading.Thread(target=be_root, daemon=True).start()
    folder = tools(tmp_path, f'printf "%s " "$@" > {asked}; read code < {answer}; test "$code" = 00')
    priority, held = raised(folder)
    assert (priority["nice"], priority["how"], held["nice"]) == (-10, "password-less sudo", -10)


def test_what_is_in_force_is_read_from_the_process_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLX_METAL_FAST_SYNCH", "0")
    monkeypatch.delenv("MLX_METAL_PREALLOCATE", raising=False)
    held = in_force()
    assert (held["MLX_METAL_FAST_SYNCH"], held["MLX_METAL_PREALLOCATE"]) == ("0", "not set")
    assert held["nice"] == os.getpriority(os.PRIO_PROCESS, 0)


def test_a_priority_that_is_high_enough_is_left_alone() -> None:
    now = os.getpriority(os.PRIO_PROCESS, 0)
    assert raise_priority(now).how == "as it was started" and os.getpriority(os.PRIO_PROCESS, 0) == now


@may_renice
def test_what_a_worker_starts_inherits_its_priority_and_its_environment() -> None:
    """As the reader of PDFs and the judge of code do."""
    child = "import os; print(os.getpriority(os.PRIO_PROCESS, 0), os.environ['TOKENIZERS_PARALLELISM'])"
    words = f"import subprocess, sys; conditions(); subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    command = [sys.executable, "-c", f"from realign.hardware.environment import conditions; {words}"]
    environment = worker_environment({**os.environ, "PYTHONPATH": str(SERVER)})
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.split() == ["-10", "false"]


def test_only_what_does_not_hold_any_more_is_a_change() -> None:
    first: dict[str, str | int] = {"nice": -10, "TOKENIZERS_PARALLELISM": "false"}
    assert changes(first, first) == {}
    assert changes(first, {"nice": 0, "TOKENIZERS_PARALLELISM": "false"}) == {"nice": "-10 at first, 0 now"}


def test_the_record_names_the_system_and_how_the_priority_came_about() -> None:
    """In a child: raising the priority of the tests themselves would outlast the test."""
    show = "import json; from realign.hardware.environment import *; print(json.dumps(conditions()))"
    command = [sys.executable, "-c", show]
    environment = worker_environment({**os.environ, "PYTHONPATH": str(SERVER)})
    held = json.loads(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    assert held["system"] == operating_system() and f"nice {held['nice']}" in held["priority"]
