"""The training loop: what it computes, what it survives, and how it ends."""

import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from regression import INPUTS, learn, make_feed, make_net, objective, weights

from realign.align.checkpoints import Checkpoints
from realign.align.loop import Report, _Loop, restore, train
from realign.align.schedule import parse_schedule, rate_at
from realign.errors import Diverged, Interrupted, OutOfMemory, StorageError, UsageError
from realign.settings import Training

PROGRAM = Path(__file__).with_name("regression.py")


def assert_same(one: dict[str, np.ndarray], other: dict[str, np.ndarray], tolerance: float = 0.0) -> None:
    for name, array in one.items():
        assert np.allclose(array, other[name], rtol=0, atol=tolerance), name


def stop_after(steps: int) -> Callable[[], bool]:
    calls = itertools.count()
    return lambda: next(calls) >= steps


def test_training_moves_the_weights_and_lowers_the_loss() -> None:
    net = make_net()
    before = weights(net)
    reports = learn(net).reports
    assert reports[-1].loss < reports[0].loss / 2
    assert all(np.abs(array - before[name]).max() > 1e-3 for name, array in weights(net).items())


def test_frozen_weights_stay() -> None:
    net = make_net()
    net.hidden.freeze()
    before = np.array(net.hidden.weight)
    learn(net)
    assert np.array_equal(before, np.array(net.hidden.weight))


def test_a_step_of_several_batches_is_the_step_of_one_large_batch() -> None:
    """Rows weigh the same whatever batch they are in: 8 and 192 rows here, whose plain mean of means would differ."""
    one, two = make_net(), make_net()
    one.dropout = two.dropout = lambda x: x
    feed = make_feed(rows=200)
    learn(one, feed=feed, settings={"schedule": "5:1e-2"})
    cut = lambda step: [rows[:8] for rows in feed.batches(step)] + [rows[8:] for rows in feed.batches(step)]  # noqa: E731
    learn(two, feed=type(feed)(cut, feed.collate, feed.tokens), settings={"schedule": "5:1e-2"})
    assert_same(weights(one), weights(two), 1e-5)


def test_a_step_over_the_memory_limit_is_halved_from_then_on_to_the_same_weights() -> None:
    one, two = make_net(), make_net()
    one.dropout = two.dropout = lambda x: x
    assert not learn(one).halved
    assert learn(two, settings={"memory_gb": 1e-9}).halved
    assert_same(weights(one), weights(two), 1e-4)


def failing_above(rows: int, error: Exception) -> Any:
    """An objective that fails as MLX does when an allocation is refused, for more than `rows` rows."""

    def fails(net: Any, inputs: mx.array, targets: mx.array) -> Any:
        if len(inputs) > rows:
            raise error
        return objective(net, inputs, targets)

    return fails


def test_a_batch_that_runs_out_of_memory_is_halved_and_retried() -> None:
    net, feed = make_net(), make_feed()
    refused = RuntimeError("[malloc] Unable to allocate 123 bytes.")
    trained = train(net, failing_above(3, refused), feed, Training(schedule="10:1e-2"))
    assert trained.halved
    assert len(trained.reports) == 10


def test_the_first_batch_is_cut_before_it_is_tried_where_it_might_not_fit() -> None:
    """On a CPU a refused allocation ends the process: nothing is left to catch and to try again."""
    net, feed, tried = make_net(), make_feed(), []

    def counting(net: Any, inputs: mx.array, targets: mx.array) -> Any:
        tried.append(len(inputs))
        return objective(net, inputs, targets)

    weights_gb = sum(array.nbytes for array in weights(net).values()) / 1e9
    assert train(net, counting, feed, Training(schedule="2:1e-2", memory_gb=4 * weights_gb)).halved
    assert tried[0] == 1 and sum(tried) == sum(len(feed.batches(step)[0]) for step in (0, 1))
    tried.clear()
    assert not train(make_net(), counting, feed, Training(schedule="2:1e-2", memory_gb=1.0)).halved
    assert tried[0] == len(feed.batches(0)[0])


def test_memory_that_a_gradient_takes_whatever_the_batch_is_not_counted_for_each_token() -> None:
    loop = _Loop(make_net(), objective, make_feed(), Training(schedule="1:1e-2", memory_gb=1.0))
    loop.resume(None)
    loop.step(0, None)
    assert 0 < loop.expected(0, 10) - loop.fixed == pytest.approx(10 * loop.per_token)
    assert loop.fixed == sum(array.nbytes for array in weights(loop.model).values())


def test_a_single_row_without_room_is_a_named_error_and_other_errors_are_not_hidden() -> None:
    with pytest.raises(OutOfMemory, match="One row of"):
        train(make_net(), failing_above(0, MemoryError("bad_alloc")), make_feed(), Training(schedule="1:1e-2"))
    with pytest.raises(RuntimeError, match="shapes"):
        train(make_net(), failing_above(0, RuntimeError("shapes differ")), make_feed(), Training(schedule="1:1e-2"))


def test_the_gradient_is_clipped_by_its_global_norm(tmp_path: Path) -> None:
    reports = learn(make_net(), tmp_path, settings={"schedule": "1:1e-9", "clip": 0.5}).reports
    saved = Checkpoints(tmp_path, "line").latest()
    assert saved is not None
    momenta = [array for name, array in saved.arrays.items() if name.endswith(".m")]
    assert reports[0].norm > 1
    assert np.sqrt(sum(float((m**2).sum()) for m in momenta)) == pytest.approx(0.1 * 0.5, rel=1e-3)  # (1 - beta1) g


