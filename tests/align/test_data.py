"""Rows to train on: any form that curation takes, in their splits; what is wrong is named by file, line and field."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from realign.align.data import answer_of, chats_of, kind_of, messages_of, pairs_of, prompt_of, tasks_of
from realign.align.division import asked_twice
from realign.align.reading import read_files
from realign.errors import EmptySource, SourceError, UsageError
from realign.run import file_sha256

SYSTEM = {"role": "system", "content": "Be brief."}
ASKS = {"role": "user", "content": "Why?"}
SAYS = {"role": "assistant", "content": "It rains."}
AGAIN = {"role": "user", "content": "And now?"}
NOW = {"role": "assistant", "content": "It still rains."}
SNOW = {"role": "assistant", "content": "It snows."}
PAIR = {"prompt": "Why?", "chosen": "It rains.", "rejected": "It snows."}
CHAT = {"messages": [ASKS, SAYS]}
TASK = {"prompt": "6 times 7?", "answer": "42", "verifier": {"name": "numeric"}}
GROUNDED = {
    "knowledge": "It rains in Bergen.",
    "question": "Why?",
    "right_answer": "Rain.",
    "hallucinated_answer": "Fog.",
}
SHARED = Path(__file__).parents[3] / "shared" / "data" / "benchmarks"


def source(folder: Path, name: str, *rows: object, split: str = "") -> dict[str, str]:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    part = "preferences" if "/" in name else "rows"
    return {"path": str(path), "name": name, "sha256": file_sha256(path), "split": split, "part": part}


def read(folder: Path, data_type: str, *rows: object) -> Any:
    return read_files([source(folder, "data.jsonl", *rows)], data_type)


@pytest.mark.parametrize("row", [
    {"prompt": [SYSTEM, ASKS, SAYS, AGAIN], "chosen": [NOW], "rejected": [SNOW]},
    {"prompt": [SYSTEM, ASKS, SAYS, AGAIN], "chosen": "It still rains.", "rejected": "It snows."},
    {"chosen": [SYSTEM, ASKS, SAYS, AGAIN, NOW], "rejected": [SYSTEM, ASKS, SAYS, AGAIN, SNOW]},
    {"system": "Be brief.", "prompt": [ASKS, SAYS, AGAIN], "chosen": NOW, "rejected": SNOW},
])  # fmt: skip
def test_a_pair_of_conversations_keeps_system_and_every_turn_before_the_answer(tmp_path, row):
    ((pair,), drops) = read(tmp_path, "dpo", row)
    assert prompt_of(pair.data).turns == (SYSTEM, ASKS, SAYS, AGAIN) and drops == []
    assert (pair.data["chosen"], pair.data["rejected"]) == ("It still rains.", "It snows.")


@pytest.mark.parametrize("row", [
    PAIR,
    {"prompt": [ASKS], "chosen": [SAYS], "rejected": [SNOW]},
    {"chosen": [ASKS, SAYS], "rejected": [ASKS, SNOW]},
    {"question": "Why?", "chosen": "It rains.", "rejected": "It snows."},
    {"chosen": "\n\nHuman: Why?\n\nAssistant: It rains.", "rejected": "\n\nHuman: Why?\n\nAssistant: It snows."},
    {"instruction": "Why?", "completions": [
        {"response": "It may rain.", "overall_score": 5}, {"response": "It snows.", "overall_score": 1.5},
        {"response": "It rains.", "overall_score": 9},
    ]},
])  # fmt: skip
def test_pairs_of_every_form_are_one_question_with_a_better_and_a_worse_answer(tmp_path, row):
    ((pair,), _) = read(tmp_path, "srf", row)
    assert {name: pair.data[name] for name in PAIR} == PAIR and messages_of(pair) == [ASKS, SAYS]


@pytest.mark.parametrize("row", [
    CHAT,
    {"conversations": [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "It rains."}]},
    {"instruction": "Why?", "input": "", "output": "It rains."},
    {"prompt": "Why?", "completion": "It rains."},
    {"prompt": [ASKS], "completion": [SAYS]},
    {"question": "Why?", "answers": ["It rains."], "context": "Bergen."},
])  # fmt: skip
def test_chats_of_every_form_end_with_the_answer_that_is_taught(tmp_path, row):
    ((chat,), _) = read(tmp_path, "anti_hallucination", row)
    assert messages_of(chat)[-1] == SAYS and messages_of(chat)[0]["content"].endswith("Why?")


def test_tools_and_their_calls_stay_with_the_conversation(tmp_path):
    call = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "sky"}}]}
    row = {"messages": [ASKS, call, {"role": "tool", "content": "wet"}, SAYS], "tools": [{"name": "sky"}]}
    ((chat,), _) = read(tmp_path, "anti_hallucination", row)
    assert messages_of(chat)[1] == call and prompt_of(chat.data).tools == ({"name": "sky"},)
    assert str(prompt_of(chat.data)) == "Why?\n\nwet"


def test_a_task_in_gsm8ks_form_is_fine_tuned_on_its_solution_and_checked_by_its_number(tmp_path):
    row = {"question": "6 times 7?", "answer": "6 * 7 = <<6*7=42>>42.\n#### 42"}
    ((task,), _) = read(tmp_path, "rlvr", row)
    assert task.data["answer"] == "42" and task.data["verifier"]["name"] == "numeric"
    assert answer_of(task.data) == "6 * 7 = 42.\nAnswer: 42" and chats_of([task], "train") == [task]


def test_a_task_may_be_a_conversation(tmp_path):
    ((task,), _) = read(tmp_path, "rlvr", {"prompt": [SYSTEM, ASKS], "answer": "42"})
    assert prompt_of(task.data).turns == (SYSTEM, ASKS)


def test_a_passage_with_a_right_and_a_wrong_answer_is_a_chat_and_a_pair_beside_it(tmp_path):
    rows, _ = read(tmp_path, "anti_hallucination", GROUNDED)
    assert [(kind_of(row.data), row.part) for row in rows] == [("chat", "rows"), ("pair", "preferences")]
    assert all(str(prompt_of(row.data)) == "Context: It rains in Bergen.\n\nWhy?" for row in rows)


def test_gzip_byte_order_mark_windows_lines_and_blank_lines_are_read_and_counted(tmp_path):
    path = tmp_path / "data.jsonl.gz"
    path.write_bytes(gzip.compress(f"\ufeff{json.dumps(PAIR)}\r\n\r\n{json.dumps(PAIR)}\r\n{{".encode()))
    rows, drops = read_files([{"path": str(path), "name": path.name, "sha256": file_sha256(path)}], "dpo")
    assert [row.parent for row in rows] == ["data.jsonl.gz:1", "data.jsonl.gz:3"]
    assert [drop.record for drop in drops] == ["data.jsonl.gz:4"]


def test_a_file_that_is_not_split_is_divided_by_prompt(tmp_path):
    rows, _ = read(tmp_path, "dpo", *({**PAIR, "prompt": f"Why {n % 50}?", "id": n} for n in range(200)))
    splits: dict[str, set[str]] = {}
    for row in rows:
        splits.setdefault(row.data["prompt"], set()).add(row.split)
    assert all(len(found) == 1 for found in splits.values())
    assert Counter(row.split for row in rows) == {"train": 160, "valid": 20, "test": 20}


def test_a_folder_keeps_its_splits_and_the_pairs_beside_its_rows(tmp_path):
    rows, _ = read_files([
        source(tmp_path, "train.jsonl", CHAT, split="train"),
        source(tmp_path, "validation.jsonl", CHAT, split="validation"),
        source(tmp_path, "test.jsonl", split="test"), source(tmp_path, "preferences/train.jsonl", PAIR, split="train"),
    ], "srf")  # fmt: skip
    assert [(row.split, row.part) for row in rows] == [("train", "rows"), ("valid", "rows"), ("train", "preferences")]
    assert asked_twice(rows) == 1
    assert len(pairs_of(rows, "train")) == 1 and len(chats_of(rows, "train")) == 1


def test_a_single_held_out_split_is_halved_for_both(tmp_path):
    held_out = [{**PAIR, "prompt": f"Why {n}?"} for n in range(10)]
    rows, _ = read_files([
        source(tmp_path, "train.jsonl", PAIR, split="train"), source(tmp_path, "test.jsonl", *held_out, split="test"),
    ], "dpo")  # fmt: skip
    assert Counter(row.split for row in rows) == {"train": 1, "valid": 5, "test": 5}


def test_rows_that_say_their_split_themselves_are_in_it(tmp_path):
    rows, _ = read(tmp_path, "dpo", PAIR | {"split": "train"}, {**PAIR, "prompt": "How?", "split": "validation"})
    assert [row.split for row in rows] == ["train", "valid"]


def test_chats_beside_tasks_are_the_answers_that_were_accepted(tmp_path):
    sources = [source(tmp_path, "train.jsonl", TASK), source(tmp_path, "preferences/train.jsonl", PAIR)]
    rows, _ = read_files(sources, "rlvr")
    assert tasks_of(rows, "train")[0].data["answer"] == "42"
    assert [row.data["chosen"] for row in chats_of(rows, "train")] == ["It rains."]


@pytest.mark.parametrize(("line", "told"), [
    ("{", "no JSON"), ("[1]", "no JSON object"), ('{"prompt": "Why?"}', "no answer"), ('{"prompt": 3}', "'prompt'"),
    ('{"prompt": "Why?", "chosen": "", "rejected": "x"}', "'chosen'"), ('{"messages": []}', "'messages'"),
    ('{"messages": [{"role": "user", "content": "Why?"}]}', "no answer"), ('{"text": "It rains."}', "'text'"),
    (json.dumps({"messages": [ASKS, ASKS, SAYS]}), "messages[1]"),
    (json.dumps({**PAIR, "rejected": "It rains."}), "same"),
    (json.dumps({"messages": [ASKS, {"role": "assistant", "content": [{"type": "image"}]}]}), "messages[1].content[0]"),
    (json.dumps({"prompt": "Why?", "completions": [{"response": "It rains.", "score": 1}]}), "different scores"),
])  # fmt: skip
def test_a_row_that_cannot_be_trained_on_is_named_and_the_rest_goes_on(tmp_path, line, told):
    rows, (drop,) = read(tmp_path, "dpo", PAIR, line)
    assert len(rows) == 1 and drop.record == "data.jsonl:2" and "data.jsonl, line 2" in drop.detail
    assert told in drop.detail


def test_somebody_elses_scores_are_no_judges_and_cost_no_row(tmp_path):
    ((pair,), drops) = read(tmp_path, "dpo", {**PAIR, "scores": [1, 2], "provenance": "the web"})
    assert drops == [] and "scores" not in pair.data


def test_a_dataset_of_bad_rows_alone_shows_them(tmp_path):
    with pytest.raises(EmptySource, match=r"(?s)line 1: .*line 3: .*Why"):
        read(tmp_path, "dpo", "{", "[]", '{"prompt": "Why?"}')


@pytest.mark.parametrize(("data_type", "row", "told"), [
    ("dpo", CHAT, r"it holds to train on is 1 chat, and no pair.*curate .* --type dpo"),
    ("rlvr", PAIR, r"1 pair, and no task.*--type dpo or srf"),
    ("srf", TASK, r"1 task, and no pair.*--type rlvr"),
    ("anti_hallucination", PAIR, r"1 pair, and no chat"),
])  # fmt: skip
def test_data_of_another_kind_than_its_type_needs_is_refused_with_the_next_step(tmp_path, data_type, row, told):
    with pytest.raises(UsageError, match=told):
        read(tmp_path, data_type, row)


def test_data_that_changed_meanwhile_is_refused(tmp_path):
    found = source(tmp_path, "data.jsonl", PAIR)
    Path(found["path"]).write_text(json.dumps(CHAT))
    with pytest.raises(SourceError, match="changed"):
        read_files([found], "dpo")


def test_a_dataset_without_training_rows_is_an_error(tmp_path):
    sources = [source(tmp_path, "test.jsonl", split="test"), source(tmp_path, "train.jsonl", split="train")]
    with pytest.raises(EmptySource):
        read_files(sources, "dpo")


@pytest.mark.parametrize(("name", "data_type", "rows"), [
    ("gsm8k_test.jsonl", "rlvr", 1319), ("mbpp.jsonl", "rlvr", 974), ("humaneval.jsonl", "rlvr", 164),
    ("halueval_qa_oneturn.json", "dpo", 500), ("xquad_en.json", "anti_hallucination", 1190),
])  # fmt: skip
def test_every_row_of_a_public_dataset_is_taken(name, data_type, rows):
    path = SHARED / name
    if not path.exists():
        pytest.skip("the shared data is not here")
    found, drops = read_files([{"path": str(path), "name": name, "sha256": file_sha256(path)}], data_type)
    assert len(found) == rows and drops == []
