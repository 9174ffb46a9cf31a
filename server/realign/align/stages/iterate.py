"""Stage iterate (DPO): the policy answers prompts anew, the reward model ranks its answers, and it learns again.

    policy -> samples -> best against worst by the reward model -> policy

On its own words the policy's present mistakes come up. The reference stays the SFT model, so that the KL gate sees the
drift of both rounds together.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from realign.align.attempts import attempts
from realign.align.data import Asked, pairs_of, prompt_of
from realign.align.places import last_checkpoint, model_folder
from realign.align.stages.optimize import first_knobs, gates, train_once
from realign.align.stages.preferences import usable
from realign.align.stages.training import some
from realign.errors import EmptyInput
from realign.records import Completion, Dropped, Row, make_id
from realign.run import Batch
from realign.work import Work

GATES = gates("iterate")
FEWEST = 30  # pairs of the policy's own words that a round needs


def iterate(work: Work) -> Iterator[Batch]:
    """Sample once, then train from the policy that optimize left until the gates let it through."""

    before = last_checkpoint(work.run, "optimize")
    base = model_folder(work.run, before, work.settings.model)
    if "sampled" not in work.run.done(work.stage):
        yield sample_pairs(work, base)
    rows = own_pairs(work)
    if len(rows) < FEWEST:
        raise EmptyInput(
            f"{len(rows)} pairs came of the policy's own answers", f"at least {FEWEST}",
            "more optimizing.samples or optimizing.prompts, or a higher optimizing.temperature",
        )  # fmt: skip
    for attempt in attempts(work, GATES, first_knobs(work.settings)):
        yield train_once(work, attempt, before, base, rows, usable(work, "train"))


def sample_pairs(work: Work, base: Path) -> Batch:
    """A few answers to each training prompt, as completions with their rewards; a prompt with one answer is dropped."""
    from realign.align.measure import as_tokens, sample_answers
    from realign.align.models import open_model
    from realign.align.reward import open_reward_model, score_answers

    optimizing, loaded = work.settings.optimizing, open_model(base)
    prompts = training_prompts(work)
    texts: list[list[str]] = []
    for n in range(optimizing.samples):
        work.progress(None, optimizing.samples, f"answering {len(prompts)} prompts, {n + 1} of {optimizing.samples}")
        texts.append(sample_answers(
            loaded, [prompt for _, prompt in prompts], seed=n + 1, max_tokens=optimizing.max_tokens,
            temperature=optimizing.temperature,
        ))  # fmt: skip
    reward = open_reward_model(model_folder(work.run, last_checkpoint(work.run, "reward"), work.settings.model))
    batch = Batch(done=["sampled"])
    for place, (name, prompt) in enumerate(prompts):
        answers = [text for text in dict.fromkeys(column[place] for column in texts) if text]
        if len(answers) < 2:
            batch.drops.append(Dropped(name, "row", "sample", "fewer than two different answers"))
            continue
        scores = score_answers(reward, [as_tokens(loaded, prompt, answer) for answer in answers]).tolist()
        batch.records.extend(_completions(name, answers, scores))
    return batch


def _completions(parent: str, answers: list[str], scores: list[float]) -> list[Completion]:
    """The best and the worst answer, in that order; method holds the reward."""
    ranked = sorted(zip(scores, answers, strict=True), reverse=True)
    return [
        Completion(make_id("own", parent, text), parent, text, "policy", f"reward {score:.4f}", 0)
        for score, text in (ranked[0], ranked[-1])
    ]


def training_prompts(work: Work) -> list[tuple[str, Asked]]:
    """(row id, prompt) of training rows, each prompt once."""
    rows: list[Row] = list(work.run.records("row"))
    found = [(row.id, prompt_of(row.data)) for row in pairs_of(rows, "train")]
    both = list({str(prompt): (name, prompt) for name, prompt in found}.values())
    return some(both, work.settings.optimizing.prompts, work.settings.evaluating.seed, lambda each: each[0])


def own_pairs(work: Work) -> list[Row]:
    """The sampled answers as training pairs."""
    asked = {row.id: row.data for row in work.run.records("row")}
    answers: dict[str, list[Any]] = {}
    for completion in work.run.records("completion"):
        answers.setdefault(completion.parent, []).append(completion)
    return [
        Row(make_id("own pair", name), name, "train", {
            **{field: asked[name][field] for field in ("prompt", "tools") if field in asked[name]},
            "chosen": best.text, "rejected": worst.text,
        })
        for name, (best, worst) in answers.items()
    ]  # fmt: skip
