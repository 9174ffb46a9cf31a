"""Stages optimize and iterate by reinforcement: the policy's own answers are rewarded, within reach of its reference.

    prompts, a reward for each answer -> policy, and what it is measured by

The data type says what rewards: a reward model (srf), verifiers (rlvr), or grounding (anti_hallucination).
A person is told where answers begin to please the reward and nobody else; no gate decides that.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realign.align.attempts import Attempt, attempts
from realign.align.data import answer_of, chats_of, prompt_of
from realign.align.places import last_checkpoint, model_folder
from realign.align.stages.policy import capability_readings, drift_readings
from realign.align.stages.reference import reference_folder, start_readings
from realign.align.stages.rewards import reward_function
from realign.align.stages.training import HELD_OUT, adapter_of, epochs, keep_weights, reading, some, track, turned
from realign.quality.checks import training as checks
from realign.quality.gates import Gate
from realign.records import Checkpoint, Reading, Row, Split
from realign.run import Batch
from realign.settings import Reinforce, Settings
from realign.work import Work

if TYPE_CHECKING:
    from realign.align.rl import RewardFunction, Task

WHAT_RISES = {"srf": "reward", "rlvr": "verification", "anti_hallucination": "factuality"}


def gates(stage: str, data_type: str) -> tuple[Gate, ...]:
    """The gates of a stage that reinforces a policy."""
    return (
        checks.start_kl(stage), checks.kl(stage), *checks.entropy(stage, gated=data_type == "srf"),
        checks.rises(stage, WHAT_RISES[data_type]), *checks.capability(stage),
    )  # fmt: skip


def stage_of(stage: str, before: str, data_type: str) -> Callable[[Work], Iterator[Batch]]:
    """The stage that begins with what the stage `before` left."""
    return functools.partial(reinforce, before=before, gates=gates(stage, data_type))


def reinforce(work: Work, before: str, gates: Sequence[Gate]) -> Iterator[Batch]:
    """Train until the gates let the policy through."""
    begun = last_checkpoint(work.run, before)
    for attempt in attempts(work, gates, first_knobs(work.settings)):
        yield train_once(work, attempt, begun, model_folder(work.run, begun, work.settings.model))


def first_knobs(settings: Settings) -> dict[str, Any]:
    """What the first attempt is trained with."""
    reinforcing = settings.reinforce
    return {
        "rate": 1.0, "steps": 1.0, "beta": reinforcing.kl_weight, "entropy": reinforcing.entropy_weight,
        "reward_scale": reinforcing.reward_scale, "sft_share": reinforcing.sft_share,
    }  # fmt: skip


def train_once(work: Work, attempt: Attempt, begun: Checkpoint, base: Path) -> Batch:
    """One training from `base`, and every reading of the policy that it gives. The reference is the SFT model."""
    from realign.align.models import open_model
    from realign.align.rl import train_rl

    settings = work.settings
    policy, reference = open_model(base), open_model(reference_folder(work))
    trained, tested = prompts_of(work, policy, "train"), prompts_of(work, policy, "valid", "test")
    reward, reinforcing = reward_function(work, policy), turned_settings(work.settings, attempt)
    start = start_readings(work, attempt.number, open_model(reference_folder(work)), reference)
    schedule = settings.optimizing.schedule or epochs(len(trained), settings.training, settings.optimizing.rate)
    result = train_rl(
        policy, reference.model, [task for _, task in trained], reward, [task for _, task in tested],
        turned(settings.training, schedule, attempt.knobs), adapter_of(settings), reinforcing,
        track(work, attempt, base, begun.id, work.run.noted("data_type")),
    )  # fmt: skip
    work.trained()
    note_signs(work, [report.metrics for report in result.reports])
    readings = [
        *start,
        *returns(work, attempt, open_model(base), policy, tested, reward, reinforcing),
        *drift_readings(work, attempt.number, policy, reference),
        *capability_readings(work, attempt.number, reference, policy),
    ]
    return Batch(done=[attempt.key], records=[keep_weights(work, attempt, policy, base, begun.id), *readings])


def turned_settings(settings: Settings, attempt: Attempt) -> Reinforce:
    """The reinforcement's settings with the attempt's knobs."""
    knobs = {
        "kl_weight": attempt.knobs["beta"], "entropy_weight": attempt.knobs["entropy"],
        "reward_scale": attempt.knobs["reward_scale"], "sft_share": attempt.knobs["sft_share"],
    }  # fmt: skip
    return settings.reinforce.model_copy(update=knobs)


def prompts_of(work: Work, policy: Any, *splits: Split) -> list[tuple[Row, Task]]:
    """Rows of some splits with their prompts as tokens, each prompt once; held-out ones are a fixed sample.

    Where the data holds tasks, only these can be rewarded by a verifier. An answer beside each is what SFT learned.
    """
    from realign.align.rl import make_tasks

    rows: list[Row] = [row for row in work.run.records("row") if row.split in splits]
    answers = {str(prompt_of(row.data)): answer_of(row.data) for row in [*rows, *chats_of(rows, *splits)]}
    if work.run.noted("data_type") == "rlvr":
        rows = [row for row in rows if "verifier" in row.data]
    found: list[Row] = list({str(prompt_of(row.data)): row for row in rows}.values())
    if "train" not in splits:
        found = some(found, work.settings.evaluating.prompts, work.settings.evaluating.seed, lambda row: row.id)
    prompts = [prompt_of(row.data) for row in found]
    tasks = make_tasks(policy, prompts, [row.data for row in found], [answers[str(prompt)] for prompt in prompts])
    return list(zip(found, tasks, strict=True))


def returns(
    work: Work, attempt: Attempt, before: Any, after: Any, tested: Sequence[tuple[Row, Task]], reward: RewardFunction,
    reinforcing: Reinforce,
) -> list[Reading]:  # fmt: skip
    """The reward of one drawn answer to each held-out prompt, of both models, each drawn with the same seed."""
    from realign.align.rl import draw, rewards_of

    tasks = [task for _, task in tested]
    seeds = list(range(len(tasks)))
    sides = [rewards_of(reward, draw(loaded, tasks, seeds, reinforcing)) for loaded in (before, after)]
    return [
        reading(work, attempt.number, "return", HELD_OUT, row.id, {"before": sides[0][n], "after": sides[1][n]})
        for n, (row, _) in enumerate(tested)
    ]


def note_signs(work: Work, metrics: Sequence[dict[str, float]]) -> None:
    """Say what a person should look at: signs that answers please the reward and nobody else."""
    from realign.align.hacking import suspicious

    drawn = [each for each in metrics if "repeated" in each]
    for words in suspicious(drawn[0], drawn[-1]) if drawn else []:
        work.run.event(work.stage, f"worth a look: {words}")
