"""Rows to train on: split by prompt, named by line and field where they are wrong, and seen as what a stage needs."""

import json
from pathlib import Path

import pytest

from realign.align.data import chats_of, messages_of, pairs_of, read_files, tasks_of
from realign.errors import EmptySource, SourceError
from realign.run import file_sha256

PAIR = {"prompt": "Why?", "chosen": "Because it rains.", "rejected": "Because it snows."}
CHAT = {"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "It rains."}]}
TASK = {"prompt": "6 times 7?", "answer": "42", "verifier": {"name": "numeric"}}


def source(folder: Path, name: str, *rows: object) -> dict[str, str]:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return {"path": str(path), "name": name, "sha256": file_sha256(path)}


def test_a_file_that_is_not_split_is_split_by_prompt(tmp_path):
    rows, _ = read_files(
        [source(tmp_path, "data.jsonl", *({**PAIR, "prompt": f"Why {n % 50}?", "n": n} for n in range(200)))]
    )
    splits: dict[str, set[str]] = {}
    for row in rows:
        splits.setdefault(row.data["prompt"], set()).add(row.split)
    assert all(len(found) == 1 for found in splits.values())
    assert {row.split for row in rows} == {"train", "valid", "test"}


def test_a_curated_folder_keeps_its_splits_and_the_pairs_beside_its_rows(tmp_path):
    rows, _ = read_files([
        source(tmp_path, "train.jsonl", CHAT), source(tmp_path, "valid.jsonl", CHAT),
        source(tmp_path, "preferences/train.jsonl", PAIR),
    ])  # fmt: skip
    assert [(row.split, row.part) for row in rows] == [("train", "rows"), ("valid", "rows"), ("train", "preferences")]
    assert len(pairs_of(rows, "train")) == 1 and len(chats_of(rows, "train")) == 1


def test_a_pair_is_trained_on_as_a_chat_by_its_chosen_answer(tmp_path):
    (row,) = chats_of(read_files([source(tmp_path, "train.jsonl", PAIR)])[0], "train")
    assert messages_of(row)[-1] == {"role": "assistant", "content": "Because it rains."}


def test_chats_beside_tasks_are_the_answers_that_were_accepted(tmp_path):
    rows, _ = read_files([source(tmp_path, "train.jsonl", TASK), source(tmp_path, "preferences/train.jsonl", PAIR)])
    assert tasks_of(rows, "train")[0].data["answer"] == "42"
    assert [row.data["chosen"] for row in chats_of(rows, "train")] == ["Because it rains."]


@pytest.mark.parametrize(("line", "told"), [
    ("{", "no JSON"), ("[1]", "a list"), ('{"prompt": "Why?"}', "neither messages"), ('{"prompt": ["Why?"]}', "prompt"),
    ('{"prompt": "Why?", "chosen": "", "rejected": "x"}', "chosen"), ('{"messages": []}', "messages"),
    ('{"messages": [{"role": "user", "content": "Why?"}]}', "messages"),
])  # fmt: skip
def test_a_row_that_cannot_be_trained_on_is_named_and_the_rest_goes_on(tmp_path, line, told):
    rows, (drop,) = read_files([source(tmp_path, "train.jsonl", PAIR, line)])
    assert len(rows) == 1 and drop.record == "train.jsonl:2" and "line 2" in drop.detail and told in drop.detail


def test_a_dataset_of_bad_rows_alone_shows_them(tmp_path):
    with pytest.raises(EmptySource, match=r"line 1: .*line 3: "):
        read_files([source(tmp_path, "train.jsonl", "{", "[]", '{"prompt": "Why?"}')])


def test_data_that_changed_meanwhile_is_refused(tmp_path):
    found = source(tmp_path, "data.jsonl", PAIR)
    Path(found["path"]).write_text(json.dumps(CHAT))
    with pytest.raises(SourceError, match="changed"):
        read_files([found])


def test_a_dataset_without_training_rows_is_an_error(tmp_path):
    with pytest.raises(EmptySource):
        read_files([source(tmp_path, "test.jsonl", PAIR)])
