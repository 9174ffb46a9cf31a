"""What optimize and iterate measure of a policy, whatever trained it: drift, certainty, preferences, capability.

    drift_readings(work, attempt, policy, reference)        one KL and one entropy a held-out prompt

Drift and entropy are read on answers that the policy itself gives to held-out prompts. Capability is compared with the
SFT model, item by item.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realign.align.data import Asked, answer_of, chats_of, prompt_of
from realign.align.stages.training import HELD_OUT, reading, some
from realign.records import Reading, Row
from realign.work import Work

if TYPE_CHECKING:
    import numpy as np

    from realign.align.benchmarks import Item


def held_out_prompts(work: Work) -> list[tuple[str, Asked]]:
    """(row id, prompt) of held-out rows, each prompt once: the same ones in every stage."""
    evaluating = work.settings.evaluating
    rows = [(row.id, prompt_of(row.data)) for row in work.run.records("row") if row.split != "train"]
    found = list({str(prompt): (name, prompt) for name, prompt in rows}.values())
    return some(found, evaluating.prompts, evaluating.seed, lambda each: each[0])


def drift_readings(work: Work, attempt: int, policy: Any, reference: Any) -> list[Reading]:
    """KL and entropy of each held-out prompt, on the policy's own answer; empty answers tell nothing."""
    from realign.align.measure import as_tokens, measure_drift, sample_answers

    optimizing, prompts = work.settings.optimizing, held_out_prompts(work)
    work.say(f"sampling {len(prompts)} held-out answers")
    answers = sample_answers(
        policy, [prompt for _, prompt in prompts], seed=work.settings.evaluating.seed,
        max_tokens=optimizing.max_tokens, temperature=1.0,
    )  # fmt: skip
    rows = [as_tokens(policy, prompt, answer) for (_, prompt), answer in zip(prompts, answers, strict=True)]
    found = []
    for (name, _), drift in zip(prompts, measure_drift(policy, reference, rows), strict=True):
        if drift.tokens:
            for metric, value in (("kl", drift.kl), ("entropy", drift.entropy)):
                found.append(reading(work, attempt, metric, HELD_OUT, name, {"value": value, "tokens": drift.tokens}))
    return found


def preference_readings(
    work: Work, attempt: int, part: str, rows: Sequence[Row], policy: np.ndarray, reference: np.ndarray, beta: float
) -> list[Reading]:
    """The rewards that a policy implies for both answers of each pair: beta times its log-ratio to the reference.

    policy, reference: (n, 2) summed log-probabilities of chosen and rejected.
    """
    implied = beta * (policy - reference)
    return [
        reading(work, attempt, "preference", part, row.id, {"chosen": implied[n][0], "rejected": implied[n][1]})
        for n, row in enumerate(rows)
    ]


# -- capability -----------------------------------------------------------------------------------------------------


def benchmarks(work: Work) -> dict[str, list[Item]]:
    """The items of each benchmark: the files that were named, else choices made of the held-out rows."""
    from realign.align.benchmarks import choices_from, read_benchmark

    evaluating = work.settings.evaluating
    found = {Path(file).stem: read_benchmark(Path(file)) for file in evaluating.benchmarks}
    if not found:
        rows: list[Row] = list(work.run.records("row"))
        held_out = chats_of(rows, "valid", "test")
        found["held-out choices"] = choices_from([(r.id, prompt_of(r.data), answer_of(r.data)) for r in held_out])
    return {name: some(items, evaluating.items, evaluating.seed, lambda item: item.id) for name, items in found.items()}


def capability_readings(work: Work, attempt: int, before: Any, after: Any) -> list[Reading]:
    """Each item's score of both models. before and after are loaded models."""
    from realign.align.benchmarks import score_items

    found = []
    for name, items in benchmarks(work).items():
        work.say(f"measuring {name}: {len(items)} items")
        scores = zip(items, score_items(before, items), score_items(after, items), strict=True)
        found += [reading(work, attempt, "capability", name, i.id, {"before": b, "after": a}) for i, b, a in scores]
    return found
