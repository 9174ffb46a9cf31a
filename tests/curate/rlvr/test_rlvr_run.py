"""RLVR end to end: a textbook becomes gated tasks with pass rates, and the same ones after an interruption."""

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from realign import workflow
from realign.errors import Blocked, EmptyInput, Interrupted
from realign.quality.gates import Verdict
from realign.records import Completion, Example, Pair, Task, Trial
from realign.report.files import write_reports
from realign.report.summary import summarize
from realign.run import Run, file_sha256
from realign.settings import Settings
from realign.views.check import check_file, check_run

TIDES = Path(__file__).parents[3] / "examples" / "tides.pdf"
NO_BENCHMARKS: dict[str, dict] = {"filter": {"benchmarks": []}}
STAGES = ("source", "candidates", "judge", "select", "filter", "export")


def new_run(folder: Path, source: Path, **settings: dict) -> Run:
    run = Run.create(folder, "rlvr", source.stem)
    run.note("workflow", "curate")
    run.note("data_type", "rlvr")
    run.note("sources", [{"path": str(source), "name": source.name, "sha256": file_sha256(source)}])
    run.note("settings", settings)
    return run


def through(run: Run, last: str = "export") -> list[Verdict]:
    return [v for name in STAGES[: STAGES.index(last) + 1] for v in workflow.run_stage(run, name)]


@pytest.fixture(scope="module")
def tides(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = new_run(tmp_path_factory.mktemp("runs"), TIDES, **NO_BENCHMARKS)
    through(run)
    write_reports(run)
    return run


def rows(run: Run, folder: str = ".") -> list[dict]:
    files = [run.folder / folder / f"{split}.jsonl" for split in ("train", "valid", "test")]
    return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]


def test_the_textbook_earns_its_tier_and_every_gate_is_measured_again(tides: Run) -> None:
    checked = check_run(tides)
    assert checked.tier == "HIGH", [str(verdict) for verdict in checked.verdicts if verdict.tier != "HIGH"]
    assert {"verifiability", "verifier false positives", "verifier coverage", "verifier time", "rollouts"} <= {
        verdict.gate for verdict in checked.verdicts
    }


def test_a_row_holds_what_a_trainer_needs_and_how_its_pass_rate_was_measured(tides: Run) -> None:
    for row in rows(tides):
        assert list(row)[:3] == ["prompt", "answer", "verifier"]
        scores = row["scores"]
        assert scores["n"] >= 8 and scores["pass_rate"] == round(scores["c"] / scores["n"], 6)
        assert 0.1 <= scores["pass_rate"] <= 0.9
        assert scores["rollout_model"] == "overlap reader" and "temperature" in scores["sampler"]
        assert row["provenance"]["judge"] == f"verifier {row['verifier']['name']}"
        assert "seconds" not in json.dumps(row["scores"])


def test_a_pair_is_a_rollout_that_was_accepted_and_one_that_was_rejected(tides: Run) -> None:
    verdicts = {trial.completion: trial.verdict for trial in tides.records("trial") if trial.completion}
    pairs: list[Pair] = list(tides.records("pair"))
    assert pairs
    assert {(verdicts[pair.chosen], verdicts[pair.rejected]) for pair in pairs} == {("accept", "reject")}
    scores = [row["scores"] for row in rows(tides, "preferences")]
    assert all((each["chosen"], each["rejected"]) == ("accept", "reject") for each in scores)
    assert {each["verifier"] for each in scores} <= {"numeric", "exact", "choice", "ordering"}


def test_every_kept_task_was_tried_on_eight_rollouts_two_right_forms_and_five_wrong_ones(tides: Run) -> None:
    tried: defaultdict[str, list[Trial]] = defaultdict(list)
    for trial in tides.records("trial"):
        tried[trial.task].append(trial)
    examples: list[Example] = list(tides.records("example"))
    for example in examples:
        kinds = [trial.subject for trial in tried[example.task]]
        assert kinds.count("rollout") >= 8 and kinds.count("reference") == 1
        assert kinds.count("equivalent") >= 1 and kinds.count("planted") >= 5


