"""What is seen of an alignment while it goes on: the gates so far, and which attempt was rejected by what."""

from pathlib import Path

import pytest
from alignments import begin, go, pairs

from realign import workflow
from realign.report.summary import summarize
from realign.run import Run
from realign.views.check import check_run


def test_a_training_under_way_shows_what_rejected_its_last_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REALIGN_HOME", str(tmp_path / "home"))
    run = go(begin(tmp_path, pairs(60), fine_tuning={"schedule": "1:1e-5"}, gates={"loss_falls": 9.0}), "sft")
    assert run.stage("sft").status == "blocked" and summarize(run).tier == "REJECT"
    with run.writing("a test"):
        run.db.execute("UPDATE stages SET status = 'running'")
        checked = check_run(run)
        assert summarize(run).status == "running"
    assert checked.tier is None
    assert any("sft, attempt 4 was rejected: held-out loss falls" in note for note in checked.notes)
    assert workflow.states(run)[0].status == "cancelled", "nobody writes it any more"


def test_the_kl_of_a_preference_training_is_shown_on_the_way_and_grows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REALIGN_HOME", str(tmp_path / "home"))
    told: list[str] = []
    monkeypatch.setattr(Run, "progress", lambda run, stage, done, total, message: told.append(message))
    run = begin(tmp_path, pairs(60), training={"evaluate_every": 2}, optimizing={"schedule": "4:1e-3"})
    go(run, "sft", "preferences", "reference", "reward", "optimize")
    drift = [step.values["held-out kl"] for step in run.records("step") if "held-out kl" in step.values]
    assert len(drift) == 2 and 0 < drift[0] < drift[1]
    assert f"kl {drift[-1]:.3g}" in next(line for line in reversed(told) if line.startswith("loss"))
