import dataclasses
import json
import re

from realign.quality.gates import Verdict
from realign.report.summary import EXTRACTIVE, as_text, duration, gate_lines, origin, summarize
from realign.run import Run
from support import SETTINGS, Batches, build_run, export_changed, start


def test_a_finished_run_says_its_tier_its_examples_and_their_splits(tmp_path):
    summary = summarize(build_run(tmp_path, pairs=40))
    assert (summary.tier, summary.status, summary.next_stage) == ("MEDIUM", "warned", "")
    assert (summary.examples, summary.splits) == (40, {"train": 32, "valid": 4, "test": 4})
    assert "tier MEDIUM because of pairs, rows, 40 examples" in summary.text and "\n" not in summary.text


def test_a_run_with_enough_pairs_is_high(tmp_path):
    summary = summarize(build_run(tmp_path, pairs=100))
    assert (summary.tier, summary.status) == ("HIGH", "passed")


def test_what_was_not_measured_says_so(tmp_path):
    run = build_run(tmp_path, pairs=40)
    summary = summarize(run)
    assert (summary.machine, summary.batch_size) == ("not measured", None)
    assert re.search(r"Cost +not measured", as_text(summary))


def test_plan_and_cost_of_the_run_are_shown(tmp_path):
    run = build_run(tmp_path, pairs=40)
    run.note("plan", {"machine": "M4 Max", "batch_size": 32})
    run.note(
        "cost", {"machine": "M4 Max", "batch_size": 16, "total": 0.0125, "per_example": 0.0003125, "currency": "EUR"}
    )
    summary = summarize(run)
    assert (summary.machine, summary.batch_size) == ("M4 Max", 16)
    assert "0.0125 EUR, 0.000313 EUR an example" in as_text(summary)


def test_the_tier_comes_from_the_records_and_not_from_what_was_stored(tmp_path):
    run = build_run(tmp_path, pairs=40, until="filter")
    export_changed(run, lambda rows: [dataclasses.replace(row, split="test") for row in rows[1:]])
    run.end("export", "passed")  # a lie about the stage
    assert summarize(run).tier == "REJECT"


def test_a_run_that_a_gate_stopped_says_which_and_where_it_stands(tmp_path):
    def unclear(batches: Batches) -> None:
        document = batches["source"].records[0]
        pages = tuple(dataclasses.replace(page, verdict="empty") for page in document.pages)
        batches["source"].records[0] = dataclasses.replace(document, pages=pages)

    summary = summarize(build_run(tmp_path, until="source", change=unclear))
    assert (summary.tier, summary.status, summary.examples) == ("REJECT", "blocked", 0)
    assert "blocked, no dataset yet, tier REJECT so far because of parse success" in summary.text
    assert "train" not in summary.paths and as_text(summary).endswith("Train  not written")


def test_a_run_in_the_middle_is_summarized_as_far_as_it_came(tmp_path):
    summary = summarize(build_run(tmp_path, until="judge"))
    assert (summary.status, summary.next_stage) == ("waiting", "select")
    assert summary.measured == ("source", "candidates", "judge")
    assert {verdict.stage for verdict in summary.verdicts} == {"source", "candidates", "judge"}


def test_a_run_that_never_started_has_no_tier(tmp_path):
    run = Run.create(tmp_path, "dpo", "nothing")
    start(run, SETTINGS)
    summary = summarize(run)
    assert (summary.tier, summary.next_stage, summary.verdicts) == ("not measured", "source", ())


def test_another_setting_makes_the_later_stages_stale_and_is_listed(tmp_path):
    run = build_run(tmp_path, pairs=40)
    run.note("settings", {**SETTINGS, "select": {"minimum_gap": 0.2}})
    summary = summarize(run)
    assert (summary.status, summary.next_stage) == ("stale", "select")
    changed = {each.name: (each.used, each.default) for each in summary.changed}
    assert changed["select.minimum_gap"] == (0.2, 0.15)
    assert "gates.pairs_high = 100 (default 1000)" in as_text(summary)


def test_a_model_that_is_gone_does_not_keep_a_run_from_its_summary(tmp_path):
    run = build_run(tmp_path, pairs=40)
    run.note("settings", {**SETTINGS, "judge": {"judge": str(tmp_path / "gone")}})
    summary = summarize(run)
    assert (summary.tier, summary.examples) == ("MEDIUM", 40)
    assert "stale can't be told: No model folder" in summary.notes[0] and summary.notes[0] in as_text(summary)


def test_drops_are_counted_by_stage_step_and_reason(tmp_path):
    found = {(drop.stage, drop.kind, drop.reason): drop.count for drop in summarize(build_run(tmp_path)).dropped}
    assert found["source", "prompt", "points outside its passage"] == 3
    assert found["filter", "pair", "near duplicate"] == 1
    assert sum(found.values()) == 7


def test_the_extractive_author_is_named_for_what_it_is(tmp_path):
    summary = summarize(build_run(tmp_path))
    assert (summary.author, summary.judge) == ("extractive", "extractive")
    assert EXTRACTIVE in summary.origin and EXTRACTIVE in as_text(summary)
    assert origin(["Qwen2.5-7B"], "Qwen2.5-7B") == "written by Qwen2.5-7B; judged by Qwen2.5-7B"


def test_the_text_ends_in_the_tier_and_the_path_of_the_training_file(tmp_path):
    run = build_run(tmp_path)
    assert as_text(summarize(run)).splitlines()[-2:] == ["Tier   MEDIUM", f"Train  {run.folder / 'train.jsonl'}"]


def test_a_summary_is_plain_values_that_json_takes(tmp_path):
    text = json.dumps(dataclasses.asdict(summarize(build_run(tmp_path))))
    assert json.loads(text)["tier"] == "MEDIUM"


def test_durations_read_as_people_say_them():
    assert [duration(s) for s in (0.82, 12.4, 200, 3900)] == ["0.8 s", "12 s", "3 min 20 s", "1 h 05 min"]


def test_a_long_gate_stands_apart_from_its_tier():
    verdict = Verdict(
        "validate", "reward beats its baselines", "HIGH", True, 0.4, 0.3, 0.5, 9, "", "> 0", "hard", False, "", "", {}
    )
    assert "reward beats its baselines HIGH" in gate_lines((verdict,))[1]
