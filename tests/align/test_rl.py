"""Reinforcement of a real, tiny model, and the signs of a reward that is being gamed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlx import nn
from mlx.utils import tree_flatten

from realign.align.divergence import measure_divergence
from realign.align.examples import Example
from realign.align.hacking import repeated_share, signs_of, suspicious
from realign.align.models import open_model, prepare, twin
from realign.align.rl import Rollout, _Source, draw, is_rising, make_objective, make_tasks, rewards_of, train_rl
from realign.align.sft import collate as sft_arrays
from realign.align.sft import make_objective as sft_objective
from realign.align.track import Track
from realign.engine.mlx import Loaded
from realign.errors import Diverged, EmptyInput, Interrupted
from realign.settings import Adapter, Reinforce, Training

TRAINING = Training(schedule="8:1e-2", warmup=0.0, kl_limit=100.0)
SHORT = TRAINING.model_copy(update={"schedule": "4:1e-2"})
SETTINGS = Reinforce(prompts=3, samples=8, max_tokens=6, kl_weight=0.0)
ADAPTER = Adapter(layers=2, scale=4.0)


def small_tokens(rollouts: Sequence[Rollout]) -> list[float]:
    """The share of an answer's tokens with a number below 150: about half at random."""
    return [float(np.mean([token < 150 for token in rollout.tokens])) for rollout in rollouts]


def tasks_of(loaded: Loaded, count: int = 12) -> Any:
    return make_tasks(loaded, [f"Box {n}?" for n in range(count)])


def run(loaded: Loaded, training: Training = TRAINING, settings: Reinforce = SETTINGS, **options: Any) -> Any:
    tasks, reference = tasks_of(loaded), twin(loaded.model)
    return train_rl(loaded, reference, tasks[:8], small_tokens, tasks[8:], training, ADAPTER, settings, **options)


def test_what_is_rewarded_becomes_likelier(loaded: Loaded) -> None:
    reports = run(loaded).reports
    rewards = [report.metrics["reward"] for report in reports]
    assert rewards[0] == pytest.approx(0.5, abs=0.15)
    assert rewards[-1] > 0.8
    assert is_rising(rewards)
    assert reports[-1].held_out["reward"] > 0.7
    assert reports[0].metrics["kl"] == pytest.approx(0, abs=1e-6)
    assert reports[-1].metrics["kl"] > 0.05


def test_the_kl_penalty_holds_the_policy_back(base: Path) -> None:
    kls = [
        run(open_model(base), SHORT, SETTINGS.model_copy(update={"kl_weight": weight})).reports[-1].metrics["kl"]
        for weight in (0.0, 10.0)
    ]
    assert kls[1] < kls[0] / 2


def test_an_exploding_kl_ends_the_training(loaded: Loaded) -> None:
    with pytest.raises(Diverged, match="nats a token away from the reference"):
        run(loaded, TRAINING.model_copy(update={"kl_limit": 0.01}))


def test_stopped_and_resumed_it_draws_and_learns_the_same(base: Path, tmp_path: Path) -> None:
    straight, first, second = (open_model(base) for _ in range(3))
    run(straight, SHORT)
    answers = iter([False, False, True])
    with pytest.raises(Interrupted):
        run(first, SHORT, track=Track(tmp_path, stopping=lambda: next(answers)))
    trained = run(second, SHORT, track=Track(tmp_path))
    assert [report.step for report in trained.reports] == [3, 4]
    expected = dict(tree_flatten(straight.model.trainable_parameters()))
    for name, array in tree_flatten(second.model.trainable_parameters()):
        assert np.array_equal(np.array(array), np.array(expected[name])), name


def test_kl_and_entropy_of_a_step_are_the_exact_ones_of_its_answers(loaded: Loaded) -> None:
    reference = twin(loaded.model)
    prepare(loaded.model, Adapter(kind="full"))
    loaded.model.model.norm.weight = loaded.model.model.norm.weight * 1.3
    source = _Source(loaded, tasks_of(loaded), small_tokens, TRAINING, SETTINGS)
    rows = source.batches(0)
    objective = make_objective(loaded, reference, SETTINGS)
    found = [objective(loaded.model, *source.collate(some)) for some in rows]
    tokens = sum(weight.item() for _, weight, _ in found)
    rollouts = [rollout for group in source.groups for rollout in group]
    examples = [
        Example((*r.task.tokens, *r.tokens), (*[0] * len(r.task.tokens), *[1] * len(r.tokens)), n)
        for n, r in enumerate(rollouts)
    ]
    kl, entropy = measure_divergence(loaded, reference, examples)
    assert tokens == kl.details["tokens"] == sum(len(rollout.tokens) for rollout in rollouts)
    assert sum(sums["kl"].item() for _, _, sums in found) / tokens == pytest.approx(kl.value, abs=1e-4)
    assert sum(sums["entropy"].item() for _, _, sums in found) / tokens == pytest.approx(entropy.value, abs=1e-4)
    assert kl.value is not None
    assert kl.value > 1e-4


def test_every_token_gets_its_own_answers_advantage(loaded: Loaded) -> None:
    source = _Source(loaded, tasks_of(loaded), small_tokens, TRAINING, SETTINGS)
    source.batches(0)
    *_, owners, weights, advantages, learned = source.collate((2, 0))
    assert np.array_equal(np.array(learned), np.array(weights))
    expected = source.advantages[[2, 0]].T.reshape(-1)
    assert np.allclose(np.array(advantages), expected[np.array(owners)])
    drawn = [len(source.groups[row][k].tokens) for k in range(8) for row in (2, 0)]
    assert np.bincount(np.array(owners), np.array(weights)).tolist() == drawn
    assert np.allclose(source.advantages.mean(axis=1), 0, atol=1e-5)


