"""The overlap reader answers from what the prompt shows, never from the reference, and the same for the same seed."""

from collections import Counter

import pytest

from realign.curate.rlvr import reader
from realign.curate.rlvr.rollouts import as_posed, read_all
from realign.records import Prompt, Task
from realign.settings import Candidates

PROMPT = (
    "Passage: The lock has four gates. A pilot waits 25 minutes for the tide. The quay has 110 lamps.\n\n"
    "Question: How many gates does the lock have?\nAnswer with a number, in digits."
)


def finals(texts: list[str]) -> Counter[str]:
    return Counter(text.rpartition("Answer: ")[2] for text in texts)


def test_the_right_sentence_is_read_most_often_and_not_always() -> None:
    counts = finals(reader.answers(PROMPT, "numeric", (), Candidates(), 200, "key"))
    assert set(counts) == {"4", "25", "110"}
    assert counts.most_common(1)[0][0] == "4"
    assert 0.4 < counts["4"] / 200 < 0.95


def test_a_low_temperature_makes_a_sure_reader() -> None:
    assert set(finals(reader.answers(PROMPT, "numeric", (), Candidates(temperature=0.0), 8, "key"))) == {"4"}


def test_rollouts_depend_on_prompt_settings_and_key_alone() -> None:
    one, other = (reader.answers(PROMPT, "numeric", (), Candidates(), 8, "key") for _ in range(2))
    assert one == other
    assert reader.answers(PROMPT, "numeric", (), Candidates(seed=1), 8, "key") != one


def test_the_reader_is_given_no_answer_and_the_items_of_an_order_unordered() -> None:
    prompt = Prompt("p", "s", "Order these: b; a; c", "t", "", 0, 1, "given")
    task = Task("t", "p", "a; b; c", "ordering", {"items": ["a", "b", "c"]}, (), ())
    posed = as_posed(prompt, task)
    assert sorted(posed.options) == ["a", "b", "c"]
    assert not hasattr(posed, "answer")
    orders = {as_posed(Prompt(f"p{n}", "s", "?", "t", "", 0, 1, "g"), task).options for n in range(20)}
    assert len(orders) > 2


@pytest.mark.parametrize(
    ("question", "right"),
    [
        ("What is the sum of these 6 numbers? 2; 3; 4; 5; 6; 7.", "27"),
        ("Work out the value of this computation: 82.5 - 56.", "26.5"),
        ("A farm has 12 hens and buys 5 more. How many hens are there?", "17"),
    ],
)
def test_what_can_be_computed_is_right_sometimes(question: str, right: str) -> None:
    counts = finals(reader.answers(question, "numeric", (), Candidates(), 200, "key"))
    assert 0 < counts[right] < 200


def test_without_a_passage_a_choice_is_a_guess_and_says_so() -> None:
    prompt = "Which of these terms means “a standing wave”?\nA) seiche\nB) bore\nC) surge\nAnswer with the letter."
    names = ("seiche", "bore", "surge")
    texts = reader.answers(prompt, "choice", names, Candidates(), 60, "key")
    assert set(finals(texts)) == {"A", "B", "C"}
    assert {text.split("\n")[0] for text in texts} == {f"I take it to be {name}." for name in names}


def test_rollouts_of_a_prompt_may_be_equal_and_are_counted_apart() -> None:
    prompt = Prompt("p", "s", PROMPT, "t", "", 0, 1, "given")
    found, drops = read_all([as_posed(prompt, Task("t", "p", "4", "numeric", {}, (), ()))], Candidates(), 8)
    assert len({each.id for each in found}) == 8
    assert len({each.text for each in found}) < 8
    assert {each.author for each in found} == {"overlap reader"} and drops == []


def test_code_is_not_tried_and_said_so() -> None:
    prompt = Prompt("p", "s", "Write a function.", "t", "", 0, 1, "given")
    found, drops = read_all([as_posed(prompt, Task("t", "p", "def f(): ...", "code", {}, (), ()))], Candidates(), 8)
    assert found == []
    assert "writes no code answers" in drops[0].reason
