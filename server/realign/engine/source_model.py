"""A tiny language model trained on a source itself: what measures difficulty where no other model is at hand.

    trained = train_source_model(folder, text, [("", "A sentence."), ("Words of a prompt", "Its answer.")], tick)

A llama of two layers that mlx_lm.load opens like any other. A text of some pages can't teach a model to use what stands
before: that takes millions of tokens. So it begins with that skill built in, as an induction head (Olsson et al. 2022,
2209.11895): layer 0 notes at each token the one before it, layer 1 looks for where the present token came before and
repeats what followed. Everything else, and how far to trust that, is learned from the source, each example once.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx import optimizers
from mlx.utils import tree_flatten

from realign.engine import OFFLINE
from realign.engine.accel import use_fast_blas
from realign.engine.tiny import SPECIALS, save_tokenizer

os.environ.update(OFFLINE)  # before the import below reads them
import mlx_lm.utils

VOCABULARY, CONTEXT = 400, 4096
WIDTH, HEADS, HEAD = 96, 3, 32
ROPE = 1e7  # so slow that SLOW pairs of a head hardly turn within a prompt
SLOW = range(6, HEAD // 2)
TOKEN = 47  # numbers of the residual stream that hold the token, then as many for the one before, then a constant
CONSTANT = 2 * TOKEN
# How the built-in heads begin: sharpness of looking back by one, of matching tokens, strength of repeating, final norm.
BACK, MATCH, REPEAT, FINAL = 40.0, 60.0, 2.0, 1.5
STEPS, BATCH, LONGEST = 120, 8, 300  # LONGEST: tokens of an example
RATE, CLIP = 2e-3, 1.0


@dataclass(frozen=True, slots=True)
class Trained:
    """parameters: how many there are; loss: mean nats a token over the last quarter of the steps; tokens seen."""

    parameters: int
    loss: float
    tokens: int


def train_source_model(
    folder: Path, text: str, examples: Sequence[tuple[str, str]], tick: Callable[[int, int], None], seed: int = 0
) -> Trained:
    """Train on (prompt, answer) examples, only the answers being learned; no prompt ("") means the answer alone.

    At most STEPS * BATCH examples are taken, each once. tick(step, steps) is called before each step and may raise.
    Equal arguments give equal weights: it computes on the CPU, where sums have one order.
    """
    use_fast_blas()
    with mx.stream(mx.cpu):
        folder.mkdir(parents=True, exist_ok=True)
        _save_untrained(folder, text, seed)
        model, tokenizer = mlx_lm.utils.load(str(folder), tokenizer_config={"trust_remote_code": False})
        batches = _batches([_example(tokenizer, *example) for example in examples], random.Random(seed))
        losses = _train(model, batches, tick)
        weights = dict(tree_flatten(model.parameters()))
        mx.save_safetensors(str(folder / "model.safetensors"), weights, metadata={"format": "mlx"})
    last = losses[-max(1, len(losses) // 4) :]
    tokens = sum(len(row) for batch in batches for row, _ in batch)
    return Trained(sum(value.size for value in weights.values()), sum(last) / len(last), tokens)


def _save_untrained(folder: Path, text: str, seed: int) -> None:
    size = save_tokenizer(folder, text, VOCABULARY, CONTEXT, chat=True)
    config = {
        "model_type": "llama", "hidden_size": WIDTH, "num_hidden_layers": 2, "intermediate_size": 2 * WIDTH,
        "num_attention_heads": HEADS, "num_key_value_heads": HEADS, "head_dim": HEAD, "rms_norm_eps": 1e-5,
        "vocab_size": size, "tie_word_embeddings": True, "rope_theta": ROPE, "max_position_embeddings": CONTEXT,
        "eos_token_id": SPECIALS.index("<|im_end|>"),
    }  # fmt: skip
    mx.random.seed(seed)
    model_class, arguments = mlx_lm.utils._get_classes(config)
    model = model_class(arguments.from_dict(config))
    _build_in(model, size, np.random.default_rng(seed))
    mlx_lm.utils.save_model(folder, model)
    mlx_lm.utils.save_config(config, folder / "config.json")


# -- the built-in induction head ------------------------------------------------------------------------------------


def _build_in(model: nn.Module, size: int, random: np.random.Generator) -> None:
    """Set the embedding and two of the three heads of each layer; the third heads and the rest stay random."""
    embedding = np.zeros((size, WIDTH), np.float32)
    embedding[:, :TOKEN] = random.standard_normal((size, TOKEN)) / np.sqrt(TOKEN)  # of length 1
    embedding[:, CONSTANT] = 0.7
    model.model.embed_tokens.weight = mx.array(embedding)
    first, second = model.model.layers
    _look_back(_free_heads(random), first.self_attn)
    _repeat(_free_heads(random), second.self_attn)
    for layer in (first, second):
        layer.mlp.down_proj.weight = 0.1 * layer.mlp.down_proj.weight
    model.model.norm.weight = mx.full((WIDTH,), FINAL)


Matrices = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _free_heads(random: np.random.Generator) -> Matrices:
    """Small random matrices of queries, keys, values (heads * HEAD, WIDTH) and output (WIDTH, heads * HEAD)."""
    query, key, value = (0.1 * random.standard_normal((HEADS * HEAD, WIDTH)) for _ in range(3))
    return query, key, value, 0.05 * random.standard_normal((WIDTH, HEADS * HEAD))


def _look_back(matrices: Matrices, attention: nn.Module) -> None:
    """Heads 0 and 1 look one token back, wherever they stand, and note that token's numbers beside the present ones.

    Query and key are constant; the query is turned by one position, so that the score is highest one step before.
    """
    query, key, value, output = matrices
    turn = ROPE ** (-np.arange(HEAD // 2) / (HEAD // 2))  # radians a position of each pair (i, i + HEAD / 2)
    norm = np.sqrt((1 + 0.49) / WIDTH)  # what RMSNorm divides an embedding by
    strength = np.sqrt(BACK * np.sqrt(HEAD) / (HEAD // 2)) * norm / 0.7
    for head, numbers in _carried():
        rows = slice(head * HEAD, (head + 1) * HEAD)
        query[rows], key[rows], value[rows], output[:, rows] = 0, 0, 0, 0
        query[rows, CONSTANT] = strength * np.concatenate([np.cos(turn), -np.sin(turn)])
        key[head * HEAD : head * HEAD + HEAD // 2, CONSTANT] = strength
        for place, number in enumerate(numbers):
            value[head * HEAD + place, number] = 0.9 * norm
            output[TOKEN + number, head * HEAD + place] = 1
    _set(attention, matrices)


def _repeat(matrices: Matrices, attention: nn.Module) -> None:
    """Heads 0 and 1 look for places whose token before is the present token, and give the token that stands there."""
    query, key, value, output = matrices
    norm = np.sqrt((1 + 0.49 + 0.8) / WIDTH)
    strength = np.sqrt(MATCH * np.sqrt(HEAD)) * norm
    dims = [*SLOW, *(HEAD // 2 + pair for pair in SLOW)]
    for head, numbers in _carried():
        rows = slice(head * HEAD, (head + 1) * HEAD)
        query[rows], key[rows], value[rows], output[:, rows] = 0, 0, 0, 0
        for place, dim in enumerate(dims):
            number = head * len(dims) + place
            query[head * HEAD + dim, number] = strength
            key[head * HEAD + dim, TOKEN + number] = strength
        for place, number in enumerate(numbers):
            value[head * HEAD + place, number] = norm
            output[number, head * HEAD + place] = REPEAT
    _set(attention, matrices)


def _carried() -> list[tuple[int, range]]:
    """(head, which of a token's numbers it carries): a head has room for HEAD of them."""
    return [(0, range(HEAD)), (1, range(HEAD, TOKEN))]


def _set(attention: nn.Module, matrices: Matrices) -> None:
    names = ("q_proj", "k_proj", "v_proj", "o_proj")
    for name, matrix in zip(names, matrices, strict=True):
        getattr(attention, name).weight = mx.array(matrix.astype(np.float32))


# -- training -------------------------------------------------------------------------------------------------------

Row = tuple[list[int], int]  # tokens, and where the learned ones begin


def _example(tokenizer: object, prompt: str, answer: str) -> Row:
    encode = tokenizer.encode  # type: ignore[attr-defined]
    tail = [*encode(answer, add_special_tokens=False), SPECIALS.index("<|im_end|>")]
    if not prompt:
        return tail, 1
    messages = [{"role": "user", "content": prompt}]
    head = list(tokenizer.apply_chat_template(messages, add_generation_prompt=True))  # type: ignore[attr-defined]
    return [*head, *tail], len(head)


def _batches(rows: Sequence[Row], chooser: random.Random) -> list[list[Row]]:
    """At most STEPS batches of rows of about the same length, in a mixed order."""
    fit = [row for row in rows if 2 < len(row[0]) <= LONGEST]
    chosen = sorted(chooser.sample(fit, min(len(fit), STEPS * BATCH)), key=lambda row: len(row[0]))
    batches = [chosen[begin : begin + BATCH] for begin in range(0, len(chosen), BATCH)]
    chooser.shuffle(batches)
    return batches


def _train(model: nn.Module, batches: Sequence[Sequence[Row]], tick: Callable[[int, int], None]) -> list[float]:
    """One step a batch, the rate rising over the first 30 and falling to a tenth; the loss of each."""
    optimizer = optimizers.Adam(RATE, betas=[0.9, 0.98])
    gradient, losses = nn.value_and_grad(model, _loss), []
    for number, batch in enumerate(batches):
        tick(number, len(batches))
        optimizer.learning_rate = RATE * min(1.0, (number + 1) / 30) * (1 - 0.9 * number / len(batches))
        loss, change = gradient(model, *_arrays(batch))
        change, _ = optimizers.clip_grad_norm(change, CLIP)
        optimizer.update(model, change)
        mx.eval(model.parameters(), optimizer.state, loss)
        losses.append(float(loss))
    return losses


def _arrays(batch: Sequence[Row]) -> tuple[mx.array, mx.array, mx.array]:
    """Tokens (B, T) padded right; places (N,) in the flat (B, T - 1) that predict a learned token; their tokens."""
    width = max(len(tokens) for tokens, _ in batch)
    padded = np.zeros((len(batch), width), np.int32)
    places: list[int] = []
    for place, (tokens, begin) in enumerate(batch):
        padded[place, : len(tokens)] = tokens
        places += range(place * (width - 1) + begin - 1, place * (width - 1) + len(tokens) - 1)
    return mx.array(padded), mx.array(places), mx.array(padded[:, 1:].reshape(-1)[places])


def _loss(model: nn.Module, tokens: mx.array, places: mx.array, targets: mx.array) -> mx.array:
    """Mean nats a learned token."""
    hidden = model.model(tokens[:, :-1]).reshape(-1, WIDTH)[places]
    mean: mx.array = nn.losses.cross_entropy(model.model.embed_tokens.as_linear(hidden), targets, reduction="mean")
    return mean
