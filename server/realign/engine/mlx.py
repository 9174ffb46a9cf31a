"""A model folder on MLX, in this process: load it, render prompts, write answers in batches, read ratings.

On a CPU the weights become float32, the only fast type there; on Metal they keep the type they come in. An answer
depends on its own request alone: each sequence draws from its own seeded stream, so it does not matter what is written
beside it. (Batches of another shape round differently, by about 1e-6; only a draw as near a tie as that can differ.)
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np

from realign.engine import OFFLINE, Answer, Engine, Question, Rating, Request
from realign.engine.accel import use_fast_blas
from realign.engine.folders import check_folder, model_identity, read_config
from realign.errors import ModelError

os.environ.update(OFFLINE)  # before the imports below read them
import mlx_lm.utils
from mlx_lm.generate import BatchGenerator

from realign.engine import scoring

CPU_TOKENS, METAL_TOKENS = 2048, 16384  # of one scoring pass; a CPU gains nothing from more, only padding
RECYCLE = 512  # requests after which the generator's caches are let go
PREFILL_BATCH = 16
ONE_BY_ONE = "answers one by one: mlx-lm reads this model's prompts of different lengths wrongly side by side"
EDGES = (" ", ""), ("", " ")  # (after the lead, with the digit): tokenizers put the space in one place or the other


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model in memory. context: most tokens of a sequence; specials: the tokenizer's own control tokens."""

    model: Any
    tokenizer: Any
    scorer: scoring.Scorer
    context: int
    specials: re.Pattern[str] | None


def open_folder(folder: Path, *, sharded: bool = False) -> Engine:
    """The engine of a model folder, here or `sharded` over the ranks of this launch. Raises ModelError when the folder
    or what it holds can't be used."""
    blas = use_fast_blas()
    loaded = load(folder, sharded=sharded)
    kind = "metal" if on_metal() else "cpu float32"
    if sharded:
        kind += f", 1 of {mx.distributed.init().size()} shards"
    return Engine(
        name=folder.resolve().name,
        identity=model_identity(folder),
        generate=functools.partial(generate, loaded),
        rate=functools.partial(rate, loaded),
        token_logprobs=functools.partial(scoring.token_logprobs, loaded.scorer),
        encode=functools.partial(loaded.tokenizer.encode, add_special_tokens=False),
        ask=lambda prompt: encode(loaded, render(loaded, prompt)),
        start=tuple(_without_end(loaded, loaded.tokenizer.encode(""))),
        context=loaded.context,
        notes=(f"mlx {version('mlx')}, {kind}", blas, *(() if loaded.scorer.padded else (ONE_BY_ONE,))),
    )


def on_metal() -> bool:
    """Whether MLX computes on Apple's GPU here."""
    return bool(mx.metal.is_available())


def load(folder: Path, *, sharded: bool = False) -> Loaded:
    """Weights and tokenizer, never from anywhere else than `folder` and without running its code."""
    config = read_config(check_folder(folder))
    model, tokenizer = read_weights(folder, sharded=sharded)
    if not on_metal():
        model = _as_float32(model, config)
    limit = config.get("max_position_embeddings") or config.get("text_config", {}).get("max_position_embeddings")
    scorer = scoring.make_scorer(model, METAL_TOKENS if on_metal() else CPU_TOKENS)
    return Loaded(model, tokenizer, scorer, int(limit or 1 << 30), _specials(tokenizer))


def read_weights(folder: Path, *, sharded: bool = False) -> tuple[Any, Any]:
    """(model, tokenizer) with the weights in the types of their files. Raises ModelError."""
    config = read_config(check_folder(folder))
    if sharded:
        check_shards(config, mx.distributed.init().size())
    read = mlx_lm.utils.sharded_load if sharded else mlx_lm.utils.load
    try:
        model, tokenizer = read(str(folder), tokenizer_config={"trust_remote_code": False})
    except Exception as error:  # whatever a damaged or unknown folder makes the libraries raise
        raise ModelError(
            f"{folder} can't be loaded ({type(error).__name__}: {str(error)[:300]})",
            "a model folder that mlx_lm can load",
            "`mlx_lm.convert` on the original, or `--author extractive`, which needs no model",
        ) from error
    return model, tokenizer


def check_shards(config: dict[str, Any], ranks: int) -> None:
    """Raises ModelError for a model that can't be cut into `ranks` equal parts here, before any weight is read."""
    heads = config.get("num_key_value_heads") or config.get("num_attention_heads") or 0
    if heads % ranks:
        raise ModelError(
            f"A model with {heads} key-value heads can't be spread over {ranks} machines",
            f"a number of machines that divides {heads}",
            "fewer machines, separate batches, or EXO",
        )
    if not on_metal() and ranks > 1 and ("quantization" in config or "quantization_config" in config):
        raise ModelError(
            "A quantized model can't be spread over CPUs: it is read as float32 there, which its parts can't be",
            "a model in 16 or 32 bit",
            "`mlx_lm.convert --dequantize`, or one machine",
        )


