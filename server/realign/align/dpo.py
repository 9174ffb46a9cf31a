"""Direct preference optimization: the chosen answer becomes likelier than the rejected one, relative to a reference.

    pairs, faults = encode_pairs(loaded, rows)
    reference = reference_logps(loaded, pairs, folder, identity)          before anything is trained
    trained = train_dpo(loaded, pairs, reference, held_out, held_reference, training, adapter, Preference(beta=0.1))

reward(answer) = beta * (log p(answer) - log q(answer)), and a pair's margin is reward(chosen) - reward(rejected). The
reports' "accuracy" is the share of pairs with a margin above 0. Held-out accuracy may rise while the model gets worse:
what tells that is KL (divergence.py), not this loss.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mlx.core as mx
import numpy as np

from realign.align.batches import Rows
from realign.align.forward import make_scorer
from realign.align.levels import Arrays, can_share
from realign.align.loop import Trained, feed_of
from realign.align.losses import dpo_loss
from realign.align.models import prepare
from realign.align.pairs import PairTokens, answer_logps, batches_of, both, collate, in_batches
from realign.align.track import UNTRACKED, Track
from realign.engine.mlx import Loaded
from realign.quality.metrics import Measure, mean, share
from realign.records import make_id
from realign.settings import Adapter, Preference, Training


def train_dpo(
    loaded: Loaded,
    pairs: Sequence[PairTokens],
    reference: np.ndarray,
    held_out: Sequence[PairTokens],
    held_reference: np.ndarray,
    training: Training,
    adapter: Adapter,
    preference: Preference,
    track: Track = UNTRACKED,
    drift: Callable[[], dict[str, float]] = dict,
) -> Trained:
    """Train in place. reference, held_reference: (n, 2) of `reference_logps`. held_out may be empty.

    drift: measured beside the held-out pairs, such as the KL to the reference, which needs that model. Errors are
    those of loop.train; EmptyInput for no pairs.
    """
    batches = batches_of(pairs, rows=training.rows, tokens=training.tokens, seed=training.seed)
    data = make_id(*((pair.prompt, pair.chosen, pair.rejected) for pair in pairs))
    sections = (training, adapter, preference)
    prepare(loaded.model, adapter, training.seed)
    share = can_share(make_scorer(loaded.model, 0))

    def arrays(rows: Rows) -> Arrays:
        return *collate([pairs[row] for row in rows], share=share), mx.array(reference[list(rows)].T.reshape(-1))

    def evaluate() -> dict[str, float]:
        return {**held_out_metrics(loaded, held_out, held_reference, preference), **drift()}

    return track.train(
        ("dpo", data, *(section.what_decides() for section in sections)),
        loaded.model,
        make_objective(loaded, preference),
        feed_of(batches, [_real(pair) for pair in pairs], arrays, training.accumulate),
        training,
        evaluate if held_out else None,
    )


def _real(pair: PairTokens) -> tuple[int, int, int]:
    return len(pair.prompt), len(pair.chosen), len(pair.rejected)


def make_objective(loaded: Loaded, preference: Preference) -> Any:
    """The loop's objective: the arrays of pairs.collate and (2B,) reference logps to summed losses and their number."""
    scorer = make_scorer(loaded.model, 0)

    def objective(model: Any, *arrays: Any) -> Any:
        logps, tokens = answer_logps(scorer, arrays[:-1])
        loss, rewards = _loss(logps, arrays[-1], tokens, preference)
        chosen = (logps / tokens)[: len(loss)]
        loss = loss - preference.sft_weight * chosen  # -log p a token of what is chosen (RPO, 2404.19733)
        margins = rewards[0] - rewards[1]
        sums = {"margin": margins, "accuracy": margins > 0, "chosen": rewards[0], "rejected": rewards[1]}
        return loss.sum(), mx.array(float(len(loss))), {name: value.sum() for name, value in sums.items()}

    return objective


def _loss(logps: mx.array, reference: mx.array, tokens: mx.array, preference: Preference) -> tuple[mx.array, mx.array]:
    """(losses (B,), rewards (2, B)) of log p, log q and token counts (2B,)."""
    p, q, counts = (part.reshape(2, -1) for part in (logps, reference, tokens))
    if preference.loss == "ipo":
        p, q = p / counts, q / counts
    loss = dpo_loss(p[0], p[1], q[0], q[1], preference.beta, preference.loss)
    return loss, preference.beta * (p - q)


# -- measuring ------------------------------------------------------------------------------------------------------


def pair_rewards(
    loaded: Loaded, pairs: Sequence[PairTokens], reference: np.ndarray, preference: Preference
) -> tuple[np.ndarray, np.ndarray]:
    """(losses (n,), rewards (n, 2) of chosen and rejected) of each pair, without dropout."""
    scorer = make_scorer(loaded.model, 0)
    losses, rewards = np.zeros(len(pairs)), np.zeros((len(pairs), 2))
    for rows, arrays in in_batches(scorer, pairs):
        logps, tokens = answer_logps(scorer, arrays)
        loss, reward = _loss(logps, mx.array(reference[list(rows)].T.reshape(-1)), tokens, preference)
        losses[list(rows)], rewards[list(rows)] = np.array(loss), both(reward.reshape(-1))
    return losses, rewards


def held_out_metrics(
    loaded: Loaded, pairs: Sequence[PairTokens], reference: np.ndarray, preference: Preference
) -> dict[str, float]:
    """Means over the pairs: loss, accuracy (ties count half), margin, and both rewards."""
    losses, rewards = pair_rewards(loaded, pairs, reference, preference)
    margins = rewards[:, 0] - rewards[:, 1]
    return {
        "loss": float(losses.mean()),
        "accuracy": float(((margins > 0) + 0.5 * (margins == 0)).mean()),
        "margin": float(margins.mean()),
        "chosen": float(rewards[:, 0].mean()),
        "rejected": float(rewards[:, 1].mean()),
    }


def preference_accuracy(rewards: np.ndarray, reference: np.ndarray) -> Measure:
    """Share of pairs whose chosen answer has the higher reward, in 0..1; 0.5 is a guess.

    Details: the margin's mean, and what the reference alone scores, since a model that was taught well may rank most
    pairs right before any preference training. Raises EmptyInput for no pairs.
    """
    before = float((reference[:, 0] > reference[:, 1]).mean()) if len(reference) else 0.0
    margins = (rewards[:, 0] - rewards[:, 1]).tolist()
    margin = mean(margins, unit="nats")
    details: dict[str, Any] = {"margin": margin.value, "margin_low": margin.low, "margin_high": margin.high}
    return share((m > 0 for m in margins), reference_accuracy=round(before, 4), **details)
