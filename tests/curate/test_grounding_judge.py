"""The grounding judge supports right answers with their sentence, and no planted wrong one or false citation."""

import pytest

from realign.curate.grounding.candidates import stated
from realign.curate.grounding.judge import cases_of, embedded
from realign.curate.grounding.recheck import judged_again

SHOWN = (
    "The flood current carries water into the estuary for six hours. The ebb current carries water out of the estuary"
    " for seven hours. Slack water separates the flood and the ebb. Spring tides usually flood the quay."
    " John Miller built the mill in 1864."
)
MILL, QUAY = "“John Miller built the mill in 1864.”", "“Spring tides usually flood the quay.”"
SLACK = "“Slack water separates the flood and the ebb.”"
HOW_LONG = "For how many hours does the flood current carry water into the estuary?"
EBB = "For how many hours does the ebb current carry water into the estuary?"


def scored(question: str, answer: str) -> float:
    cases = cases_of(f"Passage: {SHOWN}\n\nQuestion: {question}", answer)
    found = [support for support in embedded(cases) if support is not None]
    return min(found, default=0.0)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (HOW_LONG, "Six hours. Source: “The flood current carries water into the estuary for six hours.”"),
        ("What separates the flood and the ebb?", f"According to the passage, {SLACK}"),
        ("Who built the mill?", f"John Miller [1]\n\n[1] {MILL}"),
        ("Is it true that spring tides usually flood the quay?", f"Yes. In the passage: {QUAY}"),
        ("Is it true that spring tides never flood the quay?", f"No. The passage says: {QUAY}"),
        ("Is it true that spring tides always flood the quay?",
         f"Usually, but not always. The passage says only: {QUAY}"),
        ("Who repaired the mill?", "The passage does not say who repaired the mill."),
        ("What did Miller build in 1871?", f"That is not what the passage says. It says: {MILL}"),
    ],
)  # fmt: skip
def test_a_right_answer_is_supported(question: str, answer: str) -> None:
    assert scored(question, answer) >= 0.5


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (HOW_LONG, "Seven hours. Source: “The flood current carries water into the estuary for six hours.”"),
        (HOW_LONG, "Six hours. Source: “The flood current carries water into the estuary for nine hours.”"),
        (HOW_LONG, f"Six hours. Source: {SLACK}"),
        (HOW_LONG, "The passage does not say for how many hours the flood current carries water into the estuary."),
        ("Who repaired the mill?", f"John Miller. Source: {SLACK}"),
        ("Is it true that spring tides always flood the quay?", "Yes. Source: “Spring tides always flood the quay.”"),
        ("Who built the mill?", f"Mary Cole [1]\n\n[1] {MILL}"),
        ("What did Miller build in 1864?", f"That is not what the passage says. It says: {MILL}"),
        ("Who built the mill?", ""),
    ],
)  # fmt: skip
def test_a_wrong_answer_or_a_false_citation_is_not_supported(question: str, answer: str) -> None:
    assert scored(question, answer) < 0.5


def test_what_is_told_of_one_thing_supports_no_answer_about_another() -> None:
    source = "“The flood current carries water into the estuary for six hours.”"
    about_the_other, about_itself = (scored(q, f"Six hours. Source: {source}") for q in (EBB, HOW_LONG))
    assert about_itself - about_the_other >= 0.15


def test_a_row_without_its_passage_is_not_judged() -> None:
    turns = [{"role": "user", "content": "How deep is it?"}, {"role": "assistant", "content": "Nine meters."}]
    assert (
        "claims"
        not in judged_again({"messages": turns, "scores": {"claims": [{"claim": "x", "support": 1}]}})["scores"]
    )


@pytest.mark.parametrize(
    ("confidence", "text"),
    [(0.704, "So. I am 70 % sure."), (0.968, "So. I am 97 % sure."), (0.9999, "So. I am 99 % sure."), (None, "So.")],
)
def test_a_stated_confidence_is_what_was_measured_and_none_is_stated_where_nothing_was(confidence, text) -> None:
    assert stated("So. I am {confidence} % sure.", confidence) == text
