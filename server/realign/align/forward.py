"""Hidden states to log-probabilities, with the vocabulary head applied only where a token is learned.

    scorer = make_scorer(model, tokens)                   engine/scoring.py: body and head, where a model can be split
    logps = said_logps(scorer, hidden, places, targets)   (N,) float32

With a wide vocabulary the logits are by far the largest array of a step. They are made a slice at a time and made again
for the gradient, never all at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mlx.core as mx
import numpy as np
from mlx.nn.utils import checkpoint

from realign.align.losses import token_logps
from realign.engine.scoring import HEAD_ELEMENTS, Scorer, make_scorer, scorer_width

__all__ = ["Scorer", "learned_places", "make_scorer", "said_logps", "sliced"]


def learned_places(masks: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Where the masks, one after the other, are 1: places (N,) and a weight of 1 for each.

    Padded with places of weight 0 to a quarter of the whole, so that a shape has four variants to compile, not many.
    """
    flat = np.concatenate([np.asarray(mask, np.int8) for mask in masks])
    places, quarter = np.flatnonzero(flat), -(-len(flat) // 4)
    size = max(1, -(-len(places) // quarter)) * quarter
    padded, weights = np.zeros(size, np.int32), np.zeros(size, np.float32)
    padded[: len(places)], weights[: len(places)] = places, 1
    return padded, weights


def said_logps(scorer: Scorer, hidden: mx.array, places: mx.array, targets: mx.array) -> mx.array:
    """log p of target[i] at place[i]. hidden (..., D), or logits (..., V) of a model that can't be split;
    places (N,) into all but the last dimension; targets (N,). Returns (N,) float32."""
    chosen = hidden.reshape(-1, hidden.shape[-1])[places]
    logps: mx.array = sliced(scorer, lambda head, states, said: token_logps(head(states), said), chosen, targets)
    return logps


def sliced(scorer: Scorer, measure: Callable[..., Any], *arrays: mx.array) -> Any:
    """measure(head, *arrays), a slice of N at a time where all logits at once would take too much memory.

    arrays: (N, ...) each. measure gives one array (N,).
    """
    head = scorer.head or (lambda logits: logits)
    count, rows = len(arrays[0]), max(1, HEAD_ELEMENTS // scorer_width(scorer))
    if count <= rows:
        return measure(head, *arrays)
    owner = getattr(scorer.head, "__self__", scorer.head) or scorer.model

    def fixed(*parts: mx.array) -> Any:  # token numbers have no gradient, and must not be asked for one
        return measure(head, *(mx.stop_gradient(part) if part.dtype == mx.int32 else part for part in parts))

    again = checkpoint(owner, fixed)
    return mx.concatenate([again(*(array[n : n + rows] for array in arrays)) for n in range(0, count, rows)])