def test_a_loss_that_is_no_number_ends_in_an_error_and_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    poisoned = INPUTS.copy()
    feed = make_feed(poisoned)
    poisoned[list(feed.batches(12)[0])] = np.inf
    bad = lambda step: feed.batches(0) if step < 12 else feed.batches(12)  # noqa: E731
    with pytest.raises(Diverged, match=r"Step 13 .* the checkpoint of step 10 is kept"):
        learn(make_net(), tmp_path, feed=type(feed)(bad, feed.collate, feed.tokens))
    saved = Checkpoints(tmp_path, "line").latest()
    assert saved is not None
    assert saved.step == 10
    assert all(bool(mx.all(mx.isfinite(array))) for array in saved.arrays.values())


@pytest.mark.parametrize("steps", [1, 5, 17, 39])
def test_stopped_and_resumed_training_gives_the_same_weights_bit_for_bit(tmp_path: Path, steps: int) -> None:
    straight, resumed = make_net(), make_net()
    learn(straight)
    with pytest.raises(Interrupted):
        learn(resumed, tmp_path, stopping=stop_after(steps))
    another = make_net()
    assert learn(another, tmp_path).resumed_at == steps
    assert_same(weights(straight), weights(another))


def test_an_interruption_from_the_progress_callback_is_kept_too(tmp_path: Path) -> None:
    def interrupt(report: Report) -> None:
        if report.step == 7:
            raise Interrupted("stop")

    with pytest.raises(Interrupted):
        learn(make_net(), tmp_path, progress=interrupt)
    assert learn(make_net(), tmp_path).resumed_at == 7


def run_program(folder: Path, steps: int, kill_at: int = 0) -> list[int]:
    """The steps that a process of its own trains, until it ends or is killed."""
    words = [sys.executable, str(PROGRAM), str(folder), str(steps)]
    environment = os.environ | {"MLX_DISABLE_COMPILE": "1"}
    done = []
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as process:
        for line in process.stdout or ():
            done.append(int(line))
            if done[-1] == kill_at:
                process.kill()
    return done


def test_a_training_that_is_killed_goes_on_to_the_same_weights_bit_for_bit(tmp_path: Path) -> None:
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    run_program(straight, 300)
    assert run_program(killed, 300, kill_at=123)[-1] < 300
    steps = run_program(killed, 300)
    assert steps[0] > 115
    assert steps[-1] == 300
    with np.load(straight / "weights.npz") as expected, np.load(killed / "weights.npz") as found:
        assert all(np.array_equal(expected[name], found[name]) for name in expected)


def test_the_best_held_out_loss_decides_which_checkpoint_is_best(tmp_path: Path) -> None:
    losses = iter([0.5, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9])
    trained = learn(make_net(), tmp_path, evaluate=lambda: {"loss": next(losses)}, settings={"evaluate_every": 5})
    assert trained.best_step == 10
    assert [int(path.name[5:13]) for path in sorted(tmp_path.iterdir())] == [10, 30, 35, 40]
    assert [report.held_out for report in trained.reports if report.held_out][1] == {"loss": 0.2}


def test_the_weights_of_a_kept_checkpoint_are_put_back(tmp_path: Path) -> None:
    net, short = make_net(), make_net()
    losses = iter([0.2, 0.9])
    trained = learn(net, tmp_path, evaluate=lambda: {"loss": next(losses)}, settings={"evaluate_every": 20})
    with pytest.raises(Interrupted):
        learn(short, stopping=stop_after(20))
    assert trained.best_step == 20
    restore(net, tmp_path, 20)
    assert_same(weights(net), weights(short))
    with pytest.raises(KeyError):
        restore(net, tmp_path, 21)


def test_a_checkpoint_that_can_not_be_written_ends_the_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="can't be written"):
        learn(make_net(), tmp_path / "file" / "kept")


def test_reports_say_how_far_it_is() -> None:
    reports = learn(make_net()).reports
    assert [report.step for report in reports] == list(range(1, 41))
    assert {report.steps for report in reports} == {40}
    assert reports[-1].seconds_left == 0 < reports[-2].seconds_left
    assert reports[3].metrics["error"] == pytest.approx(reports[3].loss)
    assert [reports[n].rate for n in (0, 3, 29, 30)] == pytest.approx([1e-2 / 4, 1e-2, 1e-2, 1e-3])


def test_the_compiled_step_is_the_plain_one() -> None:
    plain, compiled = make_net(), make_net()
    learn(plain)
    mx.enable_compile()
    learn(compiled)
    assert_same(weights(plain), weights(compiled), 1e-5)


def test_a_schedule_is_read_and_warms_up() -> None:
    schedule = parse_schedule("400:2e-5, 400:1e-5,200:2e-6", warmup=0.1)
    assert (schedule.steps, schedule.warmup) == (1000, 100)
    rates = [rate_at(schedule, step) for step in (0, 49, 99, 399, 400, 799, 800, 999)]
    assert rates == pytest.approx([2e-7, 1e-5, 2e-5, 2e-5, 1e-5, 1e-5, 2e-6, 2e-6])


@pytest.mark.parametrize("text", ["", "400", "400:", ":1e-5", "0:1e-5", "-4:1e-5", "4:0", "4:nan", "4:inf", "4:1e-5,"])
def test_a_schedule_that_can_not_be_read_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="no segment"):
        parse_schedule(text)
