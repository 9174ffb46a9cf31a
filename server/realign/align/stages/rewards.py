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
    from realign.verify import Check, verify_all

    def reward(rollouts: Sequence[Rollout]) -> Sequence[float]:
        checks = [(check_of(rollout.task.facts, Check), rollout.text) for rollout in rollouts]
        return [float(outcome.verdict == "accept") for outcome in verify_all(checks)]

    return reward


def check_of(data: dict[str, Any], make: Any) -> Any:
    """The verifier's check of a task row."""
    spec = {name: value for name, value in data["verifier"].items() if name != "name"}
    return make(data["verifier"]["name"], data["answer"], spec)


MAKERS: dict[str, Callable[[Work, Any], RewardFunction]] = {"srf": by_reward_model, "rlvr": by_verifier}
