"""Tasks on two machines: the same rollouts, the same verdicts, in the same order as on one. Only times differ."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from processes import TIDES
from realign import workflow
from realign.hardware.hosts import LOCAL, Host, Hosts
from realign.intake.request import Request
from realign.intake.start import start_run
from realign.job.ranks import share_among
from realign.run import Run
from realign.work import Share

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ranks")]


def judged(run: Run, share: Share | None) -> list[Any]:
    for stage in ("source", "candidates", "judge", "select"):
        workflow.run_stage(run, stage, share=share)
    trials = [(t.id, t.text, t.verdict, t.again) for t in run.records("trial")]
    return [list(run.records("completion")), trials, list(run.records("example")), list(run.records("pair"))]


def test_two_machines_roll_out_and_verify_what_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALIGN_HOME", str(tmp_path / "home"))
    request = Request((str(TIDES),), "rlvr", settings={"filter": {"benchmarks": []}}, output=str(tmp_path))
    with closing(start_run(request)) as run:
        shutil.copytree(run.folder, tmp_path / "copy")
        alone = judged(run, None)
    two = Hosts("hosts.json", "ring", (Host(LOCAL, (LOCAL,), (), ""), Host(LOCAL, (LOCAL,), (), "")))
    with closing(Run.open(tmp_path / "copy")) as copy:
        assert judged(copy, share_among(two)) == alone
        assert all(part["examples"] for part in copy.noted("machines of judge"))
    assert alone[1] and alone[2]
