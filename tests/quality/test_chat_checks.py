"""Every gate of SFT and SRF curation passes on a good run, and catches the fault that is planted for it."""

import dataclasses

import pytest

from chats import build_chats
from realign import workflow
from realign.quality.checks import sft
from realign.quality.evidence import Evidence
from realign.quality.gates import Verdict, judge_gate
from realign.quality.ledger import ledger
from realign.records import Difficulty, Judgment, Rating
from realign.run import Run
from realign.settings import Settings
from support import STAGES, Batches, export_changed


def verdicts_of(run: Run, stage: str) -> dict[str, Verdict]:
    found = workflow.judge_stage(run, workflow.stages_of(run)[STAGES.index(stage)], workflow.settings_of(run))
    return {verdict.gate: verdict for verdict in found}


def changed(batches: Batches, stage: str, kind: type, **values: object) -> None:
    batch = batches[stage]
    batch.records[:] = [dataclasses.replace(r, **values) if isinstance(r, kind) else r for r in batch.records]


def without(batches: Batches, stage: str, kind: type, each: int = 2) -> None:
    """Every `each`-th record of a kind is lost."""
    found = [record for record in batches[stage].records if isinstance(record, kind)][::each]
    batches[stage].records[:] = [record for record in batches[stage].records if record not in found]


@pytest.mark.parametrize("data_type", ["sft", "srf"])
def test_a_good_run_of_chats_passes_every_gate_and_reconciles(tmp_path, data_type):
    run = build_chats(tmp_path, data_type, prompts=150)
    found = {name: v for stage in STAGES for name, v in verdicts_of(run, stage).items()}
    assert {name: verdict.tier for name, verdict in found.items() if verdict.tier != "HIGH"} == {}
    assert [step for step in ledger(run) if step.off] == []


def test_a_prompt_that_gives_an_example_and_no_pair_reconciles(tmp_path):
    run = build_chats(tmp_path, "srf", prompts=42)
    assert (run.count("example"), run.count("pair")) == (42, 28)
    steps = {(step.stage, step.unit): (step.entered, step.kept) for step in ledger(run)}
    assert steps["select", "prompts"] == (42, 42)
    assert steps["export", "rows"] == (42, 42)
    assert steps["export", "preference rows"] == (28, 28)


def test_completions_that_were_not_rated_fail(tmp_path):
    run = build_chats(tmp_path, until="judge", change=lambda b: without(b, "judge", Rating))
    assert verdicts_of(run, "judge")["every completion rated"].tier == "REJECT"


def test_a_rating_outside_its_scale_counts_as_none(tmp_path):
    run = build_chats(tmp_path, until="judge", change=lambda b: changed(b, "judge", Rating, score=7.0))
    assert verdicts_of(run, "judge")["every completion rated"].value == 0.0


@pytest.mark.parametrize(("score", "tier"), [(0.5, "REJECT"), (0.7, "MEDIUM"), (0.9, "HIGH")])
def test_the_quality_score_goes_by_the_ratings_and_not_by_what_the_examples_say(tmp_path, score, tier):
    run = build_chats(tmp_path, until="select", change=lambda b: changed(b, "judge", Rating, score=score))
    verdict = verdicts_of(run, "select")["quality score"]
    assert (verdict.tier, verdict.value) == (tier, pytest.approx(1 + 9 * score))


@pytest.mark.parametrize(("given", "tier"), [(0.6, "REJECT"), (1.0, "MEDIUM"), (1.6, "HIGH")])
def test_ifd_goes_by_the_losses(tmp_path, given, tier):
    run = build_chats(tmp_path, until="select", change=lambda b: changed(b, "judge", Difficulty, given=given))
    verdict = verdicts_of(run, "select")["IFD"]
    assert (verdict.tier, verdict.value) == (tier, pytest.approx(given / 2.0))
    assert verdict.details["models"] == ["tiny model trained on this source (0.2M parameters, loss 3.0)"]


def test_examples_without_a_measured_difficulty_leave_ifd_not_measured(tmp_path):
    run = build_chats(tmp_path, until="select", change=lambda b: without(b, "judge", Difficulty, each=20))
    verdict = verdicts_of(run, "select")["IFD"]
    assert verdict.tier == "REJECT" and verdict.value is None and "IFD" in verdict.reason


def test_too_few_chats_fail(tmp_path):
    run = build_chats(tmp_path, prompts=20)
    assert verdicts_of(run, "filter")["chats"].tier == "REJECT"
    assert verdicts_of(run, "export")["chat rows"].tier == "REJECT"


def test_rows_that_say_a_worse_quality_are_caught_at_export(tmp_path):
    run = build_chats(tmp_path, until="filter")
    export_changed(
        run, lambda rows: [dataclasses.replace(row, data={**row.data, "scores": {"quality": 2.0}}) for row in rows]
    )
    found = verdicts_of(run, "export")
    assert found["quality score"].tier == "REJECT"
    assert found["IFD"].value is None and "scores.ifd_loss" in found["IFD"].reason


def test_an_srf_run_whose_pairs_lack_a_judge_is_rejected_at_every_stage(tmp_path):
    def lose_a_judge(batches: Batches) -> None:
        kept = [r for r in batches["judge"].records if not (isinstance(r, Judgment) and r.judge == "safety")]
        batches["judge"].records[:] = kept

    run = build_chats(tmp_path, "srf", prompts=60, change=lose_a_judge)
    assert verdicts_of(run, "judge")["every completion judged"].tier == "REJECT"
    assert verdicts_of(run, "select")["every pair scored"].tier == "REJECT"
    assert verdicts_of(run, "export")["every pair scored"].tier == "REJECT"


def test_srf_pairs_whose_length_tells_the_chosen_answer_are_rejected(tmp_path):
    def lengthen(batches: Batches) -> None:
        records = batches["candidates"].records
        records[:] = [
            dataclasses.replace(c, text=f"{c.text} It is so every day of the year.") if c.method == "grounded" else c
            for c in records
        ]  # fmt: skip

    run = build_chats(tmp_path, "srf", prompts=60, until="select", change=lengthen)
    assert verdicts_of(run, "select")["length bias"].tier == "REJECT"


def test_a_chat_row_that_does_not_walk_back_fails_provenance(tmp_path):
    run = build_chats(tmp_path, until="filter")

    def forge(rows):
        turns = [*rows[0].data["messages"][:-1], {"role": "assistant", "content": "Something else."}]
        return [dataclasses.replace(rows[0], data={**rows[0].data, "messages": turns}), *rows[1:]]

    export_changed(run, forge)
    assert verdicts_of(run, "export")["provenance"].tier == "REJECT"


def test_a_file_of_chats_without_scores_is_not_measured_and_says_what_would_measure_it():
    rows = [{"messages": [{"role": "user", "content": f"What is {n}?"}]} for n in range(40)]
    evidence = Evidence.of_rows(rows, Settings.model_validate({"filter": {"benchmarks": []}}))
    found = {gate.name: judge_gate(gate, evidence, "file") for gate in sft.DATASET_FILE}
    assert found["quality score"].value is None and "--type sft" in found["quality score"].reason
    assert found["IFD"].value is None and "scores.ifd_loss" in found["IFD"].reason
    assert found["chat rows"].tier == "HIGH"
