"""An engine writes text, measures text and reads ratings. Two kinds exist: a model folder on MLX, and an endpoint.

    engine = open_engine("models/qwen")                   a folder on this disk, in process
    engine = open_engine("http://127.0.0.1:8080/v1#name") any OpenAI-compatible server
    answers = engine.generate([Request("Why is the sky blue?", seed=1)], 32)

An engine is a frozen record of functions, so a test can pass in its own. What an endpoint can't do is None. Importing
this module imports no MLX. Nothing is ever downloaded, and no other engine ever takes the place of the one asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np

Finish = Literal["stop", "length", "too long"]
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}


@dataclass(frozen=True, slots=True)
class Request:
    """One text to write. The same request gives the same text, whatever else is asked beside it.

    temperature 0 takes the likeliest token; max_tokens bounds the answer, in tokens.
    """

    prompt: str
    seed: int = 0
    max_tokens: int = 256
    temperature: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What was written. finish: "stop" when the model ended it, "length" at max_tokens, "too long" when the prompt
    and max_tokens don't fit into the model's context (text is then empty)."""

    text: str
    finish: Finish


@dataclass(frozen=True, slots=True)
class Question:
    """Several ratings about the same material: `shared` is read once, then each of `asks` is put on its own.

    lead is how the model's answer begins, right up to the digit ("Rating:"); ratings run from 1 to scale, at most 9.
    """

    shared: str
    asks: tuple[str, ...]
    lead: str
    scale: int = 5


@dataclass(frozen=True, slots=True)
class Rating:
    """expected: mean of the digits 1..scale under the model's probabilities, renormalized over those digits.

    mass: probability of any of those digits before renormalizing, in 0..1. A small mass says that the model would
    rather have written something else: still a measurement, but a weak one.
    """

    expected: float
    mass: float


Generate = Callable[[Sequence[Request], int], list[Answer]]
Rate = Callable[[Sequence[Question], int], list["tuple[Rating, ...] | None"]]
TokenLogprobs = Callable[[Sequence[int], Sequence[Sequence[int]]], "list[np.ndarray]"]


@dataclass(frozen=True, slots=True)
class Engine:
    """A model that can be used. The second argument of generate and rate is how many sequences run side by side.

    name: what records show. identity: changes whenever the model does; part of a stage's fingerprint.
    generate: one answer a request, in order. rate: one tuple a question, in order, with one rating an ask; None when
    the question does not fit into the context. encode: text to tokens, as a continuation (no special tokens added).
    token_logprobs(prefix, continuations): natural logarithms of each continuation token's probability after a prefix
    of at least one token, as one float32 array a continuation. ask: a prompt in the model's chat format, as tokens, up
    to where its answer begins. start: what the tokenizer itself puts before any text (a beginning-of-text token, or
    nothing). context: most tokens of a sequence. notes: how it runs (type, BLAS), for the run's record.
    """

    name: str
    identity: str
    generate: Generate
    rate: Rate | None = None
    token_logprobs: TokenLogprobs | None = None
    encode: Callable[[str], list[int]] | None = None
    ask: Callable[[str], list[int]] | None = None
    start: tuple[int, ...] = ()
    context: int = 1 << 30
    notes: tuple[str, ...] = ()


def identity_of(spec: str) -> str:
    """`open_engine(spec).identity` without loading or asking anything: a folder's hash, or the address as given."""
    if spec.startswith(("http://", "https://")):
        return spec
    from realign.engine.folders import check_folder, model_identity

    return model_identity(check_folder(Path(spec).expanduser()))


def open_engine(spec: str, *, sharded: bool = False) -> Engine:
    """The engine that `spec` names: an http(s) address, with #model after it where the server has several, or a folder.

    sharded: the folder's weights are spread over all ranks of this launch, and every rank must ask the same things in
    the same order. Raises ModelError when there is no such folder, when it can't be used or spread, or when the server
    does not answer.
    """
    if spec.startswith(("http://", "https://")):
        from realign.engine.endpoint import open_endpoint

        return open_endpoint(spec)
    from realign.engine.folders import check_folder

    folder = check_folder(Path(spec).expanduser())
    os.environ.update(OFFLINE)  # read by the libraries when they are imported, so before the import below
    from realign.engine.mlx import open_folder

    return open_folder(folder, sharded=sharded)
