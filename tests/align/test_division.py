"""Rows that belong together are never in two splits, and no split is larger than its share."""

from realign.align.division import divide, keys_of, together
from realign.records import Split

SHARES: dict[Split, float] = {"test": 0.1, "valid": 0.1}


def chat(*turns: str, **beside: object) -> dict[str, object]:
    roles = ("user", "assistant") * len(turns)
    return {"messages": [{"role": r, "content": t} for r, t in zip(roles, turns, strict=False)], **beside}


def test_the_same_question_and_the_conversation_that_goes_on_from_it_belong_together() -> None:
    rows = [
        chat("Why?", "Rain."),
        {"prompt": " why? ", "chosen": "a"},
        chat("Why?", "Rain.", "And?", "Snow."),
        chat("How?", "So."),
    ]
    assert together([keys_of(row) for row in rows]) == [0, 0, 0, 3]


def test_questions_about_one_passage_belong_together() -> None:
    shown = [{"prompt": f"Context: Bergen is wet.\n\n{asked}?"} for asked in ("Why", "Where")]
    made = [{"prompt": asked, "provenance": {"sha256": "f", "passage": "p"}} for asked in ("Who?", "When?")]
    assert together([keys_of(row) for row in [*shown, *made]]) == [0, 0, 2, 2]


def test_what_two_rows_share_with_a_third_puts_them_together() -> None:
    assert together([["a"], ["b"], ["c"], ["a", "b"]]) == [0, 0, 2, 0]


def test_a_group_that_is_larger_than_every_share_is_for_training() -> None:
    splits = divide([["same"]] * 60 + [[str(n)] for n in range(40)], SHARES)
    assert set(splits[:60]) == {"train"} and splits.count("test") == splits.count("valid") == 4


def test_a_greeting_that_all_conversations_begin_with_does_not_make_one_of_them() -> None:
    rows = [chat("Hello.", "Hello. Ask me.", f"Why {n}?", "Rain.") for n in range(60)]
    assert divide([keys_of(row) for row in rows], SHARES).count("test") == 6


def test_a_few_rows_are_all_for_training() -> None:
    assert divide([["a"], ["b"], ["c"]], SHARES) == ["train"] * 3


def test_the_order_of_rows_moves_none_to_another_split() -> None:
    keys = [[str(n)] for n in range(50)]
    assert divide(keys[::-1], SHARES)[::-1] == divide(keys, SHARES)
