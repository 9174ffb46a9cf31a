"""How far a policy has moved from its reference, and how certain it is: exact, over the whole vocabulary.

    kl, entropy = measure_divergence(loaded, reference_model, examples)

A mean over the learned tokens of examples (answers to held-out prompts), in nats a token, with a 95 % interval from
resampling the answers, since tokens of one answer are not independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import mlx.core as mx
import numpy as np

from realign.align.batches import make_batches
from realign.align.examples import Example
from realign.align.forward import Scorer, make_scorer, sliced
from realign.align.losses import entropy, full_kl
from realign.align.sft import collate
from realign.engine.mlx import Loaded
from realign.quality.metrics import Measure, weighted_mean


def measure_divergence(
    loaded: Loaded, reference: Any, examples: Sequence[Example], tokens: int = 4096
) -> tuple[Measure, Measure]:
    """(KL(policy, reference), entropy of the policy) in nats a token. KL 0: the same model; entropy 0: certain.

    reference: a model of the same vocabulary, for example models.twin(model) from before the training. Raises
    EmptyInput where no token is learned.
    """
    sums = row_divergence(loaded, reference, examples, tokens)
    counts = np.array([sum(example.mask) for example in examples], np.float64)
    return a_token(sums[:, 0], counts), a_token(sums[:, 1], counts)


def a_token(sums: np.ndarray, counts: np.ndarray) -> Measure:
    """The mean of rows' sums over all their tokens, in nats a token; n is how many rows. Raises EmptyInput for none."""
    means = sums / np.maximum(counts, 1)
    measure = weighted_mean(means.tolist(), counts.tolist(), "nats a token")
    return replace(measure, details={"tokens": int(counts.sum())})


def row_divergence(loaded: Loaded, reference: Any, examples: Sequence[Example], tokens: int = 4096) -> np.ndarray:
    """(rows, 2): KL and entropy of each example, summed over its learned tokens, in nats."""
    policy, other = make_scorer(loaded.model, 0), make_scorer(reference, 0)
    sums = np.zeros((len(examples), 2))
    for rows in make_batches([(0, len(example.tokens)) for example in examples], tokens=tokens).epoch(0):
        sums[list(rows)] = _sums(policy, other, [examples[row] for row in rows])
    return sums


def _sums(policy: Scorer, reference: Scorer, examples: Sequence[Example]) -> np.ndarray:
    """(rows, 2): summed KL and entropy of each example's learned tokens."""
    tokens, places, _, weights = collate(examples)
    kl, certainty = divergence_at(policy, reference, policy.body(tokens), reference.body(tokens), places)
    owners = np.array(places) // tokens.shape[1]
    columns = [np.bincount(owners, np.array(part * weights), len(examples)) for part in (kl, certainty)]
    return np.stack(columns, axis=1)


def divergence_at(
    policy: Scorer, reference: Scorer, hidden: mx.array, other: mx.array, places: mx.array
) -> tuple[mx.array, mx.array]:
    """(KL, entropy) at places (N,) of two models' hidden states (B, T, D): (N,) float32 each."""
    theirs = reference.head or (lambda logits: logits)

    def kl(head: Any, mine: mx.array, others: mx.array) -> mx.array:
        return full_kl(head(mine), theirs(others))

    def certainty(head: Any, mine: mx.array) -> mx.array:
        return entropy(head(mine))

    mine, others = (states.reshape(-1, states.shape[-1])[places] for states in (hidden, other))
    return sliced(policy, kl, mine, others), sliced(policy, certainty, mine)