def _as_float32(model: Any, config: dict[str, Any]) -> Any:
    if "quantization" in config or "quantization_config" in config:
        model = mlx_lm.utils.dequantize_model(model)
    model.set_dtype(mx.float32)
    mx.eval(model.parameters())
    return model


def _specials(tokenizer: Any) -> re.Pattern[str] | None:
    words = {str(token) for token in tokenizer.added_tokens_decoder.values()}
    control = sorted((word for word in words if len(word) > 2 and not word[0].isalnum() and word.strip()), key=len)
    return re.compile("|".join(map(re.escape, reversed(control)))) if control else None


# -- prompts --------------------------------------------------------------------------------------------------------


def render(loaded: Loaded, content: str, lead: str = "") -> str:
    """`content` as the user's turn in the model's chat format, followed by how the answer begins.

    Without a chat template: the text itself. Control tokens inside `content` are broken up, so that only the template
    can open or close a turn. Templates are rendered by the tokenizer, in its sandbox, with thinking turned off.
    """
    if loaded.specials:
        content = loaded.specials.sub(lambda found: found[0][0] + " " + found[0][1:], content)
    if not loaded.tokenizer.has_chat_template:
        return content + (f"\n\n{lead}" if lead else "\n")
    messages = [{"role": "user", "content": content}]
    text = loaded.tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
    )
    return str(text) + lead


def encode(loaded: Loaded, text: str) -> list[int]:
    """A rendered prompt as tokens; the beginning-of-text token is added where no chat template did."""
    if loaded.tokenizer.has_chat_template:
        return list(loaded.tokenizer.encode(text, add_special_tokens=False))
    return _without_end(loaded, loaded.tokenizer.encode(text))


def _without_end(loaded: Loaded, tokens: Sequence[int]) -> list[int]:
    """`tokens` without the end of text with which some tokenizers close a text by themselves."""
    kept = list(tokens)
    while kept and kept[-1] in loaded.tokenizer.eos_token_ids:
        kept.pop()
    return kept


# -- writing --------------------------------------------------------------------------------------------------------


def generate(loaded: Loaded, requests: Sequence[Request], batch_size: int) -> list[Answer]:
    """One answer a request, in order, written at most `batch_size` side by side."""
    prompts = [encode(loaded, render(loaded, request.prompt)) for request in requests]
    return generate_after(loaded, prompts, requests, batch_size)


def generate_after(
    loaded: Loaded, prompts: Sequence[list[int]], requests: Sequence[Request], batch_size: int
) -> list[Answer]:
    """`generate` for prompts that are tokens already; what the requests ask is not looked at."""
    answers = [Answer("", "too long")] * len(requests)
    fits = [p for p, tokens in enumerate(prompts) if len(tokens) + requests[p].max_tokens <= loaded.context]
    fits.sort(key=lambda p: len(prompts[p]))
    for begin in range(0, len(fits), RECYCLE):
        places = fits[begin : begin + RECYCLE]
        written = _write([prompts[p] for p in places], [requests[p] for p in places], loaded, batch_size)
        for place, answer in zip(places, written, strict=True):
            answers[place] = answer
    return answers


def _write(prompts: list[list[int]], requests: Sequence[Request], loaded: Loaded, batch_size: int) -> list[Answer]:
    written = sample_tokens(loaded, prompts, requests, batch_size)
    return [Answer(_decode(loaded, tokens[:-1] if end == "stop" else tokens), end) for tokens, end in written]


