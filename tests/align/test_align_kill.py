"""kill -9 of a whole `realign align`, command and worker: the same words again end as an unbroken run does."""

import contextlib
import os
import random
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alignments import QUICK, as_words, pairs, weights, write_rows

from processes import contents, ended_for_sure, until, workers_of
from realign.run import Run

KILLS = 3
LONGEST = 6.0  # seconds from the worker's start to its end
EXPORTS = ("tokenizer.json", "tokenizer_config.json", "config.json")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALIGN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLX_DISABLE_COMPILE", "1")


def words(folder: Path) -> list[str]:
    settings = [word for setting in as_words(QUICK) for word in ("--set", setting)]
    data = write_rows(folder / "data.jsonl", pairs())
    command = [sys.executable, "-m", "realign", "align", "--data", str(data), "--type", "dpo", "--quiet"]
    return [*command, "-o", str(folder / "out"), *settings]


def the_run(folder: Path) -> Path:
    (found,) = until(lambda: list((folder / "out").glob("*/run.db")))
    return found.parent


def everything(folder: Path) -> tuple[dict, dict, list[bytes]]:
    with closing(Run.open(the_run(folder))) as run:
        model = run.folder / "model"
        return contents(run, "gates"), weights(run), [(model / name).read_bytes() for name in EXPORTS]


def killed(folder: Path, seconds: float) -> str:
    """Start the command and kill it and its worker; gives the stage that was running, "" where it had ended before."""
    with ended_for_sure(subprocess.Popen(words(folder), stderr=subprocess.PIPE, text=True)) as process:
        run = the_run(folder)
        workers = until(lambda: workers_of(run) or process.poll() is not None)
        with contextlib.suppress(AssertionError):
            until(lambda: process.poll() is not None, seconds)
        if process.poll() is not None or not isinstance(workers, list):
            return ""
        process.kill()
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(worker, signal.SIGKILL)
    until(lambda: not workers_of(run))
    with closing(Run.open(run)) as opened:
        rows = opened.db.execute("SELECT name FROM stages WHERE status = 'running'").fetchall()
    return rows[0][0] if rows else "between two stages"


@pytest.mark.slow
def test_an_alignment_that_is_killed_again_and_again_ends_as_an_unbroken_one(tmp_path: Path) -> None:
    for name in ("straight", "killed"):
        (tmp_path / name).mkdir()
    subprocess.run(words(tmp_path / "straight"), check=True, capture_output=True)
    chance, hit = random.Random(20260128), []
    while len(hit) < KILLS and (stage := killed(tmp_path / "killed", chance.uniform(0.5, LONGEST))):
        hit.append(stage)
    again = subprocess.run(words(tmp_path / "killed"), capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert hit and everything(tmp_path / "killed") == everything(tmp_path / "straight")
    assert not [path for path in (tmp_path / "killed").rglob("*") if "partial" in path.name]
