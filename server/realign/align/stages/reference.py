"""Stage reference: the model that SFT left is frozen as the reference, and what it gives each pair is stored once.

    pairs -> log-probabilities of both answers under the reference; KL(policy, reference) before the first step

Policy and reference are two copies that were opened apart, so a KL that is not 0 shows that they are not the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from realign.align.data import answer_of, chats_of, prompt_of
from realign.align.places import last_checkpoint, model_folder
from realign.align.stages.preferences import usable
from realign.align.stages.training import HELD_OUT, reading, some
from realign.quality.checks.training import start_kl
from realign.records import Reading, Row
from realign.run import Batch
from realign.work import Work

GATES = (start_kl("reference"),)
FOLDER = "checkpoints/reference"


def reference_folder(work: Work) -> Path:
    """The reference's model folder: what SFT left."""
    return model_folder(work.run, last_checkpoint(work.run, "sft"), work.settings.model)


def freeze_reference(work: Work) -> Iterator[Batch]:
    """Store the reference's log-probabilities of every pair, and measure that the policy begins where it stands."""
    if work.run.done(work.stage):
        return
    from realign.align.models import open_model
    from realign.align.pairs import encode_pairs
    from realign.align.reference import reference_logps
    from realign.engine.folders import model_identity

    folder = reference_folder(work)
    reference = open_model(folder)
    rows = usable(work, "train")
    pairs, _ = encode_pairs(reference, [row.data for row in rows], work.settings.training.longest)
    reference_logps(
        reference, pairs, work.run.folder / FOLDER, model_identity(folder), stopping=work.stopping,
        progress=lambda done, total: work.progress(done, total, "reading the pairs with the reference"),
    )  # fmt: skip
    work.say("measuring that the policy begins at its reference")
    yield Batch(done=["reference"], records=list(start_readings(work, 1, open_model(folder), reference)))


def start_readings(work: Work, attempt: int, policy: Any, reference: Any) -> list[Reading]:
    """KL between a policy that was not trained yet and its reference, on held-out answers."""
    from realign.align.measure import as_tokens, measure_drift

    evaluating, rows = work.settings.evaluating, list(work.run.records("row"))
    held_out = some(chats_of(rows, "valid", "test"), evaluating.prompts, evaluating.seed, lambda row: row.id)
    tokens = [as_tokens(policy, prompt_of(row.data), answer_of(row.data)) for row in held_out]
    return [
        reading(work, attempt, "start kl", HELD_OUT, row.id, {"value": drift.kl, "tokens": drift.tokens})
        for row, drift in zip(held_out, measure_drift(policy, reference, tokens), strict=True)
    ]


def held_out_pairs(work: Work) -> list[Row]:
    """The held-out pairs that are measured: the same ones in every stage."""
    evaluating = work.settings.evaluating
    return some(usable(work, "valid", "test"), evaluating.prompts, evaluating.seed, lambda row: row.id)
