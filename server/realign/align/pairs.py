"""Preference pairs as tokens, and one forward pass over both answers in which their prompt is read once.

    pairs, faults = encode_pairs(loaded, [{"prompt": ..., "chosen": ..., "rejected": ...}])
    after, before = forward_shared(scorer, *collate(pairs)[:2])

The prompt's keys and values are repeated for the two answers, and gradients run through them: the same numbers as two
whole sequences give, up to float rounding. A batch reads the first P tokens of each prompt once, P being the multiple
of 16 that its shortest prompt has; what a prompt has beyond that goes in front of both answers, so nothing is padded on
the left. Models whose cache can't be repeated (sliding windows, recurrent states), and blocks that are computed twice
to save memory, get whole sequences.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import numpy as np
from mlx_lm.models.cache import ConcatenateKVCache, make_prompt_cache

from realign.align.batches import BUCKET, Batches, make_batches, pad, round_up
from realign.align.examples import Fault, Unusable, chat_of, render_chat
from realign.align.forward import learned_places, said_logps
from realign.engine.mlx import Loaded
from realign.engine.scoring import Scorer

Arrays = tuple[mx.array, ...]


@dataclass(frozen=True, slots=True)
class PairTokens:
    """prompt and two answers as tokens; a prompt has at least one. line counts the rows from 1."""

    prompt: tuple[int, ...]
    chosen: tuple[int, ...]
    rejected: tuple[int, ...]
    line: int

    @property
    def size(self) -> tuple[int, int, int]:
        """Tokens of the three parts of a batch: the prompt, and twice the longer answer."""
        longer = max(len(self.chosen), len(self.rejected))
        return len(self.prompt), longer, longer


def encode_pairs(
    loaded: Loaded, rows: Sequence[Mapping[str, Any]], longest: int = 2048
) -> tuple[list[PairTokens], list[Fault]]:
    """Every usable row, and a fault with line and field for each of the others. longest: tokens of prompt and answer.

    prompt, chosen and rejected are texts or lists of turns.
    """
    pairs: list[PairTokens] = []
    faults: list[Fault] = []
    for line, row in enumerate(rows, 1):
        try:
            pairs.append(_pair(loaded, row, min(longest, loaded.context), line))
        except Unusable as error:
            faults.append(Fault(line, *error.args))
    return pairs, faults


def _pair(loaded: Loaded, row: Mapping[str, Any], longest: int, line: int) -> PairTokens:
    if not isinstance(row, Mapping):
        raise Unusable("row", f"is no object but {type(row).__name__}")
    missing = [field for field in ("prompt", "chosen", "rejected") if field not in row]
    if missing:
        raise Unusable(missing[0], "is missing")
    answers = []
    for field in ("chosen", "rejected"):
        try:
            answers.append(chat_of({"prompt": row["prompt"], "chosen": row[field]}))
        except Unusable as error:
            raise Unusable(error.args[0].replace("chosen", field), error.args[1]) from None
    turns = len(row["prompt"]) if isinstance(row["prompt"], list) else 1
    prompt = render_chat(loaded, answers[0][:turns], prompting=True)
    chosen, rejected = (render_chat(loaded, turns) for turns in answers)
    shared = next((n for n, same in enumerate(zip(prompt, chosen, rejected, strict=False)) if len(set(same)) > 1), None)
    cut = min(len(prompt), len(chosen) - 1, len(rejected) - 1) if shared is None else shared
    if chosen == rejected:
        raise Unusable("rejected", "is the chosen answer")
    if cut < 1:
        raise Unusable("prompt", "shares no token with its answers' conversations")
    if max(len(chosen), len(rejected)) > longest:
        raise Unusable("prompt", f"with its answer is {max(len(chosen), len(rejected))} tokens long, {longest} fit")
    return PairTokens(tuple(prompt[:cut]), tuple(chosen[cut:]), tuple(rejected[cut:]), line)


def batches_of(pairs: Sequence[PairTokens], *, rows: int = 64, tokens: int = 4096, seed: int = 0) -> Batches:
    """Pairs in batches of about the same prompt and answer lengths."""
    return make_batches([pair.size for pair in pairs], rows=rows, tokens=tokens, seed=seed)


def collate(pairs: Sequence[PairTokens]) -> Arrays:
    """B pairs as the arrays of `collate_answers`, K = 2: the chosen answers, then the rejected ones."""
    answers = [[pair.chosen for pair in pairs], [pair.rejected for pair in pairs]]
    return collate_answers([pair.prompt for pair in pairs], answers)


def collate_answers(prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[Sequence[int]]]) -> Arrays:
    """K answers to each of B prompts, answers[k][b], as arrays: prefix (B, P); tails (K * B, W), all first answers
    first; places, targets, weights and owners (N,) of the answers' tokens in the flat tails."""
    shortest = min(map(len, prompts))
    cut = shortest // BUCKET * BUCKET or shortest
    ahead = [prompt[cut:] for prompt in prompts]
    tails = [(*begun, *answer) for column in answers for begun, answer in zip(ahead, column, strict=True)]
    masks = [
        [0] * len(begun) + [1] * len(answer) for column in answers for begun, answer in zip(ahead, column, strict=True)
    ]
    width = round_up(max(map(len, tails)), BUCKET)
    prefix, padded = pad([prompt[:cut] for prompt in prompts], cut), pad(tails, width)
    places, weights = learned_places(masks, width)
    targets = padded.reshape(-1)[places]
    return tuple(mx.array(part) for part in (prefix, padded, places, targets, weights, places // width))


def can_share(scorer: Scorer) -> bool:
    """Whether the prompt may be read once: plain key-value caches, and no block that is computed twice."""
    return scorer.plain and not any(hasattr(type(block), "checkpointed") for block in scorer.model.layers)


def forward_shared(scorer: Scorer, prefix: mx.array, tails: mx.array) -> tuple[mx.array, mx.array]:
    """(after, before): hidden states (K * B, W, D) after each token of the tails, and before it, where it is predicted.

    prefix (B, P), tails (K * B, W): K answers to each of B prompts, all first answers first.
    """
    times, width = len(tails) // len(prefix), prefix.shape[1]
    if can_share(scorer):
        cache = [ConcatenateKVCache() for _ in make_prompt_cache(scorer.model)]
        last = scorer.body(prefix, cache=cache)[:, -1:]
        for layer in cache:
            layer.keys, layer.values = (mx.concatenate([part] * times) for part in (layer.keys, layer.values))
        after = scorer.body(tails, cache=cache)
        return after, mx.concatenate([mx.concatenate([last] * times), after[:, :-1]], axis=1)
    hidden = scorer.body(mx.concatenate([mx.concatenate([prefix] * times), tails], axis=1))
    return hidden[:, width:], hidden[:, width - 1 : -1]


def answer_logps(scorer: Scorer, arrays: Arrays) -> tuple[mx.array, mx.array]:
    """(log p, tokens) of each answer: (2B,) float32 each, the chosen ones first."""
    prefix, tails, places, targets, weights, owners = arrays
    _, before = forward_shared(scorer, prefix, tails)
    logps = said_logps(scorer, before, places, targets) * weights
    none = mx.zeros(len(tails))
    return none.at[owners].add(logps), none.at[owners].add(weights)


def in_batches(pairs: Sequence[PairTokens], tokens: int = 4096) -> Iterator[tuple[tuple[int, ...], Arrays]]:
    """(which pairs, their arrays) of every batch, for measuring."""
    for rows in batches_of(pairs, tokens=tokens).epoch(0):
        yield rows, collate([pairs[row] for row in rows])


def both(values: mx.array) -> np.ndarray:
    """(2B,) of chosen then rejected, as (B, 2)."""
    return np.array(values).reshape(2, -1).T
