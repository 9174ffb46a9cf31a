"""A run that goes on with other settings: what lies on the disk from before is never gone on from."""

from pathlib import Path

import pytest
from alignments import begin, go, pairs, weights

from realign import workflow
from realign.align.places import last_checkpoint, model_folder
from realign.run import Run


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALIGN_HOME", str(tmp_path / "home"))


def fused(run: Run) -> bytes:
    folder = model_folder(run, last_checkpoint(run, "sft"), str(run.noted("settings")["model"]))
    return (folder / "model.safetensors").read_bytes()


def test_another_rate_trains_anew_to_what_a_new_run_gives_and_the_fused_model_is_made_anew(
    tmp_path: Path, base: Path
) -> None:
    changed = {"fine_tuning": {"schedule": "3:5e-3"}}
    first = fused(go(begin(tmp_path / "one", model=str(base)), "sft"))
    again = go(begin(tmp_path / "one", model=str(base), **changed), "sft")
    fresh = go(begin(tmp_path / "two", model=str(base), **changed), "sft")
    assert fused(again) == fused(fresh) != first
    assert weights(again) == weights(fresh)


def test_other_rows_make_another_tiny_model_and_remove_what_was_deployed(tmp_path: Path) -> None:
    run = go(begin(tmp_path, pairs(60)), "sft")
    (run.folder / "model").mkdir()
    vocabulary = (run.folder / "checkpoints" / "base" / "tokenizer.json").read_bytes()
    renamed = [{**row, "prompt": row["prompt"].replace("name", "bay")} for row in pairs(60)]
    run = go(begin(tmp_path, renamed), "sft")
    assert (run.folder / "checkpoints" / "base" / "tokenizer.json").read_bytes() != vocabulary
    assert not (run.folder / "model").exists()


def test_a_memory_limit_makes_nothing_stale(tmp_path: Path) -> None:
    go(begin(tmp_path, pairs(60)), "sft")
    run = begin(tmp_path, training={"memory_gb": 0.5})
    assert workflow.states(run)[0].status == "passed"
