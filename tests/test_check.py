import json
from contextlib import closing
from pathlib import Path

import pytest

from realign.engine.tiny import make_tiny_model
from realign.errors import EmptyInput, UsageError
from realign.views.check import check_file, check_run
from realign.views.forms import read_file
from realign.views.look import look_as_text, look_at
from support import build_run, settings_of

GOOD = {"prompt": "How deep?", "chosen": "Nine meters at low water.", "rejected": "Ninety meters at low water."}


SCORES = {"judges": {"expert": {"straight": [1, 2]}}}


@pytest.mark.parametrize(
    ("data_type", "row", "wrong"),
    [
        ("dpo", {"prompt": "p"}, "field 'chosen': missing: the form is 'prompt'"),
        ("dpo", {"chosen": "a", "rejected": "b"}, "field 'prompt': missing"),
        ("dpo", {**GOOD, "chosen": 7}, "field 'chosen': int, expected text"),
        ("dpo", {**GOOD, "scores": 3}, "field 'scores': int, expected an object"),
        ("dpo", {**GOOD, "scores": {"judges": []}}, None),
        ("dpo", {**GOOD, "scores": {"judges": [1]}}, "field 'scores.judges': list, expected an object"),
        ("dpo", {**GOOD, "scores": SCORES}, "field 'scores.judges.expert.straight': [1, 2], expected two numbers"),
        ("dpo", {**GOOD, "provenance": "x"}, "field 'provenance': str, expected an object"),
        ("sft", GOOD, "field 'messages': missing: the form is 'TRL preference'"),
        ("sft", {"messages": [{"role": "user", "content": "p"}]}, "field 'messages': no answer"),
        ("sft", {"text": "plain"}, "field 'messages': missing: the form is 'text'"),
        ("rlvr", {"prompt": "2 + 2?", "answer": "4", "verifier": "magic"}, "field 'verifier': \"magic\""),
        ("rlvr", {"question": "2 + 2?", "answer": "#### none"}, "field 'answer': 'none' after ####"),
        ("anti_hallucination", GOOD, "field 'messages': missing"),
        ("srf", {"prompt": "p"}, "field 'messages': no answer"),
    ],
)
def test_a_bad_row_of_any_data_type_is_named_by_its_field(tmp_path: Path, data_type, row, wrong) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row))
    if wrong is None:
        assert read_file(path, data_type).problems == ()
        return
    with pytest.raises(EmptyInput) as caught:
        read_file(path, data_type)
    assert f"rows.jsonl, line 1: {wrong}" in str(caught.value)


TALK = [{"role": "user", "content": "How deep?"}, {"role": "assistant", "content": "Nine."}]
ASKED = "Context: Nine meters.\n\nHow deep?"


@pytest.mark.parametrize(
    ("data_type", "row", "form"),
    [
        ("dpo", {"chosen": TALK, "rejected": [TALK[0], {"role": "assistant", "content": "Ten."}]},
         {"prompt": "How deep?", "chosen": "Nine.", "rejected": "Ten."}),
        ("dpo", {"knowledge": "Nine meters.", "question": "How deep?", "right_answer": "9", "hallucinated_answer": "8"},
         {"prompt": ASKED, "chosen": "9", "rejected": "8"}),
        ("sft", {"instruction": "How deep?", "output": "Nine.", "scores": {"quality": 9}},
         {"messages": TALK, "scores": {"quality": 9}}),
        ("srf", {"conversations": [{"from": "human", "value": "How deep?"}, {"from": "gpt", "value": "Nine."}]},
         {"messages": TALK}),
        ("rlvr", {"prompt": "2 + 2?", "answer": "4", "verifier": {"name": "numeric"}},
         {"prompt": "2 + 2?", "answer": "4", "verifier": {"name": "numeric"}}),
        ("anti_hallucination", {"context": "Nine meters.", "question": "How deep?", "answers": {"text": ["Nine."]}},
         {"messages": [{"role": "user", "content": ASKED}, TALK[1]]}),
    ],
)  # fmt: skip
def test_a_row_of_any_form_is_checked_in_the_form_of_its_data_type(tmp_path: Path, data_type, row, form) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))
    assert read_file(tmp_path / "rows.jsonl", data_type).rows == (form,)


def test_bad_lines_are_numbered_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(GOOD).encode() + b"\n\nnonsense\n" + json.dumps(GOOD).encode())
    found = read_file(path, "dpo")
    assert found.rows == (GOOD, GOOD) and found.places == ("rows.jsonl, line 1", "rows.jsonl, line 4")
    assert len(found.problems) == 1 and found.problems[0].startswith("rows.jsonl, line 3: is no JSON")


