"""kill -9 at random moments: what a killed and resumed run leaves is what an unbroken one leaves, byte for byte."""

import contextlib
import os
import random
import signal
from contextlib import closing
from pathlib import Path

import pytest

from processes import EASY, TIDES, contents, dataset_bytes, until
from realign.errors import StageFailed
from realign.intake.request import Request
from realign.intake.start import start_run
from realign.job.process import carry_on, finish, start_stage
from realign.run import Run

KILLS = 20
LONGEST = 1.2  # seconds from the moment a worker has the run to its end


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALIGN_HOME", str(tmp_path / "home"))


def new_run(folder: Path) -> Run:
    return start_run(Request((str(TIDES),), settings={"gates": EASY}, output=str(folder)))


def kill_once(run: Run, chance: random.Random) -> bool:
    """Start a worker and kill it, alone or with its group, at a random moment. False when it had finished before."""
    job = start_stage(run.folder, "all")
    until(lambda: run.holder() or not job.running())
    with contextlib.suppress(AssertionError):
        until(lambda: not job.running(), chance.uniform(0.0, LONGEST))
    alive = job.running()
    if alive and chance.random() < 0.5:
        os.kill(job.process.pid, signal.SIGKILL)
    elif alive:
        os.killpg(job.process.pid, signal.SIGKILL)
    with contextlib.suppress(StageFailed):
        finish(job)
    return alive


@pytest.mark.slow
def test_after_twenty_kills_the_dataset_is_that_of_an_unbroken_run(tmp_path: Path) -> None:
    with closing(new_run(tmp_path / "unbroken")) as unbroken:
        carry_on(unbroken.folder, "all", lambda progress: None)
        expected, files = contents(unbroken, "counters"), dataset_bytes(unbroken.folder)
    chance, kills, stages = random.Random(20260128), 0, set()
    for attempt in range(KILLS):
        with closing(new_run(tmp_path / str(attempt))) as run:
            while kills < KILLS and kill_once(run, chance):
                kills += 1
                kept = contents(run, "counters")
                stages |= {row[0] for row in run.db.execute("SELECT name FROM stages WHERE status = 'running'")}
                assert kept["records"] == expected["records"][: len(kept["records"])]
                assert kept["drops"] == expected["drops"][: len(kept["drops"])]
            carry_on(run.folder, "all", lambda progress: None)
            assert contents(run, "counters") == expected
            assert dataset_bytes(run.folder) == files
        if kills == KILLS:
            break
    assert kills == KILLS
    assert len(stages) >= 2, f"kills hit {stages} only"


def test_a_run_killed_with_its_settings_unwritten_is_not_taken_up_again(tmp_path: Path) -> None:
    with closing(Run.create(tmp_path / "out", "dpo", "tides")) as torn:
        pass
    with closing(start_run(Request((str(TIDES),), output=str(tmp_path / "out")))) as run:
        assert run.folder != torn.folder
