"""Preference pairs as tokens, and one forward pass over both answers in which their prompt is read once.

    pairs, faults = encode_pairs(loaded, [{"prompt": ..., "chosen": ..., "rejected": ...}])
    logps, tokens = answer_logps(scorer, collate(pairs))           (2B,) each: the chosen answers, then the rejected

What the two answers share, the prompt and their own common beginning, is read once (levels.py): the same numbers as two
whole sequences give, up to float rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import numpy as np

from realign.align.batches import Batches, make_batches
from realign.align.examples import Fault, Unusable, chat_of, render_chat
from realign.align.forward import make_scorer, said_logps
from realign.align.levels import STEP, Arrays, can_share, collate_answers, forward_levels
from realign.engine.mlx import Loaded
from realign.engine.scoring import Scorer


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


def collate(pairs: Sequence[PairTokens], *, share: bool = True) -> Arrays:
    """B pairs as the arrays of `collate_answers`, K = 2: the chosen answers, then the rejected ones."""
    answers = [[pair.chosen for pair in pairs], [pair.rejected for pair in pairs]]
    return collate_answers([pair.prompt for pair in pairs], answers, [pair.common for pair in pairs], share=share)


def answer_logps(scorer: Scorer, arrays: Arrays) -> tuple[mx.array, mx.array]:
    """(log p, tokens) of each answer: (2B,) float32 each, the chosen ones first."""
    levels, ends, places, targets, which, owners, weights = arrays
    logps = said_logps(scorer, forward_levels(scorer, levels), places, targets)[which] * weights
    nothing = mx.zeros(ends.shape)
    return nothing.at[owners].add(logps), nothing.at[owners].add(weights)


def in_batches(
    scorer: Scorer, pairs: Sequence[PairTokens], tokens: int = 4096
) -> Iterator[tuple[tuple[int, ...], Arrays]]:
    """(which pairs, their arrays) of every batch, for measuring."""
    share = can_share(scorer)
    for rows in batches_of(pairs, tokens=tokens).epoch(0):
        yield rows, collate([pairs[row] for row in rows], share=share)


def pair_logps(loaded: Loaded, pairs: Sequence[PairTokens]) -> np.ndarray:
    """(n, 2): what a model gives the chosen and the rejected answer of each pair, summed over tokens, in nats."""
    scorer, logps = make_scorer(loaded.model, 0), np.zeros((len(pairs), 2))
    for rows, arrays in in_batches(scorer, pairs):
        logps[list(rows)] = both(answer_logps(scorer, arrays)[0])
    return logps


def both(values: mx.array) -> np.ndarray:
    """(2B,) of chosen then rejected, as (B, 2)."""
    return np.array(values).reshape(2, -1).T
