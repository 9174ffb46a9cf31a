"""Measuring text with a model: log-probabilities of continuations, and ratings read off the digits' probabilities.

Both forward what is shared once and repeat its key-value cache for what follows, and both apply the vocabulary head
only where a probability is read. That is exact: equal to forwarding each whole sequence, up to float rounding. Models
whose cache can't be repeated (sliding windows, recurrent states) get whole sequences instead.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import numpy as np
from mlx_lm.models.cache import BatchKVCache, KVCache, make_prompt_cache

HEAD_ELEMENTS = 1 << 25  # logits computed at once: 128 MiB in float32
PREFILL = 2048  # tokens of a prefix forwarded at once
STEM = 8  # tokens that neighboring suffixes must share to be forwarded once
WASTE = 1.06  # padded tokens over real tokens that a bucket of prefixes may cost


@dataclass(frozen=True, slots=True)
class Scorer:
    """A model prepared for measuring. body gives hidden states and head turns them into logits; where the model
    can't be split, body is the whole model and head is None. tokens is the budget of one forward pass; plain says
    whether the cache can be repeated, padded whether sequences of different lengths can be read side by side."""

    model: Any
    body: Callable[..., Any]
    head: Callable[..., Any] | None
    plain: bool
    padded: bool
    tokens: int


def make_scorer(model: Any, tokens: int) -> Scorer:
    """Split `model` into body and head when head(body(x)) is model(x), which is tried, not assumed.

    tokens 0: no sequences are padded on the left, so whether they could be is not tried.
    """
    plain = all(type(cache) is KVCache for cache in make_prompt_cache(model))
    part = language_part(model)
    trunk = getattr(part, "model", None)
    head: Any = getattr(part, "lm_head", None) or getattr(getattr(trunk, "embed_tokens", None), "as_linear", None)
    body: Any = trunk and functools.partial(trunk, cache=None)  # Phi's and StableLM's want to be told
    probe = mx.array([[1, 2, 3, 4]])
    try:
        same = bool(mx.allclose(head(body(probe)), model(probe), rtol=1e-3, atol=1e-3).item())
    except (TypeError, ValueError, AttributeError):
        same = False
    body, head = (body, head) if same else (model, None)
    padded = not (plain and tokens) or reads_padded(body, len(make_prompt_cache(model)))  # training pads on the right
    return Scorer(model, body, head, plain, padded, tokens)


def language_part(model: Any) -> Any:
    """The part of a model that also sees which reads and writes text; of others, the model."""
    return getattr(model, "language_model", model)


def reads_padded(body: Callable[..., Any], layers: int) -> bool:
    """Whether `body` with plain caches reads two sequences of different lengths, padded on the left, as it reads each
    alone. mlx-lm's Gemma 2 does not: it lays their mask across its heads, which fails or, worse, works."""
    rows = [[1, 2, 3, 4], [5, 6]]
    try:
        together = body(_padded(rows, left=True), cache=[BatchKVCache([0, 2]) for _ in range(layers)])[:, -1]
    except ValueError:
        return False
    alone = mx.concatenate([body(mx.array([row]))[:, -1] for row in rows])
    error, size = (mx.linalg.norm(part.astype(mx.float32), axis=-1) for part in (together - alone, alone))
    return bool((error < 0.05 * size).all().item())  # 16-bit weights round by about 0.01


def _hidden(scorer: Scorer, tokens: mx.array, cache: Any = None) -> mx.array:
    """(B, T, D) for a model that could be split, else its logits (B, T, V)."""
    result: mx.array = scorer.body(tokens, cache=cache)
    return result


def _logprobs(scorer: Scorer, hidden: mx.array) -> mx.array:
    """(N, D) hidden states, or (N, V) logits, to float32 log-probabilities (N, V)."""
    logits = (scorer.head(hidden) if scorer.head else hidden).astype(mx.float32)
    return logits - mx.logsumexp(logits, axis=-1, keepdims=True)


def _padded(rows: Sequence[Sequence[int]], left: bool = False) -> mx.array:
    width = max(map(len, rows))
    padded = np.zeros((len(rows), width), np.int32)
    for place, row in enumerate(rows):
        padded[place, width - len(row) :] = row if left else 0
        if not left:
            padded[place, : len(row)] = row
    return mx.array(padded)


# -- the shared part ------------------------------------------------------------------------------------------------


def _read_prefixes(scorer: Scorer, prefixes: Sequence[Sequence[int]]) -> tuple[list[Any], mx.array]:
    """Forward P prefixes together. Returns their cache and the hidden state of each last token, (P, D)."""
    width = max(map(len, prefixes))
    padding = [width - len(prefix) for prefix in prefixes]
    layers = len(make_prompt_cache(scorer.model))
    cache = [BatchKVCache(padding) if any(padding) else KVCache() for _ in range(layers)]
    tokens = _padded(prefixes, left=True)
    last = mx.zeros(())
    for begin in range(0, width, PREFILL):
        last = _hidden(scorer, tokens[:, begin : begin + PREFILL], cache)[:, -1]
        mx.eval(last, [layer.state for layer in cache])
    return cache, last


