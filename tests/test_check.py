import json
from contextlib import closing
from pathlib import Path

import pytest

from realign.errors import EmptyInput, UsageError
from realign.views.check import check_file, check_run, parse_row, read_rows
from realign.views.look import look_as_text, look_at
from support import build_run, settings_of

GOOD = {"prompt": "How deep?", "chosen": "Nine meters at low water.", "rejected": "Ninety meters at low water."}


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        (b"{", "is no JSON"),
        (b"[1]", "is no JSON object but list"),
        (b'"\xff"', "is not UTF-8 (byte 1)"),
        (b'{"chosen": "a", "rejected": "b"}', "prompt is missing"),
        (b'{"prompt": "p", "chosen": 7, "rejected": "b"}', "chosen is int, expected text"),
        (b'{"prompt": "p", "chosen": "a", "rejected": " "}', "rejected is empty"),
        (b'{"prompt": "p", "chosen": "a", "rejected": "b", "scores": 3}', "scores is no object"),
        (b'{"prompt": "p", "chosen": "a", "rejected": "b", "scores": {"judges": []}}', "scores.judges is no object"),
        (
            b'{"prompt": "p", "chosen": "a", "rejected": "b", "scores": {"judges": {"expert": {"straight": [1, 2]}}}}',
            "scores.judges.expert.straight is [1, 2], expected two numbers in 0..1",
        ),
    ],
)
def test_a_bad_row_is_named_by_its_field(line: bytes, wrong: str) -> None:
    row, problem = parse_row(line)
    assert row == {} and wrong in problem


def test_bad_lines_are_numbered_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(GOOD).encode() + b"\n\nnonsense\n" + json.dumps(GOOD).encode())
    rows, problems = read_rows(path)
    assert rows == [GOOD, GOOD]
    assert len(problems) == 1 and problems[0].startswith("rows.jsonl, line 3: is no JSON")


def test_a_file_without_a_usable_row_is_refused_with_the_first_reason(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "p"}\n')
    with pytest.raises(EmptyInput, match="line 1: chosen is missing"):
        check_file(path, "dpo")
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
