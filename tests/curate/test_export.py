import dataclasses
import json
import shutil
from collections import Counter

import pytest

from realign import workflow
from realign.curate.export import SPLITS, assign_splits, overlapping, plain_name, write_dataset
from realign.errors import EmptyInput, UsageError
from realign.records import Passage
from realign.run import Run
from realign.settings import Export
from support import build_run, make_document, run_by_hand, work_on


def lines(run: Run, split: str) -> list[dict]:
    return [json.loads(line) for line in (run.folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]


def passages_of(count: int):
    document, passages = make_document(count)
    return passages, {document.id: document}


def test_every_kept_pair_becomes_one_row_of_one_file(tmp_path):
    run = build_run(tmp_path, pairs=40)
    written = [row for split in SPLITS for row in lines(run, split)]
    dropped = {drop.record for _, drop in run.drops("filter")}
    assert len(written) == 40
    assert {row.parent for row in run.records("row")} == {p.id for p in run.records("pair")} - dropped


def test_a_row_holds_what_trainers_read_and_where_it_comes_from(tmp_path):
    run = build_run(tmp_path, pairs=40)
    row = lines(run, "train")[0]
    assert list(row) == ["prompt", "chosen", "rejected", "id", "scores", "provenance"]
    assert all(isinstance(row[name], str) for name in ("prompt", "chosen", "rejected"))
    assert set(row["scores"]["judges"]) == {"expert", "user", "safety"}
    assert row["scores"]["judges"]["expert"]["straight"][0] == 0.95
    source, document = row["provenance"], next(run.records("document"))
    start, end = source["span"]
    assert document.text[start:end] == source["quote"] == row["chosen"]
    assert (source["source"], source["sha256"]) == ("harbors.md", document.sha256)
    assert source["page_label"] == str(source["page"] + 10)
    assert (source["author"], source["judge"], source["rejected_method"], source["seed"]) == (
        "extractive", "extractive", "number", 7,
    )  # fmt: skip


SYSTEM, EARLIER = {"role": "system", "content": "You know harbors."}, {"role": "user", "content": "Which harbor?"}


def with_earlier_turns(batches) -> None:
    """Give the last prompt a system message and an earlier exchange."""
    records = batches["source"].records
    place = max(n for n, record in enumerate(records) if record.kind == "prompt")
    last = {"role": "user", "content": records[place].text}
    turns = (SYSTEM, EARLIER, {"role": "assistant", "content": "The old one."}, last)
    records[place] = dataclasses.replace(records[place], turns=turns)


def test_where_a_prompt_has_earlier_turns_all_rows_are_messages_and_the_gates_hold(tmp_path):
    run = build_run(tmp_path, pairs=40, change=with_earlier_turns)
    written = [row for split in SPLITS for row in lines(run, split)]
    (row,) = [row for row in written if len(row["prompt"]) > 1]
    assert row["prompt"][:2] == [SYSTEM, EARLIER]
    assert [turn["role"] for turn in row["chosen"] + row["rejected"]] == ["assistant", "assistant"]
    assert all([turn["role"] for turn in row["prompt"]][-1] == "user" for row in written)
    assert workflow.next_stage(run) == "" and run.stage("export").status in ("passed", "warned")
    with run.transaction():
        run.db.execute("UPDATE records SET body = replace(body, 'The old one.', 'Another.') WHERE kind = 'prompt'")
    verdicts = workflow.judge_stage(run, workflow.stages_of(run)[-1], workflow.settings_of(run))
    assert next(verdict for verdict in verdicts if verdict.gate == "provenance").tier == "REJECT"


def test_the_split_is_80_10_10_and_no_passage_is_in_two_files(tmp_path):
    run = build_run(tmp_path, pairs=200)
    places = {split: {row["provenance"]["passage"] for row in lines(run, split)} for split in SPLITS}
    assert not (places["train"] & places["valid"] | places["train"] & places["test"] | places["valid"] & places["test"])
    assert [len(places[split]) for split in SPLITS] == [81, 10, 10]


def test_ten_passages_are_enough_to_fill_all_three_files():
    passages, documents = passages_of(10)
    assert Counter(assign_splits(passages, documents, Export()).values()) == {"train": 8, "valid": 1, "test": 1}


def test_two_passages_leave_everything_to_train():
    passages, documents = passages_of(2)
    assert set(assign_splits(passages, documents, Export()).values()) == {"train"}


def test_a_share_of_zero_leaves_its_split_empty():
    passages, documents = passages_of(40)
    counts = Counter(assign_splits(passages, documents, Export(train=0.9, valid=0.1)).values())
    assert counts == {"train": 36, "valid": 4}


def test_another_seed_gives_another_split_and_the_same_seed_the_same():
    passages, documents = passages_of(60)
    one, again = (assign_splits(passages, documents, Export(seed=0)) for _ in range(2))
    assert one == again != assign_splits(passages, documents, Export(seed=1))


def test_the_order_in_which_passages_come_does_not_matter():
    passages, documents = passages_of(60)
    assert assign_splits(passages, documents, Export()) == assign_splits(passages[::-1], documents, Export())


def test_shares_above_one_are_refused_by_name():
    passages, documents = passages_of(10)
    with pytest.raises(UsageError, match=r"export.train is 0.8 and export.valid is 0.3"):
        assign_splits(passages, documents, Export(train=0.8, valid=0.3))


def test_passages_that_share_characters_stay_together():
    def passage(name: str, start: int, end: int, document: str = "d") -> Passage:
        return Passage(name, document, (), start, end, 1, "")

    found = overlapping(
        [passage("c", 15, 30), passage("a", 0, 10), passage("b", 8, 16), passage("e", 8, 16, "x"), passage("d", 30, 40)]
    )
    assert [[p.id for p in group] for group in found] == [["a", "b", "c"], ["d"], ["e"]]


def test_overlapping_passages_are_in_one_split():
    passages, documents = passages_of(40)
    twins = [dataclasses.replace(p, id=p.id + "-twin", start=p.start + 5) for p in passages]
    splits = assign_splits([*passages, *twins], documents, Export())
    assert all(splits[p.id] == splits[p.id + "-twin"] for p in passages)


def test_an_export_that_was_killed_before_its_files_gives_the_same_bytes(tmp_path):
    whole = build_run(tmp_path / "whole", pairs=40)
    broken = build_run(tmp_path / "broken", pairs=40, until="filter")
    for batch in write_dataset(work_on(broken)):
        broken.commit("export", batch)
        break  # killed here: rows committed, no file written
    assert not (broken.folder / "train.jsonl").exists()
    run_by_hand(broken, "export", write_dataset(work_on(broken)))
    for name in ("train.jsonl", "valid.jsonl", "test.jsonl"):
        assert (broken.folder / name).read_bytes() == (whole.folder / name).read_bytes(), name


def test_files_that_were_changed_by_hand_are_written_again_from_the_records(tmp_path):
    run = build_run(tmp_path, pairs=40)
    before = (run.folder / "train.jsonl").read_bytes()
    (run.folder / "train.jsonl").write_text("{}\n")
    assert list(write_dataset(work_on(run))) == []
    assert (run.folder / "train.jsonl").read_bytes() == before


def test_all_six_files_are_there_and_no_half_written_one(tmp_path):
    run = build_run(tmp_path, pairs=40)
    names = {path.name for path in run.folder.iterdir() if not path.name.startswith("run.")}
    assert names == {"train.jsonl", "valid.jsonl", "test.jsonl", "README.md", "report.html", "manifest.json"}


def test_no_pair_left_is_an_error_and_not_an_empty_dataset(tmp_path):
    run = Run.create(tmp_path, "dpo", "nothing")
    run.note("sources", [])
    with pytest.raises(EmptyInput, match="No row was kept"):
        list(write_dataset(work_on(run)))
    shutil.rmtree(run.folder)


def test_a_name_keeps_no_folder_and_no_password():
    assert plain_name("/home/someone/models/Qwen2.5-7B") == "Qwen2.5-7B"
    assert plain_name("http://user:secret@127.0.0.1:8080/v1?key=hidden") == "http://127.0.0.1:8080/v1"
    assert plain_name("extractive") == "extractive"


def test_a_dataset_is_set_aside_while_its_rows_are_made_anew(tmp_path):
    run = build_run(tmp_path, pairs=40)
    before = (run.folder / "train.jsonl").read_bytes()
    run.note("settings", {**run.noted("settings"), "select": {"minimum_gap": 0.2}})
    workflow.run_stage(run, "select")
    assert not (run.folder / "train.jsonl").exists()
    assert (run.folder / "train.jsonl.stale").read_bytes() == before
