"""Every gate of DPO curation passes on a good run, and catches the fault that is planted for it."""

import dataclasses

import pytest

from realign import workflow
from realign.quality.gates import Verdict
from realign.records import Dropped, make_id
from realign.run import Run
from support import SETTINGS, STAGES, Batches, build_run, export_changed, run_by_hand


def verdicts_of(run: Run, stage: str) -> dict[str, Verdict]:
    found = workflow.judge_stage(run, workflow.stages_of(run)[STAGES.index(stage)], workflow.settings_of(run))
    return {verdict.gate: verdict for verdict in found}


def with_settings(**sections: dict) -> dict:
    return {**SETTINGS, **sections}


def fault(tmp_path, stage: str, change, **options) -> dict[str, Verdict]:
    """The verdicts of `stage` in a run whose batches were changed by `change`."""
    return verdicts_of(build_run(tmp_path, pairs=40, until=stage, change=change, **options), stage)


def exported(tmp_path, change, settings: dict | None = None) -> dict[str, Verdict]:
    """The verdicts of export in a run whose rows were changed by `change` before they were committed."""
    run = build_run(tmp_path, pairs=40, until="filter", settings=settings)
    export_changed(run, change)
    return verdicts_of(run, "export")


def data(row, **changes):
    return dataclasses.replace(row, data={**row.data, **changes})


def source(row, **changes):
    return data(row, provenance={**row.data["provenance"], **changes})


@pytest.mark.parametrize("stage", STAGES)
def test_a_good_run_passes_every_gate(tmp_path, stage):
    verdicts = verdicts_of(build_run(tmp_path, pairs=100), stage)
    assert {name: verdict.tier for name, verdict in verdicts.items() if verdict.tier != "HIGH"} == {}


# -- source ---------------------------------------------------------------------------------------------------------


def test_a_document_with_garbled_pages_fails_parse_success_and_is_named(tmp_path):
    def garble(batches: Batches) -> None:
        document = batches["source"].records[0]
        pages = [dataclasses.replace(page, verdict="garbled") for page in document.pages[:3]] + list(document.pages[3:])
        batches["source"].records[0] = dataclasses.replace(document, pages=tuple(pages))

    verdict = fault(tmp_path, "source", garble)["parse success"]
    assert verdict.tier == "REJECT" and verdict.details["garbled"] == 3
    assert list(verdict.details["below"]) == ["harbors.md"]


def test_a_scan_without_text_fails_parse_success(tmp_path):
    def empty(batches: Batches) -> None:
        document = batches["source"].records[0]
        pages = [dataclasses.replace(page, verdict="empty") for page in document.pages]
        batches["source"].records[0] = dataclasses.replace(document, pages=tuple(pages))

    verdict = fault(tmp_path, "source", empty)["parse success"]
    assert (verdict.tier, verdict.value) == ("REJECT", 0.0)


TORN = [Dropped(f"torn{n}.pdf", "document", "read", "DamagedSource") for n in range(3)]


def test_files_that_could_not_be_read_are_named_and_the_rest_goes_on(tmp_path):
    verdict = fault(tmp_path, "source", lambda batches: batches["source"].drops.extend(TORN))["parse success"]
    assert verdict.tier == "HIGH" and set(verdict.details["below"]) == {"torn0.pdf", "torn1.pdf", "torn2.pdf"}


def test_files_of_which_none_could_be_read_fail_parse_success(tmp_path):
    def unread(batches: Batches) -> None:
        batches["source"].drops += TORN
        batches["source"].records.clear()

    verdict = fault(tmp_path, "source", unread)["parse success"]
    assert (verdict.tier, verdict.value, verdict.n) == ("REJECT", 0.0, 3)


def test_an_author_whose_questions_are_mostly_unclear_fails_prompt_clarity(tmp_path):
    def unclear(batches: Batches) -> None:
        batches["source"].drops += [Dropped(make_id(n), "prompt", "clarity", "no question") for n in range(60)]

    verdict = fault(tmp_path, "source", unclear)["prompt clarity"]
    assert verdict.tier == "REJECT" and verdict.details["dropped"]["no question"] == 60


