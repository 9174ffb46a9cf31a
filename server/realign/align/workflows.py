"""The seven stages of each alignment, in order.

base model -> sft -> [gate] -> preferences -> [gate] -> reward -> [gate] -> optimize -> [gate] -> evaluate
"""

from __future__ import annotations

from realign.align.stages import evaluate, iterate, optimize, reference, reward, sft
from realign.align.stages.preferences import gather_pairs
from realign.quality.checks import training
from realign.stage import Stage

SFT = Stage(
    "sft", sft.fine_tune, sft.GATES,
    sections=("adapter", "training", "fine_tuning", "evaluating"), code=("align", "engine"), inputs=sft.inputs,
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
    SFT,
    PREFERENCES,
    REFERENCE,
    REWARD,
    Stage("optimize", optimize.optimize, optimize.GATES, POLICY, ("align", "engine"), inputs=evaluate.inputs),
    Stage("iterate", iterate.iterate, iterate.GATES, POLICY, ("align", "engine")),
    EVALUATE,
)

ALIGN: dict[str, tuple[Stage, ...]] = {"dpo": ALIGN_DPO}
