"""What an answer earns in reinforcement: by a reward model, by a verifier, or by its grounding.

reward = reward_function(work, policy)      rollouts -> one finite number each
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from realign.align.places import last_checkpoint, model_folder
from realign.work import Work

if TYPE_CHECKING:
    from realign.align.rl import RewardFunction, Rollout


def reward_function(work: Work, policy: Any) -> RewardFunction:
    """The reward of the run's data type."""
    return MAKERS[work.run.noted("data_type")](work, policy)


def by_reward_model(work: Work, policy: Any) -> RewardFunction:
    """What the reward stage's model gives; an empty answer is read as its prompt alone."""
    from realign.align.reward import open_reward_model, score_answers

    model = open_reward_model(model_folder(work.run, last_checkpoint(work.run, "reward"), work.settings.model))

    def reward(rollouts: Sequence[Rollout]) -> Sequence[float]:
        answers = [(rollout.task.tokens, rollout.tokens) for rollout in rollouts]
        return [float(score) for score in score_answers(model, answers)]

    return reward


def by_verifier(work: Work, policy: Any) -> RewardFunction:
    """1 for an answer that the task's verifier accepts, else 0; an answer that it can't decide on earns nothing."""
    from realign.quality.soundness import check_of
    from realign.verify import verify_all

    def reward(rollouts: Sequence[Rollout]) -> Sequence[float]:
        checks = [(check_of(rollout.task.facts), rollout.text) for rollout in rollouts]
        return [float(outcome.verdict == "accept") for outcome in verify_all(checks)]

    return reward


def by_grounding(work: Work, policy: Any) -> RewardFunction:
    """Factuality + 0.5 citation - 2 hallucination of an answer, each measured by the embedded judge of claims.

    factuality: share of its claims that are supported; citation: share of its citations that stand in the passage and
    support their claim; hallucination: 1 where a claim is not supported. An answer without a claim earns nothing.
    """
    floor = work.settings.grounding.support

    def reward(rollouts: Sequence[Rollout]) -> Sequence[float]:
        return [grounded_reward(rollout.task.prompt, rollout.text, floor) for rollout in rollouts]

    return reward


def grounded_reward(prompt: str, answer: str, floor: float) -> float:
    """The reward of one answer to a prompt that shows its passage, in -2..1.5."""
    from realign.curate.grounding.judge import cases_of, support_of

    cases = cases_of(prompt, answer)
    if not cases:
        return 0.0
    supported = [support_of(case) >= floor for case in cases]
    cited = [good for case, good in zip(cases, supported, strict=True) if case.said.cites]
    citation = sum(cited) / len(cited) if cited else 0.0
    return sum(supported) / len(supported) + 0.5 * citation - 2.0 * (not all(supported))


MAKERS: dict[str, Callable[[Work, Any], RewardFunction]] = {
    "srf": by_reward_model, "rlvr": by_verifier, "anti_hallucination": by_grounding,
}  # fmt: skip
