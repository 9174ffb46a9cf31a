"""Sharing a prefix is exact: the same numbers as forwarding every whole sequence."""

import dataclasses
import random

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from mlx_lm.models.cache import RotatingKVCache
from mlx_lm.models.gemma2 import Model, ModelArgs

from realign.engine import Request
from realign.engine.mlx import Loaded, sample_tokens
from realign.engine.scoring import (
    PREFILL,
    digit_logprobs,
    full_sequence_logprobs,
    make_scorer,
    stems,
    token_logprobs,
)

DIGITS = (20, 21, 22, 23, 24)


def tokens(count: int, seed: int) -> list[int]:
    return random.Random(seed).choices(range(10, 300), k=count)


def whole_sequence(loaded: Loaded, prefix: list[int], continuation: list[int]) -> np.ndarray:
    logits = loaded.model(mx.array([[*prefix, *continuation]]))[0].astype(mx.float32)
    logprobs = np.array(nn.log_softmax(logits, axis=-1))
    return np.array([logprobs[len(prefix) - 1 + n, token] for n, token in enumerate(continuation)])


def test_log_probabilities_equal_those_of_whole_sequences(loaded: Loaded) -> None:
    prefix, continuations = tokens(40, 0), [tokens(n, n) for n in (7, 1, 30, 0, 2, 30)]
    found = token_logprobs(loaded.scorer, prefix, continuations)
    for continuation, row in zip(continuations, found, strict=True):
        assert row.dtype == np.float32
        np.testing.assert_allclose(row, whole_sequence(loaded, prefix, continuation), atol=1e-4)


def test_a_prefix_longer_than_one_pass_is_read_in_parts(loaded: Loaded) -> None:
    prefix, continuation = tokens(PREFILL + 5, 1), tokens(4, 2)
    (found,) = token_logprobs(loaded.scorer, prefix, [continuation])
    np.testing.assert_allclose(found, whole_sequence(loaded, prefix, continuation), atol=1e-4)


def test_a_small_budget_of_tokens_changes_nothing(loaded: Loaded) -> None:
    prefix, continuations = tokens(9, 3), [tokens(n, n) for n in (3, 8, 8, 5)]
    small = dataclasses.replace(loaded.scorer, tokens=8)
    for one, other in zip(
        token_logprobs(small, prefix, continuations), token_logprobs(loaded.scorer, prefix, continuations), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_an_empty_prefix_is_refused(loaded: Loaded) -> None:
    with pytest.raises(ValueError, match="at least one token"):
        token_logprobs(loaded.scorer, [], [[1]])


def test_ratings_with_a_shared_prefix_equal_full_sequences(loaded: Loaded) -> None:
    same = [tokens(12, 5) + tokens(n, n) for n in (3, 4)] + [tokens(6, 6), tokens(1, 7)]
    prefixes = [tokens(n, n) for n in (60, 61, 20, 62, 60)]
    suffixes = [same, same, same, same, [tokens(3, 8)]]
    found = digit_logprobs(loaded.scorer, prefixes, suffixes, DIGITS, 8)
    for prefix, rows, block in zip(prefixes, suffixes, found, strict=True):
        expected = [full_sequence_logprobs(loaded.scorer, [*prefix, *row], DIGITS) for row in rows]
        np.testing.assert_allclose(block, np.stack(expected), atol=1e-4)


def test_a_model_whose_cache_can_not_be_repeated_gives_the_same_numbers(loaded: Loaded) -> None:
    whole = dataclasses.replace(loaded.scorer, plain=False)
    prefix, continuations = tokens(20, 9), [tokens(5, 10), tokens(2, 11)]
    for one, other in zip(
        token_logprobs(whole, prefix, continuations), token_logprobs(loaded.scorer, prefix, continuations), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-4)
    rated = [digit_logprobs(scorer, [prefix], [continuations], DIGITS, 4)[0] for scorer in (whole, loaded.scorer)]
    np.testing.assert_allclose(*rated, atol=1e-4)


class Windowed(nn.Module):
    """A model that keeps only a window of its past."""

    def make_cache(self) -> list[RotatingKVCache]:
        return [RotatingKVCache(max_size=8)]


class Scaled(nn.Module):
    """A model whose logits are not simply the head of its body: they are scaled afterwards."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.model, self.layers = inner, inner.model, inner.layers

    def __call__(self, x: mx.array, cache: object = None) -> mx.array:
        return self.inner(x, cache=cache) * 0.5


def test_a_windowed_cache_is_not_repeated() -> None:
    assert not make_scorer(Windowed(), 64).plain


def test_a_model_that_can_not_be_split_is_used_whole(loaded: Loaded) -> None:
    scaled = Scaled(loaded.model)
    scorer = make_scorer(scaled, 256)
    assert scorer.head is None
    prefix, row = tokens(10, 12), tokens(3, 13)
    (found,) = token_logprobs(scorer, prefix, [row])
    logprobs = nn.log_softmax(scaled(mx.array([[*prefix, *row]]))[0], axis=-1)
    np.testing.assert_allclose(found, [logprobs[9 + n, token].item() for n, token in enumerate(row)], atol=1e-4)


def test_suffixes_that_begin_alike_are_grouped_and_keep_their_last_token() -> None:
    start = list(range(10))
    groups = stems([[*start, 1], [*start, 2, 3], [5, 6], start])
    assert [(list(stem), [list(tail) for tail in tails]) for stem, tails in groups] == [
        (start, [[1], [2, 3]]),
        ([], [[5, 6]]),
        ([], [start]),
    ]


def test_equal_suffixes_keep_a_token_each() -> None:
    ((stem, tails),) = stems([list(range(12)), list(range(12))])
    assert (len(stem), tails) == (11, [[11], [11]])


@pytest.mark.parametrize("key_value_heads", [1, 2])
def test_a_model_that_padding_confuses_is_given_one_sequence_at_a_time(loaded: Loaded, key_value_heads: int) -> None:
    """mlx-lm's Gemma 2 fails on such a batch, or reads it wrongly where it has as many key-value heads as rows."""
    mx.random.seed(0)
    sizes = ModelArgs(
        model_type="gemma2", hidden_size=64, num_hidden_layers=2, intermediate_size=128, num_attention_heads=4,
        head_dim=32, rms_norm_eps=1e-5, vocab_size=300, num_key_value_heads=key_value_heads, query_pre_attn_scalar=32,
    )  # fmt: skip
    model = Model(sizes)
    gemma = dataclasses.replace(loaded, model=model, scorer=make_scorer(model, 2048))
    assert loaded.scorer.padded and not gemma.scorer.padded
    prompts, asked = [tokens(39, 1), tokens(40, 2)], [Request("", 0, 8, 0.0)] * 2
    together = sample_tokens(gemma, prompts, asked, 2)
    assert together == [sample_tokens(gemma, [prompt], asked[:1], 1)[0] for prompt in prompts]
    rated = digit_logprobs(gemma.scorer, prompts, [[[7]], [[7]]], [5, 6], 2)
    whole = [full_sequence_logprobs(gemma.scorer, [*prompt, 7], [5, 6]) for prompt in prompts]
    assert np.allclose(np.concatenate(rated), whole, atol=1e-4)
