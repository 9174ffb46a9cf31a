"""Preference pairs as tokens, and one forward pass over both answers in which their prompt is read once.

    pairs, faults = encode_pairs(loaded, [{"prompt": ..., "chosen": ..., "rejected": ...}])
    logps, tokens = answer_logps(scorer, collate(pairs))           (2B,) each: the chosen answers, then the rejected

The keys and values of the prompt, and of what both answers begin with, are repeated for the two answers, and gradients
run through them: the same numbers as two whole sequences give, up to float rounding. A batch reads the first P tokens
of each once, P being the multiple of 8 that its shortest has; what another has beyond that goes in front of both
answers, so nothing is padded on the left. Models whose cache can't be repeated (sliding windows, recurrent states), and
blocks that are computed twice to save memory, get whole sequences.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import numpy as np
from mlx_lm.models.cache import ConcatenateKVCache, make_prompt_cache

from realign.align.batches import Batches, make_batches, pad, round_up
from realign.align.examples import Fault, Unusable, chat_of, render_chat
from realign.align.forward import learned_places, said_logps
from realign.engine.mlx import Loaded
from realign.engine.scoring import Scorer

Arrays = tuple[mx.array, ...]
STEP = 8  # tokens: prefixes and tails are multiples of this; answers are short, so padding weighs more than shapes


@dataclass(frozen=True, slots=True)
class PairTokens:
    """prompt and two answers as tokens; a prompt has at least one. line counts the rows from 1."""

    prompt: tuple[int, ...]
    chosen: tuple[int, ...]
    rejected: tuple[int, ...]
    line: int

    @property
    def common(self) -> int:
        """How many tokens both answers begin with; at least one is left of each."""
        shortest = min(len(self.chosen), len(self.rejected)) - 1
        pairs = enumerate(zip(self.chosen[:shortest], self.rejected[:shortest], strict=True))
        return next((n for n, (one, other) in pairs if one != other), shortest)

    @property
    def size(self) -> tuple[int, int]:
        """Tokens that both answers share, and what the longer one has beyond them."""
        return len(self.prompt) + self.common, max(len(self.chosen), len(self.rejected)) - self.common


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
    tools = row.get("tools")
    prompt = render_chat(loaded, answers[0][:turns], tools, prompting=True)
    chosen, rejected = (render_chat(loaded, turns, tools) for turns in answers)
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
    return make_batches([pair.size for pair in pairs], times=2, rows=rows, tokens=tokens, bucket=STEP, seed=seed)


def collate(pairs: Sequence[PairTokens]) -> Arrays:
    """B pairs as the arrays of `collate_answers`, K = 2: the chosen answers, then the rejected ones."""
    answers = [[pair.chosen for pair in pairs], [pair.rejected for pair in pairs]]
    return collate_answers([pair.prompt for pair in pairs], answers, [pair.common for pair in pairs])


def collate_answers(
    prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[Sequence[int]]], common: Sequence[int] | None = None
) -> Arrays:
    """K answers to each of B prompts, answers[k][b], as arrays.

    prefix (B, P) and tails (K * B, W), all first answers first; places, targets, weights and owners (N,) of the
    answers' tokens. Places count through the flat prefix and then the flat tails; owners are rows of the tails. A place
    in the prefix stands for a token of all K answers (`common`: how many tokens those begin with), and its owner is the
    first of them.
    """
    shared = common or [0] * len(prompts)
    begun = [(*prompt, *first[:n]) for prompt, first, n in zip(prompts, answers[0], shared, strict=True)]
    shortest = min(map(len, begun))
    cut = shortest // STEP * STEP or shortest
    tails = [(*prompt, *answer)[cut:] for column in answers for prompt, answer in zip(prompts, column, strict=True)]
    ahead = [len(prompt) for _ in answers for prompt in prompts]
    width = round_up(max(map(len, tails)), STEP)
    masks = [_mask(max(0, n - cut), len(tail), width) for n, tail in zip(ahead, tails, strict=True)]
    prefix, padded = pad([row[:cut] for row in begun], cut), pad(tails, width)
    before = [_mask(min(len(prompt), cut), cut, cut) for prompt in prompts]
    places, weights = learned_places([*before, *masks])
    targets = np.concatenate([prefix.reshape(-1), padded.reshape(-1)])[places]
    owners = np.where(places < prefix.size, places // cut, (places - prefix.size) // width)
    return tuple(mx.array(part) for part in (prefix, padded, places, targets, weights, owners.astype(np.int32)))


def _mask(begin: int, end: int, width: int) -> list[int]:
    return [0] * begin + [1] * (end - begin) + [0] * (width - end)


def can_share(scorer: Scorer) -> bool:
    """Whether the prompt may be read once: plain key-value caches, and no block that is computed twice."""
    return scorer.plain and not any(hasattr(type(block), "checkpointed") for block in scorer.model.layers)


def forward_shared(scorer: Scorer, prefix: mx.array, tails: mx.array) -> tuple[mx.array, mx.array]:
    """Hidden states after each token of the prefix (B, P, D), and of the tails (K * B, W, D).

    prefix (B, P), tails (K * B, W): K answers to each of B prompts, all first answers first.
    """
    times, width = len(tails) // len(prefix), prefix.shape[1]
    if can_share(scorer):
        cache = [ConcatenateKVCache() for _ in make_prompt_cache(scorer.model)]
        first = scorer.body(prefix, cache=cache)
        for layer in cache:
            layer.keys, layer.values = (mx.concatenate([part] * times) for part in (layer.keys, layer.values))
        return first, scorer.body(tails, cache=cache)
    hidden = scorer.body(mx.concatenate([mx.concatenate([prefix] * times), tails], axis=1))
    return hidden[: len(prefix), :width], hidden[:, width:]


def before_tokens(first: mx.array, after: mx.array) -> mx.array:
    """`forward_shared`'s states moved to where each token is predicted, flat: (B * P + K * B * W, D), in the order of
    collate_answers' places. The prefix's own first token is predicted by nothing; no place asks for it."""
    times = len(after) // len(first)
    moved = mx.concatenate([first[:, :1], first[:, :-1]], axis=1)
    answers = mx.concatenate([mx.concatenate([first[:, -1:]] * times), after[:, :-1]], axis=1)
    return mx.concatenate([states.reshape(-1, states.shape[-1]) for states in (moved, answers)])


def answer_logps(scorer: Scorer, arrays: Arrays) -> tuple[mx.array, mx.array]:
    """(log p, tokens) of each answer: (2B,) float32 each, the chosen ones first."""
    prefix, tails, places, targets, weights, _ = arrays
    states = before_tokens(*forward_shared(scorer, prefix, tails))
    logps = said_logps(scorer, states, places, targets) * weights
    return _summed(logps, arrays), _summed(weights, arrays)


def _summed(values: mx.array, arrays: Arrays) -> mx.array:
    """Values (N,) of tokens, added up for each answer (2B,); a token of the prefix belongs to both answers."""
    owners, shared = arrays[-1], arrays[2] < arrays[0].size
    return mx.zeros(len(arrays[1])).at[owners].add(values).at[second_owners(arrays)].add(values * shared)


def second_owners(arrays: Arrays) -> mx.array:
    """The rejected answer's row (N,) for a token of the prefix; for others the owner, which is given nothing more.

    MLX does not check indices: one beyond the rows would read, and write, whatever lies there.
    """
    prefix, _, places, _, _, owners = arrays
    return mx.where(places < prefix.size, owners + len(prefix), owners)


def in_batches(pairs: Sequence[PairTokens], tokens: int = 4096) -> Iterator[tuple[tuple[int, ...], Arrays]]:
    """(which pairs, their arrays) of every batch, for measuring."""
    for rows in batches_of(pairs, tokens=tokens).epoch(0):
        yield rows, collate([pairs[row] for row in rows])


def both(values: mx.array) -> np.ndarray:
    """(2B,) of chosen then rejected, as (B, 2)."""
    return np.array(values).reshape(2, -1).T