# -- candidates, judge ----------------------------------------------------------------------------------------------


def test_prompts_with_one_answer_written_three_times_fail_enough_completions(tmp_path):
    def repeat(batches: Batches) -> None:
        records = batches["candidates"].records
        records[:30] = [dataclasses.replace(completion, text="The same.") for completion in records[:30]]

    assert fault(tmp_path, "candidates", repeat)["enough completions"].tier == "REJECT"


def test_a_judge_that_is_missing_fails_every_completion_judged(tmp_path):
    def forget_safety(batches: Batches) -> None:
        records = batches["judge"].records
        batches["judge"].records = [j for n, j in enumerate(records) if j.judge != "safety" or n > 30]

    assert fault(tmp_path, "judge", forget_safety)["every completion judged"].tier == "REJECT"


def test_scores_outside_0_to_1_fail_every_completion_judged(tmp_path):
    def shout(batches: Batches) -> None:
        records = batches["judge"].records
        records[:60] = [dataclasses.replace(judgment, straight=(9.0, 1.0)) for judgment in records[:60]]

    assert fault(tmp_path, "judge", shout)["every completion judged"].tier == "REJECT"


def test_comparisons_that_no_judge_could_score_count_against_the_gate(tmp_path):
    def lose(batches: Batches) -> None:
        del batches["judge"].records[:27]

    assert fault(tmp_path, "judge", lose)["every completion judged"].tier == "REJECT"


# -- select -----------------------------------------------------------------------------------------------------------


def judgments(change):
    """A fault in every judgment."""

    def plant(batches: Batches) -> None:
        batches["judge"].records = [change(judgment) for judgment in batches["judge"].records]

    return plant


def test_a_gap_of_0_12_is_medium_and_a_gap_of_0_05_is_rejected(tmp_path):
    def gap(size: float):
        return judgments(lambda j: dataclasses.replace(j, straight=(0.9, 0.9 - size), swapped=(0.9, 0.9 - size)))

    assert fault(tmp_path / "a", "select", gap(0.12))["preference gap"].tier == "MEDIUM"
    assert fault(tmp_path / "b", "select", gap(0.05))["preference gap"].tier == "REJECT"


def test_a_gap_that_the_pair_claims_but_its_judges_did_not_give_is_not_believed(tmp_path):
    even = judgments(lambda j: dataclasses.replace(j, straight=(0.9, 0.9), swapped=(0.9, 0.9)))
    verdict = fault(tmp_path, "select", even)["preference gap"]
    assert (verdict.tier, verdict.value) == ("REJECT", 0.0)


def test_a_judge_that_always_picks_the_first_answer_fails_agreement(tmp_path):
    def first(judgment):
        return (
            dataclasses.replace(judgment, straight=(0.9, 0.1), swapped=(0.1, 0.9))
            if judgment.judge == "user"
            else judgment
        )

    verdict = fault(tmp_path, "select", judgments(first))["agreement"]
    assert verdict.tier == "REJECT" and verdict.value == pytest.approx(2 / 3)


def test_one_judge_that_disagrees_on_every_second_pair_is_medium(tmp_path):
    def contrary(judgment):
        turned = judgment.judge == "user" and int(judgment.parent[:4], 16) % 2 == 0
        return dataclasses.replace(judgment, straight=(0.1, 0.9), swapped=(0.1, 0.9)) if turned else judgment

    verdict = fault(tmp_path, "select", judgments(contrary))["agreement"]
    assert verdict.tier == "MEDIUM" and verdict.details["krippendorff_alpha"] == pytest.approx(0.51, abs=0.01)


def test_chosen_answers_that_are_always_longer_fail_length_bias(tmp_path):
    def lengthen(batches: Batches) -> None:
        batches["candidates"].records = [
            dataclasses.replace(c, text=c.text + " That is so.") if c.method == "grounded" else c
            for c in batches["candidates"].records
        ]

    verdict = fault(tmp_path, "select", lengthen)["length bias"]
    assert verdict.tier == "REJECT" and verdict.details["length_only_accuracy"] == 1.0