def _repeated(cache: list[Any], times: int) -> list[Any]:
    """The cache of P prefixes for P * times sequences: each prefix `times` in a row."""
    copies = []
    for layer in cache:
        keys, values = (mx.repeat(part, times, axis=0) for part in layer.keys_and_values())
        if isinstance(layer, BatchKVCache):
            copy = BatchKVCache([0])
            copy.state = (keys, values, *(mx.repeat(p, times) for p in (layer.offset, layer.left_padding)), layer._idx)
        else:
            copy = KVCache()
            copy.state = (keys, values, layer.offset)
        copies.append(copy)
    return copies


def read_once(scorer: Scorer, prompts: Sequence[Sequence[int]], most: int) -> list[list[Any]] | None:
    """For each prompt a cache of all but its last token, where equal prompts share what was read.

    None where that is not worth it or can't be done: more than `most` different prompts or half as many as there are
    prompts, one of a single token, or caches that can't be repeated.
    """
    different = {tuple(prompt) for prompt in prompts}
    if not scorer.plain or len(different) > min(most, len(prompts) // 2) or any(len(each) < 2 for each in different):
        return None
    read = {prompt: _read_prefixes(scorer, [prompt[:-1]])[0] for prompt in sorted(different)}
    return [_repeated(read[tuple(prompt)], 1) for prompt in prompts]


# -- log-probabilities ----------------------------------------------------------------------------------------------


def token_logprobs(scorer: Scorer, prefix: Sequence[int], continuations: Sequence[Sequence[int]]) -> list[np.ndarray]:
    """Log-probability in nats of each token of each continuation after `prefix`; one float32 array each, in order.

    The prefix needs at least one token (a model's first token has no probability); an empty continuation gives an
    empty array.
    """
    if not prefix:
        raise ValueError("a prefix needs at least one token")
    results = [np.zeros(0, np.float32) for _ in continuations]
    places = sorted((p for p, tokens in enumerate(continuations) if tokens), key=lambda p: len(continuations[p]))
    if not scorer.plain:
        for place in places:
            results[place] = _whole(scorer, prefix, continuations[place])
    elif places:
        cache, last = _read_prefixes(scorer, [prefix])
        for bucket in _buckets([len(continuations[p]) for p in places], scorer.tokens):
            group = [places[b] for b in bucket]
            rows = _continued(scorer, cache, last, [continuations[p] for p in group])
            for place, row in zip(group, rows, strict=True):
                results[place] = row
    return results


def _whole(scorer: Scorer, prefix: Sequence[int], continuation: Sequence[int]) -> np.ndarray:
    tokens = mx.array([[*prefix, *continuation[:-1]]])
    return _picked(scorer, _hidden(scorer, tokens)[0, len(prefix) - 1 :], continuation)


def _continued(scorer: Scorer, cache: list[Any], last: mx.array, rows: Sequence[Sequence[int]]) -> list[np.ndarray]:
    """One forward pass over all but the last token of `rows`; `last` (1, D) predicts the first token of each."""
    hidden = mx.repeat(last[:, None], len(rows), axis=0)
    if max(map(len, rows)) > 1:
        inputs = _padded([row[:-1] for row in rows])
        hidden = mx.concatenate([hidden, _hidden(scorer, inputs, _repeated(cache, len(rows)))], axis=1)
    return [_picked(scorer, hidden[place, : len(row)], row) for place, row in enumerate(rows)]


def _picked(scorer: Scorer, hidden: mx.array, tokens: Sequence[int]) -> np.ndarray:
    """Log-probability of tokens[i] from hidden[i], a slice at a time so that wide vocabularies fit into memory."""
    rows = max(1, HEAD_ELEMENTS // scorer_width(scorer))
    parts = []
    for begin in range(0, len(tokens), rows):
        wanted = mx.array(list(tokens[begin : begin + rows]))[:, None]
        parts.append(
            np.array(mx.take_along_axis(_logprobs(scorer, hidden[begin : begin + rows]), wanted, axis=-1)[:, 0])
        )
    return np.concatenate(parts)


def scorer_width(scorer: Scorer) -> int:
    """The vocabulary's size, as the model's config has it; 2**17 where it doesn't say."""
    return int(getattr(getattr(scorer.model, "args", None), "vocab_size", 0) or 1 << 17)


# -- digits ---------------------------------------------------------------------------------------------------------


def digit_logprobs(
    scorer: Scorer, prefixes: Sequence[Sequence[int]], suffixes: Sequence[Sequence[Sequence[int]]],
    digits: Sequence[int], sequences: int,
) -> list[np.ndarray]:  # fmt: skip
    """Log-probability of each of `digits` after every suffix of every prefix: one (suffixes, digits) array a prefix.

    Each prefix is forwarded once, with others of about its length that have the same suffixes, and what suffixes share
    among themselves once more; at most about `sequences` side by side. Suffixes hold at least one token. Normalized
    over the whole vocabulary: a row's probabilities sum to the mass on digits.
    """
    results: list[np.ndarray] = [np.zeros((0, len(digits)), np.float32)] * len(prefixes)
    keys = [tuple(map(tuple, rows)) for rows in suffixes]
    order = sorted((p for p, key in enumerate(keys) if key), key=lambda p: (keys[p], len(prefixes[p])))
    waste = WASTE if scorer.padded else 1.0
    for bucket in _prefix_buckets([(keys[p], len(prefixes[p])) for p in order], scorer.tokens, sequences, waste):
        group = [order[b] for b in bucket]
        read = _digits_of_bucket(scorer, [prefixes[p] for p in group], suffixes[group[0]], digits)
        for place, block in zip(group, read, strict=True):
            results[place] = block
    return results


def _digits_of_bucket(
    scorer: Scorer, prefixes: Sequence[Sequence[int]], suffixes: Sequence[Sequence[int]], digits: Sequence[int]
) -> np.ndarray:
    """(prefixes, suffixes, digits)."""
    if not scorer.plain:
        whole = [full_sequence_logprobs(scorer, [*prefix, *row], digits) for prefix in prefixes for row in suffixes]
        return np.stack(whole).reshape(len(prefixes), len(suffixes), len(digits))
    cache, _ = _read_prefixes(scorer, prefixes)
    blocks = []
    for stem, tails in stems(suffixes):
        branch = _repeated(cache, 1)
        if stem:
            mx.eval(_hidden(scorer, mx.array([list(stem)] * len(prefixes)), branch))
        ends = _ends(scorer, list(tails) * len(prefixes), _repeated(branch, len(tails)))
        read = np.array(_logprobs(scorer, ends)[:, mx.array(list(digits))])
        blocks.append(read.reshape(len(prefixes), len(tails), len(digits)))
    return np.concatenate(blocks, axis=1)


def stems(suffixes: Sequence[Sequence[int]]) -> list[tuple[Sequence[int], list[Sequence[int]]]]:
    """Suffixes in their order, grouped with their neighbors that begin alike: (common tokens, what is left of each).

    A common beginning of fewer than STEM tokens is not worth a pass of its own. At least one token is left of each.
    """
    groups: list[tuple[Sequence[int], list[Sequence[int]]]] = []
    for row in suffixes:
        stem, rows = groups[-1] if groups else ((), [])
        same = next((n for n, (a, b) in enumerate(zip(stem, row[:-1], strict=False)) if a != b), None)
        common = stem[: min(len(stem), len(row) - 1) if same is None else same]
        if len(common) >= STEM:
            groups[-1] = common, [*rows, row]
        else:
            groups.append((row[:-1], [row]))
    single = [(stem if len(rows) > 1 else (), rows) for stem, rows in groups]
    return [(stem, [row[len(stem) :] for row in rows]) for stem, rows in single]


def full_sequence_logprobs(scorer: Scorer, tokens: Sequence[int], digits: Sequence[int]) -> np.ndarray:
    """Log-probabilities (digits,) after one whole sequence, with nothing shared: the fast way is checked against it."""
    return np.array(_logprobs(scorer, _ends(scorer, [tokens], None))[0, mx.array(list(digits))])


def _ends(scorer: Scorer, rows: Sequence[Sequence[int]], cache: Any) -> mx.array:
    """Hidden state of each row's last token, (N, D). Padding stands to the right, where attention never looks."""
    hidden = _hidden(scorer, _padded(rows), cache)
    return hidden[mx.arange(len(rows)), mx.array([len(row) - 1 for row in rows])]


def _buckets(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Places of ascending `lengths`, so that a bucket times its longest stays in the budget of tokens."""
    bucket: list[int] = []
    for place, length in enumerate(lengths):
        if bucket and (len(bucket) + 1) * length > budget:
            yield bucket
            bucket = []
        bucket.append(place)
    if bucket:
        yield bucket


def _prefix_buckets(
    shapes: Sequence[tuple[Any, int]], budget: int, sequences: int, waste: float
) -> Iterator[list[int]]:
    """Places of ascending (suffixes, tokens of the prefix): the same suffixes, close in length, within both limits."""
    bucket: list[int] = []
    for place, (suffixes, length) in enumerate(shapes):
        if bucket:
            first = shapes[bucket[0]]
            alike = suffixes == first[0] and length <= first[1] * waste
            if not alike or len(bucket) >= sequences or (len(bucket) + 1) * length > budget:
                yield bucket
                bucket = []
        bucket.append(place)
    if bucket:
        yield bucket
