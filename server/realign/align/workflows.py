"""The seven stages of each alignment, in order.

base model -> sft -> [gate] -> preferences -> [gate] -> reward -> [gate] -> optimize -> [gate] -> evaluate
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from realign.align.stages import (
    evaluate,
    iterate,
    optimize,
    reference,
    reinforce,
    reward,
    rows,
    sft,
    validate,
    verifiers,
)
from realign.align.stages.preferences import gather_pairs
from realign.quality.checks import training
from realign.quality.checks.training import accuracy
from realign.quality.gates import Gate
from realign.stage import Stage


def begin(*foreseen: Gate) -> Stage:
    """The first stage. Too few rows for the later ones are found before hours are spent on them."""
    return Stage(
        "sft", partial(sft.fine_tune, foreseen=foreseen), (*foreseen, *sft.GATES),
        sections=("adapter", "training", "fine_tuning", "evaluating"), code=("align", "engine", "sources"),
        inputs=sft.inputs,
    )  # fmt: skip


PREFERENCES = Stage("preferences", gather_pairs, training.PREFERENCES, (), ("align/stages/preferences.py", "quality"))

REFERENCE = Stage(
    "reference", reference.freeze_reference, reference.GATES, ("training", "evaluating"), ("align", "engine"),
)  # fmt: skip
REWARD = Stage(
    "reward", reward.train_reward_model, reward.GATES,
    sections=("adapter", "training", "rewarding", "evaluating"), code=("align", "engine"),
)  # fmt: skip
POLICY = ("adapter", "training", "preference", "optimizing", "evaluating")
EVALUATE = Stage(
    "evaluate", evaluate.compare_models, evaluate.GATES,
    sections=("optimizing", "evaluating"), code=("align", "engine", "verify"), inputs=evaluate.inputs,
)  # fmt: skip

ALIGN_DPO = (
    begin(training.PAIRS),
    PREFERENCES,
    REFERENCE,
    REWARD,
    Stage("optimize", optimize.optimize, optimize.GATES, POLICY, ("align", "engine"), inputs=evaluate.inputs),
    Stage("iterate", iterate.iterate, iterate.GATES, POLICY, ("align", "engine")),
    EVALUATE,
)

REINFORCED = ("adapter", "training", "reinforce", "optimizing", "evaluating")


def reinforced(stage: str, before: str, data_type: str) -> Stage:
    """A round of reinforcement that begins with what the stage `before` left."""
    return Stage(
        stage, reinforce.stage_of(stage, before, data_type), reinforce.gates(stage, data_type), REINFORCED,
        ("align", "engine", "verify", "curate/grounding"), inputs=evaluate.inputs,
    )  # fmt: skip


def rounds(data_type: str) -> tuple[Stage, ...]:
    """Two rounds of reinforcement, and the evaluation."""
    return reinforced("optimize", "sft", data_type), reinforced("iterate", "optimize", data_type), EVALUATE


ALIGN_SRF = (
    begin(training.PAIRS),
    PREFERENCES,
    REWARD,
    Stage("validate", validate.validate, validate.GATES, ("training",), ("align", "engine")),
    *rounds("srf"),
)

ROWS = ("align/stages/rows.py", "align/data.py", "quality")

ALIGN_RLVR = (
    begin(training.TASKS),
    Stage("tasks", partial(rows.look_through, kind="task"), rows.TASK_GATES, (), ROWS),
    Stage("verifiers", verifiers.try_verifiers, verifiers.GATES, ("rlvr",), ("align/stages/verifiers.py", "verify")),
    REFERENCE,
    *rounds("rlvr"),
)

ALIGN_ANTI_HALLUCINATION = (
    begin(),
    Stage("evidence", partial(rows.look_through, kind="chat"), rows.EVIDENCE, (), ROWS),
    Stage("factuality", partial(rows.look_through, kind="chat"), rows.FACTUALITY, (), ROWS),
    replace(REWARD, name="detector", gates=accuracy("detector", "reward")),
    *rounds("anti_hallucination"),
)

ALIGN: dict[str, tuple[Stage, ...]] = {
    "dpo": ALIGN_DPO,
    "srf": ALIGN_SRF,
    "rlvr": ALIGN_RLVR,
    "anti_hallucination": ALIGN_ANTI_HALLUCINATION,
}
