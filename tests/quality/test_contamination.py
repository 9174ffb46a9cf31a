import json
import random
from pathlib import Path

import pytest
from rapidfuzz import fuzz

from realign.errors import DamagedSource, EmptySource, UsageError
from realign.quality.contamination import find_contaminated, index_files, load_index, main, merge
from realign.quality.evaluation_index import LICENSES, EvaluationIndex, index_items, read_index
from realign.quality.items import Item, read_items
from realign.quality.text import words

QUESTION = (
    "A farmer keeps seventeen goats on the northern meadow and sells four of them at the spring market before "
    "buying nine more from his neighbor. How many goats graze on the meadow now?"
)
PROSE = "The mean of a sample is the sum of all values divided by their number, and it moves with every outlier. "


def index(*questions: str) -> EvaluationIndex:
    return EvaluationIndex((index_items("exam", [Item(i, "question", q) for i, q in enumerate(questions, 1)]),))


def rules(row: str, *questions: str) -> list[str]:
    return [hit.rule for hit in find_contaminated([row], index(*questions))]


def test_a_question_hidden_in_a_row_is_found_and_named():
    hit = find_contaminated([PROSE, PROSE + QUESTION.upper() + PROSE], index("What is up?", QUESTION))[0]
    assert (hit.row, hit.benchmark, hit.item, hit.rule, hit.detail) == (1, "exam", "2", "13-gram", "33 words in a row")


def test_thirteen_words_in_a_row_are_a_hit_and_twelve_are_not():
    found = words(QUESTION)
    assert rules(PROSE + " ".join(found[5:18]) + f" {PROSE}", QUESTION) == ["13-gram"]
    assert rules(PROSE + " ".join(found[5:17]) + f" {PROSE}", QUESTION) == []


def test_half_of_the_8_grams_are_a_hit_and_fewer_are_not():
    item = [f"w{n}" for n in range(21)]  # 14 8-grams, 7 of them in two runs of 11 and 10 words
    rewritten = " ".join([*item[:11], *[f"x{n}" for n in range(30)], *item[11:]])
    assert rules(rewritten, " ".join(item)) == ["8-gram half"]
    assert rules(" ".join(item[:12]), " ".join(item)) == []


def test_short_items_match_whole_and_only_whole():
    question = "Where do all the roads lead?"
    assert rules(f"{PROSE} Tell me where do all the ROADS lead, please.", question) == ["whole"]
    assert rules(f"{PROSE} Where do all the roads go?", question) == []


def test_very_short_items_must_be_a_sentence_of_their_own():
    assert rules("Physics asks: what is time? Nobody knows.", "What is time?") == ["whole"]
    assert rules("Nobody knows what is time and what is space.", "What is time?") == []
    assert rules("Why?", "Why?") == ["whole"]
    assert rules("I know why? Yes.", "Why?") == []


def test_a_run_over_the_end_of_a_row_is_no_hit():
    found = words(QUESTION)
    assert find_contaminated([" ".join(found[:12]), " ".join(found[12:24])], index(QUESTION), None) == []


def test_an_item_whose_words_were_dropped_or_swapped_is_reworded():
    found = QUESTION.split()
    dropped = " ".join(word for place, word in enumerate(found) if place % 6 != 5)
    swapped = " ".join(found[i ^ 1] if (i ^ 1) < len(found) else found[i] for i in range(len(found)))
    for row in (dropped, PROSE + dropped + PROSE, swapped):
        assert rules(row, QUESTION) == ["reworded"]


def test_words_scattered_over_a_long_row_are_no_rewording():
    scattered = " ".join(f"{word} {PROSE}" for word in QUESTION.split())
    assert rules(scattered, QUESTION) == []


def test_items_made_of_one_phrase_do_not_flag_each_other():
    nouns = "area volume perimeter diameter radius slope height width angle weight median mode".split()
    tasks = [f"Write a function to find the {noun} of the given numbers in a list." for noun in nouns]
    assert rules("Write a function to sort the pairs in the given order and find a path.", *tasks) == []


def test_the_score_is_that_of_rapidfuzz_where_the_row_has_more_than_the_item_lacks():
    row = " ".join(
        "otherwise" if place in (2, 9, 12, 14, 20, 25) else word for place, word in enumerate(words(QUESTION))
    )
    row += " according to the report of the committee"
    [hit] = find_contaminated([row], index(QUESTION), 80.0)
    assert float(hit.detail.removeprefix("score ")) == pytest.approx(
        fuzz.token_set_ratio(row, " ".join(words(QUESTION))), abs=1
    )


@pytest.mark.parametrize("row", ["", "!", "one", "日本語", " "])
def test_rows_with_next_to_nothing_in_them_are_clean(row: str):
    assert rules(row, QUESTION, "What is time?") == []


def test_an_empty_index_and_no_rows_find_nothing():
    assert find_contaminated([QUESTION], EvaluationIndex(())) == []
    assert find_contaminated([], index(QUESTION)) == []


def test_a_benchmark_that_is_not_there_is_reported_missing():
    found = load_index(["mbpp", "nowhere"])
    assert (found.names, found.missing) == (("mbpp",), ("nowhere",))
    assert merge(found, load_index(["gone"])).missing == ("nowhere", "gone")


def test_the_shipped_index_has_every_benchmark_with_its_license():
    shipped = load_index()
    assert {benchmark.name: benchmark.license for benchmark in shipped.benchmarks} == LICENSES
    assert shipped.items > 11_000