def test_a_pair_that_one_judge_never_saw_fails_every_pair_scored_and_its_gap_is_not_measured(tmp_path):
    def forget(batches: Batches) -> None:
        pair = batches["select"].records[0]
        batches["judge"].records = [
            j
            for j in batches["judge"].records
            if j.judge != "expert" or {j.first, j.second} != {pair.chosen, pair.rejected}
        ]

    verdicts = fault(tmp_path, "select", forget)
    assert verdicts["every pair scored"].tier == "REJECT"
    assert verdicts["preference gap"].value is None and verdicts["preference gap"].tier == "REJECT"
    assert verdicts["agreement"].value is None


def test_twenty_pairs_are_too_few_to_decide_and_do_not_pass(tmp_path):
    verdict = verdicts_of(build_run(tmp_path, pairs=20, until="select"), "select")["preference gap"]
    assert (verdict.tier, verdict.decided) == ("REJECT", False)
    assert "at least 30" in verdict.reason


# -- filter -----------------------------------------------------------------------------------------------------------


def test_pairs_that_hold_evaluation_items_fail_decontamination(tmp_path):
    items = tmp_path / "evaluation.txt"
    run = build_run(tmp_path, pairs=40, until="select")
    items.write_text("\n".join(completion.text for completion in list(run.records("completion"))[:30]) + "\n")
    settings = with_settings(filter={"benchmarks": [], "evaluation_files": [str(items)]})
    verdict = verdicts_of(build_run(tmp_path, pairs=40, until="filter", settings=settings), "filter")["decontamination"]
    assert verdict.tier == "REJECT" and verdict.details["contaminated"] >= 9


def test_a_benchmark_that_was_asked_for_and_is_missing_fails_decontamination(tmp_path):
    settings = with_settings(filter={"benchmarks": ["no-such-benchmark"]})
    verdict = verdicts_of(build_run(tmp_path, pairs=40, until="filter", settings=settings), "filter")["decontamination"]
    assert (verdict.tier, verdict.value) == ("REJECT", None)
    assert "no-such-benchmark" in verdict.reason


@pytest.mark.parametrize(("stage", "gate"), [("filter", "pairs"), ("export", "rows")])
def test_too_few_pairs_are_rejected_and_some_more_are_medium(tmp_path, stage, gate):
    run = build_run(tmp_path, pairs=40)
    for fewest, tier in ((10, "MEDIUM"), (41, "REJECT")):
        run.note("settings", with_settings(gates={"pairs_high": 100, "pairs_medium": fewest}))
        verdict = verdicts_of(run, stage)[gate]
        assert (verdict.tier, verdict.value) == (tier, 40.0)


# -- export -----------------------------------------------------------------------------------------------------------


def test_a_passage_in_two_splits_fails_split_isolation(tmp_path):
    def part_twins(rows):
        passages = [row.data["provenance"]["passage"] for row in rows]
        twin = next(place for place, passage in enumerate(passages) if passages.count(passage) > 1)
        other = "valid" if rows[twin].split == "train" else "train"
        return [dataclasses.replace(row, split=other) if n == twin else row for n, row in enumerate(rows)]

    verdict = exported(tmp_path, part_twins)["split isolation"]
    assert verdict.tier == "REJECT" and verdict.n == 21


@pytest.mark.parametrize(
    "change",
    [
        lambda row: source(row, quote=row.data["provenance"]["quote"].replace("a", "o", 1)),
        lambda row: source(row, page=row.data["provenance"]["page"] + 1),
        lambda row: source(row, sha256="0" * 64),
        lambda row: source(row, passage="nowhere"),
        lambda row: source(row, span=[0, 10**6]),
        lambda row: source(row, span=None),
        lambda row: source(row, prompt_id="nowhere"),
        lambda row: data(row, chosen=row.data["chosen"] + " Perhaps."),
        lambda row: data(row, provenance={}),
    ],
    ids=["quote", "page", "file", "passage", "span", "no span", "prompt", "answer", "nothing"],
)
def test_one_row_whose_source_was_altered_fails_provenance_and_is_named(tmp_path, change):
    verdict = exported(tmp_path, lambda rows: [change(rows[0]), *rows[1:]])["provenance"]
    assert verdict.tier == "REJECT" and verdict.value == pytest.approx(39 / 40)
    assert len(verdict.details["broken"]) == 1


