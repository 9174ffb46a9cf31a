"""Benchmarks from local files: read with errors that name the line, scored by a real model."""

import json
from pathlib import Path

import pytest

from realign.align.benchmarks import Item, choices_from, parse_item, read_benchmark, score_items
from realign.errors import EmptySource, UsageError


def written(folder: Path, *rows: object) -> Path:
    path = folder / "exam.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def test_a_choice_is_read_by_place_letter_or_text(tmp_path):
    rows = [{"question": "Which?", "choices": ["a", "b"], "answer": answer} for answer in (1, "B", "b")]
    assert [item.right for item in read_benchmark(written(tmp_path, *rows))] == [1, 1, 1]


def test_a_worked_answer_is_checked_by_its_number():
    item = parse_item({"question": "6 times 7?", "answer": "It is 6 * 7 = 42\n#### 42"}, "exam:1")
    assert (item.answer, item.verifier) == ("42", "numeric")


@pytest.mark.parametrize(("row", "told"), [
    ([], "expected an object"),
    ({"answer": "x"}, "field 'prompt'"),
    ({"question": "Q", "choices": ["a"], "answer": 0}, "field 'choices'"),
    ({"question": "Q", "choices": ["a", "b"], "answer": 2}, "field 'answer'"),
    ({"question": "Q", "choices": ["a", "b"], "answer": True}, "field 'answer'"),
    ({"question": "Q", "answer": 3}, "field 'answer'"),
    ({"question": "Q", "answer": "x", "verifier": {"kind": "exact"}}, "field 'verifier'"),
])  # fmt: skip
def test_a_malformed_item_is_named_by_line_and_field(tmp_path, row, told):
    with pytest.raises(UsageError, match=f"line 2.*{told}"):
        read_benchmark(written(tmp_path, {"question": "Q", "answer": "x"}, row))


def test_an_empty_benchmark_is_an_error(tmp_path):
    with pytest.raises(EmptySource):
        read_benchmark(written(tmp_path))


def test_choices_from_rows_hold_the_right_answer_once_among_answers_of_like_length():
    rows = [(f"r{n}", f"Question {n}?", "word " * (n % 5 + 1) + str(n)) for n in range(20)]
    for item, (_, prompt, answer) in zip(choices_from(rows), rows, strict=True):
        assert item.question == prompt and item.choices[item.right] == answer and len(set(item.choices)) == 4
    places = [item.right for item in choices_from(rows)]
    assert len(set(places)) == 4
    assert choices_from(rows[:3]) == []


def test_a_model_that_learned_the_answers_scores_higher_than_one_that_did_not(tmp_path):
    from realign.engine.mlx import load
    from realign.engine.tiny import make_tiny_model, train_tiny

    colors = ("green", "blue", "red", "white")
    facts = [
        (f"{thing} " * 3 + "is?", color) for thing, color in zip(("grass", "sky", "blood", "snow"), colors, strict=True)
    ]
    folder = make_tiny_model(tmp_path / "tiny", " ".join(q + a for q, a in facts) * 3)
    items = [Item(q, q, choices=colors, right=colors.index(a)) for q, a in facts]
    items += [Item(q + "!", q, answer=a) for q, a in facts]
    before = score_items(load(folder), items)
    train_tiny(folder, facts, steps=120, learning_rate=1e-3)
    after = score_items(load(folder), items)
    assert sum(before) < 4 and after == [1.0] * 8
