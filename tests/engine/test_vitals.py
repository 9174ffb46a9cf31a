"""What a model does with the planted items: its answers are its own, its gradients finite, and it stays as it was."""

from __future__ import annotations

from pathlib import Path

import mlx.core as mx
import mlx_lm.utils
import numpy as np
import pytest
from mlx.utils import tree_flatten

from realign.engine import scoring
from realign.engine.mlx import Loaded, load
from realign.engine.tiny import make_tiny_model
from realign.engine.vitals import PLANTED, answer_logprobs, gradient_norms, logits_type, planted_items
from realign.hardware.alike import TOLERANCES
from realign.job.vitals import measure

TEXT = "Water boils at 100 degrees. The number 23 is prime. " * 8


def worst(one: list[np.ndarray], other: list[np.ndarray]) -> float:
    """Mean difference a token on the worst item."""
    return max(float(np.abs(a - b).mean()) for a, b in zip(one, other, strict=True))


def test_the_norms_are_those_of_a_whole_backward_pass(loaded: Loaded) -> None:
    """The last block's part of the gradient of everything is the gradient with respect to the last block."""
    from mlx import nn

    items = planted_items(loaded)[:2]
    found = gradient_norms(loaded.model, items)
    for (prompt, answer), norm in zip(items, found, strict=True):
        tokens = mx.array([[*prompt, *answer]])

        def loss(model: nn.Module, tokens: mx.array = tokens, length: int = len(answer)) -> mx.array:
            logits = model(tokens[:, :-1])[:, -length:]
            return nn.losses.cross_entropy(logits, tokens[:, -length:]).mean()

        loaded.model.unfreeze()
        _, whole = nn.value_and_grad(loaded.model, loss)(loaded.model)
        parts = tree_flatten(whole["model"]["layers"][-1])
        assert norm == pytest.approx(float(mx.sqrt(sum(part.square().sum() for _, part in parts))), rel=1e-4)


def test_measuring_leaves_the_model_as_it_was(loaded: Loaded) -> None:
    items = planted_items(loaded)
    before = answer_logprobs(loaded, items)
    norms = gradient_norms(loaded.model, items)
    assert len(norms) == len(PLANTED) and all(0 < norm < 100 for norm in norms)
    assert worst(before, answer_logprobs(loaded, items)) == 0


def test_narrow_types_stay_within_their_tolerance_and_other_weights_do_not(tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path / "model", TEXT, layers=4)
    loaded = load(folder)
    items, exact = planted_items(loaded), answer_logprobs(loaded, planted_items(loaded))
    for kind, name in ((mx.float16, "float16"), (mx.bfloat16, "bfloat16")):
        narrow = load(folder)
        narrow.model.set_dtype(kind)
        assert logits_type(narrow.model) == name
        narrow = Loaded(narrow.model, narrow.tokenizer, scoring.make_scorer(narrow.model, 2048), 4096, None)
        assert 0 < worst(exact, answer_logprobs(narrow, items)) < TOLERANCES[name]
    other = load(make_tiny_model(tmp_path / "other", TEXT, layers=4, seed=1))
    assert worst(exact, answer_logprobs(other, items)) > 2 * TOLERANCES["bfloat16"]


def test_a_quantized_models_gradients_are_measured_on_what_is_not_packed(tmp_path: Path) -> None:
    model, config = mlx_lm.utils.load_model(make_tiny_model(tmp_path / "model", TEXT))
    packed, _ = mlx_lm.utils.quantize_model(model, config, group_size=64, bits=8)
    norms = gradient_norms(packed, [([1, 2, 3], [4, 5])])
    assert len(norms) == 1 and 0 < norms[0] < 100


def test_a_weight_that_is_no_number_shows_in_gradients_and_answers(tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path / "model", TEXT)
    weights = mx.load(str(folder / "model.safetensors"))
    name = next(name for name in weights if "layers.0.mlp" in name)
    weights[name][0, 0] = float("nan")
    mx.save_safetensors(str(folder / "model.safetensors"), weights, metadata={"format": "mlx"})
    found = measure(folder)
    assert found.problem == "" and set(found.gradients) == {None}
    assert None in found.answers[0]


def test_a_folder_that_can_not_be_loaded_is_a_problem(tmp_path: Path) -> None:
    assert "No model folder" in measure(tmp_path / "none").problem


def test_a_machine_without_a_calibration_is_not_timed(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REALIGN_HOME", str(tmp_path))
    found = measure(tiny)
    assert (found.type, found.rate, len(found.answers)) == ("float32", None, len(PLANTED))
