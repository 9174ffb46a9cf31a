"""A person's word re-admits what a rule dropped, makes exactly that stage stale, and never overrides contamination."""

import pytest

from realign import workflow
from realign.errors import UsageError
from realign.quality.decisions import decide, latest, readmitted
from realign.records import Dropped
from realign.run import Batch, Run
from support import SETTINGS, build_run

WIDE = {**SETTINGS, "select": {"minimum_gap": 0.45}}
LONG = {**SETTINGS, "filter": {"benchmarks": [], "shortest_answer": 40}}


def dropped(run: Run, stage: str) -> list[Dropped]:
    return [drop for _, drop in run.drops(stage)]


def selected_again(tmp_path, settings) -> Run:
    run = build_run(tmp_path, pairs=36, until="judge", settings=settings)
    workflow.run_stage(run, "select")
    return run


def test_what_a_filter_dropped_comes_back_when_a_person_wants_it_and_only_from_the_filter_on(tmp_path):
    run = selected_again(tmp_path, LONG)
    workflow.run_stage(run, "filter")
    lost, others = dropped(run, "filter")[0], len(dropped(run, "filter"))
    decide(run, lost.record, keep=True, note="short and right", by="Ada")
    assert [s.name for s in workflow.states(run) if s.status == "stale"] == ["filter"]
    workflow.run_stage(run, "filter")
    assert others > 1
    assert lost.record not in {drop.record for drop in dropped(run, "filter")}
    assert len(dropped(run, "filter")) == others - 1
    assert (latest(run)[lost.record].note, latest(run)[lost.record].by) == ("short and right", "Ada")


def test_a_prompt_without_a_wide_gap_gives_its_best_pair_when_it_is_readmitted(tmp_path):
    run = selected_again(tmp_path, WIDE)
    lost, others = dropped(run, "select")[0], len(dropped(run, "select"))
    decide(run, lost.record, keep=True)
    workflow.run_stage(run, "select")
    assert len(dropped(run, "select")) == others - 1
    pair = next(pair for pair in run.records("pair") if pair.parent == lost.record)
    assert 0 < pair.gap < 0.45


def test_a_contaminated_row_is_never_readmitted_and_the_refusal_says_why(tmp_path):
    run = build_run(tmp_path, pairs=8, until="select")
    pair = next(run.records("pair"))
    drop = Dropped(pair.id, "pair", "decontamination", "shares text with gsm8k", "7: 13 words")
    run.commit("filter", Batch([pair.id], drops=[drop]))
    with pytest.raises(UsageError, match="shares text with gsm8k; it can't be re-admitted"):
        decide(run, pair.id, keep=True)
    assert readmitted(run, "filter") == set()


def test_the_last_decision_counts_and_all_are_kept(tmp_path):
    run = build_run(tmp_path, pairs=8)
    lost = dropped(run, "filter")[0].record
    decide(run, lost, keep=True)
    decide(run, lost, keep=False, note="on second thought")
    assert not latest(run)[lost].keep
    assert readmitted(run, "filter") == set()
    assert run.count("decision") == 2


def test_approving_a_selected_pair_makes_nothing_stale_and_running_again_forgets_no_decision(tmp_path):
    run = build_run(tmp_path, pairs=8)
    pair = list(run.records("pair"))[-1]
    decide(run, pair.id, keep=True)
    assert not [s.name for s in workflow.states(run) if s.status == "stale"]
    run.note("settings", {**run.noted("settings"), "source": {"passage_words": 200}})
    run.begin("source", 0, "another fingerprint")
    assert (run.count("pair"), run.count("decision")) == (0, 1)


def test_an_unknown_record_and_a_drop_that_no_stage_can_override_are_refused(tmp_path):
    run = build_run(tmp_path, pairs=8)
    with pytest.raises(UsageError, match="no record 'nobody'"):
        decide(run, "nobody", keep=True)
    unclear = next(drop for _, drop in run.drops("source") if drop.kind == "prompt")
    with pytest.raises(UsageError, match="only select and filter can be overridden"):
        decide(run, unclear.record, keep=True)
