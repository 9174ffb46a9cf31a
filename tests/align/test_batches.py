"""How rows are divided into batches."""

import random

import pytest

from realign.align.batches import make_batches, pad
from realign.errors import EmptyInput


def lengths(count: int = 500) -> list[tuple[int, ...]]:
    """Like chat rows: most are short, a few are very long."""
    chooser = random.Random(1)
    return [(max(1, int(chooser.lognormvariate(4.5, 0.8))),) for _ in range(count)]


def test_every_row_is_in_exactly_one_batch_of_every_epoch() -> None:
    batches = make_batches(lengths(501), rows=8, tokens=2048)
    for epoch in range(3):
        assert sorted(row for rows in batches.epoch(epoch) for row in rows) == list(range(501))


def test_batches_keep_to_both_budgets_and_a_longer_row_stands_alone() -> None:
    sizes = [*lengths(), (5000,)]
    for rows in make_batches(sizes, rows=8, tokens=2048).epoch(0):
        width = max(-(-sizes[row][0] // 16) * 16 for row in rows)
        assert len(rows) <= 8
        assert len(rows) * width <= 2048 or len(rows) == 1


def test_mixed_lengths_cost_little_padding() -> None:
    sizes = lengths()
    assert make_batches(sizes, rows=8, tokens=4096).padding < 1.15
    in_arrival_order = sum(8 * max(size[0] for size in sizes[n : n + 8]) for n in range(0, 500, 8))
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
    batches = make_batches([(10,)] * 64, rows=8)
    assert {frozenset(rows) for rows in batches.epoch(0)} != {frozenset(rows) for rows in batches.epoch(1)}


def test_parts_are_padded_on_their_own() -> None:
    batches = make_batches([(100, 10, 10), (100, 16, 16)], tokens=2 * (112 + 16 + 16))
    assert len(batches) == 1
    assert batches.padding == pytest.approx(288 / 252)


def test_rows_of_two_parts_cost_little_padding_in_both() -> None:
    sizes = [(one[0], other[0], other[0]) for one, other in zip(lengths(600), lengths(600)[::-1], strict=True)]
    batches = make_batches(sizes, rows=8, tokens=10_000, bucket=8)
    assert batches.padding < 1.35
    assert sorted(row for rows in batches.epoch(1) for row in rows) == list(range(600))
    by_the_first_alone = sorted(sizes)
    groups = [by_the_first_alone[n : n + 8] for n in range(0, 600, 8)]
    padded = sum(8 * sum(max(part) for part in zip(*group, strict=True)) for group in groups)
    assert padded / sum(map(sum, sizes)) > 1.7


def test_no_rows_are_an_error() -> None:
    with pytest.raises(EmptyInput, match="No rows"):
        make_batches([])


def test_padding_stands_to_the_right() -> None:
    assert pad([[1, 2, 3], [4]], 4).tolist() == [[1, 2, 3, 0], [4, 0, 0, 0]]
