"""Every training gate passes on good readings, and catches the fault that is planted for it."""

import random

import pytest

from realign.quality.checks import training
from realign.quality.evidence import Evidence
from realign.quality.gates import Gate, Verdict, judge_gate
from realign.records import Reading
from realign.run import Batch, Run
from realign.settings import Settings


def readings(metric: str, part: str, values: list[dict[str, float]], attempt: int = 1) -> list[Reading]:
    return [
        Reading(f"{metric}{part}{attempt}{n}", f"item{n}", "optimize", attempt, metric, part, value)
        for n, value in enumerate(values)
    ]


def judged(tmp_path, gate: Gate, *found: list[Reading]) -> Verdict:
    run = Run.create(tmp_path, "dpo", "planted")
    run.commit("optimize", Batch(records=[reading for some in found for reading in some]))
    return judge_gate(gate, Evidence.of_run(run, Settings()), "optimize")


def nats(*values: float) -> list[dict[str, float]]:
    return [{"value": value, "tokens": 10.0} for value in values * 40]


def won(share: float, n: int = 200) -> list[dict[str, float]]:
    return [{"chosen": float(k < share * n), "rejected": 0.5} for k in range(n)]


def test_kl_over_its_bound_is_rejected_with_its_remedy(tmp_path):
    found = judged(tmp_path, training.kl("optimize"), readings("kl", "held-out", nats(0.2, 0.3)))
    assert found.tier == "REJECT" and found.value == pytest.approx(0.25) and "learning rate" in found.remedy


def test_kl_is_weighted_by_tokens(tmp_path):
    values = [{"value": 0.5, "tokens": 1.0}, {"value": 0.0, "tokens": 99.0}] * 30
    found = judged(tmp_path, training.kl("optimize"), readings("kl", "held-out", values))
    assert found.tier == "HIGH" and found.value == pytest.approx(0.005)


def test_only_the_last_attempt_counts(tmp_path):
    first, second = (readings("kl", "held-out", nats(value), attempt) for attempt, value in ((1, 0.9), (2, 0.05)))
    assert judged(tmp_path, training.kl("optimize"), first, second).tier == "HIGH"


def test_a_policy_that_starts_away_from_its_reference_is_rejected(tmp_path):
    assert (
        judged(tmp_path, training.start_kl("optimize"), readings("start kl", "held-out", nats(0.001))).tier == "REJECT"
    )
    assert judged(tmp_path, training.start_kl("optimize"), readings("start kl", "held-out", nats(1e-6))).tier == "HIGH"


def test_a_diverged_training_fails_on_its_held_out_loss(tmp_path):
    values = [{"before": 2.0, "value": 2.4, "tokens": 9.0}] * 40
    assert judged(tmp_path, training.loss_falls("optimize"), readings("loss", "held-out", values)).tier == "REJECT"


def test_a_reward_model_that_guesses_is_rejected(tmp_path):
    gate, _ = training.accuracy("optimize", "reward")
    assert judged(tmp_path, gate, readings("reward", "held-out", won(0.5))).tier == "REJECT"
    assert judged(tmp_path / "good", gate, readings("reward", "held-out", won(0.8))).tier == "HIGH"


def test_rewards_that_are_all_equal_prefer_nothing(tmp_path):
    gate, _ = training.accuracy("optimize", "reward")
    tied = [{"chosen": 0.3, "rejected": 0.3}] * 40
    assert judged(tmp_path, gate, readings("reward", "held-out", tied)).value == 0.0


def test_a_model_that_learned_its_training_pairs_by_heart_is_rejected(tmp_path):
    _, gate = training.accuracy("optimize", "reward")
    found = judged(tmp_path, gate, readings("reward", "train", won(1.0)), readings("reward", "held-out", won(0.75)))
    assert found.tier == "REJECT" and found.value == pytest.approx(0.25) and found.n == 200


