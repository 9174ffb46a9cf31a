"""A real model folder rolls out every task; its pass rates are measured, and it is named in the rows."""

from pathlib import Path

import pytest

from realign import workflow
from realign.engine.prompts import fence, load_template
from realign.engine.tiny import make_tiny_model, train_tiny
from realign.records import Completion, Example
from realign.run import Run, file_sha256

pytestmark = pytest.mark.slow
TEXT = "# Locks\n\n" + "\n\n".join(
    f"## Lock {n}\n\nThe lock at pier {n} has {2 + n % 5} gates. Each gate of pier {n} weighs 12 tonnes. The pilots of"
    f" pier {n} wait for the tide of the day."
    for n in range(2, 12)
)
SAID = ("Answer: 2", "Answer: 3", "Answer: 4", "Answer: 5", "Answer: 6")


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that has learned to answer with a small number and stop."""
    asked = load_template("solve").fill(task=fence("How many gates does the lock have?", "TASK"))
    folder = tmp_path_factory.mktemp("models") / "taught"
    make_tiny_model(folder, asked + TEXT, vocabulary=800, width=32, layers=1)
    train_tiny(folder, [(asked, said) for said in SAID], steps=60, batch=4, window=1024, learning_rate=1e-2)
    return folder


def test_a_model_rolls_out_tasks_and_its_pass_rates_are_measured(taught: Path, tmp_path: Path) -> None:
    source = tmp_path / "locks.md"
    source.write_text(TEXT, encoding="utf-8")
    run = Run.create(tmp_path, "rlvr", "locks")
    run.note("workflow", "curate")
    run.note("data_type", "rlvr")
    run.note("sources", [{"path": str(source), "name": source.name, "sha256": file_sha256(source)}])
    run.note("settings", {
        "candidates": {"author": str(taught), "max_tokens": 16, "temperature": 1.0}, "rlvr": {"rollouts": 12},
        "filter": {"benchmarks": []}, "gates": {"minimum_records": 5},
    })  # fmt: skip
    for name in ("source", "candidates", "judge", "select"):
        verdicts = workflow.run_stage(run, name)
        assert all(verdict.tier != "REJECT" for verdict in verdicts), [str(verdict) for verdict in verdicts]
    completions: list[Completion] = list(run.records("completion"))
    assert len({completion.author for completion in completions}) == 1
    examples: list[Example] = list(run.records("example"))
    assert examples
    assert all(example.scores["n"] == 12 and 0.1 <= example.scores["pass_rate"] <= 0.9 for example in examples)
    assert {example.scores["rollout_model"] for example in examples} == {completions[0].author}
