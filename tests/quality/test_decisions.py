"""A person's word re-admits what a rule dropped, makes exactly that stage stale, and never overrides contamination."""

import pytest

from realign import workflow
from realign.cli import main
from realign.errors import EmptyInput, UsageError
from realign.quality.decisions import decide, in_words, latest, overturned, readmitted
from realign.quality.ledger import ledger
from realign.records import Dropped, Pair
from realign.report.card import render_card
from realign.report.page import render_page
from realign.report.summary import as_text, summarize
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
    with pytest.raises(EmptyInput, match=r"filter left nothing: an answer under 40 words \(38\)"):
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


def reject(run: Run, *places: int) -> list[str]:
    ids = [pair.id for place, pair in enumerate(kept_pairs(run)) if place in places]
    for pair in ids:
        decide(run, pair, keep=False, note="wrong: the quay is wood", by="Ada")
    return ids


def kept_pairs(run: Run) -> list[Pair]:
    lost = {drop.record for drop in dropped(run, "filter")}
    return [pair for pair in run.records("pair") if pair.id not in lost]


def test_a_rejected_pair_leaves_the_export_and_every_count_still_adds_up(tmp_path):
    run = build_run(tmp_path, pairs=40)
    before = {row.parent: row.split for row in run.records("row")}
    gone = reject(run, 3, 4)
    assert [s.name for s in workflow.states(run) if s.status == "stale"] == ["export"]
    verdicts = workflow.run_stage(run, "export")
    after = {row.parent: row.split for row in run.records("row")}
    assert after == {pair: split for pair, split in before.items() if pair not in gone}
    assert [(d.step, d.reason, d.detail) for d in dropped(run, "export")] == [
        ("review", "rejected by a person", "wrong: the quay is wood")
    ] * 2
    assert next(v for v in verdicts if v.gate == "counts reconcile").value == 1.0
    assert (ledger(run)[-1].entered, ledger(run)[-1].kept, ledger(run)[-1].dropped) == (40, 38, 2)
    lines = [(run.folder / f"{split}.jsonl").read_text().splitlines() for split in ("train", "valid", "test")]
    assert sum(map(len, lines)) == 38
    assert list(run.folder.glob("*.stale")) == []


def test_a_rejection_that_is_taken_back_after_an_export_brings_the_row_back(tmp_path):
    run = build_run(tmp_path, pairs=40)
    (gone,) = reject(run, 3)
    workflow.run_stage(run, "export")
    decide(run, gone, keep=True)
    workflow.run_stage(run, "export")
    assert run.count("row") == 40 and dropped(run, "export") == []


def test_a_run_of_which_every_row_is_rejected_says_so_and_exports_nothing(tmp_path):
    run = build_run(tmp_path, pairs=40)
    reject(run, *range(40))
    with pytest.raises(EmptyInput, match="a person rejected 40"):
        workflow.run_stage(run, "export")


def test_the_share_overturned_counts_rows_looked_at_and_nothing_that_the_filter_dropped(tmp_path):
    run = build_run(tmp_path, pairs=40)
    assert in_words(overturned(run)) == "not measured: no person has looked at a row"
    lost = dropped(run, "filter")[0].record
    decide(run, lost, keep=False)
    assert overturned(run).value is None
    decide(run, lost, keep=True)
    reject(run, 0, 1, 2)
    for pair in kept_pairs(run)[2:40]:
        decide(run, pair.id, keep=True)
    measure = overturned(run)
    assert (measure.n, measure.value, measure.details) == (40, 2 / 40, {"of": 40, "rejected": 2})
    assert in_words(measure) == "a person looked at 40 of 40, overturned 2: 5.0 % (0.0 to 12.5)"


def test_decisions_that_are_all_alike_have_no_interval(tmp_path):
    run = build_run(tmp_path, pairs=8)
    decide(run, kept_pairs(run)[0].id, keep=True)
    assert in_words(overturned(run)).endswith("looked at 1 of 8, overturned 0: 0.0 % (no interval: all decided alike)")


def test_card_report_and_summary_say_what_a_person_overturned(tmp_path):
    run = build_run(tmp_path, pairs=8)
    assert "`realign review`: not measured: no person has looked at a row." in render_card(run)
    reject(run, 0)
    decide(run, kept_pairs(run)[1].id, keep=True)
    words = "a person looked at 2 of 8, overturned 1: 50.0 % (0.0 to 100.0)"
    assert all(words in text for text in (render_card(run), render_page(run), as_text(summarize(run))))


def test_the_command_readmits_all_the_rows_named_or_none(tmp_path, capsys):
    run = build_run(tmp_path, pairs=8)
    lost = dropped(run, "filter")[0].record
    assert main(["readmit", str(run.folder), lost, "nobody", "--reason", "seen"]) == 2
    assert run.count("decision") == 0
    assert main(["readmit", str(run.folder), lost, "--reason", "seen", "--by", "Ada", "--json"]) == 0
    assert (latest(run)[lost].note, latest(run)[lost].by) == ("seen", "Ada")
    assert '"overrides": "filter"' in capsys.readouterr().out
