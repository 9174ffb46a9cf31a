"""Chats and their preference pairs from a text, end to end, killed and shared among machines."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from text import PARAGRAPHS

from processes import EASY, ROOT, dataset_bytes, until
from realign import workflow
from realign.curate.authors.extractive import SHOWING
from realign.curate.difficulty import NOTE
from realign.errors import EmptyInput, StageFailed
from realign.hardware.hosts import LOCAL, Host, Hosts
from realign.intake.request import Request
from realign.intake.start import start_run
from realign.job.process import carry_on, finish, start_stage
from realign.job.ranks import share_among
from realign.run import Run

GATES = {**EASY, "chats": 10, "minimum_records": 2, "pairs_medium": 10, "quality_high": 5.0, "ifd_high": 0.4}
STAGES = ("source", "candidates", "judge", "select", "filter", "export")


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALIGN_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few pages of the example."""
    path = tmp_path_factory.mktemp("text") / "tides.md"
    path.write_text((ROOT / "examples" / "tides.md").read_text(encoding="utf-8")[:9000], encoding="utf-8")
    return path


def new_run(source: Path, folder: Path, data_type: str) -> Run:
    return start_run(Request((str(source),), data_type, settings={"gates": GATES}, output=str(folder)))


def records(run: Run) -> list[Any]:
    queries = ("SELECT id, body FROM records ORDER BY seq", "SELECT record, reason, detail FROM drops ORDER BY seq")
    return [list(run.db.execute(query)) for query in queries]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_text_becomes_chats_and_preference_pairs_with_the_model_named_that_measured_them(
    text: Path, tmp_path: Path
) -> None:
    with closing(new_run(text, tmp_path, "srf")) as run:
        for stage in STAGES:
            verdicts = {verdict.gate: verdict for verdict in workflow.run_stage(run, stage)}
        assert all(verdict.tier != "REJECT" for verdict in verdicts.values())
        chats, pairs = lines(run.folder / "train.jsonl"), lines(run.folder / "preferences" / "train.jsonl")
        assert {tuple(turn["role"] for turn in row["messages"]) for row in chats} == {("user", "assistant")}
        scores = [row["scores"] for row in chats]
        assert all(each["quality"] >= 7.0 and 0.4 <= each["ifd_loss"] <= 1.0 for each in scores)
        assert all(each["ifd_model"].startswith("tiny model trained on this source (0.2M") for each in scores)
        taught = {row["provenance"]["template"].split("/")[0] for row in chats}
        assert not taught & SHOWING and {row["provenance"]["template"].split("/")[0] for row in pairs} & SHOWING
        assert pairs and all(set(row["scores"]["judges"]) == {"expert", "user", "safety"} for row in pairs)
        assert {row["provenance"]["passage"] for row in pairs} & {row["provenance"]["passage"] for row in chats}


def test_a_text_too_short_to_train_on_leaves_ifd_not_measured_and_blocks(tmp_path: Path) -> None:
    short = tmp_path / "short.md"
    short.write_text("# Tides\n\n" + "\n\n".join(PARAGRAPHS))
    with closing(new_run(short, tmp_path, "sft")) as run:
        for stage in STAGES[:3]:
            workflow.run_stage(run, stage)
        with pytest.raises(EmptyInput, match=r"select left nothing: its difficulty \(IFD\) is not measured"):
            workflow.run_stage(run, "select")
        assert {drop.reason for _, drop in run.drops("judge")} == {
            "IFD is not measured: the source has too little text to train a model on"
        }


@pytest.fixture(scope="module")
def answered(text: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run of chats whose prompts are answered."""
    folder = tmp_path_factory.mktemp("answered")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REALIGN_HOME", str(folder / "home"))
        with closing(new_run(text, folder, "sft")) as run:
            for stage in STAGES[:2]:
                workflow.run_stage(run, stage)
            yield run.folder


@pytest.fixture(scope="module")
def unbroken(answered: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], list[bytes], str]:
    folder = tmp_path_factory.mktemp("unbroken") / answered.name
    shutil.copytree(answered, folder)
    with closing(Run.open(folder)) as run:
        carry_on(run.folder, "all", lambda progress: None)
        return records(run), dataset_bytes(run.folder), run.noted(NOTE)["name"]


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["training a tiny model on the source: 1", "rating"])
def test_killed_while_the_model_trains_or_measures_it_ends_in_the_same_bytes(
    moment: str, answered: Path, unbroken: tuple[list[Any], list[bytes], str], tmp_path: Path
) -> None:
    shutil.copytree(answered, tmp_path / answered.name)
    with closing(Run.open(tmp_path / answered.name)) as run:
        job = start_stage(run.folder, "all")
        until(lambda: run.stage("judge").message.startswith(moment) or not job.running())
        assert job.running()
        os.killpg(job.process.pid, signal.SIGKILL)
        with contextlib.suppress(StageFailed):
            finish(job)
        carry_on(run.folder, "all", lambda progress: None)
        assert (records(run), dataset_bytes(run.folder), run.noted(NOTE)["name"]) == unbroken


@pytest.mark.slow
@pytest.mark.xdist_group("ranks")
def test_two_machines_measure_with_the_one_model_that_the_coordinator_trained(
    answered: Path, unbroken: tuple[list[Any], list[bytes], str], tmp_path: Path
) -> None:
    shutil.copytree(answered, tmp_path / answered.name)
    two = Hosts("hosts.json", "ring", (Host(LOCAL, (LOCAL,)), Host(LOCAL, (LOCAL,))))
    with closing(Run.open(tmp_path / answered.name)) as run:
        workflow.run_stage(run, "judge", share=share_among(two))
        parts = run.noted("machines of judge")
        assert [part["examples"] > 0 for part in parts] == [True, True]
        found, expected = records(run), unbroken[0]
        assert found[0] == expected[0][: len(found[0])]
