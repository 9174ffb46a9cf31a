"""Supervised fine-tuning of a real, tiny model."""

from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx import nn
from mlx.utils import tree_flatten

from realign.align import forward
from realign.align.examples import encode_rows
from realign.align.models import open_model, prepare
from realign.align.sft import collate, compare, make_objective, propose, row_losses, sum_over, train_sft
from realign.align.track import Track
from realign.engine.mlx import Loaded
from realign.errors import EmptyInput, UsageError
from realign.settings import Adapter, Training

THINGS = ["sand", "silt", "clay", "mud", "gravel", "peat", "shells", "ash"]
ROWS = [{"prompt": f"What is in box {n % 5}?" + " please" * (n % 7), "completion": THINGS[n % 5]} for n in range(40)]
TRAINING = Training(schedule="16:1e-2", rows=8, tokens=1024, evaluate_every=16)
KINDS = [Adapter(kind=kind, layers=2, scale=4.0) for kind in ("lora", "dora", "full")]


def examples_of(loaded: Loaded, rows: Any = ROWS) -> Any:
    return encode_rows(loaded, rows)[0]


@pytest.mark.parametrize("adapter", KINDS, ids=lambda adapter: adapter.kind)
def test_training_teaches_what_the_rows_say_and_moves_every_trained_weight(loaded: Loaded, adapter: Adapter) -> None:
    examples = examples_of(loaded)
    before = row_losses(loaded, examples)
    frozen = mx.array(loaded.model.model.norm.weight)
    reports = train_sft(loaded, examples[:32], examples[32:], TRAINING, adapter).reports
    assert sum_over(row_losses(loaded, examples)) < sum_over(before) / 2
    assert reports[-1].held_out["loss"] == pytest.approx(sum_over(row_losses(loaded, examples[32:])), rel=1e-4)
    assert mx.array_equal(frozen, loaded.model.model.norm.weight) == (adapter.kind != "full")
    trained = dict(tree_flatten(loaded.model.trainable_parameters()))
    assert all(float(mx.abs(w).max().item()) > 0 for name, w in trained.items() if name.endswith("lora_b"))


def test_the_loss_is_mlx_lms_own_on_the_same_rows(loaded: Loaded) -> None:
    from mlx_lm.tuner.trainer import default_loss

    examples = examples_of(loaded)[:6]
    ours = row_losses(loaded, examples)
    for example, (nats, tokens) in zip(examples, ours, strict=True):
        offset = example.mask.index(1)
        theirs, count = default_loss(
            loaded.model, mx.array([example.tokens]), mx.array([[offset, len(example.tokens)]])
        )
        assert (tokens, nats / tokens) == (count.item(), pytest.approx(theirs.item(), abs=1e-4))


def gradient_of(loaded: Loaded) -> dict[str, np.ndarray]:
    objective = make_objective(loaded)
    arrays = collate(examples_of(loaded)[:6])
    gradient = nn.value_and_grad(loaded.model, lambda: objective(loaded.model, *arrays)[0])()[1]
    return {name: np.array(array) for name, array in tree_flatten(gradient)}


@pytest.mark.parametrize("change", ["sliced", "checkpointed"])
def test_saving_memory_does_not_change_the_gradient(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    prepare(loaded.model, Adapter(kind="full"))
    expected = gradient_of(loaded)
    if change == "sliced":
        monkeypatch.setattr(forward, "HEAD_ELEMENTS", 400 * 30)  # logits of 30 tokens at once
    else:
        prepare(loaded.model, Adapter(kind="full", checkpointing=True))
    found = gradient_of(loaded)
    assert max(np.abs(array).max() for array in expected.values()) > 0.1
    assert all(np.allclose(array, found[name], atol=2e-4) for name, array in expected.items())


def test_a_checkpoint_of_another_model_or_other_rows_is_refused(loaded: Loaded, base: Path, tmp_path: Path) -> None:
    short = TRAINING.model_copy(update={"schedule": "2:1e-3"})
    examples = examples_of(loaded)
    train_sft(loaded, examples, [], short, KINDS[0], Track(tmp_path, "one"))
    with pytest.raises(UsageError, match="another training"):
        train_sft(open_model(base), examples, [], short, KINDS[0], Track(tmp_path, "two"))
    with pytest.raises(UsageError, match="another training"):
        train_sft(open_model(base), examples[1:], [], short, KINDS[0], Track(tmp_path, "one"))


def test_no_rows_are_an_error(loaded: Loaded) -> None:
    with pytest.raises(EmptyInput):
        train_sft(loaded, [], [], TRAINING, KINDS[0])


@pytest.mark.parametrize(
    ("rows", "iterations", "batch", "rate", "layers", "warmup"),
    [
        (50, (200, 200), (1, 1), 2e-5, (4, 4), 0.1),
        (999, (490, 500), (1, 1), 2e-5, (8, 8), 0.1),
        (1000, (500, 510), (2, 2), 1e-5, (8, 8), 0.1),
        (9999, (990, 1000), (4, 4), 1e-5, (16, 16), 0.1),
        (10_000, (1000, 1010), (4, 4), 5e-6, (16, 16), 0.05),
        (10_000_000, (2000, 2000), (8, 8), 5e-6, (32, 32), 0.05),
    ],
)
def test_hyper_parameters_follow_the_datasets_size(
    rows: int, iterations: tuple[int, int], batch: tuple[int, int], rate: float, layers: tuple[int, int], warmup: float
) -> None:
    proposal = propose(rows, layers=40)
    assert iterations[0] <= proposal.iterations <= iterations[1]
    assert batch[0] <= proposal.rows <= batch[1]
    assert layers[0] <= proposal.layers <= layers[1]
    assert (proposal.rate, proposal.warmup) == (rate, warmup)
    assert propose(rows, layers=2).layers == 2
    assert proposal.training(Training()).schedule == f"{proposal.iterations}:{rate:g}"


def test_two_models_are_compared_row_by_row() -> None:
    before, after = [(4.0, 2), (9.0, 3), (5.0, 1)], [(2.0, 2), (6.0, 3), (4.0, 1)]
    gain = compare(before, after)
    assert (gain.value, gain.n, gain.low, gain.high) == (1.0, 3, 1.0, 1.0)
    assert gain.details == {"before": 3.0, "after": 2.0}
