"""Words, folders and disks that can't work end in one sentence, never in a traceback, and leave nothing behind."""

import json
import os
import resource
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from processes import TIDES
from realign import cli, workflow
from realign.errors import RealignError, StorageError, UsageError
from realign.intake.request import Request
from realign.intake.start import list_sources, start_run
from realign.job.worker import is_current, thresholds
from realign.run import DATABASE, Batch, Run
from realign.settings import parse_settings
from realign.views.check import check_file
from support import STAGES, build_run


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALIGN_HOME", str(tmp_path / "home"))


def start(folder: Path, **words: Any) -> Run:
    return start_run(Request((str(TIDES),), output=str(folder), **words))


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("gates", {"parse_success": float("nan")}),
        ("select", {"weight_user": -1.0}),
        ("select", {"weight_expert": 0, "weight_user": 0, "weight_safety": 0}),
        ("filter", {"longest_ratio": float("inf")}),
        ("filter", {"longest_answer": -1}),
        ("export", {"valid": -0.5}),
        ("export", {"train": 0.95}),
    ],
)
def test_a_setting_that_no_run_can_work_with_is_refused_by_name(section: str, values: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=section):
        parse_settings({section: values})


@pytest.mark.parametrize("name", ["nowhere.jsonl", ".", "pipe.jsonl", "n" * 300, "nul\0.jsonl"])
def test_an_evaluation_file_that_is_none_is_refused_before_any_work(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(UsageError, match="evaluation file"):
        start(tmp_path / "out", settings={"filter": {"evaluation_files": [str(tmp_path / name)]}})
    assert not (tmp_path / "out").exists()


def test_an_evaluation_file_is_kept_by_its_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.txt").write_text("What is a spring tide?\n")
    monkeypatch.chdir(tmp_path)
    with closing(start(tmp_path / "out", settings={"filter": {"evaluation_files": ["mine.txt"]}})) as run:
        assert run.noted("settings")["filter"]["evaluation_files"] == [str(tmp_path / "mine.txt")]


@pytest.mark.parametrize("name", ["", " ", "circle.md", "pipe.md", "n" * 300, "/dev/zero", "nul\0.md"])
def test_a_source_that_is_no_document_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "circle.md").symlink_to("circle.md")
    os.mkfifo(tmp_path / "pipe.md")
    with pytest.raises(UsageError):
        list_sources([str(tmp_path / name) if name.strip() else name])


def test_a_folder_goes_on_without_its_links_in_a_circle_its_pipes_and_its_devices(tmp_path: Path) -> None:
    (tmp_path / "circle.md").symlink_to("circle.md")
    (tmp_path / "zero.md").symlink_to("/dev/zero")
    (tmp_path / "again").symlink_to(".")
    os.mkfifo(tmp_path / "pipe.md")
    (tmp_path / "good.md").write_text("# Tides\n")
    assert [source["name"] for source in list_sources([str(tmp_path)])] == ["good.md"]


def test_a_file_without_rights_is_left_to_be_dropped_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "good.md").write_text("# Tides\n")
    (tmp_path / "locked.md").write_text("# Locks\n")
    rights = lambda path: (_ for _ in ()).throw(PermissionError(13, "Permission denied", str(path)))  # noqa: E731
    real = start_run.__globals__["file_sha256"]
    monkeypatch.setitem(
        start_run.__globals__, "file_sha256", lambda path: rights(path) if path.name == "locked.md" else real(path)
    )  # root may read everything
    assert [source["sha256"] != "" for source in list_sources([str(tmp_path)])] == [True, False]
    with pytest.raises(UsageError, match="Permission denied"):
        list_sources([str(tmp_path / "locked.md")])


def test_a_long_request_is_words_and_no_file_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["detect", "Make DPO preference pairs. " * 300]) == 0
    assert capsys.readouterr().out.startswith("dpo")


@pytest.mark.parametrize(
    "words", [["check", "x" * 5000], ["summarize", "x" * 300], ["curate", "x" * 300, "--type=dpo"]]
)
def test_a_name_too_long_for_any_disk_is_a_wrong_word(words: list[str]) -> None:
    assert cli.main(words) == 2


def test_an_output_folder_that_can_not_be_made_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["curate", str(TIDES), "--type", "dpo", "-o", str(tmp_path / ("n" * 300)), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["kind"] == "StorageError"
    assert "File name too long" in told["error"]


def test_an_output_name_with_a_nul_or_in_a_circle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to("circle")
    for name in ("nul\0", "circle"):
        with pytest.raises(UsageError, match="No folder can be at"):
            start(tmp_path / name)


def test_a_pipe_is_no_dataset_to_check(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "rows.jsonl")
    with pytest.raises(UsageError, match="pipe"):
        check_file(tmp_path / "rows.jsonl", "dpo")


def test_a_disk_without_room_is_said_and_keeps_no_half_made_run(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    ended = subprocess.run(
        [sys.executable, "-m", "realign", "curate", str(TIDES), "--type", "dpo", "-o", str(tmp_path / "out")],
        capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )  # fmt: skip
    assert ended.returncode == 1
    assert "run.db" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert list((tmp_path / "out").iterdir()) == []


def damage(path: Path) -> None:
    with open(path, "r+b") as file:
        file.write(b"no database at all" * 100)


def test_a_damaged_run_is_said_and_another_is_made_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(start(tmp_path / "out")) as run:
        first = run.folder
    damage(first / DATABASE)
    assert cli.main(["summarize", str(first)]) == 1
    assert "move the run's folder away" in capsys.readouterr().err
    with closing(start(tmp_path / "out")) as run:
        assert run.folder.name == f"{first.name}_2"


def test_a_run_whose_database_is_removed_is_written_no_further(tmp_path: Path) -> None:
    with closing(start(tmp_path / "out")) as run:
        (run.folder / DATABASE).unlink()
        with pytest.raises(StorageError, match="was removed"):
            run.commit("source", Batch(done=["a"]))


def test_a_dataset_whose_files_were_removed_is_written_again_by_the_same_words(tmp_path: Path) -> None:
    run = build_run(tmp_path)
    written = (run.folder / "train.jsonl").read_bytes()
    note_thresholds(run)
    assert is_current(run, "export")
    (run.folder / "train.jsonl").unlink()
    assert not is_current(run, "export")
    workflow.run_stage(run, "export")
    assert (run.folder / "train.jsonl").read_bytes() == written


def note_thresholds(run: Run) -> None:
    """What a worker notes after each stage."""
    for name in STAGES:
        run.note(f"thresholds of {name}", thresholds(run))


def test_errors_of_disks_and_databases_are_part_of_the_tree(tmp_path: Path) -> None:
    from realign.run import storage_error

    error = storage_error(OSError(28, "No space left on device", str(tmp_path)))
    assert isinstance(error, RealignError)
    assert str(tmp_path) in str(error)
    assert "No space left" in str(error)
