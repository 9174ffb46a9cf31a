"""A rejected attempt is followed by its gate's remedy, at most three times, and a killed stage goes on where it was."""

import pytest

from realign.align.attempts import MOST, Attempt, attempts, remedied
from realign.quality.checks import training
from realign.quality.gates import Verdict
from realign.records import Reading
from realign.run import Batch, Run
from realign.settings import Settings
from realign.work import Work


@pytest.fixture
def work(tmp_path) -> Work:
    return Work(Run.create(tmp_path, "dpo", "tries"), Settings(), "optimize")


def measured(attempt: Attempt, kl: float) -> Batch:
    values = {"value": kl, "tokens": 10.0}
    readings = [
        Reading(f"{attempt.number}-{n}", f"p{n}", "optimize", attempt.number, "kl", "held-out", values)
        for n in range(40)
    ]
    return Batch(done=[attempt.key], records=list(readings))


def tries(work: Work, kl_of) -> list[Attempt]:
    made = []
    for attempt in attempts(work, [training.kl("optimize")], {"rate": 1.0, "beta": 0.1}):
        made.append(attempt)
        work.run.commit("optimize", measured(attempt, kl_of(attempt)))
    return made


def test_an_attempt_that_passes_is_the_only_one(work):
    assert [attempt.number for attempt in tries(work, lambda attempt: 0.05)] == [1]


def test_drift_is_answered_by_half_the_rate_and_twice_the_beta(work):
    made = tries(work, lambda attempt: 0.3 * attempt.knobs["rate"])
    assert [(a.knobs["rate"], a.knobs["beta"]) for a in made] == [(1.0, 0.1), (0.5, 0.2), (0.25, 0.4)]
    assert [message for _, _, message, _ in work.run.events()] == [
        "attempt 1 was rejected: KL: 0.300, n = 40; needed <= 0.1: REJECT: half the learning rate, twice the beta",
        "attempt 2 was rejected: KL: 0.150, n = 40; needed <= 0.1: REJECT: half the learning rate, twice the beta",
    ]


def test_after_three_remedies_the_gate_blocks(work):
    assert len(tries(work, lambda attempt: 0.9)) == MOST == 4


def test_a_killed_stage_goes_on_with_the_attempt_it_was_at(work):
    first = next(iter(attempts(work, [training.kl("optimize")], {"rate": 1.0, "beta": 0.1})))
    work.run.commit("optimize", measured(first, 0.3))
    made = tries(work, lambda attempt: 0.3 * attempt.knobs["rate"])
    assert [(attempt.number, attempt.knobs["rate"]) for attempt in made] == [(2, 0.5), (3, 0.25)]


def rejected(*names: str, decided: bool = True) -> list[Verdict]:
    return [
        Verdict("optimize", name, "REJECT", decided, 0.5, 0.4, 0.6, 50, "share", ">= 1", "hard", False, "", "", {})
        for name in names
    ]


def test_training_longer_never_answers_a_drift():
    knobs, _ = remedied({"rate": 1.0, "beta": 0.1, "steps": 1.0}, rejected("preference accuracy", "KL"))
    assert (knobs["rate"], knobs["steps"]) == (0.5, 1.0)


def test_lost_capability_mixes_sft_rows_in():
    assert remedied({}, rejected("worst benchmark drop", "KL"))[0]["sft_share"] == 0.3


@pytest.mark.parametrize(("gate", "knob", "value"), [
    ("overfitting", "steps", 0.5), ("entropy", "entropy", 0.02), ("reward rises", "steps", 1.5),
])  # fmt: skip
def test_each_gate_turns_its_own_knob(gate, knob, value):
    assert remedied({}, rejected(gate))[0][knob] == value


def test_what_was_not_decided_has_no_remedy():
    assert remedied({"rate": 1.0}, rejected("KL", decided=False)) == ({"rate": 1.0}, [])
