"""The source stage reads what it can, names what it can't, and never asks about what is not prose."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from text import PARAGRAPHS

from realign import workflow
from realign.curate import given
from realign.errors import EmptyInput, EmptySource
from realign.quality.gates import Verdict
from realign.quality.ledger import ledger
from realign.records import Dropped
from realign.run import Run, file_sha256
from realign.settings import Settings
from realign.work import Work


def read(folder: Path, *files: Path, named: Sequence[str] = (), **settings: object) -> tuple[Run, dict[str, Verdict]]:
    """Run the source stage over files, and its verdicts by gate."""
    run = start(folder, *files, named=named, **settings)
    return run, {verdict.gate: verdict for verdict in workflow.run_stage(run, "source")}


def start(folder: Path, *files: Path, named: Sequence[str] = (), **settings: object) -> Run:
    """A run over files, called by their own names or the ones given, before its first stage."""
    names = named or [file.name for file in files]
    run = Run.create(folder, "dpo", "test")
    run.note("workflow", "curate")
    run.note("data_type", "dpo")
    sources = [{"path": str(f), "name": n, "sha256": file_sha256(f)} for f, n in zip(files, names, strict=True)]
    run.note("sources", sources)
    run.note("settings", Settings.model_validate(settings).model_dump(mode="json"))
    return run


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def dropped(run: Run) -> list[Dropped]:
    return [drop for _, drop in run.drops("source")]


def test_a_document_becomes_passages_and_prompts_that_point_into_it(tmp_path: Path) -> None:
    run, _ = read(tmp_path / "out", write(tmp_path, "tides.md", "# Tides\n\n" + "\n\n".join(PARAGRAPHS)))
    document = next(run.records("document"))
    passages = {passage.id: passage for passage in run.records("passage")}
    prompts = list(run.records("prompt"))
    assert len(prompts) >= 5
    for prompt in prompts:
        passage = passages[prompt.parent]
        assert passage.text == document.text[passage.start : passage.end]
        assert passage.start <= prompt.start < prompt.end <= passage.end


def test_a_broken_file_is_dropped_by_name_and_the_good_one_goes_on(tmp_path: Path) -> None:
    good = write(tmp_path, "tides.md", "\n\n".join(PARAGRAPHS))
    broken = write(tmp_path, "broken.pdf", "%PDF-1.4\nnothing follows")
    run, verdicts = read(tmp_path / "out", broken, good)
    assert [(d.record, d.kind, d.step) for d in dropped(run) if d.kind == "document"] == [
        ("broken.pdf", "document", "read")
    ]
    assert run.count("prompt") >= 5
    assert verdicts["parse success"].tier == "HIGH"


def test_the_same_file_twice_is_read_once_and_the_counts_still_reconcile(tmp_path: Path) -> None:
    text = "\n\n".join(PARAGRAPHS)
    run, verdicts = read(tmp_path / "out", write(tmp_path, "a.md", text), write(tmp_path, "b.md", text))
    assert [(d.record, d.detail) for d in dropped(run) if d.kind == "document"] == [("b.md", "the same bytes as a.md")]
    assert verdicts["parse success"].tier == "HIGH"
    assert [step.unit for step in ledger(run) if step.off] == []


def test_nothing_readable_fails_with_the_reason_of_each_file(tmp_path: Path) -> None:
    with pytest.raises(EmptySource, match=r"broken\.pdf"):
        read(tmp_path / "out", write(tmp_path, "broken.pdf", "%PDF-1.4\nnothing follows"))


def test_a_language_the_embedded_author_does_not_write_fails_and_shows_what_was_dropped(tmp_path: Path) -> None:
    german = (
        "Die Gezeiten sind die Wasserbewegungen der Ozeane, die durch den Mond und die Sonne verursacht werden. " * 4
    )
    with pytest.raises(EmptyInput, match=r"(?s)source left nothing: language de.*\(1\).*: Die Gezeiten sind"):
        read(tmp_path / "out", write(tmp_path, "gezeiten.txt", german))


def test_given_rows_keep_their_answers_and_bad_lines_are_named(tmp_path: Path) -> None:
    rows = [
        json.dumps({"prompt": "What is a tide?", "chosen": "A rise of the sea.", "rejected": "A bird."}),
        json.dumps(
            {
                "messages": [
                    {"role": "user", "content": "What is the sea made of?"},
                    {"role": "assistant", "content": "Salt water."},
                ]
            }
        ),
        "{broken",
        json.dumps({"prompt": 3}),
        json.dumps(["a", "list"]),
    ]
    run, _ = read(tmp_path / "out", write(tmp_path, "rows.jsonl", "\n".join(rows)))
    assert [prompt.answers for prompt in run.records("prompt")] == [("A rise of the sea.", "A bird."), ("Salt water.",)]
    details = [drop.detail for drop in dropped(run)]
    assert [detail.split(":")[0] for detail in details] == ["line 3", "line 4", "line 5"]
    assert "'prompt'" in details[1]


def test_rows_that_no_file_can_hold_are_named_and_the_rest_is_used(tmp_path: Path) -> None:
    good = json.dumps({"prompt": "What is a tide?", "chosen": "A rise of the sea.", "rejected": "A bird."}).encode()
    half = rb'{"prompt": "What is \ud800 this?"}'
    deep = b'{"prompt": "What is deep?", "x": ' + b"[" * 100_000
    path = tmp_path / "rows.jsonl"
    path.write_bytes(
        b"\r\n".join([good, half, deep, b'{"prompt": "What is a caf\xe9?"}', good.replace(b"tide", b"moon")])
    )
    run, _ = read(tmp_path / "out", path)
    assert [prompt.text for prompt in run.records("prompt")] == ["What is a tide?", "What is a moon?"]
    assert [drop.detail for drop in dropped(run)] == [
        "line 2: field 'prompt': half a character (a lone surrogate), which no file can hold",
        "line 3: is no JSON (nested too deeply to be read)",
        "line 4: is not UTF-8 (byte 25)",
    ]
    (document,) = run.records("document")
    assert all(document.text[p.start : p.end] == p.text for p in run.records("passage"))


def test_rows_in_another_encoding_are_refused_by_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes('{"prompt": "What is a tide?"}\n'.encode("utf-16"))
    with pytest.raises(EmptySource, match=r"rows\.jsonl is UTF-16"):
        read(tmp_path / "out", path)


def test_a_file_whose_name_is_not_utf_8_is_dropped_by_name_and_the_rest_goes_on(tmp_path: Path) -> None:
    good, odd = write(tmp_path, "tides.md", "\n\n".join(PARAGRAPHS)), tmp_path / os.fsdecode(b"b\xff.md")
    try:
        odd.write_text("# Another text\n")
    except OSError:
        pytest.skip("this disk holds no such name")
    run, _ = read(tmp_path / "out", good, odd, named=["tides.md", "odd"])
    assert [document.name for document in run.records("document")] == ["tides.md"]
    assert [drop.record for drop in dropped(run) if drop.kind == "document"] == ["odd"]


def test_a_file_that_is_gone_when_its_turn_comes_is_dropped_by_name(tmp_path: Path) -> None:
    good, gone = write(tmp_path, "tides.md", "\n\n".join(PARAGRAPHS)), write(tmp_path, "gone.md", "Gone.")
    run = start(tmp_path / "out", good, gone)
    gone.unlink()
    workflow.run_stage(run, "source")
    assert [document.name for document in run.records("document")] == ["tides.md"]
    assert [drop.detail for drop in dropped(run) if drop.kind == "document"] == [
        "gone.md can't be read: No such file or directory"
    ]


def test_a_source_that_changed_under_the_run_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "tides.md", "\n\n".join(PARAGRAPHS))
    run, _ = read(tmp_path / "out", path)
    path.write_text("Something else entirely stands in this file now.", encoding="utf-8")
    with run.transaction():
        run.db.execute("DELETE FROM done")
    batch = next(workflow.CURATE["dpo"][0].act(Work(run, Settings(), "source")))
    assert "changed" in batch.drops[0].detail


def test_rows_about_one_context_share_its_passage_and_keep_their_lines(tmp_path: Path) -> None:
    about = {"context": "The tide ebbs twice a day, and it is lowest at six."}
    asked = [
        {"question": "When is it lowest?", "answer": "At six."},
        {"question": "How often?", "answer": "Twice a day."},
    ]
    bare = {"prompt": "What is a tide?", "completion": "A rise of the sea."}
    rows = "\n".join(json.dumps(row) for row in ({**about, **asked[0]}, bare, {**about, **asked[1]}))
    run, verdicts = read(tmp_path / "out", write(tmp_path, "rows.jsonl", rows))
    (document,), prompts = run.records("document"), list(run.records("prompt"))
    first, alone = run.records("passage")
    assert (first.text, first.role, alone.role) == (about["context"], "prose", "given")
    assert [prompt.parent for prompt in prompts] == [first.id, alone.id, first.id]
    assert [given.lines_of(document)[prompt.line] for prompt in prompts] == rows.split("\n")
    assert prompts[2].text == f"Context: {about['context']}\n\nHow often?"
    assert all(document.text[p.start : p.end] == p.text for p in run.records("passage"))
    assert verdicts["prompt clarity"].value == 1.0 and not any(step.off for step in ledger(run))


def test_an_existing_prompt_may_be_long_and_end_as_it_likes_but_must_say_something(tmp_path: Path) -> None:
    rows = [
        {"prompt": "Write a poem about " + "the sea and " * 90 + "tides"},
        {"prompt": "?!"},
        {"prompt": "Continue."},
    ]
    talk = [{"role": "user", "content": "Tell me of tides."}, {"role": "assistant", "content": "They ebb."}]
    rows.append({"messages": [*talk, {"role": "user", "content": "Continue."}]})
    run, _ = read(tmp_path / "out", write(tmp_path, "rows.jsonl", "\n".join(map(json.dumps, rows))))
    assert [prompt.line for prompt in run.records("prompt")] == [1, 4]
    assert [drop.reason for drop in dropped(run) if drop.kind == "prompt"] == [
        "no word in it", "points at something that is not there",
    ]  # fmt: skip