def sample_tokens(
    loaded: Loaded, prompts: list[list[int]], requests: Sequence[Request], batch_size: int
) -> list[tuple[list[int], Any]]:
    """(tokens, finish) of one answer a prompt, in order; tokens end with the end token where finish is "stop".

    A prompt that is asked for several answers is read once.
    """
    batch_size = batch_size if loaded.scorer.padded else 1
    writer = BatchGenerator(
        loaded.model,
        stop_tokens=[[token] for token in loaded.tokenizer.eos_token_ids],
        completion_batch_size=batch_size,
        prefill_batch_size=min(PREFILL_BATCH, batch_size),
    )
    try:
        samplers = [_sampler(request) for request in requests]
        caches = scoring.read_once(loaded.scorer, prompts, batch_size // 2)
        left = [prompt[-1:] for prompt in prompts] if caches else prompts
        places = writer.insert(left, [request.max_tokens for request in requests], caches=caches, samplers=samplers)
        tokens: dict[int, list[int]] = {place: [] for place in places}
        finish: dict[int, Any] = {}
        while responses := writer.next_generated():
            for response in responses:
                tokens[response.uid].append(response.token)
                if response.finish_reason:
                    finish[response.uid] = response.finish_reason
    finally:
        # The writer works a token ahead on a stream of its own; a sharded model's collectives must not meet later ones.
        mx.synchronize(writer.stream)
        writer.close()
    return [(tokens[place], finish[place]) for place in places]


def _decode(loaded: Loaded, tokens: list[int]) -> str:
    text = str(loaded.tokenizer.decode(tokens, skip_special_tokens=True))
    return text.rpartition("</think>")[2].strip()


def _greedy(logprobs: mx.array) -> mx.array:
    return mx.argmax(logprobs, axis=-1)


def _sampler(request: Request) -> Callable[[mx.array], mx.array]:
    """Draws the tokens of one sequence with a key for each from the request's seed.

    MLX draws by the Gumbel trick (noise added to each token, the largest wins). Inverting the cumulative distribution
    would be cheaper, but a rounding error then moves every later token's boundary: measured, 1 draw in 10,000 changed
    with the batch's shape.
    """
    if request.temperature == 0:
        return _greedy  # the same function for all: the batch is then sampled in one call
    keys = iter(mx.random.split(mx.random.key(request.seed), request.max_tokens + 2))

    def draw(logprobs: mx.array) -> mx.array:
        return mx.random.categorical(logprobs.astype(mx.float32) * (1 / request.temperature), key=next(keys))

    return draw


# -- rating ---------------------------------------------------------------------------------------------------------


def rate(loaded: Loaded, questions: Sequence[Question], batch_size: int) -> list[tuple[Rating, ...] | None]:
    """One rating an ask, read from the probabilities of the digits where the answer begins: nothing is written."""
    results: list[tuple[Rating, ...] | None] = [None] * len(questions)
    kinds = {(q.lead, q.scale): q for q in questions if q.asks}
    for (lead, scale), example in kinds.items():
        mine = [p for p, q in enumerate(questions) if (q.lead, q.scale) == (lead, scale)]
        digits, full_lead = find_digits(loaded.tokenizer, render(loaded, example.asks[0]), lead, scale)
        split = {place: split_question(loaded, questions[place], full_lead) for place in mine}
        fits = [p for p, (head, tails) in split.items() if len(head) + max(map(len, tails), default=0) < loaded.context]
        prefixes, suffixes = [split[p][0] for p in fits], [split[p][1] for p in fits]
        found = scoring.digit_logprobs(loaded.scorer, prefixes, suffixes, digits, batch_size)
        for place, rows in zip(fits, found, strict=True):
            results[place] = tuple(expected_rating(row) for row in rows)
    return results


def expected_rating(logprobs: np.ndarray) -> Rating:
    """Mean digit and mass of log-probabilities (S,) of "1", "2", ... "S". Equal ones give the middle, (S + 1) / 2."""
    exact = logprobs.astype(np.float64)
    weights = np.exp(exact - exact.max())  # relative to the likeliest, so that a tiny mass still has a mean
    expected = float(weights @ np.arange(1, len(weights) + 1) / weights.sum())
    return Rating(expected, min(float(np.exp(exact).sum()), 1.0))


def split_question(loaded: Loaded, question: Question, lead: str) -> tuple[list[int], list[list[int]]]:
    """(tokens all asks begin with, the tokens after them of each ask). Cut after a line's end, so that both parts are
    tokenized the same way in every question."""
    texts = [render(loaded, f"{question.shared}\n\n{ask}", lead) for ask in question.asks]
    first, last = min(texts), max(texts)  # what these two share, all share
    same = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first) - len(lead))
    cut = first.rfind("\n", 0, same) + 1
    suffixes = [list(loaded.tokenizer.encode(text[cut:], add_special_tokens=False)) for text in texts]
    return encode(loaded, first[:cut]), suffixes


def find_digits(tokenizer: Any, before: str, lead: str, scale: int) -> tuple[tuple[int, ...], str]:
    """(token of each digit 1..scale where it follows `before` and the lead, the lead as it must end). Raises ModelError
    when the tokenizer has no single distinct token for each digit there."""
    for after, space in EDGES:
        text = before + lead + after
        base = list(tokenizer.encode(text, add_special_tokens=False))
        longer = [list(tokenizer.encode(f"{text}{space}{n}", add_special_tokens=False)) for n in range(1, scale + 1)]
        single = all(tokens[:-1] == base for tokens in longer)
        if single and len({tokens[-1] for tokens in longer}) == scale:
            return tuple(tokens[-1] for tokens in longer), lead + after
    raise ModelError(
        f'This tokenizer has no single token for each digit 1 to {scale} after "{lead}"',
        "one token a digit",
        "a judge with another tokenizer, an endpoint, or `--judge extractive`",
    )
