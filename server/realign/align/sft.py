"""Supervised fine-tuning: the answers of chat rows become likelier, on any mlx-lm model.

    loaded = open_model(base)
    examples, faults = encode_rows(loaded, rows)
    trained = train_sft(loaded, examples, held_out, training, adapter, Track("run/checkpoints"))
    save_adapter(root, "tides", loaded.model, adapter, base)

The loss is the mean of -log p over all learned tokens of a step, each weighing the same whatever row it is in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import numpy as np

from realign.align.batches import BUCKET, make_batches, pad, round_up
from realign.align.examples import Example
from realign.align.forward import learned_places, make_scorer, said_logps
from realign.align.loop import Trained, feed_of
from realign.align.losses import sft_loss
from realign.align.models import prepare
from realign.align.track import UNTRACKED, Track
from realign.engine.mlx import Loaded
from realign.errors import EmptyInput
from realign.quality.metrics import Measure, mean
from realign.records import make_id
from realign.settings import Adapter, Training


@dataclass(frozen=True, slots=True)
class Proposal:
    """Hyper-parameters by the dataset's size, and the sizes they stand for."""

    iterations: int
    rows: int
    rate: float
    layers: int
    warmup: float

    def training(self, given: Training) -> Training:
        """`given` with these in place of its schedule, rows and warm-up."""
        schedule = f"{self.iterations}:{self.rate:g}"
        return given.model_copy(update={"schedule": schedule, "rows": self.rows, "warmup": self.warmup})


# rows up to: (iterations, rows of a batch, rate, layers, warm-up); ranges are walked through in the logarithm of rows.
TABLE: tuple[tuple[int, tuple[int, int], tuple[int, int], float, tuple[int, int], float], ...] = (
    (1_000, (200, 500), (1, 1), 2e-5, (4, 8), 0.10),
    (10_000, (500, 1000), (2, 4), 1e-5, (8, 16), 0.10),
    (100_000, (1000, 2000), (4, 8), 5e-6, (16, 32), 0.05),
)


def propose(rows: int, layers: int) -> Proposal:
    """Hyper-parameters for a dataset of `rows` rows and a model of `layers` blocks. Raises EmptyInput for no rows."""
    if rows < 1:
        raise EmptyInput("No rows to propose hyper-parameters for", "at least one")
    place = next((n for n, row in enumerate(TABLE) if rows < row[0]), len(TABLE) - 1)
    above, iterations, batch, rate, blocks, warmup = TABLE[place]
    share = min(
        1.0, max(0.0, 1 + math.log10(rows / above))
    )  # each range is one power of ten; the first is 100 to 1,000

    def between(ends: tuple[int, int]) -> int:
        return round(ends[0] + share * (ends[1] - ends[0]))

    return Proposal(between(iterations), between(batch), rate, min(layers, between(blocks)), warmup)


def train_sft(
    loaded: Loaded,
    examples: Sequence[Example],
    held_out: Sequence[Example],
    training: Training,
    adapter: Adapter,
    track: Track = UNTRACKED,
) -> Trained:
    """Train in place: afterwards the model holds the trained adapter or weights. Errors are those of loop.train.

    held_out may be empty; then nothing is measured on the way. Raises EmptyInput for no examples.
    """
    sizes = [(0, len(example.tokens)) for example in examples]
    batches = make_batches(sizes, rows=training.rows, tokens=training.tokens, seed=training.seed)
    data = make_id(*((example.tokens, example.mask) for example in examples))
    prepare(loaded.model, adapter, training.seed)
    evaluate = (lambda: {"loss": sum_over(row_losses(loaded, held_out))}) if held_out else None
    return track.train(
        ("sft", data, training.what_decides(), adapter.what_decides()),
        loaded.model,
        make_objective(loaded),
        feed_of(batches, sizes, lambda rows: collate([examples[row] for row in rows]), training.accumulate),
        training,
        evaluate,
    )


def make_objective(loaded: Loaded) -> Any:
    """The loop's objective: tokens (B, T), places (N,), weights (N,) to summed nats and learned tokens."""
    scorer = make_scorer(loaded.model, 0)

    def objective(model: Any, tokens: mx.array, places: mx.array, targets: mx.array, weights: mx.array) -> Any:
        logps = said_logps(scorer, scorer.body(tokens), places, targets)
        return sft_loss(logps, weights).sum(), weights.sum(), {}

    return objective


def collate(examples: Sequence[Example]) -> tuple[mx.array, ...]:
    """Examples as the objective's arrays. Position t of the input predicts token t + 1, so the last is not put in."""
    width = round_up(max(len(example.tokens) for example in examples) - 1, BUCKET)
    tokens = pad([example.tokens[:-1] for example in examples], width)
    targets = pad([example.tokens[1:] for example in examples], width)
    places, weights = learned_places(pad([example.mask[1:] for example in examples], width).tolist())
    return mx.array(tokens), mx.array(places), mx.array(targets.reshape(-1)[places]), mx.array(weights)


# -- measuring ------------------------------------------------------------------------------------------------------


def row_losses(loaded: Loaded, examples: Sequence[Example], tokens: int = 4096) -> list[tuple[float, int]]:
    """(summed nats, learned tokens) of each example, in order, without dropout."""
    scorer = make_scorer(loaded.model, 0)
    losses = [(0.0, 0)] * len(examples)
    for rows in make_batches([(0, len(example.tokens)) for example in examples], tokens=tokens).epoch(0):
        found = _losses([examples[row] for row in rows], loaded, scorer)
        for row, nats in zip(rows, found, strict=True):
            losses[row] = nats, sum(examples[row].mask)
    return losses


def _losses(examples: Sequence[Example], loaded: Loaded, scorer: Any) -> list[float]:
    tokens, places, targets, weights = collate(examples)
    nats = -said_logps(scorer, scorer.body(tokens), places, targets) * weights
    rows = np.array(places) // tokens.shape[1]
    return np.bincount(rows, np.array(nats), minlength=len(examples)).tolist()  # type: ignore[no-any-return]


def sum_over(losses: Sequence[tuple[float, int]]) -> float:
    """Mean nats a learned token over all rows."""
    return sum(nats for nats, _ in losses) / max(1, sum(tokens for _, tokens in losses))


def compare(before: Sequence[tuple[float, int]], after: Sequence[tuple[float, int]]) -> Measure:
    """How many nats a token each row lost, before minus after, paired: above 0 the second model is better.

    Details: both means over all tokens. Raises EmptyInput for no rows.
    """
    gains = [one[0] / max(1, one[1]) - other[0] / max(1, other[1]) for one, other in zip(before, after, strict=True)]
    return mean(gains, unit="nats a token", before=round(sum_over(before), 4), after=round(sum_over(after), 4))
