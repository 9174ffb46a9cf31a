"""Calibration, the mix, and what an answer says of itself, at values known by hand."""

import pytest

from realign.errors import EmptyInput
from realign.quality.calibration import calibration_error
from realign.quality.citations import find_quote, read_answer, stated_confidence, states
from realign.quality.mixture import mix_reached, mix_sizes

SHARES = {"refusal": 0.4, "hedged": 0.3, "confident": 0.2, "edge": 0.1}


def test_answers_right_as_often_as_they_say_have_no_calibration_error() -> None:
    measure = calibration_error([0.75] * 4 + [0.25] * 4, [True] * 3 + [False] + [True] + [False] * 3)
    assert measure.value == pytest.approx(0.0) and measure.n == 8


def test_stating_95_percent_and_being_right_half_the_time_is_an_error_of_45_points() -> None:
    measure = calibration_error([0.95] * 100, [True, False] * 50)
    assert measure.value == pytest.approx(0.45)
    assert measure.low is not None and measure.high is not None and measure.low < 0.45 < measure.high


def test_errors_of_two_bins_add_by_their_share_and_a_confidence_of_one_is_in_the_last_bin() -> None:
    measure = calibration_error([1.0, 1.0, 0.15, 0.15], [True, True, True, False])
    assert measure.value == pytest.approx(0.5 * 0.35)
    assert [found["from"] for found in measure.details["bins"]] == [0.1, 0.9]


def test_no_stated_confidence_is_no_perfect_calibration() -> None:
    with pytest.raises(EmptyInput):
        calibration_error([], [])


def test_the_mix_is_met_exactly_where_every_category_has_enough() -> None:
    assert mix_sizes(dict.fromkeys(SHARES, 100), SHARES, 0.0) == {
        "refusal": 100, "hedged": 75, "confident": 50, "edge": 25,
    }  # fmt: skip


def test_a_category_that_lacks_answers_gives_all_and_the_others_exceed_by_the_slack_at_most() -> None:
    sizes = mix_sizes({"refusal": 500, "hedged": 20, "confident": 500, "edge": 500}, SHARES, 0.1)
    total = sum(sizes.values())
    assert sizes["hedged"] == 20 and total > 100
    assert all(sizes[name] <= (SHARES[name] + 0.1) * total for name in SHARES)


def test_a_missing_category_does_not_empty_the_dataset_and_costs_its_target() -> None:
    sizes = mix_sizes({"refusal": 0, "hedged": 30, "confident": 30, "edge": 30}, SHARES, 0.0)
    assert sum(sizes.values()) >= 60
    measure = mix_reached(["hedged"] * 30 + ["confident"] * 20 + ["edge"] * 10, SHARES)
    assert measure.value == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("text", "claims", "quotes", "confidence"),
    [
        ("Six hours. The passage says: “The flood lasts six hours.” I am 95 % sure.",
         [("Six hours.", (0,), "claim")], 1, 0.95),
        ("According to the passage, “The flood lasts six hours.” So the answer is six hours.",
         [("The flood lasts six hours.", (0,), "claim"), ("six hours.", (0,), "claim")], 1, None),
        ("Six hours [1]\n\n[1] “The flood lasts six hours.”", [("Six hours", (0,), "claim")], 1, None),
        ('Four. Source: "It has four wheels." Confidence: 80%.', [("Four.", (0,), "claim")], 1, 0.8),
        ("The passage does not say how long the ebb lasts. The nearest it comes is: “The flood lasts six hours.”",
         [("The passage does not say how long the ebb lasts.", (), "refusal"),
          ("The flood lasts six hours.", (0,), "claim")], 1, None),
        ("That is not what the passage says. It says: “The flood lasts six hours.”",
         [("That is not what the passage says.", (0,), "denial")], 1, None),
        ("", [], 0, None),
    ],
)  # fmt: skip
def test_an_answer_is_read_as_its_claims_citations_and_confidence(text, claims, quotes, confidence) -> None:
    spoken = read_answer(text)
    assert [(said.text, said.cites, said.kind) for said in spoken.claims] == claims
    assert (len(spoken.quotes), spoken.confidence) == (quotes, confidence)


def test_a_percentage_inside_a_quotation_is_no_confidence() -> None:
    assert stated_confidence("It says: “We are 95 % sure of it here.”") is None


def test_a_quotation_is_found_across_white_space_and_not_when_a_word_differs() -> None:
    assert find_quote("lasts six hours.", "The flood lasts six\nhours and ends.") == (10, 25)
    assert find_quote("lasts seven hours", "The flood lasts six hours.") is None
    assert find_quote("", "anything") is None


def test_an_answer_states_a_reference_only_as_whole_words_of_its_first_claim() -> None:
    assert states(read_answer("Probably the tide gauge. I am 70 % sure."), "tide gauge")
    assert not states(read_answer("Sixteen. The passage says: “There are six of them.”"), "six")
