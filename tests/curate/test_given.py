"""An existing dataset is judged again, what fails is quarantined as it stood, and a person can bring it back."""

import json
from pathlib import Path

import pytest
from hypothesis import given as hypothesis_given
from hypothesis import settings
from hypothesis import strategies as st

from realign import workflow
from realign.curate import given
from realign.errors import EmptyInput, SourceError, UsageError
from realign.quality.decisions import decide
from realign.records import Prompt, encode
from realign.report.card import render_card
from realign.report.files import write_reports
from realign.run import Run, file_sha256
from realign.settings import Settings

NAMES = (
    "Avel Brona Celt Dunmore Eskel Fara Gorm Hale Isk Jura Kell Lorn Mull Nairn Oban Pell Quoy Rum Skye Tarn".split()
)
PLACES = ("northern bay", "southern cliff", "eastern river mouth")
EXAM = "Which of the seven old wooden lighthouses on the outer banks was lit first by the keepers of the guild?"


def row(place: int, **changed: str) -> dict[str, str]:
    """A pair about a context: the right depth of a harbor, and a wrong one."""
    name, where = NAMES[place % 20], PLACES[place // 20]
    depth, wrong = 4 + place, 60 + place
    asked = f"How many masons dug the harbor of {name} at the {where}?"
    right = f"The harbor of {name} at the {where} was dug by {depth} masons."
    return {
        "context": f"{right} Its quay is made of grey stone.", "question": asked, "right_answer": right,
        "hallucinated_answer": right.replace(f" {depth} ", f" {wrong} "), **changed,
    }  # fmt: skip


TURNED = {"right_answer": row(41)["hallucinated_answer"], "hallucinated_answer": row(41)["right_answer"]}
LINES = [
    *(json.dumps(row(place)) for place in range(40)),
    '{"question": "Who?", "context": "", "right_answer": "He.", "hallucinated_answer": "She."}',
    json.dumps(row(41, **TURNED)),
    json.dumps(row(42, question=EXAM)),
    json.dumps(row(0)),
    json.dumps(
        row(
            44,
            context="Masons dug 48 harbors.",
            question="How many harbors did masons dig?",
            right_answer="Masons dug 48 harbors.",
            hallucinated_answer="Masons dug 104 harbors.",
        )
    ),
]
MALFORMED, FLIPPED, KNOWN, TWICE, SHORT = range(41, 46)


@pytest.fixture(name="run")
def _run(tmp_path: Path) -> Run:
    """A finished run over LINES; short answers and the text of an exam are filtered out."""
    (tmp_path / "exam.txt").write_text(EXAM + "\n")
    settings = {
        "filter": {"benchmarks": [], "evaluation_files": [str(tmp_path / "exam.txt")], "shortest_answer": 5},
        "gates": {"pairs_high": 30, "pairs_medium": 10, "agreement_high": 0.6, "agreement_medium": 0.5},
    }
    run = start(tmp_path, LINES, settings)
    finish(run)
    return run


def start(folder: Path, lines: list[str], settings: dict[str, object]) -> Run:
    path = folder / "pairs.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    run = Run.create(folder / "out", "dpo", "pairs")
    run.note("workflow", "curate")
    run.note("data_type", "dpo")
    run.note("sources", [{"path": str(path), "name": path.name, "sha256": file_sha256(path)}])
    run.note("settings", Settings.model_validate(settings).model_dump(mode="json"))
    return run


def finish(run: Run) -> None:
    """Run whatever is left."""
    for stage in workflow.stages_of(run):
        if stage.name == workflow.next_stage(run):
            workflow.run_stage(run, stage.name)
    write_reports(run)


def quarantine(run: Run) -> dict[int, dict[str, object]]:
    text = (run.folder / "quarantine.jsonl").read_text(encoding="utf-8")
    return {entry["line"]: entry for entry in map(json.loads, text.splitlines())}


def exported(run: Run) -> set[int]:
    files = ("train.jsonl", "valid.jsonl", "test.jsonl")
    rows = [json.loads(line) for name in files for line in (run.folder / name).read_text().splitlines()]
    return {row["provenance"]["line"] for row in rows}


def test_what_fails_is_quarantined_as_it_stood_with_file_line_and_reason(run: Run) -> None:
    found = quarantine(run)
    assert exported(run) == set(range(1, 41))
    assert {line: entry["reason"] for line, entry in found.items()} == {
        MALFORMED: "malformed row",
        FLIPPED: "the judges prefer the answer given as rejected",
        KNOWN: "shares text with exam",
        TWICE: "same prompt and answer",
        SHORT: "an answer under 5 words",
    }
    assert "field 'context'" in str(found[MALFORMED]["detail"])
    assert all((entry["file"], entry["row"]) == ("pairs.jsonl", LINES[line - 1]) for line, entry in found.items())
    assert [line for line in found if not found[line]["final"]] == [FLIPPED, SHORT]
    with pytest.raises(UsageError, match=r"exam; it can't be re-admitted: text shared with an evaluation"):
        decide(run, str(found[KNOWN]["id"]), keep=True)


def test_a_readmitted_row_is_exported_measured_and_counted_and_only_its_stages_run_again(run: Run) -> None:
    short, flipped = (str(quarantine(run)[line]["id"]) for line in (SHORT, FLIPPED))
    decide(run, short, keep=True, note="short, and right")
    assert [state.name for state in workflow.states(run) if state.status == "stale"] == ["filter", "export"]
    finish(run)
    assert exported(run) == {*range(1, 41), SHORT} and SHORT not in quarantine(run)
    decide(run, flipped, keep=True, note="the judges are wrong")
    assert workflow.next_stage(run) == "select"
    finish(run)
    assert exported(run) == {*range(1, 41), SHORT, FLIPPED}
    assert min(pair.gap for pair in run.records("pair")) < 0
    assert "a rule had dropped it: 2 rows, measured" in render_card(run)


def test_a_stage_that_drops_every_row_fails_and_shows_three_of_them(tmp_path: Path) -> None:
    bare = [json.dumps({"prompt": f"How deep is {name}?", "chosen": "Nine.", "rejected": "Ten."}) for name in NAMES * 2]
    run = start(tmp_path, bare, {})
    workflow.run_stage(run, "source")
    workflow.run_stage(run, "candidates")
    with pytest.raises(
        EmptyInput, match=r"(?s)judge left nothing: no source passage.*\(40\).*: Nine\. \| Ten\..*model"
    ):
        workflow.run_stage(run, "judge")
    assert run.stage("judge").status == "failed"


ROWS = st.sampled_from([
    *LINES[39:42], '{"prompt": "Why?", "completion": "So."}', '{"text": "x"}', "[", "{}",
    '[{"prompt": "Why?"}, {"prompt": "Who?"}]', "caf\udce9", "\x00", "  ",
    json.dumps({"context": "a\n\nb \ud83c", "question": "q?", "answer": "a"}),
])  # fmt: skip


@settings(deadline=None)
@hypothesis_given(st.lists(ROWS, min_size=1, max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_any_lines_become_passages_that_stand_in_their_document_or_a_named_error(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], end: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_bytes(end.join(lines).encode("utf-8", "surrogateescape"))
    try:
        rows = given.read_dataset(path, path.name, "0" * 64)
    except SourceError as error:
        assert "any.jsonl" in str(error)
        return
    text, passages = rows.document.text, {passage.id: passage for passage in rows.passages}
    assert all(text[passage.start : passage.end] == passage.text for passage in rows.passages)
    prompts = [record for record in rows.made if isinstance(record, Prompt)]
    assert all(passages[prompt.parent].parent == rows.document.id for prompt in prompts)
    assert {prompt.line for prompt in prompts} <= given.lines_of(rows.document).keys()
    assert len({prompt.id for prompt in prompts}) == len(prompts)
    assert len(prompts) + len(rows.drops) == len(rows.document.pages)
    json.dumps([encode(record) for record in (rows.document, *rows.made)]).encode("utf-8")
