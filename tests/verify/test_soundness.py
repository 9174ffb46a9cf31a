"""Checks are tried on their own answers: other forms of the right one, and planted wrong ones."""

import json
from pathlib import Path

import pytest

from realign.verify import VERIFIERS, Check, Outcome, Soundness, equivalents, perturbed, sound, sound_all, soundness
from realign.verify.check import Decision, Verifier

CHECKS = [
    Check("numeric", "1000"),
    Check("numeric", "0"),
    Check("numeric", "7"),
    Check("numeric", "-12.5"),
    Check("numeric", "1000 km"),
    Check("numeric", "$2.50"),
    Check("numeric", "2/3"),
    Check("numeric", "1/3", {"relative": 0.01}),
    Check("numeric", "0", {"tolerance": 0.5}),
    Check("numeric", "9.81", {"unit": "m/s^2", "tolerance": 0.05}),
    Check("numeric", "20", {"unit": "%"}),
    Check("numeric", "20%", {"fraction": True}),
    Check("numeric", "0.2", {"fraction": True}),
    Check("numeric", "1", {"fraction": True}),
    Check("numeric", "3,000,000 people"),
    Check("choice", "B", {"choices": ["Paris", "Rome", "Oslo", "Bonn"]}),
    Check("choice", "true", {"choices": ["True", "False"]}),
    Check("choice", "2", {"choices": {"1": "one", "2": "two"}}),
    Check("ordering", "cold, warm", {"items": ["warm", "cold"]}),
    Check("ordering", "egg; larva; pupa; adult", {"items": ["adult", "egg", "larva", "pupa"]}),
    Check("exact", "photosynthesis"),
    Check("exact", "The Moon", {"aliases": ["Luna"]}),
    Check("exact", "a"),
    Check("exact", "X"),
    Check("exact", "pH", {"case": True}),
    Check("exact", "Charles Darwin, in 1859"),
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: f"{check.verifier} {check.answer}")
def test_every_kind_of_check_is_given_other_right_answers_and_five_wrong_ones(check: Check) -> None:
    right, wrong = equivalents(check), perturbed(check, 1)
    assert len(right) >= 1
    assert len(wrong) >= 5
    assert not {check.answer, *right} & set(wrong)
    assert wrong == perturbed(check, 1)


def test_every_kind_of_check_is_sound() -> None:
    assert [(check, r.detail) for check, r in zip(CHECKS, sound_all(CHECKS, 1), strict=True) if not r.sound] == []


def test_a_verifier_that_accepts_everything_is_unsound(monkeypatch: pytest.MonkeyPatch) -> None:
    report = tried_with(monkeypatch, lambda check, answer: ("accept", "of course"))
    assert not report.sound
    assert report.false_positives == report.wrong >= 5


def test_a_verifier_that_knows_one_form_only_is_unsound(monkeypatch: pytest.MonkeyPatch) -> None:
    report = tried_with(monkeypatch, lambda check, answer: ("accept" if answer == check.answer else "reject", ""))
    assert not report.sound
    assert (report.accepted, report.rejected) == (1, report.wrong)


def test_a_verifier_that_answers_otherwise_the_second_time_is_unsound(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def moody(check: Check, answer: str) -> Decision:
        calls.append(answer)
        return "unknown" if calls.count(answer) > 1 else VERIFIERS["numeric"](check, answer)[0], ""

    report = tried_with(monkeypatch, moody)
    assert not report.same
    assert not report.sound
    assert "then unknown" in report.detail


def tried_with(monkeypatch: pytest.MonkeyPatch, verifier: Verifier) -> Soundness:
    """The report on a numeric check whose verifier is replaced, in this process."""

    def here(asked: list[tuple[Check, str]], seconds: float) -> list[Outcome]:
        return [Outcome(*verifier(check, answer), 0.0) for check, answer in asked]

    monkeypatch.setattr(soundness, "verify_all", here)
    return sound(Check("numeric", "42"), 0)


def test_the_answers_of_gsm8k_are_sound_to_check(shared: Path) -> None:
    lines = (shared / "data/benchmarks/gsm8k_test.jsonl").read_text(encoding="utf-8").splitlines()[::10]
    checks = [Check("numeric", json.loads(line)["answer"].split("####")[1].strip()) for line in lines]
    assert [(check, r.detail) for check, r in zip(checks, sound_all(checks, 2), strict=True) if not r.sound] == []
