"""Preference training of a real, tiny model, and how far it moves."""

import math
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from boxes import pairs_of

from realign.align.divergence import a_token, measure_divergence
from realign.align.dpo import pair_rewards, preference_accuracy, train_dpo
from realign.align.examples import Example
from realign.align.models import open_model, prepare, twin
from realign.align.pairs import PairTokens
from realign.align.reference import reference_logps
from realign.engine.mlx import Loaded
from realign.errors import EmptyInput
from realign.settings import Adapter, Preference, Training

TRAINING = Training(schedule="16:7e-3", rows=12, tokens=2048, evaluate_every=16)
ADAPTER = Adapter(layers=2, scale=4.0)


def answers(pairs: list[PairTokens]) -> list[Example]:
    return [
        Example((*pair.prompt, *pair.chosen), (*[0] * len(pair.prompt), *[1] * len(pair.chosen)), pair.line)
        for pair in pairs
    ]


@pytest.mark.parametrize("kind", ["sigmoid", "ipo", "hinge"])
def test_training_raises_the_margin_of_pairs_it_never_saw(loaded: Loaded, tmp_path: Path, kind: str) -> None:
    preference = Preference.model_validate({"loss": kind, "beta": 0.3})
    pairs, held_out = pairs_of(loaded, 96), pairs_of(loaded, 24, start=120)
    reference, held = (reference_logps(loaded, some, tmp_path, "base") for some in (pairs, held_out))
    before = twin(loaded.model)
    trained = train_dpo(loaded, pairs, reference, held_out, held, TRAINING, ADAPTER, preference)
    first, last = trained.reports[0], trained.reports[-1]
    assert first.loss == pytest.approx({"sigmoid": math.log(2), "hinge": 1, "ipo": 1 / 0.36}[kind], rel=1e-3)
    assert last.loss < first.loss
    assert last.held_out["margin"] > 0.1
    rewards = pair_rewards(loaded, held_out, held, preference)[1]
    accuracy = preference_accuracy(rewards, held)
    assert accuracy.value == pytest.approx(last.held_out["accuracy"])
    assert accuracy.value > 0.7
    kl, _ = measure_divergence(loaded, before, answers(held_out))
    assert kl.value is not None
    assert kl.value > 0.01


def test_policy_and_reference_are_the_same_before_training(loaded: Loaded) -> None:
    reference, examples = twin(loaded.model), answers(pairs_of(loaded, 8))
    prepare(loaded.model, ADAPTER)
    kl, entropy = measure_divergence(loaded, reference, examples)
    assert kl.value == pytest.approx(0, abs=1e-6)
    assert entropy.value is not None
    assert 0 < entropy.value < math.log(400)
    assert (kl.n, kl.unit) == (8, "nats a token")


def test_kl_is_the_mean_over_answer_tokens_of_the_full_sum(loaded: Loaded, base: Path) -> None:
    other = open_model(base)
    other.model.model.norm.weight = other.model.model.norm.weight * 1.5
    examples = answers(pairs_of(loaded, 6))
    kls, entropies = [], []
    for example in examples:
        p, q = (np.array(model(mx.array([example.tokens]))[0], np.float64) for model in (loaded.model, other.model))
        p, q = (logits - np.log(np.exp(logits).sum(-1, keepdims=True)) for logits in (p, q))
        places = [place - 1 for place, on in enumerate(example.mask) if on]
        kls += (np.exp(p) * (p - q)).sum(-1)[places].tolist()
        entropies += (-np.exp(p) * p).sum(-1)[places].tolist()
    kl, entropy = measure_divergence(loaded, other.model, examples)
    assert kl.value == pytest.approx(np.mean(kls), abs=1e-5)
    assert entropy.value == pytest.approx(np.mean(entropies), abs=1e-5)
    assert kl.details == {"tokens": len(kls)}


def test_an_interval_is_taken_over_answers_not_tokens() -> None:
    measure = a_token(np.array([10.0, 0.0]), np.array([10.0, 10.0]))
    assert (measure.value, measure.low, measure.high) == (0.5, 0.0, 1.0)
    with pytest.raises(EmptyInput):
        a_token(np.zeros(1), np.zeros(1))


def test_ranking_right_before_training_is_told_beside_the_accuracy() -> None:
    rewards, reference = np.array([[1.0, 0.0]] * 9 + [[0.0, 1.0]]), np.array([[-1.0, -2.0]] * 10)
    measure = preference_accuracy(rewards, reference)
    assert (measure.value, measure.n) == (0.9, 10)
    assert measure.details["reference_accuracy"] == 1.0
    assert measure.details["margin"] == pytest.approx(0.8)
