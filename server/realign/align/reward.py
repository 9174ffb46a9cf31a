"""A reward model: any mlx-lm model with a head that gives an answer one number, trained so that better ones get more.

    reward = make_reward_model(loaded, adapter)
    trained = train_reward(reward, pairs, held_out, training)
    write_reward_model(reward, base, Path("out/reward"))           a model folder, and head.safetensors in it
    reward = open_reward_model(Path("out/reward"))
    reward_accuracy(score_pairs(reward, held_out), held_out)

The number is read after the answer's last token. The loss is Bradley-Terry's; only differences between two answers to
the same prompt mean anything.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
from mlx import nn

from realign.align.batches import Rows, pad, round_up
from realign.align.forward import Scorer, make_scorer
from realign.align.levels import Arrays, can_share, forward_levels
from realign.align.loop import Trained, feed_of
from realign.align.losses import reward_loss
from realign.align.models import open_model, prepare, write_folder, write_model
from realign.align.pairs import PairTokens, batches_of, both, collate
from realign.align.track import UNTRACKED, Track
from realign.engine.mlx import Loaded
from realign.engine.scoring import language_part
from realign.errors import EmptyInput, ModelError
from realign.quality.metrics import Measure, measured, share
from realign.records import make_id
from realign.settings import Adapter, Training

HEAD = "head.safetensors"
BODIES = ("model", "backbone", "transformer")  # what mlx-lm's architectures call all but the vocabulary head
PROBE = mx.array([[1, 2, 3]])
WORDS = 4096  # columns that tokens are hashed into for the prompt-blind baseline
FITTED = 4000  # training pairs that it is fitted to at most


class RewardNet(nn.Module):  # type: ignore[misc]  # MLX's own class has no types
    """The trunk and its head. The trunk's own vocabulary head stays in it, unused."""

    def __init__(self, trunk: Any, width: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = nn.Linear(width, 1)


@dataclass(frozen=True, slots=True)
class RewardModel:
    """A reward model in memory."""

    net: RewardNet
    loaded: Loaded
    scorer: Scorer
    adapter: Adapter


def make_reward_model(loaded: Loaded, adapter: Adapter, seed: int = 0) -> RewardModel:
    """A model with a fresh head. Raises ModelError for a model whose hidden states can't be had."""
    prepare(loaded.model, adapter, seed)
    scorer = _with_states(make_scorer(loaded.model, 0))
    if scorer is None:
        raise ModelError(
            f"The hidden states of a {type(loaded.model).__module__.rpartition('.')[2]} model can't be read",
            f"a body that gives them, named {', '.join(BODIES)}",
            "another backbone for the reward model",
        )
    width = int(scorer.body(PROBE).shape[-1])
    net = RewardNet(loaded.model, width)
    net.head.weight = mx.random.normal(net.head.weight.shape) / width  # rewards near 0: the loss begins at log 2
    net.head.bias = mx.zeros((1,))
    mx.eval(net.parameters())
    return RewardModel(net, loaded, scorer, adapter)


def _with_states(scorer: Scorer) -> Scorer | None:
    """The scorer with a body that gives hidden states, whatever its head does with them; None where there is none."""
    if scorer.head is not None:
        return scorer
    width = scorer.model(PROBE).shape[-1]
    for trunk in (getattr(language_part(scorer.model), name, None) for name in BODIES):
        body = functools.partial(trunk, cache=None) if callable(trunk) else None
        if body is not None and (states := body(PROBE)).ndim == 3 and states.shape[-1] != width:
            return dataclasses.replace(scorer, body=body)
    return None


def train_reward(
    reward: RewardModel,
    pairs: Sequence[PairTokens],
    held_out: Sequence[PairTokens],
    training: Training,
    track: Track = UNTRACKED,
) -> Trained:
    """Train in place; held_out may be empty. Errors are those of loop.train; EmptyInput for no pairs."""
    batches = batches_of(pairs, rows=training.rows, tokens=training.tokens, seed=training.seed)
    data = make_id(*((pair.prompt, pair.chosen, pair.rejected) for pair in pairs))
    sizes = [(len(pair.prompt), len(pair.chosen), len(pair.rejected)) for pair in pairs]

    def arrays(rows: Rows) -> Arrays:
        return pair_arrays(reward, [pairs[row] for row in rows])

    return track.train(
        ("reward", data, training.what_decides(), reward.adapter.what_decides()),
        reward.net,
        make_objective(reward),
        feed_of(batches, sizes, arrays, training.accumulate),
        training,
        (lambda: held_out_metrics(score_pairs(reward, held_out))) if held_out else None,
    )


def pair_arrays(reward: RewardModel, pairs: Sequence[PairTokens]) -> Arrays:
    """The levels of levels.collate_answers, and where the last token of each answer lies in them (2B,)."""
    return collate(pairs, share=can_share(reward.scorer))[:2]


def make_objective(reward: RewardModel) -> Any:
    """The loop's objective: `pair_arrays` to summed losses and their number."""

    def objective(net: Any, levels: Any, ends: mx.array) -> Any:
        chosen, rejected = _rewards(reward, levels, ends).reshape(2, -1)
        margins = chosen - rejected
        sums = {"margin": margins.sum(), "accuracy": (margins > 0).sum()}
        return reward_loss(chosen, rejected).sum(), mx.array(float(len(chosen))), sums

    return objective


def _rewards(reward: RewardModel, levels: Any, ends: mx.array) -> mx.array:
    """(2B,) float32."""
    last = forward_levels(reward.scorer, levels)[ends].astype(mx.float32)
    rewards: mx.array = reward.net.head(last)[:, 0]
    return rewards


# -- using it -------------------------------------------------------------------------------------------------------


def score_pairs(reward: RewardModel, pairs: Sequence[PairTokens], tokens: int = 4096) -> np.ndarray:
    """Rewards of both answers of each pair, (n, 2), in order."""
    reward.net.eval()
    found = np.zeros((len(pairs), 2))
    for rows in batches_of(pairs, tokens=tokens).epoch(0) if pairs else ():
        found[list(rows)] = both(_rewards(reward, *pair_arrays(reward, [pairs[row] for row in rows])))
    return found


def score_answers(reward: RewardModel, answers: Sequence[tuple[Sequence[int], Sequence[int]]]) -> np.ndarray:
    """Rewards (n,) of (prompt tokens, answer tokens), in order; an answer needs at least one token."""
    reward.net.eval()
    found = np.zeros(len(answers))
    rows = sorted(range(len(answers)), key=lambda row: len(answers[row][0]) + len(answers[row][1]))
    for begin in range(0, len(rows), 16):
        group = rows[begin : begin + 16]
        texts = [[*answers[row][0], *answers[row][1]] for row in group]
        hidden = reward.scorer.body(mx.array(pad(texts, round_up(max(map(len, texts)), 16))))
        last = hidden[mx.arange(len(texts)), mx.array([len(text) - 1 for text in texts])].astype(mx.float32)
        found[group] = np.array(reward.net.head(last)[:, 0])
    return found


def held_out_metrics(scores: np.ndarray) -> dict[str, float]:
    """Loss, accuracy (ties count half) and margin of rewards (n, 2)."""
    margins = scores[:, 0] - scores[:, 1]
    accuracy = float(((margins > 0) + 0.5 * (margins == 0)).mean())
    return {"loss": float(np.logaddexp(0, -margins).mean()), "accuracy": accuracy, "margin": float(margins.mean())}


def write_reward_model(reward: RewardModel, base: Path, folder: Path) -> Path:
    """A new folder: the trunk as mlx-lm writes models, with its adapters fused, and the head beside it."""

    def fill(beside: Path) -> None:
        write_model(reward.loaded, base, beside / "trunk")
        for path in (beside / "trunk").iterdir():
            path.rename(beside / path.name)
        (beside / "trunk").rmdir()
        mx.save_safetensors(str(beside / HEAD), dict(reward.net.head.parameters()), metadata={"format": "mlx"})

    return write_folder(folder, fill)


def open_reward_model(folder: Path) -> RewardModel:
    """A reward model for scoring. Raises ModelError for a folder that holds none."""
    loaded = open_model(folder)
    reward = make_reward_model(loaded, Adapter(kind="full"))
    try:
        head: Any = mx.load(str(folder / HEAD))
        reward.net.head.load_weights(list(head.items()))
    except (RuntimeError, ValueError, OSError) as error:
        raise ModelError(f"{folder} is no reward model ({error})", f"a model folder with {HEAD} in it") from None
    reward.net.freeze()
    mx.eval(reward.net.parameters())
    return reward


# -- measuring ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RewardReport:
    """How good a reward model is on pairs that it was not trained on. All in 0..1; 0.5 is a guess.

    gap: accuracy on the training pairs minus held-out accuracy. shorter: accuracy on the pairs whose chosen answer has
    fewer tokens. length: accuracy of "the longer is better", or of its contrary, whichever the training pairs say.
    blind: accuracy of word counts of the answers alone, fitted to the training pairs: what can be had without prompts.
    """

    accuracy: Measure
    gap: float
    shorter: Measure
    length: Measure
    blind: Measure


def reward_report(
    train_scores: np.ndarray, held_scores: np.ndarray, pairs: Sequence[PairTokens], held_out: Sequence[PairTokens]
) -> RewardReport:
    """Every figure, from the rewards (n, 2) of both sets. Raises EmptyInput where one of the sets is empty."""
    if not pairs or not held_out:
        raise EmptyInput("No pairs to measure a reward model on", "training pairs and held-out pairs")
    right = held_scores[:, 0] > held_scores[:, 1]
    shorter = [len(pair.chosen) < len(pair.rejected) for pair in held_out]
    return RewardReport(
        accuracy=share(right.tolist()),
        gap=float((train_scores[:, 0] > train_scores[:, 1]).mean() - right.mean()),
        shorter=measured(lambda: share(right[np.array(shorter)].tolist())),
        length=length_baseline(pairs, held_out),
        blind=blind_baseline(pairs, held_out),
    )


def length_baseline(pairs: Sequence[PairTokens], held_out: Sequence[PairTokens]) -> Measure:
    """Held-out accuracy of the rule by length that fits the training pairs; equal lengths count half."""
    rights, longer = length_rights(pairs, held_out)
    measure = share(right > 0.5 for right in rights)
    return Measure(
        sum(rights) / len(rights), measure.n, measure.low, measure.high, details={"longer_is_better": longer}
    )


def length_rights(pairs: Sequence[PairTokens], held_out: Sequence[PairTokens]) -> tuple[list[float], bool]:
    """(1, 0 or for equal lengths 0.5 for each held-out pair, whether the longer answer is taken)."""
    sign = 1 if sum(np.sign(len(pair.chosen) - len(pair.rejected)) for pair in pairs) >= 0 else -1
    signs = [sign * float(np.sign(len(pair.chosen) - len(pair.rejected))) for pair in held_out]
    return [(1 + each) / 2 for each in signs], sign > 0


def blind_baseline(pairs: Sequence[PairTokens], held_out: Sequence[PairTokens]) -> Measure:
    """Held-out accuracy of a Bradley-Terry model on the answers' token counts, which never sees a prompt."""
    return share(blind_rights(pairs, held_out))


def blind_rights(pairs: Sequence[PairTokens], held_out: Sequence[PairTokens], decay: float = 1e-2) -> list[bool]:
    """Whether it ranks each held-out pair right.

    Fitted by 300 steps of gradient descent on the logistic loss with a small L2 term; tokens are hashed into columns.
    """
    counted = _count_differences(pairs[:FITTED])
    seen = counted.any(0)  # the other columns' weights would stay 0
    features, weights = counted[:, seen].astype(np.float64), np.zeros(seen.sum())
    rate = 4.0 / max(1e-9, float((features**2).sum(1).mean()))  # about the inverse of the loss's curvature
    for _ in range(300):
        slope = -features.T @ (1 / (1 + np.exp(features @ weights))) / len(features)
        weights -= rate * (slope + decay * weights)
    return (_count_differences(held_out)[:, seen] @ weights > 0).tolist()  # type: ignore[no-any-return]


def _count_differences(pairs: Sequence[PairTokens]) -> np.ndarray:
    """(n, WORDS): how often each token is in the chosen answer, minus in the rejected one."""
    found = np.zeros((len(pairs), WORDS), np.float32)
    for row, pair in enumerate(pairs):
        np.add.at(found[row], np.array(pair.chosen) % WORDS, 1)
        np.add.at(found[row], np.array(pair.rejected) % WORDS, -1)
    return found