def test_the_shipped_index_is_what_its_sources_give(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder, built = shared / "data" / "benchmarks", tmp_path / "built.npz"
    sources = [str(next(folder.glob(f"{name}.*"))) for name in LICENSES]
    assert main(["build", str(built), *sources]) == 0
    shipped = Path(read_index.__code__.co_filename).with_name("benchmarks.npz")
    assert built.read_bytes() == shipped.read_bytes()
    assert "gsm8k_test: 3852 items" in capsys.readouterr().out


def test_every_shipped_item_is_found_in_a_row_that_quotes_it(shared: Path):
    folder = shared / "data" / "benchmarks"
    for name in LICENSES:
        items = random.Random(1).sample(read_items(next(folder.glob(f"{name}.*"))), 100)
        rows = [f"{PROSE}\n{item.text}\n{PROSE}" for item in items]
        hit = {found.row for found in find_contaminated(rows, load_index([name]), None)}
        assert {row for row, item in enumerate(items) if len(words(item.text)) > 2} <= hit


def test_reworded_items_are_found(shared: Path):
    folder, rng = shared / "data" / "benchmarks", random.Random(2)
    items = [item for name in LICENSES for item in read_items(next(folder.glob(f"{name}.*")))]
    rows = []
    for item in rng.sample([item for item in items if len(item.text.split()) >= 8], 500):
        rows.append(" ".join(word for place, word in enumerate(item.text.split()) if place % 6 != 5))
    assert len({hit.row for hit in find_contaminated(rows, load_index())}) >= 0.98 * len(rows)


def test_a_textbook_is_clean(shared: Path):
    text = (shared / "data" / "books" / "openstax-statistics-ch1-5.md").read_text(encoding="utf-8").split()
    passages = [" ".join(text[start : start + 160]) for start in range(0, len(text), 80)]
    assert find_contaminated(passages, load_index()) == []


def test_a_training_split_is_nearly_clean(shared: Path):
    lines = (shared / "data" / "benchmarks" / "gsm8k_train.jsonl").read_text(encoding="utf-8").splitlines()
    hits = find_contaminated([json.loads(line)["question"] for line in lines], load_index())
    assert 1 <= len({hit.row for hit in hits}) <= 0.003 * len(lines)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.jsonl", '{"question": "Who is it?"}\n\n{"prompt": "Where?"}\n', [(1, "Who is it?"), (2, "Where?")]),
        ("a.json", '{"a": 1, "question": "Who?"}\n{"question": "Where?"}\n', [(1, "Who?"), (2, "Where?")]),
        ("a.json", '["Who?", "Where?"]', [(1, "Who?"), (2, "Where?")]),
        ("a.json", '{"data": [{"qas": [{"question": "Who?", "answers": [{"text": "me"}]}]}]}', [(1, "Who?")]),
        ("a.csv", "\ufeffType,Question\nx,Who?\ny,Where?\n", [(1, "Who?"), (2, "Where?")]),
        ("a.txt", "Who?\n\nWhere?\n", [(1, "Who?"), (3, "Where?")]),
        ("a.jsonl", '{"turns": ["Who?", "And where?"]}', [(1, "Who?"), (1, "And where?")]),
        (
            "a.json",
            '[{"messages": [{"role": "user", "content": "Who?"}, {"role": "system", "content": "B"}]}]',
            [(1, "Who?")],
        ),
        (
            "a.json",
            '[{"task_id": 600, "text": "A", "test_list": 0}, {"task_id": 11, "text": "B", "test_list": 0}]',
            [(1, "B")],
        ),
    ],
)
def test_items_are_read_from_the_forms_that_files_come_in(tmp_path: Path, name: str, content: str, expected: list):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    assert [(item.ordinal, item.text) for item in read_items(path)] == expected


def test_long_answers_are_items_and_short_ones_are_not(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    long = (
        "First add the apples, <<2+3=5>>5 of them, then take away what was eaten on Monday, so three are left for now."
    )
    path.write_text(json.dumps({"question": "Q?", "answer": long}) + '\n{"question": "R?", "answer": "42"}\n')
    assert [item.part for item in read_items(path)] == ["question", "answer", "answer", "question"]
    for row in (long, long.replace("<<2+3=5>>", "")):
        assert {hit.item for hit in find_contaminated([row], index_files([path]))} == {"1 answer"}


@pytest.mark.parametrize(
    ("name", "content", "error", "says"),
    [
        ("a.jsonl", b'{"question": "Who?"}\n{"question": \n', DamagedSource, "a.jsonl line 2 is not JSONL"),
        ("a.json", b'{\n"question" "Who?"}', DamagedSource, "a.json line 2 is not JSON"),
        ("a.txt", b"fine\n\xff\xfe\n", DamagedSource, "a.txt line 2 is not UTF-8"),
        ("a.csv", b'Question\n"Who', DamagedSource, "a.csv line 2 is not CSV"),
        ("a.jsonl", b'{"label": "Who?"}\n', EmptySource, "a.jsonl holds no evaluation item"),
        ("a.txt", b"", EmptySource, "a.txt holds no evaluation item"),
        ("a.pdf", b"%PDF", UsageError, "a.pdf"),
    ],
)
def test_a_bad_evaluation_file_is_refused_by_name_and_line(
    tmp_path: Path, name: str, content: bytes, error: type[Exception], says: str
):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=says):
        index_files([tmp_path / name])


def test_a_missing_file_and_a_damaged_index_are_named(tmp_path: Path):
    with pytest.raises(UsageError, match=r"gone\.jsonl"):
        index_files([tmp_path / "gone.jsonl"])
    (tmp_path / "bad.npz").write_bytes(b"PK nonsense")
    with pytest.raises(DamagedSource, match=r"bad\.npz is not a benchmark index"):
        read_index(tmp_path / "bad.npz")