def test_a_lost_row_fails_counts_reconcile(tmp_path):
    verdict = exported(tmp_path, lambda rows: rows[1:])["counts reconcile"]
    assert verdict.tier == "REJECT" and verdict.details["off"] == ["export: 40 in, 39 kept, 0 dropped"]


@pytest.mark.parametrize("stage", ["source", "candidates", "judge", "select"])
def test_a_record_that_is_lost_without_a_reason_fails_counts_reconcile(tmp_path, stage):
    def lose(batches: Batches) -> None:
        if stage == "judge":
            parent = batches["judge"].records[-1].parent
            batches["judge"].records = [judgment for judgment in batches["judge"].records if judgment.parent != parent]
        else:
            batches[stage].drops = []

    run = build_run(tmp_path, pairs=40, change=lose)
    verdict = verdicts_of(run, "export")["counts reconcile"]
    assert verdict.tier == "REJECT" and verdict.details["off"][0].startswith(stage)


def test_a_pair_that_is_dropped_twice_fails_counts_reconcile(tmp_path):
    def twice(batches: Batches) -> None:
        batches["filter"].drops *= 2

    run = build_run(tmp_path, pairs=40, change=twice)
    assert verdicts_of(run, "export")["counts reconcile"].tier == "REJECT"


@pytest.mark.parametrize(
    "scores",
    [
        {},
        {"gap": 0.9, "agreement": 1.0, "judges": {}},
        {"judges": {judge: {"straight": [0.9, 0.1]} for judge in ("expert", "user", "safety")}},
        {"judges": {judge: {"straight": [9, 1], "swapped": [9, 1]} for judge in ("expert", "user", "safety")}},
    ],
    ids=["none", "claimed", "one order", "off the scale"],
)
def test_one_row_without_its_judges_scores_fails_and_its_gap_is_not_measured(tmp_path, scores):
    verdicts = exported(tmp_path, lambda rows: [data(rows[0], scores=scores), *rows[1:]])
    assert verdicts["every pair scored"].tier == "REJECT"
    assert verdicts["preference gap"].value is None and verdicts["agreement"].value is None


def rescored(straight, swapped):
    judges = {judge: {"straight": straight, "swapped": swapped} for judge in ("expert", "user", "safety")}
    return lambda rows: [data(row, scores={**row.data["scores"], "judges": judges}) for row in rows]


def test_exported_rows_with_a_weak_gap_are_rejected_whatever_they_claim(tmp_path):
    verdict = exported(tmp_path, rescored([0.80, 0.75], [0.80, 0.75]))["preference gap"]
    assert verdict.tier == "REJECT" and verdict.value == pytest.approx(0.05)


def test_exported_rows_whose_judges_flip_with_the_order_fail_agreement(tmp_path):
    verdict = exported(tmp_path, rescored([0.9, 0.1], [0.3, 0.5]))["agreement"]
    assert (verdict.tier, verdict.value) == ("REJECT", 0.0)


def test_exported_rows_whose_length_gives_the_answer_away_fail_length_bias(tmp_path):
    verdicts = exported(tmp_path, lambda rows: [data(row, chosen=row.data["chosen"] + " And more.") for row in rows])
    assert verdicts["length bias"].tier == "REJECT"


def test_a_value_whose_interval_crosses_a_boundary_is_marked_borderline(tmp_path):
    def near(rows):
        weak = rescored([0.9, 0.9 - 0.02], [0.9, 0.9 - 0.02])(rows[:20])
        return weak + rescored([0.9, 0.9 - 0.29], [0.9, 0.9 - 0.29])(rows[20:])

    verdict = exported(tmp_path, near)["preference gap"]
    assert verdict.borderline and verdict.tier == "HIGH"


def test_a_rejected_export_ends_as_blocked_whatever_was_stored_before(tmp_path):
    run = build_run(tmp_path, pairs=40, until="filter")
    export_changed(run, lambda rows: rows[1:])
    assert run.stage("export").status == "blocked"
    assert run.stage("filter").status == "warned"
    run_by_hand(run, "export", [])
    assert run.stage("export").status == "blocked"
