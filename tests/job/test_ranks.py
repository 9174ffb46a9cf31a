"""Several machines on one stage, for real: ranks under mlx.launch over the ring, on this machine's loopback.

A machine is slow, or answers otherwise, because its interpreter is a script that spoils it; it is lost because its
process is killed or stopped. What comes out is compared with one process, record by record.
"""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from processes import EASY, TIDES, until
from ranks import hosts, ranks_of
from realign import workflow
from realign.errors import Interrupted, StageFailed
from realign.hardware.hosts import LOCAL, Host, Hosts
from realign.intake.request import Request
from realign.intake.start import start_run
from realign.job.ranks import share_among
from realign.run import Run

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ranks")]
SLOW = "import time, realign.job.rounds as r; p = r.pack; r.pack = lambda b: (time.sleep(0.1), p(b))[1]"
HALF_AS_FAST = SLOW.replace("0.1", "0.2")
ODD = "import realign.curate.judges.extractive as e; e.JUDGES = {k: lambda *a: 0.123 for k in e.JUDGES}"
BROKEN = "import realign.curate.judge as j; j.cases = None"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run whose prompts are answered and not yet judged."""
    folder = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REALIGN_HOME", str(folder / "home"))
        with closing(start_run(Request((str(TIDES),), settings={"gates": EASY}, output=str(folder)))) as run:
            for stage in ("source", "candidates"):
                workflow.run_stage(run, stage)
            yield run.folder


@pytest.fixture
def run(prepared: Path, tmp_path: Path) -> Iterator[Run]:
    shutil.copytree(prepared, tmp_path / "run")
    with closing(Run.open(tmp_path / "run")) as copy:
        yield copy


@pytest.fixture(scope="module")
def alone(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What one process makes of it."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    shutil.copytree(prepared, folder)
    with closing(Run.open(folder)) as copy:
        workflow.run_stage(copy, "judge")
        return contents(copy)


def contents(run: Run) -> list[Any]:
    """The stage's records, drops and finished items, in order."""
    queries = (
        "SELECT id, body FROM records WHERE stage = 'judge' ORDER BY seq",
        "SELECT record, reason, detail FROM drops WHERE stage = 'judge' ORDER BY seq",
        "SELECT item FROM done WHERE stage = 'judge'",
    )
    return [list(run.db.execute(query)) for query in queries]


def machines(run: Run) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run.noted("machines of judge")
    return found


def while_running(act: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=act)
    thread.start()
    return thread


def rank_once_it_works(run: Run, rank: int) -> int:
    """The process of a rank, once the first round has been kept."""
    until(lambda: run.count("judgment"))
    return until(lambda: ranks_of(os.getpid()).get(rank) or 0)


def test_two_machines_make_what_one_makes_and_the_record_says_who_did_what(
    run: Run, alone: list[Any], tmp_path: Path
) -> None:
    workflow.run_stage(run, "judge", share=share_among(hosts(tmp_path, "", "")))
    assert contents(run) == alone
    parts = machines(run)
    assert sum(part["examples"] for part in parts) == len(alone[2])
    assert all(part["examples"] and part["seconds"] > 0 for part in parts)
    assert all(part["in_force"]["TOKENIZERS_PARALLELISM"] == "false" for part in parts)
    assert parts[0]["process"] != parts[1]["process"]
    assert ranks_of(os.getpid()) == {}


def test_a_machine_at_half_speed_gets_less_and_the_dataset_is_the_same(
    run: Run, alone: list[Any], tmp_path: Path
) -> None:
    workflow.run_stage(run, "judge", share=share_among(hosts(tmp_path, SLOW, HALF_AS_FAST)))
    assert contents(run) == alone
    fast, slow = machines(run)
    assert slow["examples"] < 0.8 * fast["examples"]


def test_a_killed_machines_share_is_done_by_the_others(run: Run, alone: list[Any], tmp_path: Path) -> None:
    with closing(Run.open(run.folder)) as watched:
        killer = while_running(lambda: os.kill(rank_once_it_works(watched, 1), signal.SIGKILL))
        workflow.run_stage(run, "judge", share=share_among(hosts(tmp_path, SLOW, SLOW, SLOW)))
        killer.join()
    assert contents(run) == alone
    (event,) = run.events()
    assert "host 2" in event[2] and "died" in event[2]
    assert [part["examples"] > 0 for part in machines(run)] == [True, True, True]


