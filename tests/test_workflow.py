"""Fingerprints say exactly what is stale, and REJECT blocks whatever the stored verdict says."""

import pytest

from realign import workflow
from realign.errors import Blocked, UsageError
from realign.run import Run
from support import build_run

NAMES = [stage.name for stage in workflow.CURATE["dpo"]]


def change(run: Run, **settings: object) -> None:
    run.note("settings", {**run.noted("settings"), **settings})


def stale(run: Run) -> list[str]:
    return [state.name for state in workflow.states(run) if state.status == "stale"]


@pytest.mark.parametrize(
    ("section", "value", "first"),
    [
        ("source", {"passage_words": 200}, "source"),
        ("candidates", {"per_prompt": 4}, "candidates"),
        ("judge", {"scale": 7}, "judge"),
        ("select", {"minimum_gap": 0.2}, "select"),
        ("filter", {"duplicate_jaccard": 0.9}, "filter"),
        ("export", {"seed": 3}, "export"),
    ],
)
def test_a_changed_setting_makes_exactly_its_stage_and_the_later_ones_stale(tmp_path, section, value, first):
    run = build_run(tmp_path)
    assert stale(run) == []
    change(run, **{section: value})
    assert stale(run) == NAMES[NAMES.index(first) :]
    assert workflow.next_stage(run) == first


def test_a_changed_source_makes_everything_stale(tmp_path):
    run = build_run(tmp_path)
    run.note("sources", [{**run.noted("sources")[0], "sha256": "0" * 64}])
    assert stale(run) == NAMES


def test_prices_and_thresholds_make_nothing_stale(tmp_path):
    run = build_run(tmp_path)
    change(run, cost={"watts": 60.0}, gates={**run.noted("settings").get("gates", {}), "length_bias": 0.6})
    assert stale(run) == []


def test_running_a_stage_again_under_other_settings_removes_only_its_output_and_what_follows(tmp_path):
    run = build_run(tmp_path)
    prompts, judgments = run.count("prompt"), run.count("judgment")
    change(run, select={"minimum_gap": 0.3})
    workflow.run_stage(run, "select")
    assert (run.count("prompt"), run.count("judgment"), run.count("row")) == (prompts, judgments, 0)
    assert workflow.next_stage(run) in ("select", "filter")


def test_a_stored_verdict_is_not_believed(tmp_path):
    run = build_run(tmp_path, until="judge")
    with run.transaction():
        run.db.execute("DELETE FROM records WHERE kind = 'judgment'")
    assert run.stage("judge").status == "passed"
    with pytest.raises(Blocked, match="every completion judged"):
        workflow.run_stage(run, "select")


def test_a_stage_can_not_be_jumped_over(tmp_path):
    run = build_run(tmp_path, until="source")
    with pytest.raises(Blocked, match="judge can't start: candidates is waiting"):
        workflow.run_stage(run, "judge")


def test_an_unknown_stage_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(UsageError, match="source, candidates, judge"):
        workflow.run_stage(build_run(tmp_path, until="source"), "polish")
