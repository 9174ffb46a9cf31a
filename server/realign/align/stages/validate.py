"""Stage validate (SRF): the reward model on pairs that neither its training nor its measuring has seen.

    test pairs -> rewards, beside what lengths alone and answers without their prompts would tell

A reward that a simpler rule explains is not worth optimizing: the policy would learn the rule.
"""

from __future__ import annotations

from collections.abc import Iterator

from realign.align.places import last_checkpoint, model_folder
from realign.align.stages.preferences import usable
from realign.align.stages.reward import encoded
from realign.align.stages.training import HELD_OUT, reading
from realign.quality.checks.training import accuracy, beats_baselines
from realign.run import Batch
from realign.work import Work

GATES = (accuracy("validate", "reward")[0], beats_baselines("validate"))


def validate(work: Work) -> Iterator[Batch]:
    """Score the test split once."""
    if work.run.done(work.stage):
        return
    from realign.align.reward import blind_rights, length_rights, open_reward_model, score_pairs

    folder = model_folder(work.run, last_checkpoint(work.run, "reward"), work.settings.model)
    model = open_reward_model(folder)
    trained = [pair for _, pair in encoded(work, model.loaded, usable(work, "train"))]
    tested = encoded(work, model.loaded, usable(work, "test"))
    pairs = [pair for _, pair in tested]
    scores, (lengths, _), blind = score_pairs(model, pairs), length_rights(trained, pairs), blind_rights(trained, pairs)
    readings = []
    for n, (row, _) in enumerate(tested):
        readings.append(
            reading(work, 1, "reward", HELD_OUT, row.id, {"chosen": scores[n][0], "rejected": scores[n][1]})
        )
        readings.append(reading(work, 1, "baseline", HELD_OUT, row.id, {"length": lengths[n], "blind": blind[n]}))
    work.progress(None, len(tested), "test pairs scored")
    yield Batch(done=["validated"], records=list(readings))
