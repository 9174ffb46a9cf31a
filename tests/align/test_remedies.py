"""What a remedy turns is read where its gate stands, and the next attempt trains otherwise: less far, surer, or kinder
to what was known."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realign.align.attempts import REMEDIES, Attempt, Knobs, remedied
from realign.align.examples import Example
from realign.align.models import open_model, twin
from realign.align.rl import Rollout, make_tasks, train_rl
from realign.align.sft import row_losses, sum_over
from realign.align.stages import optimize, reinforce, reward, sft
from realign.align.stages.training import turned
from realign.quality.gates import Gate, Verdict
from realign.settings import Adapter, Reinforce, Settings, Training

SETTINGS = Settings.model_validate({
    "training": {"warmup": 0.0, "kl_limit": 100.0},
    "reinforce": {"prompts": 3, "samples": 8, "max_tokens": 6, "kl_weight": 0.1, "entropy_weight": 0.3},
})  # fmt: skip
SCHEDULE = "6:1e-2"


def schedule_alone(settings: Settings, attempt: Attempt) -> None:
    """What a stage reads besides its schedule: nothing."""


STAGES: dict[str, tuple[Sequence[Gate], Knobs, Callable[[Settings, Attempt], Any]]] = {
    "sft": (sft.GATES, sft.KNOBS, schedule_alone),
    "reward": (reward.GATES, reward.KNOBS, schedule_alone),
    "preferences": (optimize.GATES, optimize.first_knobs(SETTINGS), optimize.preference_of),
    "reinforcement": (
        reinforce.gates("optimize", "srf"), reinforce.first_knobs(SETTINGS), reinforce.turned_settings
    ),
}  # fmt: skip


def rejected(gate: str) -> Verdict:
    return Verdict("", gate, "REJECT", True, 0.5, 0.4, 0.6, 50, "share", "", "hard", False, "", "", {})


CASES = [
    (stage, gate.name) for stage, (gates, *_) in STAGES.items() for gate in gates
    if gate.high and remedied(STAGES[stage][1], [rejected(gate.name)])[1]
]  # fmt: skip


def read_by(stage: str, knobs: Knobs) -> tuple[Training, Any]:
    """Everything that an attempt of a stage trains with."""
    return turned(SETTINGS.training, SCHEDULE, knobs), STAGES[stage][2](SETTINGS, Attempt(1, knobs))


@pytest.mark.parametrize(("stage", "gate"), CASES)
def test_every_knob_that_a_remedy_turns_is_read_by_the_stage_that_owns_the_gate(stage: str, gate: str) -> None:
    first = STAGES[stage][1]
    changed, _ = remedied(first, [rejected(gate)])
    turns = {knob: value for knob, value in changed.items() if first.get(knob) != value}
    assert turns
    for knob, value in turns.items():
        assert read_by(stage, {**first, knob: value}) != read_by(stage, first), knob


def test_every_remedy_stands_at_a_gate_of_some_stage() -> None:
    assert {gate for gate, *_ in REMEDIES} == {gate for _, gate in CASES} - {"reward rises"}


@pytest.mark.parametrize("stage", ["preferences", "reinforcement"])
def test_what_a_run_mixes_in_itself_is_mixed_in_from_the_first_attempt_on(stage: str) -> None:
    own = Settings.model_validate({"preference": {"sft_weight": 0.4}, "reinforce": {"sft_share": 0.4}})
    first = (optimize if stage == "preferences" else reinforce).first_knobs(own)
    assert first["sft_share"] == 0.4
    assert remedied(first, [rejected("capability retention")])[0]["sft_share"] == 0.4


# -- the next attempt ------------------------------------------------------------------------------------------------

TAUGHT = ("It is mud.", "Sand settles in the bay.")


def small_tokens(rollouts: Sequence[Rollout]) -> list[float]:
    """The share of tokens with a small number: what is learned has nothing to do with what was taught."""
    return [float(np.mean([token < 150 for token in rollout.tokens])) for rollout in rollouts]


def trained(base: Path, gate: str) -> tuple[Any, Any]:
    """A policy of the first attempt, and one of the next, after `gate` rejected: (last report, taught loss)."""
    first = reinforce.first_knobs(SETTINGS)
    both = [train(base, knobs) for knobs in (first, remedied(first, [rejected(gate)])[0])]
    return both[0], both[1]


def train(base: Path, knobs: Knobs) -> tuple[dict[str, float], float]:
    loaded = open_model(base)
    reinforcing: Reinforce = reinforce.turned_settings(SETTINGS, Attempt(1, knobs))
    tasks = make_tasks(loaded, [f"Box {n}?" for n in range(8)], answers=[TAUGHT[n % 2] for n in range(8)])
    training = turned(SETTINGS.training, SCHEDULE, knobs)
    reference, adapter = twin(loaded.model), Adapter(layers=2, scale=4.0)
    result = train_rl(loaded, reference, tasks, small_tokens, [], training, adapter, reinforcing)
    examples = [
        Example((*t.tokens, *t.shown), (*[0] * len(t.tokens), *[1] * len(t.shown)), n) for n, t in enumerate(tasks)
    ]
    return dict(result.reports[-1].metrics), sum_over(row_losses(loaded, examples))


def test_after_a_drift_the_policy_stays_nearer_to_its_reference(base: Path) -> None:
    (first, _), (after, _) = trained(base, "KL")
    assert after["kl"] < 0.8 * first["kl"]


def test_after_a_collapse_the_policy_stays_less_certain(base: Path) -> None:
    (first, _), (after, _) = trained(base, "entropy")
    assert after["entropy"] > first["entropy"] + 0.1


def test_after_lost_capability_the_policy_learns_what_it_was_taught_beside_its_reward(base: Path) -> None:
    (_, first), (_, after) = trained(base, "capability retention")
    assert after < first - 0.5
