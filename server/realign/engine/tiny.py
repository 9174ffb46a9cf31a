"""A real model folder in well under a second: a byte-level tokenizer trained on a text, and a small random llama.

    folder = make_tiny_model(Path("tiny"), "any text at all")
    losses = train_tiny(folder, [("Question?", '{"answer": 1}')], steps=30)

mlx_lm.load opens the folder like any other. It is for tests, benchmarks and demonstrations of the machinery: a random
model's answers mean nothing, and train_tiny is no trainer for data that matters (align/ has that one).
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx import optimizers
from mlx.utils import tree_flatten

from realign.engine import OFFLINE
from realign.engine.accel import use_fast_blas

os.environ.update(OFFLINE)  # before the imports below read them
import mlx_lm.utils
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
CHAT = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make_tiny_model(
    folder: Path,
    text: str,
    *,
    vocabulary: int = 400,
    layers: int = 2,
    width: int = 64,
    seed: int = 0,
    context: int = 4096,
    chat: bool = True,
) -> Path:
    """A folder with tokenizer, config and random weights. Equal arguments give equal weights.

    vocabulary: tokens, at least 270 (256 bytes, 3 specials, a few merges); width: a multiple of 32; context: tokens.
    """
    folder.mkdir(parents=True, exist_ok=True)
    size = save_tokenizer(folder, text, vocabulary, context, chat)
    config = {
        "model_type": "llama", "hidden_size": width, "num_hidden_layers": layers, "intermediate_size": 2 * width,
        "num_attention_heads": width // 32, "num_key_value_heads": max(1, width // 64), "head_dim": 32,
        "rms_norm_eps": 1e-5, "vocab_size": size, "tie_word_embeddings": True, "rope_theta": 10000.0,
        "max_position_embeddings": context, "eos_token_id": SPECIALS.index("<|im_end|>"),
    }  # fmt: skip
    mx.random.seed(seed)
    model_class, arguments = mlx_lm.utils._get_classes(config)
    model = model_class(arguments.from_dict(config))
    mlx_lm.utils.save_model(folder, model)
    mlx_lm.utils.save_config(config, folder / "config.json")
    return folder


def save_tokenizer(folder: Path, text: str, vocabulary: int, context: int, chat: bool) -> int:
    """Train and save; returns the number of tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        show_progress=False,
        special_tokens=SPECIALS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator([text], trainer)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=CHAT if chat else None,
        model_max_length=context,
    ).save_pretrained(folder)
    return int(tokenizer.get_vocab_size())


def train_tiny(
    folder: Path,
    examples: Sequence[tuple[str, str]],
    steps: int,
    *,
    batch: int = 8,
    window: int = 192,
    learning_rate: float = 3e-3,
    seed: int = 0,
) -> list[float]:
    """Teach a tiny model to give these answers to these prompts, and save it over itself.

    Only the answer and its end are learned, from the last `window` tokens of prompt and answer together. Returns the
    loss of each step: mean nats an answer token.
    """
    use_fast_blas()
    model, tokenizer = mlx_lm.utils.load(str(folder), tokenizer_config={"trust_remote_code": False})
    rows = [_row(tokenizer, prompt, answer, window) for prompt, answer in examples]
    optimizer = optimizers.Adam(learning_rate)
    step = nn.value_and_grad(model, _answer_loss)
    chooser, losses = random.Random(seed), []
    for _ in range(steps):
        loss, gradient = step(model, *_batch(chooser.choices(rows, k=batch)))
        optimizer.update(model, gradient)
        mx.eval(model.parameters(), optimizer.state, loss)
        losses.append(float(loss))
    mx.save_safetensors(
        str(folder / "model.safetensors"), dict(tree_flatten(model.parameters())), metadata={"format": "mlx"}
    )
    return losses


def _row(tokenizer: object, prompt: str, answer: str, window: int) -> tuple[list[int], int]:
    """(tokens, how many of the last ones are the answer)."""
    messages = [{"role": "user", "content": prompt}]
    head = tokenizer.apply_chat_template(messages, add_generation_prompt=True)  # type: ignore[attr-defined]
    tail = [*tokenizer.encode(answer, add_special_tokens=False), SPECIALS.index("<|im_end|>")]  # type: ignore[attr-defined]
    return [*head, *tail][-window:], min(len(tail), window - 1)


def _batch(rows: Sequence[tuple[list[int], int]]) -> tuple[mx.array, mx.array]:
    """Tokens (B, T), padded right, and the mask (B, T - 1) of the positions that predict an answer token."""
    width = max(len(tokens) for tokens, _ in rows)
    tokens, mask = np.zeros((len(rows), width), np.int32), np.zeros((len(rows), width - 1), np.float32)
    for place, (row, answer) in enumerate(rows):
        tokens[place, : len(row)] = row
        mask[place, len(row) - 1 - answer : len(row) - 1] = 1
    return mx.array(tokens), mx.array(mask)


def _answer_loss(model: nn.Module, tokens: mx.array, mask: mx.array) -> mx.array:
    losses = nn.losses.cross_entropy(model(tokens[:, :-1]), tokens[:, 1:])
    mean: mx.array = (losses * mask).sum() / mask.sum()
    return mean
