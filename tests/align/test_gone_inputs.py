"""What a run was made from is gone by now: looking at it still works, going on with it says what is missing."""

import shutil
from pathlib import Path

import pytest
from alignments import begin, go, pairs, write_rows

from realign import workflow
from realign.errors import ModelError
from realign.report.summary import as_text, summarize
from realign.run import Run, storage_error
from realign.views.check import check_run
from realign.views.look import look_at


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: Path) -> Run:
    monkeypatch.setenv("REALIGN_HOME", str(tmp_path / "home"))
    exam = [{"question": f"Is {n} odd?", "answer": "yes"} for n in range(40)]
    write_rows(tmp_path / "exam.jsonl", exam)
    write_rows(tmp_path / "kept_out.jsonl", exam)
    shutil.copytree(base, tmp_path / "model")
    named = {
        "evaluating": {"benchmarks": [str(tmp_path / "exam.jsonl")]},
        "filter": {"evaluation_files": [str(tmp_path / "kept_out.jsonl")], "benchmarks": []},
        "adapter": {"kind": "full"},
    }
    return go(begin(tmp_path, pairs(60), str(tmp_path / "model"), **named), "sft", "preferences")


def remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize("name", ["exam.jsonl", "kept_out.jsonl", "data.jsonl", "model"])
def test_a_run_is_looked_at_though_what_it_was_made_from_is_gone(run: Run, name: str) -> None:
    remove(run.folder.parent / name)
    assert [state.status for state in workflow.states(run)][:3] == ["passed", "passed", "waiting"]
    assert "held-out loss falls" in as_text(summarize(run))
    assert look_at(run, "preferences")["gates"]
    found = {verdict.gate: verdict for verdict in check_run(run).verdicts}
    assert found["held-out loss falls"].tier == "HIGH"
    if name in ("exam.jsonl", "model"):
        assert any(name in note for note in check_run(run).notes)
    if name == "kept_out.jsonl":
        assert not found["decontamination"].decided and "kept_out.jsonl" in found["decontamination"].reason


def test_going_on_names_what_is_gone_and_goes_on_when_it_is_back(run: Run) -> None:
    folder = run.folder.parent
    (folder / "exam.jsonl").rename(folder / "elsewhere")
    with pytest.raises(FileNotFoundError) as caught:
        go(run, "reference")
    said = storage_error(caught.value)  # as a worker tells it
    assert said.found == f"{folder / 'exam.jsonl'} is not there" and "put it back" in said.fix
    (folder / "elsewhere").rename(folder / "exam.jsonl")
    (folder / "model").rename(folder / "elsewhere")
    with pytest.raises(ModelError, match="No model folder"):
        go(run, "reference")
    (folder / "elsewhere").rename(folder / "model")
    assert go(run, "reference").stage("reference").status == "passed"
