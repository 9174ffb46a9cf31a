"""How rows are divided into batches."""

import random

import pytest

from realign.align.batches import make_batches, pad
from realign.errors import EmptyInput


def lengths(count: int = 500) -> list[tuple[int, int]]:
    """Like chat rows: most are short, a few are very long."""
    chooser = random.Random(1)
    return [(0, max(1, int(chooser.lognormvariate(4.5, 0.8)))) for _ in range(count)]


def test_every_row_is_in_exactly_one_batch_of_every_epoch() -> None:
    batches = make_batches(lengths(501), rows=8, tokens=2048)
    for epoch in range(3):
        assert sorted(row for rows in batches.epoch(epoch) for row in rows) == list(range(501))


def test_batches_keep_to_both_budgets_and_a_longer_row_stands_alone() -> None:
    sizes = [*lengths(), (0, 5000)]
    for rows in make_batches(sizes, rows=8, tokens=2048).epoch(0):
        width = max(-(-sizes[row][1] // 16) * 16 for row in rows)
        assert len(rows) <= 8
        assert len(rows) * width <= 2048 or len(rows) == 1


def test_mixed_lengths_cost_little_padding() -> None:
    sizes = lengths()
    assert make_batches(sizes, rows=8, tokens=4096).padding < 1.15
    in_arrival_order = sum(8 * max(size[1] for size in sizes[n : n + 8]) for n in range(0, 500, 8))
    assert in_arrival_order / sum(map(sum, sizes)) > 1.8


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    one, same, other = (make_batches(lengths(), seed=seed) for seed in (3, 3, 4))
    assert [one.at(n) for n in range(60)] == [same.at(n) for n in range(60)]
    assert one.epoch(0) != other.epoch(0)
    assert one.epoch(0) != one.epoch(1)


def test_a_cursor_goes_on_in_the_middle_of_an_epoch() -> None:
    batches = make_batches(lengths(), rows=8)
    straight = [batches.at(n) for n in range(2 * len(batches))]
    resumed = make_batches(lengths(), rows=8)
    assert [resumed.at(n) for n in range(70, 2 * len(batches))] == straight[70:]


def test_rows_of_one_length_are_mixed_anew_each_epoch() -> None:
    batches = make_batches([(0, 10)] * 64, rows=8)
    assert {frozenset(rows) for rows in batches.epoch(0)} != {frozenset(rows) for rows in batches.epoch(1)}


def test_what_a_batch_can_not_share_is_paid_for_by_each_answer() -> None:
    alike, apart = (make_batches(sizes, times=2, rows=2) for sizes in ([(96, 16)] * 2, [(96, 16), (32, 80)]))
    assert alike.padding == 1.0
    assert apart.padding == pytest.approx(2 * (32 + 2 * 80) / (96 + 2 * 16 + 32 + 2 * 80))


def test_rows_are_grouped_by_what_they_share_and_by_their_length() -> None:
    sizes = [(one[1], other[1]) for one, other in zip(lengths(600), lengths(600)[::-1], strict=True)]
    batches = make_batches(sizes, times=2, rows=8, tokens=10_000, bucket=8)
    assert batches.padding < 1.3
    assert sorted(row for rows in batches.epoch(1) for row in rows) == list(range(600))
    by_length_alone = sorted(sizes, key=sum)
    groups = [by_length_alone[n : n + 8] for n in range(0, 600, 8)]
    shared = [min(size[0] for size in group) for group in groups]
    padded = sum(8 * (n + 2 * (max(map(sum, group)) - n)) for n, group in zip(shared, groups, strict=True))
    assert padded / sum(one + 2 * other for one, other in sizes) > batches.padding + 0.1


def test_no_rows_are_an_error() -> None:
    with pytest.raises(EmptyInput, match="No rows"):
        make_batches([])


def test_padding_stands_to_the_right() -> None:
    assert pad([[1, 2, 3], [4]], 4).tolist() == [[1, 2, 3, 0], [4, 0, 0, 0]]
