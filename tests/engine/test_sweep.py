"""The batch sweep: where it ends and why, what a point is made of, and that the model really does the work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import mlx.core as mx
import pytest

from realign.engine import Question, mlx, sweep
from realign.engine.mlx import Loaded
from realign.engine.sweep import Workload, peak_gb, reset_peak, timed
from realign.hardware.calibration import Point
from realign.hardware.fit import BATCHES

QUESTION = Question("The river carries sand.", ("Rate the sand.", "Rate the river."), "Rating:", 5)


def swept(
    rates: dict[int, float], peaks: dict[int, float] | None = None, seconds: float = 1e9, spread: float = 0.0
) -> tuple[list[int], str]:
    """(batch sizes measured, why it ended) of a machine with these figures, on a clock that measuring moves."""
    now = [0.0]

    def measure(batch_size: int, left: float) -> Point:
        now[0] += 4 * batch_size / rates[batch_size]
        return Point(batch_size, rates[batch_size], 1.0, (peaks or {}).get(batch_size, 1.0), spread, 3)

    found = list(sweep.sweep(measure, seconds, 100.0, clock=lambda: now[0]))
    return [point.batch_size for point in found if isinstance(point, Point)], str(found[-1])


def rising() -> dict[int, float]:
    return {batch_size: float(batch_size) for batch_size in BATCHES}


def test_while_throughput_rises_every_batch_size_is_measured() -> None:
    assert swept(rising()) == ([1, 2, 4, 8, 16, 32, 64], "")


def test_a_sweep_ends_after_two_batch_sizes_that_are_slower_than_the_best() -> None:
    rates = {**rising(), 4: 10.0, 8: 9.0, 16: 8.0}
    assert swept(rates) == ([1, 2, 4, 8, 16], "throughput fell at batch sizes 8 and 16")


def test_one_slow_batch_size_or_a_fall_within_the_margin_or_the_noise_does_not_end_it() -> None:
    assert swept({**rising(), 4: 10.0, 8: 5.0})[0] == list(BATCHES)
    flat = {batch_size: 10.0 - 0.004 * batch_size for batch_size in BATCHES}
    assert swept(flat)[0] == list(BATCHES)
    falling = dict(zip(BATCHES, (5.0, 10.0, 9.0, 9.0, 9.0, 9.0, 9.0), strict=True))
    assert swept(falling, spread=0.1)[0] == list(BATCHES)
    assert swept(falling)[0] == [1, 2, 4, 8]


def test_a_sweep_ends_before_the_batch_size_that_memory_would_not_hold() -> None:
    peaks = {1: 20.0, 2: 25.0, 4: 35.0, 8: 55.0}  # 5 GB a sequence: 16 of them would take 95
    sizes, why = swept(rising(), peaks)
    assert sizes == [1, 2, 4, 8] and why == "batch size 16 would take about 95.0 GB, over 90% of 100.0 GB"


def test_a_sweep_ends_where_memory_has_passed_nine_tenths_of_the_limit() -> None:
    assert swept(rising(), {1: 91.0}) == ([1], "memory reached 91.0 of 100.0 GB at batch size 1")


def test_a_sweep_keeps_to_its_time_and_measures_the_first_batch_size_in_any() -> None:
    steady = dict.fromkeys(BATCHES, 1.0)
    assert swept(steady, seconds=19.0) == ([1, 2], "no time was left for batch size 4")
    assert swept(steady, seconds=0.001)[0] == [1]


def ticking(*seconds: float) -> Callable[[], float]:
    """A clock on which a pass takes the seconds given, one after the other."""
    now, steps = [0.0], iter(seconds)

    def clock() -> float:
        return now[0]

    def work(batch_size: int) -> None:
        now[0] += next(steps)

    clock.work = work  # type: ignore[attr-defined]
    return clock


def measured(*seconds: float, left: float = 1e9) -> Point:
    clock = ticking(*seconds)
    return timed(Workload(clock.work, 100), clock)(4, left)  # type: ignore[attr-defined]


def test_a_point_is_the_median_of_its_passes_without_the_one_to_warm_up() -> None:
    point = measured(60.0, 2.0, 1.0, 4.0)
    assert (point.examples_per_second, point.tokens_per_second, point.repetitions) == (2.0, 200.0, 3)
    assert point.spread == pytest.approx(0.75)  # half of 4 - 1, over the median of 2


def test_quick_passes_are_repeated_until_they_add_up_and_fifteen_times_at_most() -> None:
    assert measured(1.0, *[0.125] * 10).repetitions == 4
    assert measured(1.0, *[0.001] * 20).repetitions == 15


def test_when_time_is_short_one_pass_must_do() -> None:
    point = measured(5.0, 5.0, left=6.0)
    assert (point.repetitions, point.spread) == (1, 0.0)


def test_the_time_left_is_what_the_remaining_batch_sizes_take_at_the_last_rate() -> None:
    points = [Point(32, 8.0, 1.0, 1.0)]
    assert sweep.time_left(points, 1e9) == 4 * 64 / 8.0
    assert sweep.time_left(points, 10.0) == 10.0
    assert sweep.time_left([], 10.0) == 10.0


@pytest.fixture
def own(tiny: Path) -> Iterator[Loaded]:
    """A model of this test's own: writing takes its end tokens away."""
    yield mlx.load(tiny)


def test_rating_counts_the_tokens_that_are_read_and_says_what_bounds_a_pass(own: Loaded) -> None:
    work = sweep.rating(own, [QUESTION] * 4)
    texts = [QUESTION.shared, *(ask + QUESTION.lead for ask in QUESTION.asks)]
    assert work.tokens == sum(len(own.tokenizer.encode(text, add_special_tokens=False)) for text in texts)
    assert "at most 2,048 tokens in one pass" in work.note or mlx.on_metal()
    point = timed(work)(4, 0.0)
    assert point.batch_size == 4 and point.examples_per_second > 0
    assert point.tokens_per_second == pytest.approx(point.examples_per_second * work.tokens)


def test_an_example_that_the_context_cannot_hold_is_an_error_and_no_rate(own: Loaded) -> None:
    long = Question("sand " * 5000, QUESTION.asks, QUESTION.lead, 5)
    with pytest.raises(ValueError, match="does not fit into the model's context"):
        sweep.rating(own, [long]).run(1)


def test_answers_that_are_timed_have_all_their_tokens_though_the_model_would_end_them_early(own: Loaded) -> None:
    request = mlx.Request("The river", seed=0, max_tokens=200, temperature=3.0)
    seeds = count()
    while mlx.generate(own, [request], 1)[0].finish == "length":  # one that the end token cuts short
        request = mlx.Request("The river", next(seeds), 200, 3.0)
    work = sweep.writing(own, [request.prompt] * (request.seed + 1), 200, 3.0)
    work.run(request.seed + 1)  # raises where an answer has fewer
    with pytest.raises(ValueError, match="ended with too long"):
        sweep.writing(own, ["The river"], 5000, 3.0).run(1)


def test_peak_memory_is_that_of_the_work() -> None:
    reset_peak()
    before = peak_gb()
    block = mx.zeros((60_000_000,), dtype=mx.float32) + 1.0
    mx.eval(block)
    assert peak_gb() - before > 0.2