def test_a_file_without_a_usable_row_is_refused_and_shows_three_of_them(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "a"}\n{"prompt": "b"}\n[]\n{"prompt": "d"}\n')
    with pytest.raises(EmptyInput, match=r'(?s)among 4 in .*line 1: field .chosen.*: {"prompt": "a"}\n.*line 3: ') as e:
        check_file(path, "dpo")
    assert "line 4" not in str(e.value)
    with pytest.raises(UsageError, match="anti_hallucination"):
        check_file(path, "magic")
    with pytest.raises(UsageError, match="can't be read"):
        check_file(tmp_path / "gone.jsonl", "dpo")


def test_a_file_without_scores_is_rejected_because_nothing_was_measured(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({**GOOD, "prompt": f"How deep is lock {n}?"}) + "\n" for n in range(40)))
    checked = check_file(path, "dpo")
    gap = next(verdict for verdict in checked.verdicts if verdict.gate == "preference gap")
    assert checked.tier == "REJECT" and checked.rows == 40 and gap.value is None


def test_the_dataset_of_a_run_keeps_its_tier_as_a_file(tmp_path: Path) -> None:
    with closing(build_run(tmp_path)) as run:
        rows = [row.data for row in run.records("row")]
        path = tmp_path / "all.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        checked, of_run = check_file(path, "dpo", settings_of()), check_run(run, "export")
    both = {v.gate: v.value for v in checked.verdicts}, {v.gate: v.value for v in of_run.verdicts}
    assert all(both[0][gate] == both[1][gate] for gate in ("preference gap", "agreement", "length bias", "rows"))


def test_stages_that_have_not_ended_are_said_to_be_unmeasured(tmp_path: Path) -> None:
    with closing(build_run(tmp_path, until="judge")) as run:
        checked = check_run(run)
        assert {verdict.stage for verdict in checked.verdicts} == {"source", "candidates", "judge"}
        assert [note.split()[0] for note in checked.notes] == ["select", "filter", "export"]
        with pytest.raises(UsageError, match="source, candidates"):
            check_run(run, "nonsense")


def test_a_stored_verdict_is_never_believed(tmp_path: Path) -> None:
    with closing(build_run(tmp_path)) as run:
        before = check_run(run, "select").tier
        run.db.execute("DELETE FROM records WHERE kind = 'judgment'")
        assert before != "REJECT" and check_run(run, "select").tier == "REJECT"


def test_a_stage_shows_counts_gates_drops_and_a_few_records(tmp_path: Path) -> None:
    with closing(build_run(tmp_path)) as run:
        seen = look_at(run, "select", 2)
    assert seen["counts"]["pair"] == 41 and len(seen["records"]["pair"]) == 2
    assert seen["drops"] == [{"step": "select", "kind": "prompt", "reason": "no gap of 0.15", "count": 1}]
    text = look_as_text(seen)
    assert "41 pair" in text and "preference gap: " in text and "1 prompt, select: no gap of 0.15" in text


@pytest.fixture(name="model", scope="module")
def _model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    return str(make_tiny_model(folder, "The lock is nine meters deep at low water. Rating: 1 2 3 4 5. " * 4, width=32))


@pytest.mark.parametrize(
    ("data_type", "row", "gates"),
    [
        ("dpo", GOOD, {"preference gap", "agreement", "every pair scored"}),
        ("sft", {"prompt": "How deep is the lock?", "completion": "It is nine meters deep at low water, they say."},
         {"quality score", "IFD"}),
        ("anti_hallucination", {"context": "The lock is nine meters deep.", "question": "How deep is the lock?",
                                "answer": "It is nine meters deep."}, {"factuality", "hallucination rate"}),
    ],
)  # fmt: skip
def test_a_model_measures_what_the_rows_of_a_file_do_not_carry(tmp_path: Path, model, data_type, row, gates) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text((json.dumps(row) + "\n") * 2)
    settings = settings_of({"gates": {"minimum_records": 1}, "filter": {"benchmarks": []}})
    before = {verdict.gate: verdict for verdict in check_file(path, data_type, settings).verdicts}
    after = {verdict.gate: verdict for verdict in check_file(path, data_type, settings, model).verdicts}
    assert all(after[gate].value is not None and after[gate].n == 2 for gate in gates)
    carried = {gate for gate in gates if before[gate].value}
    assert carried == ({"factuality"} if "context" in row else set())  # claims are judged by computation