@pytest.mark.parametrize(
    ("value", "tiers"), [(0.1, ("REJECT", "HIGH")), (1.0, ("HIGH", "HIGH")), (3.0, ("HIGH", "REJECT"))]
)
def test_an_entropy_that_collapsed_or_exploded_is_rejected(tmp_path, value, tiers):
    low, high = training.entropy("optimize", gated=True)
    found = readings("entropy", "held-out", nats(value))
    assert (judged(tmp_path / "a", low, found).tier, judged(tmp_path / "b", high, found).tier) == tiers


def test_an_entropy_without_bounds_is_only_reported(tmp_path):
    (gate,) = training.entropy("optimize", gated=False)
    assert judged(tmp_path, gate, readings("entropy", "held-out", nats(0.01))).tier == "HIGH"


def test_a_reward_model_that_a_rule_by_length_equals_is_rejected(tmp_path):
    simple = [{"length": float(n % 4 > 0), "blind": 0.5} for n in range(200)]
    found = [readings("baseline", "held-out", simple), readings("reward", "held-out", won(0.74))]
    verdict = judged(tmp_path, training.beats_baselines("optimize"), *found)
    assert verdict.tier == "REJECT" and verdict.details == {"length": 0.75, "blind": 0.5}


def test_a_margin_that_turned_negative_is_rejected(tmp_path):
    values = [{"chosen": -0.2, "rejected": 0.1}] * 40
    assert judged(tmp_path, training.margin("optimize"), readings("preference", "held-out", values)).tier == "REJECT"


def test_a_return_that_does_not_rise_is_rejected(tmp_path):
    values = [{"before": 0.4, "after": 0.4}] * 40
    assert (
        judged(tmp_path, training.rises("optimize", "reward"), readings("return", "held-out", values)).tier == "REJECT"
    )


def test_one_benchmark_that_breaks_is_caught_though_the_mean_holds(tmp_path):
    rng = random.Random(0)
    kept = [{"before": float(rng.random() < 0.5), "after": 1.0} for _ in range(100)]
    broken = [{"before": 1.0, "after": float(n % 5 > 0)} for n in range(100)]
    found = [readings("capability", name, values) for name, values in (("kept", kept), ("broken", broken))]
    mean, worst = training.capability("optimize")
    assert judged(tmp_path / "a", mean, *found).tier == "HIGH"
    assert judged(tmp_path / "b", worst, *found).value == pytest.approx(0.2)
    assert judged(tmp_path / "c", worst, *found).tier == "REJECT"


def test_a_benchmark_without_a_score_before_is_named_and_left_out(tmp_path):
    zero = [{"before": 0.0, "after": 1.0}] * 40
    gate, _ = training.capability("optimize")
    assert judged(tmp_path, gate, readings("capability", "too hard", zero)).decided is False


def test_too_few_pairs_stop_a_training_before_it_begins(tmp_path):
    assert judged(tmp_path, training.PAIRS).tier == "REJECT"


def gap_of(*scores: dict) -> Verdict:
    rows = [{"prompt": "Which?", "chosen": "a", "rejected": "b", "scores": each} for each in scores * 40]
    gate = next(gate for gate in training.PREFERENCES if gate.name == "preference gap")
    return judge_gate(gate, Evidence.of_rows(rows, Settings()), "preferences")


def test_a_pair_that_a_verifier_decided_has_the_whole_gap_and_an_undecided_one_none():
    right = {"verifier": "exact", "chosen": "accept", "rejected": "reject"}
    assert gap_of(right).value == 1.0
    assert gap_of({**right, "rejected": "accept"}).tier == "REJECT"
    assert gap_of(right, {**right, "rejected": "unknown"}).decided is False
    assert gap_of(right, {}).decided is False


def test_nothing_measured_is_no_pass(tmp_path):
    for place, gate in enumerate(
        (training.kl("optimize"), *training.capability("optimize"), training.margin("optimize"))
    ):
        found = judged(tmp_path / str(place), gate)
        assert (found.tier, found.decided) == ("REJECT", False)