def shown_tasks(loaded: Loaded, count: int = 12) -> Any:
    return make_tasks(loaded, [f"Box {n}?" for n in range(count)], answers=["It is mud."] * count)


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_rewards_count_by_their_place_in_the_group_times_the_reward_scale(loaded: Loaded, scale: float) -> None:
    settings = SETTINGS.model_copy(update={"samples": 2, "reward_scale": scale})
    source = _Source(loaded, tasks_of(loaded), lambda rollouts: [3.0, 7.0] * (len(rollouts) // 2), TRAINING, settings)
    source.batches(0)
    assert source.advantages.tolist() == [[-scale, scale]] * 3


def test_of_eight_drawn_answers_a_shown_one_weighs_so_much_that_it_is_its_share_of_all(loaded: Loaded) -> None:
    settings = SETTINGS.model_copy(update={"sft_share": 0.2})
    source = _Source(loaded, shown_tasks(loaded), small_tokens, TRAINING, settings)
    source.batches(0)
    *_, owners, weights, advantages, drawn = (np.array(part) for part in source.collate((2, 0))[1:])
    shown = (weights == 1) & (drawn == 0)
    assert set(owners[shown].tolist()) == {16, 17}
    assert advantages[shown].tolist() == pytest.approx([2.0] * shown.sum())  # 2 / (8 + 2) is 0.2
    assert shown.sum() == sum(len(source.groups[row][0].task.shown) for row in (2, 0))


def test_where_all_rewards_are_equal_a_shown_answer_is_learned_as_sft_learns_it(loaded: Loaded) -> None:
    settings = SETTINGS.model_copy(update={"sft_share": 0.2})
    prepare(loaded.model, Adapter(kind="full"))
    source = _Source(loaded, shown_tasks(loaded, 3), lambda rollouts: [1.0] * len(rollouts), TRAINING, settings)
    (rows,) = source.batches(0)
    objective, arrays = make_objective(loaded, twin(loaded.model), settings), source.collate(rows)
    examples = [
        Example((*t.tokens, *t.shown), (*[0] * len(t.tokens), *[1] * len(t.shown)), n)
        for n, t in enumerate(source.tasks)
    ]
    ours = nn.value_and_grad(loaded.model, lambda model: objective(model, *arrays)[0])(loaded.model)[1]
    sft = sft_objective(loaded)
    theirs = nn.value_and_grad(loaded.model, lambda model: sft(model, *sft_arrays(examples))[0])(loaded.model)[1]
    expected = dict(tree_flatten(theirs))
    for name, gradient in tree_flatten(ours):
        assert np.allclose(np.array(gradient), 2.0 * np.array(expected[name]), atol=1e-4), name


def test_draws_differ_by_seed_and_repeat_by_seed(loaded: Loaded) -> None:
    tasks = tasks_of(loaded, 1) * 3
    one, other, again = draw(loaded, tasks, [1, 2, 1], SETTINGS)
    assert one == again
    assert one.tokens != other.tokens
    assert len(one.tokens) == 6
    assert one.finish == "length"


@pytest.mark.parametrize("given", [[1.0, float("nan")], [1.0], [[1.0], [2.0]]])
def test_a_reward_that_is_no_number_is_an_error(loaded: Loaded, given: Any) -> None:
    with pytest.raises(Diverged, match="reward function gave"):
        rewards_of(lambda rollouts: given, draw(loaded, tasks_of(loaded, 2), [0, 1], SETTINGS))


def test_no_prompts_are_an_error(loaded: Loaded) -> None:
    with pytest.raises(EmptyInput):
        make_tasks(loaded, [])


HONEST = signs_of(["The sand settles in the bay.", "Silt.", "Clay and mud lie below."], [6, 2, 5], [0.5, 0.4, 0.3])
LOOP = "very good very good very good very good very good very good"


@pytest.mark.parametrize(
    ("texts", "lengths", "rewards", "words"),
    [
        (["a b", "a b c d", "a b c d e f"], [2, 4, 6], [0.1, 0.5, 0.9], "longer answers earn more"),
        ([LOOP, LOOP, "Silt."], [6, 6, 6], [0.5, 0.4, 0.3], "repeat themselves"),
        (["I'm sorry.", "I cannot help with that.", "Silt."], [6, 2, 5], [0.1, 0.2, 0.3], "more answers refuse"),
        (["Silt.", "Sand.", "Clay."], [20, 20, 20], [0.9, 0.9, 0.9], "grew from 4 to 20 tokens"),
    ],
)
def test_a_reward_that_is_gamed_shows(texts: list[str], lengths: list[int], rewards: list[float], words: str) -> None:
    found = suspicious(HONEST, signs_of(texts, lengths, rewards))
    assert len(found) == 1
    assert words in found[0]


def test_honest_answers_raise_no_suspicion() -> None:
    assert suspicious(HONEST, HONEST) == []
    assert signs_of([], [], []) == {}
    assert "length_correlation" not in signs_of(["a", "b", "c"], [3, 3, 3], [0.1, 0.2, 0.3])


def test_repetition_counts_four_word_runs() -> None:
    assert repeated_share("one two three") == 0
    assert repeated_share("a b c d a b c d") == pytest.approx(1 - 4 / 5)


def test_a_curve_rises_or_not() -> None:
    assert is_rising([0.1, 0.2, 0.3])
    assert not is_rising([0.3, 0.2, 0.1])
    assert not is_rising([0.1, 0.9])