def test_no_rollout_author_was_shown_an_answer_that_its_prompt_does_not_hold(tides: Run) -> None:
    tasks: dict[str, Task] = {task.parent: task for task in tides.records("task")}
    completions: list[Completion] = list(tides.records("completion"))
    right = [c for c in completions if c.text.endswith(f"Answer: {tasks[c.parent].answer}")]
    assert 0.2 < len(right) / len(completions) < 0.9


def test_the_dataset_passes_as_a_file_and_its_card_says_who_made_it(tides: Run) -> None:
    path = tides.folder / "train.jsonl"
    assert check_file(path, "rlvr", Settings.model_validate(NO_BENCHMARKS)).tier == "HIGH"
    card = (tides.folder / "README.md").read_text("utf-8")
    assert "posed by rules from the document's own sentences; rolled out by the overlap reader" in card
    assert "three judges" not in card.split("## Limits")[1]
    assert summarize(tides).judge == "verifiers"


def test_an_interrupted_run_goes_on_to_the_same_bytes(tides: Run, tmp_path: Path) -> None:
    run = new_run(tmp_path, TIDES, **NO_BENCHMARKS)
    workflow.run_stage(run, "source")
    workflow.run_stage(run, "candidates")
    with pytest.raises(Interrupted):
        workflow.run_stage(run, "judge", stop_after_a_batch(run))
    assert 0 < len(run.done("judge")) < run.count("task")
    for name in STAGES[2:]:
        workflow.run_stage(run, name)
    for file in ("train", "valid", "test", "preferences/train"):
        path = f"{file}.jsonl"
        assert (run.folder / path).read_bytes() == (tides.folder / path).read_bytes(), path


def stop_after_a_batch(run: Run) -> Callable[[], bool]:
    """True from the moment when the first batch of trials was committed."""
    return lambda: run.count("trial") > 0


def test_rows_of_an_evaluation_are_caught_before_anything_is_spent_on_them(shared: Path, tmp_path: Path) -> None:
    source = tmp_path / "problems.jsonl"
    lines = (shared / "data/benchmarks/gsm8k_test.jsonl").read_text("utf-8").splitlines()[:40]
    source.write_text("\n".join(lines), encoding="utf-8")
    run = new_run(tmp_path, source)
    verdicts = {verdict.gate: verdict for verdict in workflow.run_stage(run, "source")}
    clean = verdicts["clean tasks"]
    assert (clean.tier, clean.value) == ("REJECT", 0.0)
    assert all(item.startswith("gsm8k_test ") for item in clean.details["items_hit"])
    with pytest.raises(Blocked, match="clean tasks"):
        workflow.run_stage(run, "candidates")


def test_problems_that_are_no_evaluation_are_rolled_out(shared: Path, tmp_path: Path) -> None:
    source = tmp_path / "problems.jsonl"
    lines = (shared / "data/benchmarks/gsm8k_train.jsonl").read_text("utf-8").splitlines()[:120]
    source.write_text("\n".join([*lines[:60], '{"question": "no answer"}', *lines[60:]]), encoding="utf-8")
    run = new_run(tmp_path, source, **NO_BENCHMARKS)
    verdicts = {verdict.gate: verdict for verdict in through(run, "select")}
    assert verdicts["verifiability"].value == 1.0
    assert run.count("task") == 120 and run.count("example") > 0
    assert any("line 61" in drop.detail and "answer" in drop.detail for _, drop in run.drops("source"))


def test_a_selection_without_a_task_fails_and_shows_three(tmp_path: Path) -> None:
    source = tmp_path / "hard.jsonl"
    asked = ({"prompt": f"A farm has {n} hens and buys 5. How many now?", "answer": "0.12345"} for n in range(40, 80))
    source.write_text("\n".join(json.dumps(row) for row in asked), encoding="utf-8")
    run = new_run(tmp_path, source, **NO_BENCHMARKS)
    with pytest.raises(EmptyInput) as error:
        through(run, "select")
    assert str(error.value).count("too hard") >= 3
