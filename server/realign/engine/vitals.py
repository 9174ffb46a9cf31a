"""What a model does with a few planted items: the gradients they give, and the probabilities of their answers.

    loaded = mlx.load(folder)
    items = planted_items(loaded)
    answer_logprobs(loaded, items), gradient_norms(loaded.model, items)

Every machine of a launch measures both before it starts, and they are compared (hardware/alike.py). The backward pass
reaches the last block's parameters only, so it needs little memory beside the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mlx.core as mx
import numpy as np
from mlx import nn
from mlx.utils import tree_flatten

from realign.engine.mlx import Loaded, encode, render
from realign.engine.scoring import token_logprobs

PLANTED = (
    ("What is the capital of France?", "The capital of France is Paris, on the river Seine."),
    ("At what temperature does water boil at sea level?", "Water boils at 100 degrees Celsius at sea level."),
    ("Why is the sky blue?", "Air scatters short wavelengths of sunlight more than long ones, so the sky looks blue."),
    ("Name a prime number above 20.", "The number 23 is prime: only 1 and 23 divide it."),
    ("Write a line of Python that adds two numbers.", "def add(a, b): return a + b"),
    ("Translate 'good morning' into Spanish.", "In Spanish, 'good morning' is 'buenos días'."),
    ("Is the following true? All birds can fly.", "It is false. Penguins and ostriches are birds and can't fly."),
    ("Continue the list: Mercury, Venus, Earth", "Mars, Jupiter, Saturn, Uranus and Neptune follow, in this order."),
)
Item = tuple[list[int], list[int]]


def planted_items(loaded: Loaded) -> list[Item]:
    """(prompt, answer) of each planted item as this model's tokens."""
    return [
        (encode(loaded, render(loaded, prompt)), list(loaded.tokenizer.encode(answer, add_special_tokens=False)))
        for prompt, answer in PLANTED
    ]


def answer_logprobs(loaded: Loaded, items: Sequence[Item]) -> list[np.ndarray]:
    """Log-probability in nats of each token of each answer after its prompt."""
    return [token_logprobs(loaded.scorer, prompt, [answer])[0] for prompt, answer in items]


def logits_type(model: Any) -> str:
    """The type a model computes in: float32, float16 or bfloat16."""
    return str(model(mx.array([[1]])).dtype).removeprefix("mlx.core.")


def gradient_norms(model: Any, items: Sequence[Item]) -> list[float]:
    """Euclidean norm, for each item, of the gradient of its answer's mean loss in nats a token.

    Taken with respect to the last block's parameters; of a quantized block, those that are not packed. The model is
    left as it was. Raises what MLX raises for an operation that has no gradient.
    """
    last = model.layers[-1]
    last.unfreeze()
    for _, module in last.named_modules():
        if "scales" in module:  # of packed weights, which have no gradient
            module.freeze(recurse=False)
    block, norms = last.trainable_parameters(), []

    def loss(parameters: Any, tokens: mx.array, answered: int) -> mx.array:
        last.update(parameters)
        logits = model(tokens[:, :-1])[:, -answered:].astype(mx.float32)
        mean: mx.array = nn.losses.cross_entropy(logits, tokens[:, -answered:]).mean()
        return mean

    try:
        for prompt, answer in items:
            gradient = mx.grad(loss)(block, mx.array([[*prompt, *answer]]), len(answer))
            squares = [part.astype(mx.float32).square().sum() for _, part in tree_flatten(gradient)]
            norms.append(float(mx.sqrt(mx.stack(squares).sum())))
    finally:
        last.update(block)
    return norms
