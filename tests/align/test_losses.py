"""Losses at values known by hand, in the direction of their gradients, and against other implementations."""

import math
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from realign.align.losses import (
    Preference,
    dpo_loss,
    entropy,
    full_kl,
    group_advantages,
    policy_loss,
    reward_loss,
    sampled_kl,
    sft_loss,
    token_logps,
)

KINDS: tuple[Preference, ...] = ("sigmoid", "ipo", "hinge")
random = np.random.default_rng(0)
# log-probabilities of four pairs: policy chosen, policy rejected, reference chosen, reference rejected
LOGPS = [mx.array(part.astype(np.float32)) for part in random.normal(-20, 4, (4, 4))]


def gradient(loss: Any, *values: mx.array) -> list[mx.array]:
    return list(mx.grad(lambda *parts: loss(*parts).sum(), argnums=tuple(range(len(values))))(*values))


def test_a_uniform_model_loses_log_v_a_token() -> None:
    logps = token_logps(mx.zeros((2, 3, 50)), mx.zeros((2, 3), mx.int32))
    assert np.allclose(sft_loss(logps, mx.ones((2, 3))), math.log(50))


@pytest.mark.parametrize("scale", [1.0, 200.0])
def test_a_tokens_log_probability_and_gradient_are_those_of_log_softmax(scale: float) -> None:
    logits = (scale * random.normal(0, 1, (2, 5, 30))).astype(np.float32)
    tokens, weights = random.integers(0, 30, (2, 5)), random.normal(0, 1, (2, 5))
    exact = logits.astype(np.float64) - logits.max(-1, keepdims=True)
    exact -= np.log(np.exp(exact).sum(-1, keepdims=True))
    one_hot = np.eye(30)[tokens]
    found, slope = mx.value_and_grad(lambda each: (token_logps(each, mx.array(tokens)) * mx.array(weights)).sum())(
        mx.array(logits)
    )
    logps = (exact * one_hot).sum(-1)
    assert np.allclose(np.array(token_logps(mx.array(logits), mx.array(tokens))), logps, rtol=1e-5, atol=1e-5)
    assert found.item() == pytest.approx((logps * weights).sum(), rel=1e-4)
    assert np.allclose(np.array(slope), (one_hot - np.exp(exact)) * weights[..., None], atol=1e-5)


def test_masked_tokens_have_no_loss_and_no_gradient() -> None:
    logps, mask = mx.array([-3.0, -2.0]), mx.array([0.0, 1.0])
    assert sft_loss(logps, mask).tolist() == [0, 2]
    assert mx.grad(lambda said: sft_loss(said, mask).sum())(logps).tolist() == [0, -1]


def test_ignorance_costs_log_2() -> None:
    same = mx.array([-4.0, 1.5])
    assert np.allclose(reward_loss(same, same), math.log(2))
    assert np.allclose(dpo_loss(same, same, same, same), math.log(2))
    assert np.allclose(dpo_loss(same, same, same, same, kind="hinge"), 1)
    assert np.allclose(dpo_loss(same, same, same, same, beta=0.1, kind="ipo"), 25)


@pytest.mark.parametrize("kind", KINDS)
def test_every_preference_loss_raises_the_chosen_and_lowers_the_rejected(kind: Preference) -> None:
    start = mx.array([-5.0])
    chosen, rejected = gradient(lambda c, r: dpo_loss(c, r, start, start, 0.1, kind), start, start)
    assert chosen.item() < 0 < rejected.item()
    chosen, rejected = gradient(reward_loss, start, start)
    assert (chosen.item(), rejected.item()) == (-0.5, 0.5)


@pytest.mark.parametrize("kind", KINDS)
def test_preference_losses_equal_a_numpy_account_of_the_papers(kind: Preference) -> None:
    chosen, rejected, kept, lost = (np.array(part, np.float64) for part in LOGPS)
    ratio = (chosen - rejected) - (kept - lost)
    expected = {
        "sigmoid": np.log1p(np.exp(-0.1 * ratio)),
        "hinge": np.maximum(0, 1 - 0.1 * ratio),
        "ipo": (ratio - 5) ** 2,
    }[kind]
    assert np.allclose(dpo_loss(*LOGPS, beta=0.1, kind=kind), expected, atol=1e-4)


