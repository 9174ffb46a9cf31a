"""A textbook becomes grounded answers, refusals and hedges; every gate passes, and each catches its planted fault."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from realign import workflow
from realign.quality.citations import read_answer
from realign.quality.gates import Verdict
from realign.records import Claim, Completion, Example, Grounding, Row, decode, encode
from realign.run import Run, file_sha256
from realign.views.check import check_file

ROOT = Path(__file__).parents[2]
NAMES = [stage.name for stage in workflow.CURATE["anti_hallucination"]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run over a third of the example textbook, all six stages done."""
    folder = tmp_path_factory.mktemp("grounded")
    source = folder / "tides.md"
    text = (ROOT / "examples" / "tides.md").read_text(encoding="utf-8")
    source.write_text(text[: len(text) // 2].rpartition("\n\n")[0], encoding="utf-8")
    run = Run.create(folder, "anti_hallucination", "tides")
    run.note("workflow", "curate")
    run.note("data_type", "anti_hallucination")
    run.note("settings", {"filter": {"benchmarks": []}})
    run.note("sources", [{"path": str(source), "name": source.name, "sha256": file_sha256(source)}])
    for name in NAMES:
        workflow.run_stage(run, name)
    return run


def verdicts_of(run: Run, stage: str) -> dict[str, Verdict]:
    found = workflow.judge_stage(run, workflow.stages_of(run)[NAMES.index(stage)], workflow.settings_of(run))
    return {verdict.gate: verdict for verdict in found}


def altered(whole: Run, tmp_path: Path, kind: str, change: Callable[[Any], Any]) -> Run:
    """A copy of the run in which every record of a kind was changed; None leaves it out."""
    folder = shutil.copytree(whole.folder, tmp_path / "altered")
    run = Run.open(folder)
    with run.transaction():
        for name, body in run.db.execute("SELECT id, body FROM records WHERE kind = ?", (kind,)).fetchall():
            record = change(decode(kind, body))
            if record is None:
                run.db.execute("DELETE FROM records WHERE id = ? AND kind = ?", (name, kind))
            else:
                run.db.execute("UPDATE records SET body = ? WHERE id = ? AND kind = ?", (encode(record), name, kind))
    return run


@pytest.mark.parametrize("stage", NAMES)
def test_a_textbook_passes_every_gate(whole: Run, stage: str) -> None:
    assert {name: verdict.tier for name, verdict in verdicts_of(whole, stage).items() if verdict.tier == "REJECT"} == {}


def test_every_claim_is_its_sentence_at_its_place(whole: Run) -> None:
    document = next(whole.records("document"))
    claims: list[Claim] = list(whole.records("claim"))
    assert len(claims) > 30
    assert all(document.text[claim.start : claim.end] == claim.quote for claim in claims)
    assert all(document.page_at(claim.start).number == claim.page for claim in claims)


def test_rows_show_their_passage_and_walk_back_to_what_they_cite(whole: Run) -> None:
    document = next(whole.records("document"))
    rows: list[Row] = [row for row in whole.records("row") if row.part == "rows"]
    cited = [claim for row in rows for claim in row.data["scores"]["claims"] if "quote" in claim]
    assert len(rows) > 60 and len(cited) > 60
    assert all(document.text[slice(*claim["span"])] == claim["quote"] for claim in cited)
    texts = [row.data["messages"][0]["content"] for row in rows]
    assert all(len(text.split()) > 30 for text in texts)


def test_refusals_say_what_is_missing_in_many_words(whole: Run) -> None:
    completions = {completion.id: completion for completion in whole.records("completion")}
    refusals = [completions[e.completion].text for e in whole.records("example") if e.category == "refusal"]
    assert len(refusals) > 30 and all(read_answer(text).refuses for text in refusals)
    assert len(set(refusals)) > 0.9 * len(refusals)
    assert len({" ".join(text.split()[:4]) for text in refusals}) >= 8


def test_a_pair_prefers_the_kept_answer_and_its_length_tells_nothing(whole: Run) -> None:
    examples = {example.parent: example for example in whole.records("example")}
    pairs = list(whole.records("pair"))
    assert len(pairs) > 60
    assert all(examples[pair.parent].completion == pair.chosen and pair.gap >= 0.15 for pair in pairs)
    texts = {completion.id: completion.text for completion in whole.records("completion")}
    longer = sum(len(texts[pair.chosen].split()) > len(texts[pair.rejected].split()) for pair in pairs) / len(pairs)
    assert 0.3 <= longer <= 0.7


def test_the_same_document_gives_the_same_rows(whole: Run, tmp_path: Path) -> None:
    run = Run.open(shutil.copytree(whole.folder, tmp_path / "again"))
    before = (run.folder / "train.jsonl").read_bytes()
    run.note("settings", {"filter": {"benchmarks": []}, "candidates": {"seed": 0, "per_prompt": 4}})
    run.note("settings", {"filter": {"benchmarks": []}})
    for name in NAMES[3:]:
        workflow.run_stage(run, name)
    assert (run.folder / "train.jsonl").read_bytes() == before


# -- planted faults -------------------------------------------------------------------------------------------------


def test_answers_that_are_surer_than_right_fail_the_calibration_gate(whole: Run, tmp_path: Path) -> None:
    def overconfident(completion: Completion) -> Completion:
        wrong = completion.method == "grounded" and int(completion.id, 16) % 2
        text = completion.text.replace("Yes", "Perhaps").replace("True", "Perhaps") if wrong else completion.text
        return dataclasses.replace(completion, text=text)

    verdict = verdicts_of(altered(whole, tmp_path, "completion", overconfident), "select")["calibration error"]
    assert verdict.tier == "REJECT" and verdict.value is not None and verdict.value > 0.15


def test_citations_that_point_elsewhere_fail_the_citation_gate(whole: Run, tmp_path: Path) -> None:
    def elsewhere(grounding: Grounding) -> Grounding:
        return dataclasses.replace(grounding, start=grounding.start + 30, end=grounding.end + 30)

    verdict = verdicts_of(altered(whole, tmp_path, "grounding", elsewhere), "select")["citation accuracy"]
    assert verdict.tier == "REJECT" and verdict.details["not_there"] == verdict.n


def test_fabricated_answers_among_the_kept_fail_factuality_and_the_hallucination_rate(
    whole: Run, tmp_path: Path
) -> None:
    by_prompt: dict[str, str] = {}
    for completion in whole.records("completion"):
        if completion.method in ("invented", "accepted", "antonym", "number"):
            by_prompt[completion.parent] = completion.id

    def fabricated(example: Example) -> Example:
        return dataclasses.replace(example, completion=by_prompt.get(example.parent, example.completion))

    verdicts = verdicts_of(altered(whole, tmp_path, "example", fabricated), "select")
    assert verdicts["factuality"].tier == verdicts["hallucination rate"].tier == "REJECT"
    assert verdicts["hallucination rate"].value is not None and verdicts["hallucination rate"].value > 0.3


def test_a_dataset_without_refusals_is_rejected_and_its_mix_shows_it(whole: Run, tmp_path: Path) -> None:
    run = altered(whole, tmp_path, "example", lambda each: None if each.category == "refusal" else each)
    verdicts = verdicts_of(run, "select")
    assert (verdicts["refusals"].tier, verdicts["refusals"].value) == ("REJECT", 0.0)
    assert verdicts["mix"].details["refusal"] == {"target": 0.4, "reached": 0.0}


def test_completions_that_no_judge_read_fail_the_judging_gate(whole: Run, tmp_path: Path) -> None:
    run = altered(whole, tmp_path, "grounding", lambda each: each if int(each.completion, 16) % 2 else None)
    assert verdicts_of(run, "judge")["every completion judged"].tier == "REJECT"


# -- the file by itself ---------------------------------------------------------------------------------------------


def test_a_file_is_judged_again_from_its_texts_and_keeps_its_tier(whole: Run, tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    files = [whole.folder / f"{split}.jsonl" for split in ("train", "valid", "test")]
    rows = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        row["scores"]["claims"] = [{"claim": "made up", "support": 1.0}]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    checked = check_file(path, "anti_hallucination")
    assert checked.tier in ("HIGH", "MEDIUM") and checked.rows == len(rows)


def test_a_file_whose_answers_were_exchanged_is_rejected(whole: Run, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (whole.folder / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    said = [row["messages"][-1]["content"] for row in rows]
    for row, other in zip(rows, [*said[7:], *said[:7]], strict=True):
        row["messages"][-1]["content"] = other
    path = tmp_path / "exchanged.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    tiers = {verdict.gate: verdict.tier for verdict in check_file(path, "anti_hallucination").verdicts}
    assert tiers["citation accuracy"] == tiers["factuality"] == tiers["hallucination rate"] == "REJECT"


def test_a_file_whose_rows_show_no_passage_is_not_measured_and_says_so(tmp_path: Path) -> None:
    row = {"messages": [{"role": "user", "content": "How deep?"}, {"role": "assistant", "content": "Nine meters."}]}
    path = tmp_path / "bare.jsonl"
    path.write_text("\n".join([json.dumps(row)] * 40), encoding="utf-8")
    verdicts = {verdict.gate: verdict for verdict in check_file(path, "anti_hallucination").verdicts}
    assert verdicts["factuality"].value is None and "no judge has measured" in verdicts["factuality"].reason
    assert verdicts["calibration error"].tier == "REJECT"