def test_the_first_machine_may_be_lost_too_and_coordinates_from_then_on(
    run: Run, alone: list[Any], tmp_path: Path
) -> None:
    with closing(Run.open(run.folder)) as watched:
        killer = while_running(lambda: os.kill(rank_once_it_works(watched, 0), signal.SIGKILL))
        workflow.run_stage(run, "judge", share=share_among(hosts(tmp_path, SLOW, SLOW)))
        killer.join()
    assert contents(run) == alone
    assert "host 1" in run.events()[0][2]


def test_a_machine_that_freezes_is_left_behind(run: Run, alone: list[Any], tmp_path: Path) -> None:
    with closing(Run.open(run.folder)) as watched:
        freezer = while_running(lambda: os.kill(rank_once_it_works(watched, 1), signal.SIGSTOP))
        workflow.run_stage(run, "judge", share=share_among(hosts(tmp_path, SLOW, SLOW), frozen_after=3.0))
        freezer.join()
    assert contents(run) == alone
    assert [("no sign of life" in event[2], "goes on alone" in event[2]) for event in run.events()] == [
        (True, False),
        (False, True),
    ]
    assert ranks_of(os.getpid()) == {}


def test_a_machine_that_answers_otherwise_is_named_and_its_share_is_done_again(
    run: Run, alone: list[Any], tmp_path: Path
) -> None:
    workflow.run_stage(run, "judge", share=share_among(hosts(tmp_path, "", "", ODD)))
    assert contents(run) == alone
    assert [part.get("divergent", False) for part in machines(run)] == [False, False, True]
    assert machines(run)[2]["examples"] == 0


def test_two_machines_that_answer_differently_end_in_an_error_that_names_them(run: Run, tmp_path: Path) -> None:
    with pytest.raises(StageFailed, match=r"rank 0 .*rank 1 .*differently"):
        workflow.run_stage(run, "judge", share=share_among(hosts(tmp_path, "", ODD)))


def test_an_error_on_one_machine_is_told_with_its_name_and_nobody_hangs(run: Run, tmp_path: Path) -> None:
    with pytest.raises(StageFailed, match=r"On host 2 .*TypeError"):
        workflow.run_stage(run, "judge", share=share_among(hosts(tmp_path, "", BROKEN)))
    assert run.stage("judge").status == "failed"
    assert ranks_of(os.getpid()) == {}


def test_a_machine_with_other_code_is_refused(run: Run, tmp_path: Path) -> None:
    other = "import realign.workflow as w; w.code_hash = lambda places: 'other'"
    with pytest.raises(StageFailed, match=r"Rank 1 .*other code"):
        workflow.run_stage(run, "judge", share=share_among(hosts(tmp_path, "", other)))


def test_a_machine_that_cannot_start_is_left_out(run: Run, alone: list[Any], tmp_path: Path) -> None:
    missing = Host(LOCAL, (LOCAL,), (), str(tmp_path / "no" / "python"))
    two = Hosts("hosts.json", "ring", (Host(LOCAL, (LOCAL,)), missing))
    workflow.run_stage(run, "judge", share=share_among(two))
    assert contents(run) == alone
    assert "host 2" in run.events()[0][2]


def test_stopping_ends_every_rank_and_what_was_kept_is_gone_on_from(run: Run, alone: list[Any], tmp_path: Path) -> None:
    share = share_among(hosts(tmp_path, SLOW, SLOW))
    with pytest.raises(Interrupted):
        workflow.run_stage(run, "judge", lambda: run.count("judgment") > 0, share)
    assert ranks_of(os.getpid()) == {}
    assert 0 < len(contents(run)[2]) < len(alone[2])
    workflow.run_stage(run, "judge", share=share_among(hosts(tmp_path, "", "")))
    assert contents(run) == alone
