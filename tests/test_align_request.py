"""What a request to align names is found, or refused, before any work."""

import gzip
import json

import pytest

from realign.errors import Blocked, ModelError, UsageError
from realign.intake import alignment
from realign.intake.request import Request
from realign.intake.start import start_run
from realign.run import Run

PAIR = json.dumps({"prompt": "Why?", "chosen": "Rain.", "rejected": "Snow."})


def test_a_benchmark_is_kept_by_its_whole_path(tmp_path, monkeypatch):
    (tmp_path / "exam.jsonl").write_text(json.dumps({"question": "Q", "answer": "A"}))
    monkeypatch.chdir(tmp_path)
    found = alignment.settle(Request((), settings={"evaluating": {"benchmarks": ["exam.jsonl"]}}))
    assert found.evaluating.benchmarks == (str(tmp_path / "exam.jsonl"),)


def test_a_benchmark_that_is_not_there_is_refused_by_its_setting(tmp_path):
    with pytest.raises(UsageError, match=r"evaluating\.benchmarks"):
        alignment.settle(Request((), settings={"evaluating": {"benchmarks": [str(tmp_path / "none.jsonl")]}}))


def test_a_model_that_is_not_on_this_disk_stops_an_alignment_with_its_choices():
    with pytest.raises(ModelError, match="--download"):
        alignment.settle(Request((), model="nobody/no-such-model"))


@pytest.mark.parametrize(("name", "told"), [
    ("x" * 5000 + "/y", "No run and no dataset"),
    ("", r"no train\.jsonl.*but guide\.pdf, notes"), ("none.jsonl", "No run and no dataset at"),
    ("guide.pdf", r"no file of rows.*realign curate .*guide\.pdf"),
])  # fmt: skip
def test_data_that_is_not_there_or_no_rows_is_refused(tmp_path, name, told):
    (tmp_path / "guide.pdf").write_bytes(b"%PDF-1.4")
    (tmp_path / "notes").mkdir()
    with pytest.raises(UsageError, match=told):
        alignment.data_files((str(tmp_path / name),), "dpo")


@pytest.mark.parametrize(("names", "found"), [
    (("train.jsonl", "valid.jsonl", "test.jsonl", "preferences/train.jsonl", "quarantine.jsonl"), {
        "train.jsonl": "train", "valid.jsonl": "valid", "test.jsonl": "test", "preferences/train.jsonl": "train",
    }),
    (("data/train_prefs-00000-of-00002.jsonl.gz", "data/train_prefs-00001-of-00002.jsonl", "data/validation.json"), {
        "train_prefs-00000-of-00002.jsonl.gz": "train", "train_prefs-00001-of-00002.jsonl": "train",
        "validation.json": "validation",
    }),
    (("first.jsonl", "second.ndjson", "dataset_info.json", "README.md"), {"first.jsonl": "", "second.ndjson": ""}),
])  # fmt: skip
def test_the_files_of_a_folder_are_in_the_splits_that_their_names_say(tmp_path, names, found):
    for name in names:
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PAIR)
    files, stem = alignment.data_files((str(tmp_path / "set"),), "dpo")
    assert {file["name"]: file["split"] for file in files} == found and stem == "set"
    assert all((file["part"] == "preferences") == ("/" in file["name"]) for file in files)


def test_a_file_keeps_its_name_and_its_rows_are_divided(tmp_path):
    (tmp_path / "train.v2.jsonl.gz").write_bytes(gzip.compress(PAIR.encode()))
    ((file,), stem) = alignment.data_files((str(tmp_path / "train.v2.jsonl.gz"),), "dpo")
    assert (file["name"], file["split"], stem) == ("train.v2.jsonl.gz", "", "train.v2")


def test_chats_that_are_given_to_dpo_are_refused_before_a_run_is_made(tmp_path):
    chat = {"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Rain."}]}
    (tmp_path / "chats.jsonl").write_text(json.dumps(chat))
    with pytest.raises(UsageError, match=r"chats\.jsonl can't be aligned as dpo.*1 chat, and no pair.*realign curate"):
        start_run(Request((str(tmp_path / "chats.jsonl"),), "dpo", output=str(tmp_path / "out"), workflow="align"))
    assert not (tmp_path / "out").exists()


def test_a_dataset_whose_pairs_come_late_is_taken(tmp_path):
    chat = json.dumps({"prompt": "How?", "completion": "Rain."})
    (tmp_path / "late.jsonl").write_text("\n".join([chat] * (alignment.PEEKED + 1) + [PAIR, PAIR.replace("y", "o")]))
    assert alignment.data_files((str(tmp_path / "late.jsonl"),), "dpo")[1] == "late"


def test_an_alignment_of_a_run_is_called_after_its_source(tmp_path):
    Run.create(tmp_path, "dpo", "my book").note("data_type", "dpo")
    (made,) = tmp_path.iterdir()
    assert alignment.called(made) == "my_book"
    assert alignment.called(tmp_path) == tmp_path.name


def test_a_run_that_changed_since_its_dataset_was_written_is_refused_by_what_changed(tmp_path):
    run = Run.create(tmp_path, "dpo", "book")
    notes = {"data_type": "dpo", "workflow": "curate", "stages": ["source"], "sources": [], "settings": {}}
    for key, value in notes.items():
        run.note(key, value)
    run.begin("source", 0, "made by earlier settings")
    run.end("source", "passed")
    with pytest.raises(Blocked, match=r"its stage source changed since.*realign curate.*train\.jsonl"):
        alignment.require_exported(run.folder)
    run.end("source", "failed")
    with pytest.raises(Blocked, match="its stage source has not passed"):
        alignment.require_exported(run.folder)
