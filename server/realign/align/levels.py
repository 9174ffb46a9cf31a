"""Several answers to each of several prompts as arrays, and one forward pass that reads what they share once.

    levels, ends, places, targets, which, owners, weights = collate_answers(prompts, [chosen, rejected], common)
    states = forward_levels(scorer, levels)                    (T, D), flat: places, ends count through all levels

A batch is cut into a few levels of columns. A row of a level is one answer's next tokens, or one for all answers to its
prompt where they are still the same; it goes on from the keys and values of its row in the level before, and gradients
run through them. So a prompt is read once, and a short sequence is not padded to the longest: the same numbers as whole
sequences one by one give, up to float rounding. Models whose cache can't be repeated (sliding windows, recurrent
states), and blocks that are computed twice to save memory, get whole sequences: one level.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Any

import mlx.core as mx
import numpy as np
from mlx_lm.models.cache import ConcatenateKVCache, make_prompt_cache

from realign.align.batches import pad, round_up
from realign.engine.scoring import Scorer

Arrays = tuple[Any, ...]  # of arrays, the first of them a tuple of (tokens, rows of the level before)
STEP = 8  # tokens: levels begin and end at multiples of this; answers are short, so padding weighs more than shapes
LEVELS = 3  # at most
LEVEL = 64  # padded tokens that a level more must save to be worth its passes over all blocks
LEARNED = 64  # learned tokens are padded to a multiple of this


def can_share(scorer: Scorer) -> bool:
    """Whether the prompt may be read once: plain key-value caches, and no block that is computed twice."""
    return scorer.plain and not any(hasattr(type(block), "checkpointed") for block in scorer.model.layers)


def collate_answers(
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[Sequence[int]]],
    common: Sequence[int] | None = None,
    *,
    share: bool = True,
) -> Arrays:
    """K answers to each of B prompts, answers[k][b], as arrays. common: how many tokens a prompt's answers begin with
    alike. share: can_share of the model that reads them.

    levels: tokens (n, w) and the rows (n,) of the level before that they go on from. ends (K * B,), all first answers
    first: the place of each answer's last token. places, targets (N,): every learned token once, and the place that
    predicts it. which, owners, weights (M,): for each answer's each token, its place among those N, whose it is, and 1,
    or 0 for padding. An empty answer has no token.
    """
    rows = [[(*prompt, *answer) for prompt, answer in zip(prompts, column, strict=True)] for column in answers]
    lengths = np.array([[len(row) for row in column] for column in rows])
    ahead = np.array([len(prompt) for prompt in prompts])
    shared = (ahead + np.array(common or 0)) * share
    levels, at = _levels(rows, lengths, shared, choose_columns(lengths, shared) if share else (0, _width(lengths)))
    each = [(k, b) for k in range(len(rows)) for b in range(len(prompts))]
    places = np.concatenate([at[k, b, ahead[b] - 1 : lengths[k, b] - 1] for k, b in each])
    targets = np.concatenate([np.array(rows[k][b][ahead[b] :], np.int32) for k, b in each])
    owners = np.repeat(np.arange(len(each)), (lengths - ahead).reshape(-1))
    said, which = np.unique(np.stack([places, targets]), axis=1, return_inverse=True)
    last = np.array([at[k, b, lengths[k, b] - 1] for k, b in each])
    learned = [_padded(part) for part in (*said, which.reshape(-1), owners)]
    weights = _padded(np.ones(len(owners))).astype(np.float32)
    return levels, *(mx.array(part) for part in (last.astype(np.int32), *learned, weights))


def _padded(values: np.ndarray) -> np.ndarray:
    padded = np.zeros(round_up(len(values), LEARNED), np.int32)
    padded[: len(values)] = values
    return padded


def _width(lengths: np.ndarray) -> int:
    return round_up(int(lengths.max()), STEP)


def choose_columns(lengths: np.ndarray, shared: np.ndarray) -> tuple[int, ...]:
    """Where levels begin, and the last one ends: the cut that reads the fewest padded tokens.

    lengths (K, B) of whole sequences; shared (B,): how many tokens the K of a prompt begin with alike.
    """
    width = _width(lengths)
    edges = {*(shared // STEP * STEP).tolist(), *(-(-lengths // STEP) * STEP).reshape(-1).tolist()} - {0, width}

    @functools.cache
    def cost(begin: int, end: int) -> int:
        rows = np.where(shared >= end, 1, (lengths > begin).sum(0)).sum()
        return LEVEL + int(rows) * (end - begin)

    plans = [(0, *inner, width) for count in range(LEVELS) for inner in combinations(sorted(edges), count)]
    return min(plans, key=lambda plan: sum(cost(*level) for level in pairwise(plan)))


def _levels(rows: Any, lengths: np.ndarray, shared: np.ndarray, columns: Sequence[int]) -> tuple[Any, np.ndarray]:
    """(levels as arrays, (K, B, width) of where each token of each sequence lies among all levels' tokens)."""
    levels: list[tuple[mx.array, mx.array]] = []
    at, before, first = np.zeros((*lengths.shape, columns[-1]), np.int32), np.zeros(lengths.shape, np.int32), 0
    for begin, end in pairwise(columns):
        tokens: list[Sequence[int]] = []
        parents: list[int] = []
        here = np.zeros(lengths.shape, np.int32)
        for k, b in np.argwhere(lengths > begin):
            if k and shared[b] >= end:
                here[k, b] = here[0, b]
                continue
            here[k, b] = len(tokens)
            tokens.append(rows[k][b][begin:end])
            parents.append(before[k, b])
        at[:, :, begin:end] = first + here[..., None] * (end - begin) + np.arange(end - begin)
        before, first = here, first + len(tokens) * (end - begin)
        levels.append((mx.array(pad(tokens, end - begin)), mx.array(np.array(parents, np.int32))))
    for b, alike in enumerate(shared):  # what was read for each of them says the same: one of them is asked
        at[:, b, :alike] = at[0, b, :alike]
    return tuple(levels), at


def forward_levels(scorer: Scorer, levels: Sequence[tuple[mx.array, mx.array]]) -> mx.array:
    """Hidden states (T, D) after each token of all levels, one row after the other; logits where there is no head."""
    cache: Any = [ConcatenateKVCache() for _ in make_prompt_cache(scorer.model)] if len(levels) > 1 else None
    states = []
    for number, (tokens, parents) in enumerate(levels):
        for layer in cache if number else ():
            layer.keys, layer.values = layer.keys[parents], layer.values[parents]
        hidden = scorer.body(tokens, cache=cache)
        states.append(hidden.reshape(-1, hidden.shape[-1]))
    return mx.concatenate(states)
