"""Stage optimize (DPO): the policy learns to prefer the chosen answers, without leaving its reference far behind.

    pairs, reference log-probabilities -> policy, and what it is measured by

A gate that rejects sends the policy back to the SFT model and turns a knob: half the rate and twice the beta for drift,
the chosen answers' own loss beside the preferences' for lost capability.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realign.align.attempts import Attempt, attempts
from realign.align.places import last_checkpoint
from realign.align.stages.policy import capability_readings, drift_readings, preference_readings
from realign.align.stages.preferences import usable
from realign.align.stages.reference import FOLDER, held_out_pairs, reference_folder
from realign.align.stages.reward import Encoded, encoded
from realign.align.stages.training import HELD_OUT, TRAIN, adapter_of, epochs, keep_weights, some, track, turned
from realign.quality.checks import training as checks
from realign.quality.gates import Gate
from realign.records import Checkpoint, Row
from realign.run import Batch
from realign.settings import Preference, Settings
from realign.work import Work

if TYPE_CHECKING:
    import numpy as np


def gates(stage: str) -> tuple[Gate, ...]:
    """The gates of a stage that moves a DPO policy."""
    return (
        checks.kl(stage), *checks.accuracy(stage, "preference"), checks.margin(stage),
        *checks.entropy(stage, gated=False), *checks.capability(stage),
    )  # fmt: skip


GATES = gates("optimize")
WATCHED = 16  # held-out pairs on which drift is looked at during the training


def optimize(work: Work) -> Iterator[Batch]:
    """Train from the SFT model until the gates let the policy through."""
    before = last_checkpoint(work.run, "sft")
    rows = usable(work, "train")
    for attempt in attempts(work, GATES, first_knobs(work.settings)):
        yield train_once(work, attempt, before, reference_folder(work), rows, rows)


def first_knobs(settings: Settings) -> dict[str, Any]:
    """What the first attempt is trained with."""
    return {"rate": 1.0, "steps": 1.0, "beta": settings.preference.beta, "sft_share": settings.preference.sft_weight}


def train_once(
    work: Work, attempt: Attempt, before: Checkpoint, base: Path, rows: Sequence[Row], known: Sequence[Row]
) -> Batch:
    """One preference training of the model at `base` on pairs, and every reading of the policy that it gives.

    The reference is the SFT model, wherever the policy begins: drift adds up over the rounds. known: the dataset's
    training pairs, on which overfitting is measured, whatever this round trains on.
    """
    from realign.align.dpo import train_dpo
    from realign.align.models import open_model

    settings, folder = work.settings, reference_folder(work)
    work.say("opening policy and reference")
    policy, reference = open_model(base), open_model(folder)
    pairs, tested = encoded(work, policy, rows), encoded(work, policy, held_out_pairs(work))
    seen = pairs if rows is known else encoded(work, policy, known)
    stored = [reference_of(work, reference, folder, side) for side in (pairs, tested, seen)]
    work.say("preparing the first step")
    preference = preference_of(settings, attempt)
    schedule = settings.optimizing.schedule or epochs(len(pairs), settings.training, settings.optimizing.rate)
    train_dpo(
        policy, [pair for _, pair in pairs], stored[0], [pair for _, pair in tested], stored[1],
        turned(settings.training, schedule, attempt.knobs), adapter_of(settings), preference,
        track(work, attempt, base, before.id), lambda: drift_on_the_way(policy, reference, tested),
    )  # fmt: skip
    work.trained()
    work.say(f"measuring {len(tested)} held-out pairs")
    readings = [
        *preferences_after(work, attempt, policy, seen, stored[2], TRAIN, preference.beta),
        *preferences_after(work, attempt, policy, tested, stored[1], HELD_OUT, preference.beta),
        *drift_readings(work, attempt.number, policy, reference),
        *capability_readings(work, attempt.number, reference, policy),
    ]
    return Batch(done=[attempt.key], records=[keep_weights(work, attempt, policy, base, before.id), *readings])


def drift_on_the_way(policy: Any, reference: Any, tested: Encoded) -> dict[str, float]:
    """KL to the reference, in nats a token, on the chosen answers of a few held-out pairs: what progress shows. The
    gate is measured when the training has ended, on answers that the policy gives itself."""
    from realign.align.measure import measure_drift

    found = measure_drift(policy, reference, [(pair.prompt, pair.chosen) for _, pair in tested[:WATCHED]])
    tokens = sum(drift.tokens for drift in found)
    return {"kl": sum(drift.kl * drift.tokens for drift in found) / tokens} if tokens else {}


def preference_of(settings: Settings, attempt: Attempt) -> Preference:
    """The preference settings with the attempt's knobs."""
    knobs = {"beta": attempt.knobs["beta"], "sft_weight": attempt.knobs["sft_share"]}
    return settings.preference.model_copy(update=knobs)


def reference_of(work: Work, reference: Any, folder: Path, pairs: Encoded) -> np.ndarray:
    """The reference's log-probabilities (n, 2) of some pairs: those that the reference stage stored, or read now."""
    from realign.align.reference import reference_logps
    from realign.engine.folders import model_identity

    place = work.run.folder / FOLDER
    return reference_logps(
        reference, [pair for _, pair in pairs], place, model_identity(folder), stopping=work.stopping
    )


def preferences_after(
    work: Work, attempt: Attempt, policy: Any, pairs: Encoded, reference: np.ndarray, part: str, beta: float
) -> list[Any]:
    """The rewards that the trained policy implies for some of the pairs."""
    from realign.align.pairs import pair_logps

    evaluating, places = work.settings.evaluating, list(range(len(pairs)))
    chosen = some(places, evaluating.prompts, evaluating.seed, lambda place: pairs[place][0].id)
    logps = pair_logps(policy, [pairs[place][1] for place in chosen])
    rows_of = [pairs[place][0] for place in chosen]
    return preference_readings(work, attempt.number, part, rows_of, logps, reference[chosen], beta)
