"""Who does what: by speed, at every place, and shorter towards the end."""

from __future__ import annotations

import random

import pytest

from realign.job.planted import odd_ones
from realign.job.shares import FINE, LONGEST_ROUND, ROUND_SECONDS, deal, measured, round_length


@pytest.mark.parametrize(
    ("portions", "speeds", "counts"),
    [
        (1000, [1.95, 1.03], [654, 346]),
        (3, [2.0, 1.0], [2, 1]),
        (4, [1.0, 1.0], [2, 2]),
        (5, [1.0, 0.0, 1.0], [3, 0, 2]),
        (1, [0.0, 0.2], [0, 1]),
        (0, [1.0, 1.0], [0, 0]),
    ],
)
def test_portions_are_dealt_by_speed(portions: int, speeds: list[float], counts: list[int]) -> None:
    owners = deal(portions, speeds)
    assert [owners.count(machine) for machine in range(len(speeds))] == counts


def test_every_machine_has_its_share_to_within_a_portion_at_every_place() -> None:
    chance = random.Random(0)
    for _ in range(50):
        speeds = [chance.uniform(0.1, 5.0) for _ in range(chance.randint(2, 5))]
        owners = deal(200, speeds)
        for place in (1, 10, 57, 200):
            shares = [place * speed / sum(speeds) for speed in speeds]
            dealt = [owners[:place].count(machine) for machine in range(len(speeds))]
            assert max(abs(a - b) for a, b in zip(shares, dealt, strict=True)) < len(speeds) - 0.99


def test_a_round_is_ten_seconds_long_enough_for_a_fair_deal_and_at_most_half_of_what_is_left() -> None:
    assert round_length(10_000, [30.0, 10.0]) == 40 * ROUND_SECONDS
    assert round_length(10_000, [0.25, 0.125]) == 0.375 * FINE / 0.125  # 128 seconds: the slow one has 16 portions
    assert round_length(10_000, [0.25, 0.001]) == int(0.251 * LONGEST_ROUND)
    assert round_length(10_000, [30.0, 10.0], first=True) == 4
    assert round_length(50, [3.0, 1.0]) == 25
    assert round_length(4, [3.0, 1.0]) == 4
    assert round_length(5, [3.0, 1.0]) == 4
    assert round_length(5, [3.0, 0.0]) == 2


def test_all_work_is_done_in_a_bounded_number_of_rounds() -> None:
    left, rounds = 100_000, 0
    while left:
        left, rounds = left - round_length(left, [100.0, 50.0]), rounds + 1
    assert rounds < 90


def test_a_speed_is_the_first_measurement_and_then_the_mean_with_the_last() -> None:
    assert measured([1.0, 1.0], [8, 4], [2.0, 2.0], first=True) == [4.0, 2.0]
    assert measured([4.0, 2.0], [8, 4], [1.0, 4.0], first=False) == [6.0, 1.5]


def test_a_machine_without_a_measurement_keeps_its_proportion_and_an_excluded_one_stays_out() -> None:
    assert measured([0.9, 0.1, 0.0], [9, 0, 0], [1.0, 0.0, 0.0], first=True) == pytest.approx([9.0, 1.0, 0.0])
    assert measured([5.0, 1.0], [0, 0], [0.0, 0.0], first=False) == [5.0, 1.0]


def test_two_machines_finish_together_when_one_slows_down_on_the_way() -> None:
    """The rounds, played through: the second machine drops to half its speed after a third of the work."""
    left, speeds, busy, true, first = 30_000, [1.0, 1.0], [0.0, 0.0], [60.0, 40.0], True
    while left:
        if left < 20_000:
            true = [60.0, 20.0]
        length = round_length(left, speeds, first)
        owners = deal(length, speeds)
        counts = [owners.count(0), owners.count(1)]
        took = [count / speed for count, speed in zip(counts, true, strict=True)]
        speeds, first, left = measured(speeds, counts, took, first), False, left - length
        busy = [a + b for a, b in zip(busy, took, strict=True)]
    assert min(busy) / max(busy) > 0.9


# -- planted items --------------------------------------------------------------------------------------------------


def scored(first: float, text: str = "") -> dict[str, object]:
    record = {"straight": [first, 0.5], "seed": 1, "text": text}
    import json

    return {"done": ["a"], "records": [["judgment", json.dumps(record)]], "drops": [], "counts": {}}


def test_the_machine_that_answers_otherwise_is_found() -> None:
    assert odd_ones([scored(0.9), scored(0.2), scored(0.9)]) == (1,)
    assert odd_ones([scored(0.2), scored(0.9), scored(0.9)]) == (0,)


def test_rounding_makes_no_odd_one() -> None:
    assert odd_ones([scored(0.9), scored(0.91), scored(0.88)]) == ()


def test_two_that_differ_are_both_named_and_one_that_was_not_asked_is_not() -> None:
    assert odd_ones([scored(0.9), None, scored(0.1)]) == (0, 2)
    assert odd_ones([scored(0.9), None]) == ()


def test_texts_that_part_late_agree_and_texts_that_never_agreed_do_not() -> None:
    drawn = "The tide is highest when sun and moon pull along one line."
    assert odd_ones([scored(0.5, drawn), scored(0.5, drawn[:30] + "moon does"), scored(0.5, drawn)]) == ()
    assert odd_ones([scored(0.5, drawn), scored(0.5, "Zebras eat grass."), scored(0.5, drawn)]) == (1,)


def test_an_answer_of_another_length_is_odd() -> None:
    none = {"done": ["a"], "records": [], "drops": [["a", "prompt", "judge", "x", ""]], "counts": {}}
    assert odd_ones([scored(0.5), none, scored(0.5)]) == (1,)
