"""Exact, numeric, choice and ordering: the forms that are right, and the tricks that are not."""

import pytest

from realign.errors import UsageError
from realign.verify import Check, verify_all


def number(answer: str, **spec: object) -> Check:
    return Check("numeric", answer, spec)


THOUSAND = number("1000")
CAPITAL = Check("choice", "B", {"choices": ["Paris", "Rome", "Oslo"]})
ORDER = Check("ordering", "a; b; c d", {"items": ["b", "a", "c d"]})
CYCLE = Check("exact", "The Krebs cycle", {"aliases": ["citric acid cycle"]})

RIGHT = [
    (THOUSAND, ["1,000", "1e3", "Answer: 1000", "#### 1,000", r"\boxed{1000}", "The answer is 1000.", "1000 eggs"]),
    (THOUSAND, ["$1000", "So it is $1,000.00", "**Answer:** 1000", "x = 1000", r"\boxed{1{,}000}", "1 × 10^3"]),
    (THOUSAND, ["2000/2", "Answer:\n1000", "<answer>1000</answer>", "<think>5? Answer: 5</think> 1000", "1 thousand"]),
    (THOUSAND, ["2 + 2 is 4.\nThe answer is 1000.\n#### 1000", "The answer is 1000.\n\nI hope that this helps!"]),
    (THOUSAND, ["The answer is found by doubling.\nAnswer: 1000", "The answer is 2 * 500 = 1000\n#### 1000"]),
    (CYCLE, ["The answer is a cycle that was found in 1937 by a chemist.\nAnswer: Krebs cycle"]),
    (number("1000 km"), ["1 Mm", "1000 kilometers", "1,000 km", "1e6 m"]),
    (number("1000", unit="km"), ["1 Mm", "1000", "1000 km"]),
    (number("20", unit="%"), ["20", "20%", "20 percent", r"20 \%"]),
    (number("0.2", fraction=True), ["20%", "1/5", "0.2"]),
    (number("1/3"), ["1/3", "2/6", r"\frac{1}{3}"]),
    (number("1/3", relative="0.01"), ["0.333", "33.3e-2"]),
    (number("9.81", tolerance=0.01, unit="m/s^2"), ["9.8 m/s²", "9.81", "9.82 m/s^2", "981 cm/s^2"]),
    (number("5 m/s"), ["5 m/s", "18 km/h", "5 meters per second", "18 kph"]),
    (number("18", unit="$"), ["18 in total", "She has 18 in all", "18 has been earned", "18 US dollars", "18 M"]),
    (number("12 in"), ["12 in", "12 in.", "12 in long", "12 inches", "1 ft", "12 in. of rain"]),
    (number("5 kg"), ["5 kgs", "5 KG", "5000 grams"]),
    (number("-5"), ["-5", "−5", "minus 5", "-10/2"]),
    (number("$5"), ["$5", "5 dollars", "500 cents", "$5.00"]),
    (CAPITAL, ["B", "(b)", "B.", "B) Rome", "Rome", "Answer: B", "option B", "The answer is (B)",
               "The answer is B: Rome"]),
    (Check("choice", "A", {"choices": ["B", "A"]}), ["A", "(a)", "A) B"]),
    (ORDER, ["a, b, c d", "1. a\n2. b\n3. c d", "a -> b -> c d", "Answer:\n1) A\n2) B\n3) C d",
             "a, then b and finally c d"]),
    (CYCLE, ["krebs cycle", "Answer: the Krebs cycle.", "**Krebs cycle**", '"Krebs cycle"', "Citric acid cycle"]),
]  # fmt: skip
WRONG = [
    (THOUSAND, ["100", "1 or 1000", "1000 or 2", "10**3**1", "１０００", "1e400", "nan", "inf", "-1000", "not 1000"]),
    (THOUSAND, ["1000%", "Answer: 5\nAnswer: 1000", "Answer: 1000\nWait, 5", "1000 1001",
                "1,00,0", "1000.5", "x-1000"]),
    (THOUSAND, ["999+1", "Answer: 1000 or 7", "", "1000" * 200, "9**9**9", "1000!",
                "Answer: not 1000", "1000 million"]),
    (THOUSAND, ["There are 2 boxes of 500, so 1000", "The answer is 1000. No, 5", "Answer: 1000\nActually, it is 5"]),
    (THOUSAND, ["1000" + " " * 200_000, "<answer>1000</answer><answer>1</answer>", r"\boxed{1} or \boxed{1000}"]),
    (THOUSAND, ["The answer is 5.\nAnswer: 1000", "The answer is found by doubling 500, which is 1000"]),
    (CYCLE, ["The answer is Calvin cycle.\nAnswer: Krebs cycle"]),
    (number("1000 km"), ["1000 m", "1000 kg", "1000", "$1000 km"]),
    (number("1000", unit="km"), ["1000 m", "1000 min left", "$1000"]),
    (number("12 in"), ["12 in total", "12 in the box", "12"]),
    (number("2 ha"), ["2 has", "2 has left"]),
    (number("20", unit="%"), ["0.2", "1/5", "20 km"]),
    (number("1/3"), ["0.333", "1/0", "3"]),
    (number("5"), ["-5", "minus 5", "<5", "about 4 to 5", "twenty 5", "5 and a half", "5e0e0", "5e99999999999"]),
    (CAPITAL, ["A", "A and B", "A, B, C", "B) Paris", "not B", "none", "A B C", "A\nB\nC", "", "B or C",
               "Paris Rome Oslo"]),
    (ORDER, ["b, a, c d", "c d, b, a", "a, b", "a, b, c d, a", "a b", "a, b, c d, e", "a, b, not c d"]),
    (CYCLE, ["Krebs", "not the Krebs cycle", "Calvin cycle", "Krebs cycle or Calvin cycle", "", "Krebs cycles"]),
]  # fmt: skip


