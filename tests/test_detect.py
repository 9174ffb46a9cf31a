"""Requests in the words of real users, and the traps in them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realign.intake.detect import SURE, WORDS, detect, detect_file
from realign.intake.words import read_size

ASK = ""
REQUESTS = [
    ("Curate DPO preference pairs from /data/books/ml_textbook.pdf for Qwen 7B", "dpo"),
    ("make dpo data from notes.md", "dpo"),
    ("I want Direct Preference Optimization pairs about biology", "dpo"),
    ("direct preference data please", "dpo"),
    ("generate chosen/rejected answers from this handbook", "dpo"),
    ("rlhf pairs from our wiki", "dpo"),
    ("build a preference dataset, 2k examples", "dpo"),
    ("turn my lecture notes into preferences", "dpo"),
    ("DPO-ready pairs out of manual.epub", "dpo"),
    ("better and worse answers, pairwise, from faq.html", "dpo"),
    ("chosen and rejected completions", "dpo"),
    ("make SFT data from ~/docs/handbook.md", "sft"),
    ("supervised fine-tuning rows from the course", "sft"),
    ("Supervised finetuning for Llama 3 8B", "sft"),
    ("instruction tuning set from manual.pdf", "sft"),
    ("instruction-following data", "sft"),
    ("chat data from support.txt", "sft"),
    ("question-answer pairs and chats from the policy document", "sft"),
    ("SRF data for gemma-2-9b-it", "srf"),
    ("srft please", "srf"),
    ("supervised reward fine-tuning from this book", "srf"),
    ("train a reward model on my book", "srf"),
    ("reward learning data", "srf"),
    ("rl fine-tuning with ppo", "srf"),
    ("reward modelling set from notes.txt", "srf"),
    ("rlvr tasks from the algebra book", "rlvr"),
    ("tasks with verifiable rewards", "rlvr"),
    ("make Qwen better at math", "rlvr"),
    ("I need the model better at code", "rlvr"),
    ("make it better at coding, here is textbook.pdf", "rlvr"),
    ("reasoning tasks with ground truth", "rlvr"),
    ("coding problems with unit tests", "rlvr"),
    ("math word problems with a verifier", "rlvr"),
    ("grpo on verifiable answers", "rlvr"),
    ("stop it from hallucinating", "anti_hallucination"),
    ("anti-hallucination data from the drug leaflet", "anti_hallucination"),
    ("my model keeps making things up", "anti_hallucination"),
    ("factuality and citations from report.pdf", "anti_hallucination"),
    ("answers without hallucinations", "anti_hallucination"),
    ("no more hallucinations please", "anti_hallucination"),
    ("grounded answers with citations, and refusals when it isn't in the text", "anti_hallucination"),
    ("teach it to say I don't know, with calibrated confidence", "anti_hallucination"),
    ("it should say I don’t know and cite its sources", "anti_hallucination"),
    # negation
    ("not DPO, plain SFT", "sft"),
    ("SFT, not DPO", "sft"),
    ("SFT instead of DPO", "sft"),
    ("instead of DPO make SFT rows", "sft"),
    ("no RLHF or DPO, just sft", "sft"),
    ("without RLHF: instruction tuning", "sft"),
    ("neither SFT nor DPO but RLVR", "rlvr"),
    ("not DPO just SFT", "sft"),
    ("I don't want DPO, I want SRF", "srf"),
    ("switch from SFT to DPO", "dpo"),
    ("replace SFT with DPO", "dpo"),
    ("DPO is not what I need; give me RLVR", "rlvr"),
    ("rather than preference pairs, chat data", "sft"),
    ("non-DPO, sft", "sft"),
    ("not only DPO but DPO with many preferences", "dpo"),
    # a name wins over the words of another type beside it
    ("DPO pairs from a math textbook", "dpo"),
    ("DPO with preference pairs against hallucination", ASK),
    ("I would prefer SFT", "sft"),
    ("fine-tuning with dpo", "dpo"),
    # traps, ties and nothing at all: ask
    ("describe every character in the novel", ASK),
    ("list the resource files", ASK),
    ("cited source code", ASK),
    ("open the personal preference settings page", ASK),
    ("the preferences menu is broken", ASK),
    ("the chosen book is book.pdf", ASK),
    ("resourceful groundedly refusalist dposition", ASK),
    ("SFT and DPO", ASK),
    ("train a reward model from preference pairs and citations", ASK),
    ("not DPO", ASK),
    ("anything but SFT", ASK),
    ("fine-tune it", ASK),
    ("a math thing", ASK),
    ("run the GPU calibration", ASK),
    ("process /data/dpo/sft_pairs.pdf", ASK),
    ("save it to dpo_out/", ASK),
    ("for Qwen2.5-7B-Instruct", ASK),
    ("", ASK),
    ("\x00\ud800 ¿qué? 数据", ASK),
]


@pytest.mark.parametrize(("text", "data_type"), REQUESTS)
def test_a_request_gives_its_data_type_or_a_question(text: str, data_type: str) -> None:
    found = detect(text)
    assert found.data_type == data_type, found
    assert bool(found.question) == (data_type == ASK)
    assert 0 <= found.confidence <= 1 and (found.confidence >= SURE or data_type == ASK)


def test_the_sentence_that_must_work_is_read_whole() -> None:
    found = detect("Curate DPO preference pairs from /data/books/ml_textbook.pdf for Qwen 7B")
    assert (found.data_type, found.model, found.parameters) == ("dpo", "Qwen 7B", 7e9)
    assert (found.sources, found.workflow, found.skill) == (
        ("/data/books/ml_textbook.pdf",),
        "curate",
        "realign-dpo-workflow",
    )
    assert found.confidence > 0.9
    assert found.evidence == (("dpo", "dpo", 6.0), ("preference pairs", "dpo", 3.0))


def test_a_tie_names_its_candidates_in_one_question() -> None:
    found = detect("SFT and DPO")
    assert set(found.candidates) == {"sft", "dpo"}
    assert found.question.count("?") == 1 and "sft" in found.question and "dpo" in found.question


def test_a_ruled_out_type_is_no_candidate() -> None:
    found = detect("anything but SFT")
    assert "sft" not in found.candidates and len(found.candidates) == 4
    assert ("not sft", "sft", 0.0) in found.evidence


def test_more_of_the_same_evidence_never_lowers_confidence() -> None:
    grown = [detect("preference " * n).confidence for n in range(1, 6)]
    assert grown == sorted(grown) and grown[0] < grown[-1] < 1


def test_both_sft_and_srf_are_served_by_one_skill() -> None:
    assert detect("sft").skill == detect("srf").skill == "realign-srf-workflow"
    assert detect("rlvr").skill == "realign-rlvr-workflow"
    assert detect("hallucinations").skill == "realign-antihallucination-workflow"


MODELS = [
    ("for Qwen 7B", "Qwen 7B", 7e9),
    ("for Qwen2.5-7B-Instruct-4bit.", "Qwen2.5-7B-Instruct-4bit", 7e9),
    ("with mlx-community/Qwen2.5-0.5B-Instruct", "mlx-community/Qwen2.5-0.5B-Instruct", 0.5e9),
    ("align Llama 3.1 8B Instruct", "Llama 3.1 8B Instruct", 8e9),
    ("for llama-3-70b-8bit, 500 pairs", "llama-3-70b-8bit", 70e9),
    ("Mixtral 8x7B please", "Mixtral 8x7B", 46.7e9),
    ("Qwen3-235B-A22B", "Qwen3-235B-A22B", 235e9),
    ("for gemma-2-9b-it", "gemma-2-9b-it", 9e9),
    ("phi-4 pairs", "phi-4", None),
    ("SmolLM2-135M", "SmolLM2-135M", 135e6),
    ("Llama-4-Scout-17B-16E", "Llama-4-Scout-17B-16E", None),
    ("for my 13B model", "13B", 13e9),
    ("acme/helper-3b-chat", "acme/helper-3b-chat", 3e9),
    ("model ./models/tiny", "./models/tiny", None),
    ("dpo for Mistral 500 pairs", "Mistral", None),
    ("for Qwen 7B 500 pairs", "Qwen 7B", 7e9),
    ("a falcon is a bird, an option is not opt", "", None),
    ("the philosophy of command", "", None),
]


@pytest.mark.parametrize(("text", "model", "parameters"), MODELS)
def test_the_model_and_its_size_are_read(text: str, model: str, parameters: float | None) -> None:
    found = detect(text)
    assert (found.model, found.parameters) == (model, parameters)


def test_a_mixture_of_experts_counts_all_for_memory_and_few_for_speed() -> None:
    assert read_size("Qwen3-235B-A22B") == (235e9, 22e9)
    assert read_size("Mixtral-8x7B") == (46.7e9, 12.9e9)
    assert read_size("Kimi-K2") is None


PATHS = [
    ("from /a/b.pdf and /a/c.md", ("/a/b.pdf", "/a/c.md"), ""),
    ("from '/my books/ml book.pdf'", ("/my books/ml book.pdf",), ""),
    ('from "My Book.epub", please', ("My Book.epub",), ""),
    ("from /my\\ books/ml.pdf", ("/my books/ml.pdf",), ""),
    ("from ~/docs/ and ./notes", ("~/docs/", "./notes"), ""),
    ("from ../x/y.txt.", ("../x/y.txt",), ""),
    ("from books/", ("books/",), ""),
    ("from data/books", ("data/books",), ""),
    ("from book.pdf to pairs.jsonl", ("book.pdf",), "pairs.jsonl"),
    ("apply DPO to book.pdf", ("book.pdf",), ""),
    ("regate old_pairs.jsonl", ("old_pairs.jsonl",), ""),
    ("from a.pdf, save it to /out/dpo", ("a.pdf",), "/out/dpo"),
    ("save the pairs in ./out, source is a.pdf", ("a.pdf",), "./out"),
    ("a.pdf -o out", ("a.pdf",), "out"),
    ("a.pdf --output=/tmp/x", ("a.pdf",), "/tmp/x"),
    ("write the rows into results/dpo.jsonl from a.html", ("a.html",), "results/dpo.jsonl"),
    ("from https://example.org/book.pdf.", ("https://example.org/book.pdf",), ""),
    ("C:\\books\\ml.pdf for dpo", ("C:\\books\\ml.pdf",), ""),
    ("chosen/rejected and math/code and SFT/DPO", (), ""),
    ("the user's book isn't here", (), ""),
    ("a.pdf and a.pdf again", ("a.pdf",), ""),
    ("ratio 3.5 v1.2 e.g. this", (), ""),
]


@pytest.mark.parametrize(("text", "sources", "output"), PATHS)
def test_sources_and_output_are_told_apart(text: str, sources: tuple[str, ...], output: str) -> None:
    found = detect(text)
    assert (found.sources, found.output) == (sources, output)


COUNTS = [
    ("1,500 pairs", 1500),
    ("2k examples", 2000),
    ("2.5k DPO preference pairs", 2500),
    ("a dataset of 5000", 5000),
    ("examples: 300", 300),
    ("10 thousand rows", 10_000),
    ("500 high-quality pairs for Qwen 7B", 500),
    ("pairs for Qwen 7B", None),
    ("10 examples per page", None),
    ("3 books with pairs", None),
    ("chapter 3.pdf pairs", None),
    ("in 2026 I made it", None),
]


@pytest.mark.parametrize(("text", "examples"), COUNTS)
def test_the_number_of_examples_is_read(text: str, examples: int | None) -> None:
    assert detect(text).examples == examples


FLOWS = [
    ("align Qwen 7B with DPO", "align"),
    ("train Qwen on pairs.jsonl with DPO", "align"),
    ("optimize it with rlvr", "align"),
    ("run the sft training on chats.jsonl", "align"),
    ("curate training data for DPO", "curate"),
    ("generate pairs to train Qwen", "curate"),
    ("create alignment data", "curate"),
    ("make a DPO training set", "curate"),
    ("dpo", "curate"),
]


@pytest.mark.parametrize(("text", "workflow"), FLOWS)
def test_making_data_and_training_a_model_are_told_apart(text: str, workflow: str) -> None:
    assert detect(text).workflow == workflow


FILES = [
    ({"prompt": "p", "chosen": "c", "rejected": "r"}, "dpo"),
    ({"messages": []}, "sft"),
    ({"prompt": "p", "answer": "4", "verifier": "integer"}, "rlvr"),
    ({"prompt": "p", "completion": "c"}, "sft"),
    ({"text": "only text"}, ASK),
]


@pytest.mark.parametrize(("row", "data_type"), FILES)
def test_a_data_file_is_known_by_the_keys_of_its_rows(tmp_path: Path, row: dict[str, object], data_type: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text((json.dumps(row) + "\n") * 5, encoding="utf-8")
    found = detect_file(path)
    assert (found.data_type, bool(found.question), found.sources) == (data_type, data_type == ASK, (str(path),))


def test_a_file_of_two_kinds_is_not_guessed(tmp_path: Path) -> None:
    path = tmp_path / "mixed.jsonl"
    rows = [{"chosen": "a", "rejected": "b"}, {"messages": []}] * 4
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    assert set(detect_file(path).candidates) == {"dpo", "sft"}


@pytest.mark.parametrize("name", ["book.pdf", "notes.md", "gone.jsonl"])
def test_a_document_or_a_missing_file_gives_the_question_and_itself_as_source(tmp_path: Path, name: str) -> None:
    found = detect_file(tmp_path / name)
    assert found.data_type == "" and found.question and found.sources == (str(tmp_path / name),)


@pytest.mark.parametrize("body", [b"", b"\xff\xfe\x00", b"[" * 100_000, b"not json\n", b'{"a":'])
def test_a_broken_data_file_gives_a_question_not_an_exception(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_bytes(body)
    assert detect_file(path).question


@given(st.text(max_size=400))
def test_any_text_gives_a_type_or_a_question(text: str) -> None:
    found = detect(text)
    assert (found.data_type in WORDS) != bool(found.question)


def test_importing_it_loads_nothing_outside_the_standard_library() -> None:
    code = (
        "import sys, realign.intake.detect; "
        "print(*{m.partition('.')[0] for m in sys.modules} - set(sys.stdlib_module_names))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd()
    ).stdout
    assert not {"pydantic", "numpy", "mlx", "mcp", "rich"} & set(shown.split()), shown
