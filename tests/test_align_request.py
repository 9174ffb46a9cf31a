"""What a request to align names is found, or refused, before any work."""

import json

import pytest

from realign.errors import ModelError, UsageError
from realign.intake import alignment
from realign.intake.request import Request
from realign.run import Run


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


def test_data_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"no train\.jsonl"):
        alignment.data_files((str(tmp_path),))


def test_an_alignment_of_a_run_is_called_after_its_source(tmp_path):
    Run.create(tmp_path, "dpo", "my book").note("data_type", "dpo")
    (made,) = tmp_path.iterdir()
    assert alignment.called(made) == "my_book"
    assert alignment.called(tmp_path) == tmp_path.name