def test_an_extreme_pair_gives_a_finite_loss() -> None:
    low, high = mx.array([-1e4]), mx.array([0.0])
    assert reward_loss(low, high).item() == 1e4
    assert reward_loss(high, low).item() == 0


def test_entropy_runs_from_nothing_to_log_v() -> None:
    assert entropy(mx.zeros((1, 8))).item() == pytest.approx(math.log(8))
    assert entropy(mx.array([[100.0, 0.0, 0.0]])).item() == pytest.approx(0, abs=1e-6)


def test_kl_of_two_coins_is_the_one_worked_out_by_hand() -> None:
    fair, biased = mx.log(mx.array([[0.5, 0.5]])), mx.log(mx.array([[0.9, 0.1]]))
    by_hand = 0.5 * math.log(0.5 / 0.9) + 0.5 * math.log(0.5 / 0.1)
    assert full_kl(fair, biased).item() == pytest.approx(by_hand, abs=1e-6)
    assert full_kl(biased, biased).item() == pytest.approx(0, abs=1e-7)


def test_the_sampled_kl_averages_to_the_full_one() -> None:
    policy, reference = (mx.array(random.normal(size=6).astype(np.float32)) for _ in range(2))
    p, q = (logits - mx.logsumexp(logits) for logits in (policy, reference))
    assert (mx.exp(p) * sampled_kl(p, q)).sum().item() == pytest.approx(full_kl(policy, reference).item(), abs=1e-5)
    assert sampled_kl(p, q).min().item() >= 0


def test_group_advantages_are_standard_scores_and_nothing_where_all_are_equal() -> None:
    scores = group_advantages(mx.array([[1.0, 0.0, 0.0, 1.0], [0.3, 0.3, 0.3, 0.3]]))
    assert scores.tolist() == [[1, -1, -1, 1], [0, 0, 0, 0]]


def policy_gradient(advantage: float, **weights: float) -> float:
    """The loss's gradient by the log-probability of one token, drawn by the policy itself."""
    old, none = mx.array([[-1.0]]), mx.zeros((1, 1))
    loss = lambda logps: policy_loss(logps, old, mx.array([[advantage]]), none, none, **weights)  # noqa: E731
    return float(gradient(loss, old)[0].item())


def test_the_policy_gradient_at_its_own_draw_is_minus_the_advantage() -> None:
    assert policy_gradient(2.0) == pytest.approx(-2)
    assert policy_gradient(-0.5) == pytest.approx(0.5)


def test_a_token_that_moved_past_the_clip_is_not_pushed_further() -> None:
    old, none = mx.array([[-1.0]]), mx.zeros((1, 1))
    moved = lambda logps: policy_loss(logps, old, mx.array([[1.0]]), none, none, clip=0.2)  # noqa: E731
    assert gradient(moved, mx.array([[-0.5]]))[0].item() == 0


def test_kl_costs_and_entropy_pays() -> None:
    logps, one = mx.array([[-1.0]]), mx.ones((1, 1))
    loss = policy_loss(logps, logps, mx.zeros((1, 1)), 2 * one, 3 * one, kl_weight=0.05, entropy_weight=0.01)
    assert loss.item() == pytest.approx(0.05 * 2 - 0.01 * 3)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_preference_losses_and_gradients_equal_pytorchs(kind: Preference) -> None:
    """TRL's formulas (trl/trainer/dpo_trainer.py, dpo_loss) on CPU torch."""
    torch = pytest.importorskip("torch", reason="torch is not installed: no second implementation to compare with")
    tensors = [torch.tensor(np.array(part), requires_grad=True) for part in LOGPS]
    logits = (tensors[0] - tensors[1]) - (tensors[2] - tensors[3])
    losses = {
        "sigmoid": lambda: -torch.nn.functional.logsigmoid(0.1 * logits),
        "hinge": lambda: torch.relu(1 - 0.1 * logits),
        "ipo": lambda: (logits - 1 / (2 * 0.1)) ** 2,
    }[kind]()
    losses.sum().backward()
    assert np.allclose(dpo_loss(*LOGPS, beta=0.1, kind=kind), losses.detach().numpy(), atol=1e-4)
    for ours, theirs in zip(gradient(lambda *p: dpo_loss(*p, beta=0.1, kind=kind), *LOGPS), tensors, strict=True):
        assert np.allclose(ours, theirs.grad.numpy(), atol=1e-4)