def verdicts(table: list[tuple[Check, list[str]]]) -> dict[tuple[str, str], str]:
    asked = [(check, answer) for check, answers in table for answer in answers]
    return {(check.answer, answer): o.verdict for (check, answer), o in zip(asked, verify_all(asked), strict=True)}


def test_right_answers_are_accepted_in_every_usual_form() -> None:
    assert [key for key, verdict in verdicts(RIGHT).items() if verdict != "accept"] == []


def test_wrong_answers_and_tricks_are_rejected_and_never_undecided() -> None:
    assert [key for key, verdict in verdicts(WRONG).items() if verdict != "reject"] == []


def test_long_and_repetitive_answers_are_rejected_and_not_brooded_over() -> None:
    parts = [
        "->",
        "1,",
        "(",
        r"\boxed{",
        "<answer>",
        "the answer is ",
        "Answer:",
        "a ",
        "\n",
        ". ",
        "#### \n",
        "and ",
        "B) ",
    ]
    asked = [(check, (part * 50_000)[:90_000] + "x") for part in parts for check in (THOUSAND, CAPITAL, ORDER, CYCLE)]
    assert {outcome.verdict for outcome in verify_all(asked)} == {"reject"}


@pytest.mark.parametrize(
    "check",
    [number("many"), number("5", unit="furlongs"), Check("choice", "D", {"choices": ["x", "y"]}), Check("choice", "A"),
     Check("ordering", "a", {"items": ["a", "b"]}), Check("exact", " ")],
)  # fmt: skip
def test_a_check_that_cannot_decide_is_unknown_and_says_why(check: Check) -> None:
    (outcome,) = verify_all([(check, check.answer)])
    assert outcome.verdict == "unknown"
    assert len(outcome.detail) > 20


def test_a_verifier_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"'taste'.*exact, numeric"):
        verify_all([(Check("taste", "sweet"), "sweet")])


def test_nothing_to_verify_gives_nothing() -> None:
    assert verify_all([]) == []
