"""The losses, each beside its equation: log-probabilities in, one value an item out, in nats.

A loss gives one value a token or a pair, not their mean. The loop adds them up and divides by their number once, after
all batches of a step, so that every token or pair weighs the same however the step was cut.

    logits (..., V)    logps (...), the log-probability of the token that was said    p policy, q reference

Left out: label smoothing and the other DPO variants (cDPO, KTO, ORPO), which no stage uses.
"""

from __future__ import annotations

from typing import Any, Literal

import mlx.core as mx
from mlx import nn

Preference = Literal["sigmoid", "ipo", "hinge"]


# -- from logits ----------------------------------------------------------------------------------------------------


def token_logps(logits: mx.array, tokens: mx.array) -> mx.array:
    """log p(token): logits (..., V) of any float type, tokens (...). Returns float32 (...), 0 at best."""
    said: mx.array = _said(logits.astype(mx.float32), tokens)[0]
    return said


def _said_and_all(logits: mx.array, tokens: mx.array) -> tuple[mx.array, mx.array]:
    """(log p(token), p (..., V)). p is kept for the gradient, one_hot(token) - p: exp of a whole vocabulary is the
    dearest thing a small model does, and log-sum-exp would take it twice. log of the sum is -log of the largest p."""
    p = mx.softmax(logits, axis=-1)
    said = mx.take_along_axis(logits, tokens[..., None], axis=-1)[..., 0]
    return said - logits.max(-1) + mx.log(p.max(-1)), p


def _slope(primals: Any, cotangents: Any, outputs: Any) -> tuple[mx.array, mx.array]:
    tokens, weight = primals[1][..., None], cotangents[0][..., None]
    slope = -weight * outputs[1]
    at_tokens = mx.take_along_axis(slope, tokens, axis=-1) + weight
    return mx.put_along_axis(slope, tokens, at_tokens, axis=-1), mx.zeros_like(primals[1])


_said: Any = mx.custom_function(_said_and_all)
_said.vjp(_slope)


def entropy(logits: mx.array) -> mx.array:
    """H(p) = -sum_v p_v log p_v over the whole vocabulary: (..., V) to (...), from 0 to log V."""
    logits = logits.astype(mx.float32)
    logps = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
    return -(mx.exp(logps) * logps).sum(-1)


def full_kl(policy: mx.array, reference: mx.array) -> mx.array:
    """KL(p || q) = sum_v p_v (log p_v - log q_v), exact: two logits (..., V) to (...), 0 when they are the same."""
    policy, reference = policy.astype(mx.float32), reference.astype(mx.float32)
    p = policy - mx.logsumexp(policy, axis=-1, keepdims=True)
    q = reference - mx.logsumexp(reference, axis=-1, keepdims=True)
    return (mx.exp(p) * (p - q)).sum(-1)


def sampled_kl(policy: mx.array, reference: mx.array) -> mx.array:
    """k3 = q/p - 1 - log(q/p) of a token drawn from p: its mean is KL(p || q), and it is never negative.

    policy, reference: logps (...) of the drawn tokens. For logs during training; gates use `full_kl`.
    Source: Schulman, Approximating KL divergence, 2020.
    """
    log_ratio = reference - policy
    return mx.exp(log_ratio) - 1 - log_ratio


# -- supervised -----------------------------------------------------------------------------------------------------


def sft_loss(logps: mx.array, mask: mx.array) -> mx.array:
    """-log p(token) where mask is 1, else 0: (...) each. log V a token for a model that knows nothing."""
    return -logps * mask


# -- preferences ----------------------------------------------------------------------------------------------------


def reward_loss(chosen: mx.array, rejected: mx.array) -> mx.array:
    """Bradley-Terry: -log sigmoid(r_chosen - r_rejected). The chosen answer should earn the higher reward.

    chosen, rejected: (B,) rewards of the same B prompts, in the same order. Returns (B,); log 2 when the model can't
    tell them apart.
    """
    loss: mx.array = -nn.log_sigmoid(chosen - rejected)
    return loss


def dpo_loss(
    chosen: mx.array,
    rejected: mx.array,
    reference_chosen: mx.array,
    reference_rejected: mx.array,
    beta: float = 0.1,
    kind: Preference = "sigmoid",
) -> mx.array:
    """Direct preference optimization (Rafailov 2305.18290, equation 7) and two of its kin, of one log-ratio h.

    h = (log p(chosen) - log q(chosen)) - (log p(rejected) - log q(rejected))
    All (B,): summed logps of whole answers; for ipo their means a token, as TRL has it, so that length gives no edge.
    Returns (B,); where policy and reference are the same: log 2 (sigmoid), 1 (hinge), 1 / (4 beta^2) (ipo).
    """
    h = (chosen - reference_chosen) - (rejected - reference_rejected)
    if kind == "sigmoid":
        loss: mx.array = -nn.log_sigmoid(beta * h)
        return loss
    if kind == "hinge":  # SLiC, 2305.10425
        return mx.maximum(1 - beta * h, 0)
    return (h - 1 / (2 * beta)) ** 2  # IPO, 2310.12036, equation 17


# -- reinforcement --------------------------------------------------------------------------------------------------


def group_advantages(rewards: mx.array) -> mx.array:
    """(r - mean) / std within each group: (groups, samples) to the same shape. All 0 where a group's rewards are equal.

    Source: GRPO, 2402.03300, section 4.1.2.
    """
    centered = rewards - rewards.mean(-1, keepdims=True)
    deviation = mx.sqrt((centered**2).mean(-1, keepdims=True))
    return mx.where(deviation > 1e-6, centered / mx.maximum(deviation, 1e-6), 0)


def policy_loss(
    logps: mx.array,
    old: mx.array,
    advantages: mx.array,
    kl: mx.array,
    entropies: mx.array,
    *,
    kl_weight: float = 0.05,
    entropy_weight: float = 0.0,
    clip: float = 0.2,
) -> mx.array:
    """-min(r A, clip(r, 1 - e, 1 + e) A) + b KL - c H a token, r = p(token) / p_old(token).

    All (B, T), `advantages` broadcast over T. old: logps under the policy that drew the tokens; with one update a draw
    r is 1 and the gradient is A grad log p. A positive advantage makes its tokens likelier; KL pulls back to the
    reference, the entropy bonus away from certainty. Source: 2402.03300, equation 3, with the exact KL for k3.
    """
    ratio = mx.exp(logps - old)
    gain = mx.minimum(ratio * advantages, mx.clip(ratio, 1 - clip, 1 + clip) * advantages)
    return -gain + kl_weight * kl - entropy_weight * entropies
