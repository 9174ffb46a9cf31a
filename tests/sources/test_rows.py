"""Existing rows in every form: read with all they hold, or refused by line and field; no bytes break the reader."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as hypothesis_given
from hypothesis import settings
from hypothesis import strategies as st

from realign.errors import DamagedSource, EmptySource, SourceError, UsageError
from realign.sources.chat import FieldError
from realign.sources.rows import parse_row, read_rows
from realign.sources.shapes import Given, read_given, shape_of


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def said(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def human(text: str) -> dict[str, str]:
    return {"from": "human", "value": text}


SYSTEM = {"role": "system", "content": "Be brief."}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "tide", "arguments": "{}"}}]}
FOUND = {"role": "tool", "content": "Low at six.", "tool_call_id": "1"}
TALK = [SYSTEM, user("Hello there."), said("Good day."), user("How deep?")]
TOOL = {"type": "function", "function": {"name": "tide"}}
SQUAD = {"data": [{"title": "Tides", "paragraphs": [{"context": "It ebbs.", "qas": [
    {"question": "What ebbs?", "answers": [{"text": "It", "answer_start": 0}]},
    {"question": "What flows?", "answers": [], "is_impossible": True},
]}]}]}  # fmt: skip

# -- what each form gives: (row, form, data type, prompt, answers, roles of the turns) ----------------------------
FORMS: list[tuple[dict[str, Any], str, str, str, list[str], list[str]]] = [
    ({"prompt": "How deep?", "chosen": "Nine.", "rejected": "Ten."},
     "TRL preference", "dpo", "How deep?", ["Nine.", "Ten."], []),
    ({"prompt": TALK, "chosen": [said("Nine.")], "rejected": [said("Ten.")]},
     "TRL preference", "dpo", "How deep?", ["Nine.", "Ten."], ["system", "user", "assistant", "user"]),
    ({"chosen": [*TALK, said("Nine.")], "rejected": [*TALK, said("Ten.")]},
     "TRL preference", "dpo", "How deep?", ["Nine.", "Ten."], ["system", "user", "assistant", "user"]),
    ({"prompt": "How deep?", "chosen": [user("How deep?"), said("Nine.")], "rejected": [user("How deep?"), said("X.")],
      "score_chosen": 8.5, "score_rejected": 4}, "TRL preference", "dpo", "How deep?", ["Nine.", "X."], []),
    ({"system": "Be brief.", "question": "How deep?", "chosen": "Nine.", "rejected": "Ten."},
     "TRL preference", "dpo", "How deep?", ["Nine.", "Ten."], ["system", "user"]),
    ({"chosen": "\n\nHuman: How deep?\n\nAssistant: Nine.", "rejected": "\n\nHuman: How deep?\n\nAssistant: Ten."},
     "TRL preference", "dpo", "How deep?", ["Nine.", "Ten."], []),
    ({"messages": [*TALK, said("Nine.")]},
     "chat", "sft", "How deep?", ["Nine."], ["system", "user", "assistant", "user"]),
    ({"messages": [user("Tide?"), CALL, FOUND, said("At six.")], "tools": [TOOL]},
     "chat", "sft", "Tide?", ["At six."], ["user", "assistant", "tool"]),
    ({"messages": [{"role": "user", "content": [{"type": "text", "text": "How"}, {"type": "text", "text": "deep?"}]},
                   said("Nine.")]}, "chat", "sft", "How\ndeep?", ["Nine."], []),
    ({"messages": [user("How deep?")]}, "chat", "sft", "How deep?", [], []),
    ({"system": "Be brief.", "conversations": [human("How deep?"), {"from": "gpt", "value": "Nine."}]},
     "ShareGPT", "sft", "How deep?", ["Nine."], ["system", "user"]),
    ({"prompt": "How deep?", "completion": "Nine."}, "prompt and completion", "sft", "How deep?", ["Nine."], []),
    ({"prompt": [user("How deep?")], "completion": [said("Nine.")]},
     "prompt and completion", "sft", "How deep?", ["Nine."], []),
    ({"instruction": "Name one.", "input": "Tides", "output": "Ebb."}, "Alpaca", "sft", "Name one.\n\nTides", ["Ebb."],
     []),
    ({"instruction": "How deep?", "completions": [{"response": "Nine.", "overall_score": "8.5"},
                                                  {"response": "Ten.", "overall_score": 2}, {"response": "Nine."}]},
     "UltraFeedback", "dpo", "How deep?", ["Nine.", "Ten."], []),
    ({"knowledge": "Nine meters.", "question": "How deep?", "right_answer": "Nine.", "hallucinated_answer": "Ten."},
     "HaluEval", "anti_hallucination", "How deep?", ["Nine.", "Ten."], []),
    ({"context": "Nine meters.", "question": "How deep?", "answers": {"text": ["Nine"], "answer_start": [0]}},
     "SQuAD", "anti_hallucination", "How deep?", ["Nine"], []),
    ({"context": "Nine meters.", "question": "How wide?", "answers": {"text": [], "answer_start": []}},
     "SQuAD", "anti_hallucination", "How wide?", [], []),
    ({"question": "2 + 2?", "answer": "It is 4.\n#### 4"}, "GSM8K", "rlvr", "2 + 2?", ["It is 4.\n#### 4"], []),
    ({"prompt": "def f():", "canonical_solution": "    return 1\n", "test": "assert f()", "entry_point": "f"},
     "HumanEval", "rlvr", "def f():", ["    return 1"], []),
    ({"text": "Write f.", "code": "def f(): pass", "test_list": ["assert True"]},
     "MBPP", "rlvr", "Write f.", ["def f(): pass"], []),
    ({"prompt": "2 + 2?", "answer": "4", "verifier": {"name": "exact"}}, "ReAlign task", "rlvr", "2 + 2?", ["4"], []),
    ({"question": "How deep?", "answer": 9}, "question and answer", "", "How deep?", ["9"], []),
    ({"prompt": "How deep?"}, "prompt", "", "How deep?", [], []),
    ({"text": "Plain text."}, "text", "", "", ["Plain text."], []),
]  # fmt: skip


@pytest.mark.parametrize(("row", "form", "serves", "prompt", "answers", "roles"), FORMS)
def test_a_row_of_each_form_is_read_with_all_that_it_holds(row, form, serves, prompt, answers, roles) -> None:
    found, shape = read_given(row), shape_of(row)
    assert shape is not None
    assert (found.shape, shape.serves) == (form, serves)
    assert (found.prompt, [answer.text for answer in found.answers]) == (prompt, answers)
    assert [turn["role"] for turn in found.turns] == roles


def test_scores_tools_contexts_and_ranks_come_along() -> None:
    pair = read_given(FORMS[3][0])
    assert pair.ranked and [answer.score for answer in pair.answers] == [8.5, 4.0]
    assert read_given(FORMS[7][0]).tools == (TOOL,)
    assert read_given(FORMS[7][0]).turns[1]["tool_calls"] == CALL["tool_calls"]
    assert read_given(FORMS[15][0]).context == "Nine meters."
    assert not read_given(FORMS[17][0]).answerable
    assert not read_given(FORMS[14][0]).ranked


# -- what is wrong with a row: (line, the field that must be named or "", words of the problem) --------------------


def line(**row: Any) -> str:
    return json.dumps(row)


PAIR = {"prompt": "p", "chosen": "a", "rejected": "b"}
MALFORMED: list[tuple[str, str, str]] = [
    ("{", "", "is no JSON"),
    ("nonsense", "", "is no JSON (Expecting value at column 1)"),
    ('{"prompt": "p"} {}', "", "Extra data"),
    ('{"prompt": "a\tb"}', "", "Invalid control character"),
    ("[1]", "", "is no JSON object but list"),
    ("null", "", "is no JSON object but NoneType"),
    ("12", "", "is no JSON object but int"),
    ('{"prompt": NaN}', "", "NaN, which is no JSON number"),
    ('{"a": ' + "9" * 5000 + "}", "", "Exceeds the limit"),
    ('{"prompt": "p", "prompt": "q"}', "prompt", "there twice"),
    ('{"messages": [{"role": "user", "role": "user", "content": "x"}]}', "role", "there twice"),
    ('{"prompt": "a\\ud800"}', "prompt", "half a character"),
    ('{"messages": [{"role": "user", "content": "\\udfff"}]}', "messages[0].content", "half a character"),
    ('{"prompt": "p", "x": ' + "[" * 70 + "]" * 70 + "}", "", "nested too deeply"),
    ('{"prompt": "p", "x": ' + "[" * 100_000, "", "nested too deeply"),
    ("{}", "", "no known form: found no field"),
    (line(title="t", body="b"), "", "no known form: found title, body"),
    (line(chosen="a", rejected="b"), "prompt", "missing"),
    (line(**PAIR | {"chosen": 7}), "chosen", "int, expected text"),
    (line(**PAIR | {"rejected": " "}), "rejected", "empty"),
    (line(**PAIR | {"rejected": None}), "rejected", "missing"),
    (line(**PAIR | {"rejected": "a "}), "rejected", "the same text as chosen"),
    (line(**PAIR | {"prompt": ["p"]}), "prompt[0]", "str, expected a message"),
    (line(**PAIR | {"prompt": {}}), "prompt", "missing"),
    (line(**PAIR | {"prompt": {"a": 1}}), "prompt", "dict, expected text"),
    (line(**PAIR | {"prompt": [user("p"), said("a")]}), "prompt", "ends with assistant"),
    (line(**PAIR | {"chosen": [user("p"), said("a")]}), "chosen", "2 messages after the prompt"),
    (line(chosen=[user("p"), said("a")], rejected=[user("q"), said("b")]), "prompt", "no turn that they share"),
    (line(chosen=[user("p"), said("a"), user("x")], rejected=[user("p"), said("b")]), "chosen", "expected one answer"),
    (line(**PAIR | {"score_chosen": "high"}), "score_chosen", "expected a number"),
    (line(**PAIR | {"system": 3}), "system", "int, expected text"),
    (line(messages="hello"), "messages", "str, expected a list of messages"),
    (line(messages=[]), "messages", "empty"),
    (line(messages=[7]), "messages[0]", "int, expected a message"),
    (line(messages=[{"content": "x"}]), "messages[0].role", "None, expected one of system"),
    (line(messages=[{"role": "wizard", "content": "x"}]), "messages[0].role", "'wizard'"),
    (line(messages=[user("")]), "messages[0].content", "empty"),
    (line(messages=[user("x"), said(" ")]), "messages[1].content", "empty"),
    (line(messages=[{"role": "user"}]), "messages[0].content", "missing"),
    (line(messages=[user("x"), user("y")]), "messages[1]", "user after user"),
    (line(messages=[said("x")]), "messages[0]", "begins with assistant"),
    (line(messages=[user("x"), said("y"), said("z")]), "messages[2]", "assistant after assistant"),
    (line(messages=[user("x"), SYSTEM, said("z")]), "messages[1]", "system after user"),
    (line(messages=[SYSTEM]), "messages", "ends with system"),
    (line(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}, said("a")]),
     "messages[0].content[0]", "a part of type 'image_url'"),
    (line(messages=[{"role": "user", "content": [{"type": "text"}]}]), "messages[0].content[0].text", "missing"),
    (line(messages=[{"role": "user", "content": []}]), "messages[0].content", "empty"),
    (line(messages=[{"role": "user", "content": {"a": 1}}]), "messages[0].content", "dict, expected text"),
    (line(messages=[user("x"), CALL]), "messages[1].content", "a tool call"),
    (line(messages=[user("x"), said("y")], tools={"a": 1}), "tools", "dict, expected a list of objects"),
    (line(conversations=[{"from": "alien", "value": "x"}]), "conversations[0].from", "'alien'"),
    (line(conversations=[human("x"), {"from": "gpt", "value": 4}]), "conversations[1].value", "int, expected text"),
    (line(prompt="p", completion=[user("x")]), "completion[0]", "user after user"),
    (line(prompt="p", completion=""), "completion", "empty"),
    (line(instruction="i", completions="x"), "completions", "str, expected a list"),
    (line(instruction="i", completions=[{"response": ""}]), "completions[0].response", "empty"),
    (line(instruction="i", completions=[{"response": "x", "score": []}]), "completions[0].score", "expected a number"),
    (line(instruction="", output="o"), "instruction", "empty"),
    (line(instruction="i", input=3, output="o"), "input", "int, expected text"),
    (line(instruction="i", output=["o"]), "output", "list, expected text"),
    (line(context="", question="q", answer="a"), "context", "empty"),
    (line(context="c", question=1, answer="a"), "question", "int, expected text"),
    (line(context="c", question="q", answers={"text": [5]}), "answers", "int, expected text"),
    (line(knowledge="k", question="q", right_answer="a", hallucinated_answer="a"), "hallucinated_answer", "the same"),
    (line(question="q", answer={}), "answer", "dict, expected text"),
    (line(text=["t"]), "text", "list, expected text"),
]  # fmt: skip


def problem_of(text: str) -> str:
    raw = parse_row(text, "line 1", 1)
    if raw.row is None:
        return raw.problem
    with pytest.raises(FieldError) as caught:
        read_given(raw.row)
    return str(caught.value)


@pytest.mark.parametrize(("text", "field", "words"), MALFORMED)
def test_a_malformed_row_is_named_by_its_field(text: str, field: str, words: str) -> None:
    problem = problem_of(text)
    assert words in problem
    assert problem.startswith(f"field {field!r}: ") == bool(field), problem


# -- files ----------------------------------------------------------------------------------------------------------

ROW = {"prompt": "How deep?", "completion": "Nine."}


def places(folder: Path, name: str, body: bytes) -> list[tuple[str, str]]:
    (folder / name).write_bytes(body)
    return [(raw.place, raw.problem and raw.problem.split(" (")[0]) for raw in read_rows(folder / name)]


def test_bad_lines_are_numbered_whatever_ends_them_and_the_rest_is_read(tmp_path: Path) -> None:
    good = json.dumps(ROW).encode()
    body = b"\xef\xbb\xbf" + b"\r\n".join([good, b"", b'{"prompt": "caf\xe9"}', good]) + b"\rnonsense\n\n" + good
    assert places(tmp_path, "a.jsonl", body) == [
        ("line 1", ""), ("line 3", "is not UTF-8"), ("line 4", ""), ("line 5", "is no JSON"), ("line 7", ""),
    ]  # fmt: skip


def test_an_array_is_read_by_the_lines_its_rows_begin_in_until_one_is_no_json(tmp_path: Path) -> None:
    body = b'[\n  {"prompt":\n "a"},\n\n  {"prompt": "b"}, 7,\n {"prompt" "c"}, {"prompt": "d"}]'
    assert places(tmp_path, "a.json", body) == [
        ("row 1 (line 2)", ""), ("row 2 (line 5)", ""), ("row 3 (line 5)", "is no JSON object but int"),
        ("row 4 (line 6)", "is no JSON"),
    ]  # fmt: skip
    cut = places(tmp_path, "b.json", b'[{"prompt": "a"},')
    assert cut[0] == ("row 1 (line 1)", "") and cut[1][1].startswith("the file ends before the array does")


def test_rows_come_out_of_json_lines_by_another_name_of_one_object_and_of_squads_form(tmp_path: Path) -> None:
    lines = b"\n".join([json.dumps(ROW).encode()] * 2)
    assert places(tmp_path, "lines.json", lines) == [("line 1", ""), ("line 2", "")]
    assert places(tmp_path, "rows.json", json.dumps({"n": 1, "rows": [ROW, ROW]}).encode()) == [
        ("row 1", ""), ("row 2", ""),
    ]  # fmt: skip
    assert places(tmp_path, "one.json", json.dumps(ROW, indent=1).encode()) == [("line 1", "")]
    (tmp_path / "squad.json").write_text(json.dumps(SQUAD, indent=1))
    found = [read_given(raw.row or {}) for raw in read_rows(tmp_path / "squad.json")]
    assert [(each.context, each.prompt, each.answerable) for each in found] == [
        ("It ebbs.", "What ebbs?", True), ("It ebbs.", "What flows?", False),
    ]  # fmt: skip


def test_a_gzipped_file_is_read_and_a_damaged_one_refused(tmp_path: Path) -> None:
    packed = gzip.compress(json.dumps(ROW).encode() * 1)
    assert places(tmp_path, "a.jsonl.gz", packed) == [("line 1", "")]
    with pytest.raises(DamagedSource, match=r"b\.jsonl\.gz is damaged"):
        places(tmp_path, "b.jsonl.gz", packed[:-9])


def test_a_row_of_several_megabytes_is_named_and_only_its_start_is_kept(tmp_path: Path) -> None:
    body = json.dumps({"prompt": "x" * 4_100_000}).encode() + b"\n" + json.dumps(ROW).encode()
    assert places(tmp_path, "a.jsonl", body)[0][1] == "has 4,100,014 characters, at most 4,000,000 can be read"
    assert len(read_rows(tmp_path / "a.jsonl")[0].text) < 2100


def test_a_file_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    for body, error, words in [
        (b"", EmptySource, "a.jsonl has no row"), (b" \n\n", EmptySource, "has no row"),
        ('{"prompt": "p"}'.encode("utf-16"), DamagedSource, "is UTF-16"),
        (b'\x00\x01{"prompt": "p"}', DamagedSource, "zero byte"),
    ]:  # fmt: skip
        with pytest.raises(error, match=words):
            places(tmp_path, "a.jsonl", body)
    with pytest.raises(UsageError, match="can't be read"):
        read_rows(tmp_path / "gone.jsonl")
    with pytest.raises(UsageError, match="is a folder"):
        read_rows(tmp_path)


PIECES = st.sampled_from([
    b"{", b"}", b"[", b"]", b",", b":", b'"', b'"prompt"', b'"messages"', b'"role"', b'"user"', b'"content"', b'"data"',
    b"\n", b"\r", b"1", b"null", b"\\ud800", b"\xff", b"\xef\xbb\xbf", b"\x1f\x8b", b"\x00", b"NaN", b"chosen",
    json.dumps(ROW).encode(), json.dumps(SQUAD).encode(), json.dumps(FORMS[1][0]).encode(),
])  # fmt: skip


@settings(deadline=None)
@hypothesis_given(st.one_of(st.binary(max_size=300), st.lists(PIECES, max_size=12).map(b"".join)))
def test_any_bytes_give_rows_or_a_named_error(tmp_path_factory: pytest.TempPathFactory, body: bytes) -> None:
    for name in ("any.jsonl", "any.json"):
        path = tmp_path_factory.getbasetemp() / name
        path.write_bytes(body)
        try:
            raws = read_rows(path)
        except (SourceError, UsageError) as error:
            assert name in str(error)
            continue
        assert len({raw.number for raw in raws}) == len(raws)
        for raw in raws:
            assert (raw.row is None) == bool(raw.problem)
            raw.text.encode("utf-8")
            if raw.row is not None:
                one_of(raw.row)


def one_of(row: dict[str, Any]) -> Given | FieldError:
    try:
        return read_given(row)
    except FieldError as error:
        assert str(error)
        return error
