"""A model on several machines: separate batches give the same completions, and shards of one model the same ratings."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from processes import EASY
from realign import workflow
from realign.engine.tiny import make_tiny_model, train_tiny
from realign.errors import ModelError, StageFailed
from realign.hardware.hosts import LOCAL, Host, Hosts
from realign.intake.request import Request
from realign.intake.start import start_run
from realign.job.ranks import share_among
from realign.records import Completion, Judgment
from realign.run import Run

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ranks")]
TWO = Hosts("hosts.json", "ring", (Host(LOCAL, (LOCAL,)), Host(LOCAL, (LOCAL,))))
TEXT = (
    "# Tides\n\nA spring tide is a tide of the largest range. A neap tide is a tide of the smallest range. The tidal"
    " range is the difference in height between high water and low water. The Bay of Fundy has a range of 16 meters.\n"
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with two key-value heads, one for each of two machines, taught to say a few words and stop."""
    folder = make_tiny_model(tmp_path_factory.mktemp("models") / "tiny", TEXT * 20, width=128, layers=1, vocabulary=400)
    said = [" ".join(sentence.split()[:4]) for sentence in TEXT.split(". ")]
    train_tiny(folder, [(f"What is {words}?", words) for words in said], steps=40, batch=4)
    return folder


@pytest.fixture(scope="module")
def prepared(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run with questions about a short text, to be answered and judged by the model."""
    folder = tmp_path_factory.mktemp("prepared")
    (folder / "tides.md").write_text(TEXT, encoding="utf-8")
    settings: dict[str, dict[str, Any]] = {
        "gates": {**EASY, "minimum_records": 1}, "candidates": {"max_tokens": 24, "batch_size": 4, "temperature": 1.0},
    }  # fmt: skip
    request = Request(
        (str(folder / "tides.md"),), author=str(tiny), judge=str(tiny), settings=settings, output=str(folder)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REALIGN_HOME", str(folder / "home"))
        with closing(start_run(request)) as run:
            values = run.noted("settings")
            values["source"]["author"] = "extractive"  # a model that was taught nothing asks nothing
            run.note("settings", values)
            workflow.run_stage(run, "source")
            yield run.folder


def judged(prepared: Path, folder: Path, sharded: bool, hosts: Hosts | None) -> tuple[list[Completion], list[Judgment]]:
    """The completions and judgments of one way to run the model."""
    shutil.copytree(prepared, folder)
    with closing(Run.open(folder)) as run:
        values = run.noted("settings")
        values["hardware"]["sharded"] = sharded
        run.note("settings", values)
        for stage in ("candidates", "judge"):
            workflow.run_stage(run, stage, share=share_among(hosts) if hosts else None)
        return list(run.records("completion")), list(run.records("judgment"))


@pytest.fixture(scope="module")
def alone(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Completion], list[Judgment]]:
    return judged(prepared, tmp_path_factory.mktemp("alone") / "run", False, None)


@pytest.mark.parametrize("sharded", [False, True], ids=["separate batches", "sharded"])
def test_two_machines_write_and_rate_what_one_does(
    sharded: bool, prepared: Path, alone: tuple[list[Completion], list[Judgment]], tmp_path: Path
) -> None:
    completions, judgments = judged(prepared, tmp_path / "run", sharded, TWO)
    assert [c.text for c in completions] == [c.text for c in alone[0]]
    assert len(judgments) == len(alone[1]) > 10
    for mine, theirs in zip(judgments, alone[1], strict=True):
        assert (mine.id, mine.straight) == (theirs.id, pytest.approx(theirs.straight, abs=1e-4))


def test_a_model_that_cannot_be_cut_into_that_many_parts_is_refused_before_it_is_read(
    prepared: Path, tmp_path: Path
) -> None:
    three = Hosts("hosts.json", "ring", (*TWO.hosts, Host(LOCAL, (LOCAL,))))
    with pytest.raises(ModelError, match="2 key-value heads can't be spread over 3"):
        judged(prepared, tmp_path / "run", True, three)


def test_another_model_at_the_same_place_is_refused(prepared: Path, tmp_path: Path) -> None:
    script, starter = tmp_path / "python", tmp_path / "start.py"
    starter.write_text(
        "import runpy, sys\nimport realign.engine as e\ne.identity_of = lambda spec: 'another'\n"
        "sys.argv = ['rank', *sys.argv[4:]]\nrunpy.run_module('realign.job.rank', run_name='__main__')\n"
    )
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -P {starter} "$@"\n')
    script.chmod(0o755)
    other = Hosts("hosts.json", "ring", (TWO.hosts[0], Host(LOCAL, (LOCAL,), (), str(script))))
    with pytest.raises(StageFailed, match="has another model"):
        judged(prepared, tmp_path / "run", False, other)
