"""A real model folder takes every stage's part: author of completions and three judges, in a run that gates measure."""

from pathlib import Path

import pytest
from text import PARAGRAPHS

from realign import workflow
from realign.curate.authors.model import write_completions
from realign.engine import Answer, Engine, Request
from realign.engine.tiny import make_tiny_model, train_tiny
from realign.errors import EmptyInput
from realign.records import Completion, Judgment, Passage, Prompt
from realign.run import Run, file_sha256
from realign.settings import Candidates, Settings

pytestmark = pytest.mark.slow
SENTENCES = [
    sentence.strip() + "." for paragraph in PARAGRAPHS for sentence in paragraph.split(".") if sentence.strip()
]
SAID = [" ".join(sentence.split()[:5]) for sentence in SENTENCES]


def rendered(prompt: Prompt, passage: Passage) -> str:
    """What the author really asks the model for this prompt."""
    asked: list[Request] = []

    def generate(requests: list[Request], batch_size: int) -> list[Answer]:
        asked.extend(requests)
        return [Answer("", "stop") for _ in requests]

    write_completions(Engine("listener", "listener", generate), [(prompt, passage)], Candidates())
    return asked[0].prompt


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that has learned to answer in a few words and stop."""
    passage = Passage("s", "d", ("Tides",), 0, len(PARAGRAPHS[0]), 1, PARAGRAPHS[0])
    asked = rendered(Prompt("p", "s", "What is a spring tide?", "definition/1", "", 0, 10, "extractive"), passage)
    folder = tmp_path_factory.mktemp("models") / "taught"
    make_tiny_model(folder, asked + " ".join(PARAGRAPHS), vocabulary=800, width=32, layers=1)
    train_tiny(folder, [(asked, said) for said in SAID], steps=60, batch=4, window=1024, learning_rate=1e-2)
    return folder


def test_a_model_writes_and_judges_a_whole_run_and_the_gates_measure_it(taught: Path, tmp_path: Path) -> None:
    source = tmp_path / "tides.md"
    source.write_text("# Tides\n\n" + "\n\n".join(PARAGRAPHS * 3), encoding="utf-8")
    run = Run.create(tmp_path, "dpo", "tides")
    settings = Settings.model_validate(
        {
            "candidates": {"author": str(taught), "max_tokens": 24, "temperature": 1.0},
            "judge": {"judge": str(taught)},
            "gates": {"minimum_records": 5, "enough_completions": 0.5},
        }
    )
    run.note("workflow", "curate")
    run.note("data_type", "dpo")
    run.note("sources", [{"path": str(source), "name": source.name, "sha256": file_sha256(source)}])
    run.note("settings", settings.model_dump(mode="json"))
    for name in ("source", "candidates", "judge"):
        verdicts = workflow.run_stage(run, name)
        assert all(verdict.tier != "REJECT" for verdict in verdicts), [str(verdict) for verdict in verdicts]
    completions: list[Completion] = list(run.records("completion"))
    judgments: list[Judgment] = list(run.records("judgment"))
    assert {completion.method for completion in completions} == {"sample"}
    assert {judgment.judge for judgment in judgments} == {"expert", "user", "safety"}
    assert all(judgment.mass is not None and 0 <= judgment.mass <= 1 for judgment in judgments)
    # A model that was taught to answer and never to judge rates alike: no pair is wide enough, and the run stops here.
    with pytest.raises(EmptyInput, match="select left nothing: gap below"):
        workflow.run_stage(run, "select")
