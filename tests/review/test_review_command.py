"""`realign review`: what it refuses, and what --apply writes."""

import json
import socket
from contextlib import closing

import pytest

from realign import cli, workflow
from realign.job.worker import thresholds
from realign.quality.decisions import decide
from realign.run import Run
from support import build_run


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("REALIGN_HOME", str(tmp_path / "home"))


def test_apply_writes_the_dataset_without_what_was_rejected(tmp_path, capsys):
    with closing(build_run(tmp_path, pairs=40)) as run:
        for stage in workflow.stages_of(run):
            run.note(f"thresholds of {stage.name}", thresholds(run))
        pair = list(run.records("pair"))[-1]
        decide(run, pair.id, keep=False)
    assert cli.main(["review", str(run.folder), "--apply", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["examples"] == 39
    with closing(Run.open(run.folder)) as again:
        texts = {completion.id: completion.text for completion in again.records("completion")}
    lines = [(run.folder / f"{split}.jsonl").read_text().splitlines() for split in ("train", "valid", "test")]
    chosen = [json.loads(line)["chosen"] for split in lines for line in split]
    assert len(chosen) == 39 and texts[pair.chosen] not in chosen
    assert "overturned 1: 100.0 %" in (run.folder / "README.md").read_text()


def test_a_port_that_is_taken_and_a_run_without_rows_are_refused_in_words(tmp_path, capsys):
    run = build_run(tmp_path, pairs=4, until="filter")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert cli.main(["review", str(run.folder), "--no-browser", "--port", port]) == 2
    assert f"Port {port} can't be used" in capsys.readouterr().err
    assert cli.main(["review", str(run.folder), "--no-browser", "--port", "70000"]) == 2
    early = build_run(tmp_path, pairs=4, until="judge")
    assert cli.main(["review", str(early.folder), "--no-browser"]) == 2
    assert "no selected rows to review" in capsys.readouterr().err
    assert cli.main(["review", str(tmp_path / "nowhere")]) == 2
