"""What a policy says and how far it went, row by row."""

import numpy as np
import pytest
from mlx.utils import tree_map

from realign.align.measure import as_tokens, measure_drift, sample_answers
from realign.engine.mlx import load


def test_a_policy_that_is_its_reference_has_not_drifted(loaded, base):
    (found,) = measure_drift(loaded, load(base), [as_tokens(loaded, "What settles?", "Sand settles.")])
    assert abs(found.kl) < 1e-6 and found.entropy > 0 and found.tokens > 2


def test_a_row_without_an_answer_has_no_tokens(loaded):
    assert measure_drift(loaded, loaded, [([5, 6], [])])[0].tokens == 0


def test_rows_measured_together_are_as_rows_measured_alone(loaded, base):
    reference = load(base)
    reference.model.update(tree_map(lambda array: array * 1.2, reference.model.parameters()))
    random = np.random.default_rng(0)
    rows = [(random.integers(3, 200, 2 + n % 7).tolist(), random.integers(3, 200, 1 + n).tolist()) for n in range(20)]
    for found, row in zip(measure_drift(loaded, reference, rows), rows, strict=True):
        (alone,) = measure_drift(loaded, reference, [row])
        assert found.kl == pytest.approx(alone.kl, abs=1e-4) and found.entropy == pytest.approx(alone.entropy, abs=1e-4)


def test_answers_are_sampled_alike_each_time_and_end_as_the_model_ends_them(loaded):
    prompts = ["What is it?", "Where is it?"]
    once, twice = (sample_answers(loaded, prompts, seed=3, max_tokens=8) for _ in range(2))
    assert once == twice and once != sample_answers(loaded, prompts, seed=4, max_tokens=8)
    prompt, answer = as_tokens(loaded, "What is it?", "a word")
    assert answer[-1] in loaded.tokenizer.eos_token_ids and len(prompt) > 3
