"""Stage reward: a Bradley-Terry reward model learns the pairs, and is tried on pairs that it never saw.

    pairs -> the SFT model with a head -> rewards of training and held-out pairs

Beside its accuracy stands what looking at lengths alone, or at the answers without their prompts, would score.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from realign.align.attempts import Attempt, attempts
from realign.align.places import attempt_folder, checkpoint_of, last_checkpoint, model_folder
from realign.align.stages.preferences import usable
from realign.align.stages.reference import held_out_pairs
from realign.align.stages.training import HELD_OUT, TRAIN, adapter_of, epochs, reading, some, track, turned
from realign.quality.checks.training import accuracy
from realign.records import Reading, Row
from realign.run import Batch
from realign.work import Work

if TYPE_CHECKING:
    from realign.align.pairs import PairTokens

GATES = accuracy("reward", "reward")
KNOBS = {"rate": 1.0, "steps": 1.0}  # of the first attempt
EPOCHS = 2.0


def train_reward_model(work: Work) -> Iterator[Batch]:
    """Train until the gates let the reward model through."""
    for attempt in attempts(work, accuracy(work.stage, "reward"), KNOBS):
        yield train_once(work, attempt)


def train_once(work: Work, attempt: Attempt) -> Batch:
    """One training from the SFT model, and the rewards of training and held-out pairs."""
    from realign.align import reward
    from realign.align.models import open_model

    settings, before = work.settings, last_checkpoint(work.run, "sft")
    base = model_folder(work.run, before, settings.model)
    work.say("opening the model")
    loaded = open_model(base)
    trained = encoded(work, loaded, usable(work, "train"))
    tested = encoded(work, loaded, held_out_pairs(work))
    model = reward.make_reward_model(loaded, adapter_of(settings), settings.training.seed)
    schedule = settings.rewarding.schedule or epochs(len(trained), settings.training, settings.rewarding.rate, EPOCHS)
    folder = attempt_folder(work.run, work.stage, attempt.number)
    reward.train_reward(
        model, [pair for _, pair in trained], [pair for _, pair in tested],
        turned(settings.training, schedule, attempt.knobs), track(work, attempt, base, before.id),
    )  # fmt: skip
    work.trained()
    work.say(f"scoring {len(trained)} training and {len(tested)} held-out pairs")
    sample = some(trained, settings.evaluating.prompts, settings.evaluating.seed, lambda both: both[0].id)
    readings = [*rewards(work, attempt, model, TRAIN, sample), *rewards(work, attempt, model, HELD_OUT, tested)]
    note_baselines(work, model, trained, tested)
    shutil.rmtree(folder / "model", ignore_errors=True)
    reward.write_reward_model(model, base, folder / "model")
    left = checkpoint_of(work.run, work.stage, attempt.number, folder / "model", before.id, dict(attempt.knobs))
    return Batch(done=[attempt.key], records=[left, *readings])


Encoded = list[tuple[Row, "PairTokens"]]


def encoded(work: Work, loaded: Any, rows: Sequence[Row]) -> Encoded:
    """Rows with their tokens; those that can't be used were dropped, or are too long for the training."""
    from realign.align.pairs import encode_pairs

    pairs, _ = encode_pairs(loaded, [row.data for row in rows], work.settings.training.longest)
    return [(rows[pair.line - 1], pair) for pair in pairs]


def rewards(work: Work, attempt: Attempt, model: Any, part: str, pairs: Encoded) -> list[Reading]:
    """One reading a pair: the rewards of both answers."""
    from realign.align.reward import score_pairs

    scores = score_pairs(model, [pair for _, pair in pairs])
    return [
        reading(work, attempt.number, "reward", part, row.id, {
            "chosen": scores[place][0], "rejected": scores[place][1], "shorter": len(p.chosen) < len(p.rejected),
        })
        for place, (row, p) in enumerate(pairs)
    ]  # fmt: skip


def note_baselines(work: Work, model: Any, trained: Encoded, tested: Encoded) -> None:
    """Keep with the run what a judge of lengths, and one that never sees a prompt, would score on the same pairs."""
    from realign.align.reward import reward_report, score_pairs

    train, held = ([pair for _, pair in side] for side in (trained, tested))
    report = reward_report(score_pairs(model, train), score_pairs(model, held), train, held)
    work.run.note("reward baselines", dataclasses.asdict(report))
