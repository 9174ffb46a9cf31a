"""What a policy says and how far it went, measured row by row: the readings that gates are made of.

answers = sample_answers(loaded, prompts, seed=0, max_tokens=64)                the policy's own words
drifts = measure_drift(policy, reference, [as_tokens(policy, prompt, answer)])  one Drift a row
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from realign.align.data import Asked
from realign.align.divergence import row_divergence
from realign.align.examples import Example, prompt_tokens
from realign.engine import Request
from realign.engine.mlx import Loaded, generate_after
from realign.records import make_id

Tokens = Sequence[int]


@dataclass(frozen=True, slots=True)
class Drift:
    """Means over the answer tokens of one row, in nats a token: KL(policy, reference), and the policy's entropy."""

    kl: float
    entropy: float
    tokens: int


def measure_drift(policy: Loaded, reference: Loaded, rows: Sequence[tuple[Tokens, Tokens]]) -> list[Drift]:
    """One Drift a row of (prompt, answer), in order; a row without answer tokens has 0 tokens and zeros."""
    found = [Drift(0.0, 0.0, 0)] * len(rows)
    places = [place for place, (_, answer) in enumerate(rows) if answer]
    examples = [
        Example((*prompt, *answer), (*[0] * len(prompt), *[1] * len(answer)), place)
        for place in places
        for prompt, answer in [rows[place]]
    ]
    if examples:
        for example, sums in zip(examples, row_divergence(policy, reference.model, examples), strict=True):
            tokens = sum(example.mask)
            found[example.line] = Drift(float(sums[0]) / tokens, float(sums[1]) / tokens, tokens)
    return found


def sample_answers(
    loaded: Loaded,
    prompts: Sequence[Asked | str],
    *,
    seed: int,
    max_tokens: int,
    temperature: float = 1.0,
    batch_size: int = 32,
) -> list[str]:
    """One answer a prompt, sampled with a seed of its own; greedy at temperature 0. "" where the prompt is too long."""

    requests = [
        Request("", int(make_id("sample", seed, prompt), 16) & 0x7FFFFFFF, max_tokens, temperature)
        for prompt in prompts
    ]
    asked = [prompt_tokens(loaded, prompt) for prompt in prompts]
    return [answer.text for answer in generate_after(loaded, asked, requests, batch_size)]


def rightness(rows: Sequence[Mapping[str, Any]], answers: Sequence[str]) -> list[bool | None]:
    """Whether each answer is right, where its row has a verifier; None where nothing checks it."""
    from realign.quality.soundness import check_of
    from realign.verify import verify_all

    found: list[bool | None] = [None] * len(answers)
    places = [place for place, row in enumerate(rows) if "name" in (row.get("verifier") or ())]
    checks = [(check_of(dict(rows[place])), answers[place]) for place in places]
    for place, outcome in zip(places, verify_all(checks) if checks else [], strict=True):
        found[place] = outcome.verdict == "accept"
    return found


def as_tokens(loaded: Loaded, prompt: Asked | str, answer: str) -> tuple[list[int], list[int]]:
    """A prompt in the model's chat format, and an answer with its end, as tokens."""
    end = [min(loaded.tokenizer.eos_token_ids)] if loaded.tokenizer.eos_token_ids else []
    text = list(loaded.tokenizer.encode(answer, add_special_tokens=False))
    return prompt_tokens(loaded, prompt), [*text, *end] if text else []
