"""Every gate of RLVR passes with a good verifier, and catches the fault that is planted for it."""

import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from realign.curate.rlvr.posed import make_task
from realign.curate.rlvr.verify import Subject, VerifyAll, subjects, verified
from realign.errors import EmptyInput
from realign.quality.checks import rlvr
from realign.quality.evidence import Evidence
from realign.quality.gates import Verdict, judge_gate
from realign.records import Prompt, Task, Trial
from realign.settings import Settings
from realign.verify import Check, Outcome, verify_all
from realign.views.check import check_file

SETTINGS = Settings.model_validate({"filter": {"benchmarks": []}})


def tasks(count: int = 40, answer: str = "{}") -> list[Task]:
    found = []
    for n in range(count):
        prompt = Prompt(f"p{n}", "s", f"How many gates has lock {n}?", "t", "", 0, 1, "a")
        found.append(make_task(prompt, Check("numeric", answer.format(n + 3)), 0))
    return found


def judged(verify: VerifyAll, posed: Sequence[Task] | None = None, **gates: float) -> dict[str, Verdict]:
    """The verdicts of the judging stage's gates on trials that `verify` gave."""
    rollouts = [Subject("rollout", "Answer: 3", "c0"), Subject("rollout", "Answer: 4", "c1")]
    asked = [(task, [*rollouts, *subjects(task)]) for task in (tasks() if posed is None else posed)]
    trials = [record for record in verified(asked, 10.0, verify).records if isinstance(record, Trial)]
    evidence = Evidence(Settings.model_validate({"gates": gates}))
    evidence.trials = trials
    return {gate.name: judge_gate(gate, evidence, "judge") for gate in rlvr.VERIFIERS}


def test_a_good_verifier_passes_every_gate() -> None:
    verdicts = judged(verify_all)
    assert {verdict.tier for verdict in verdicts.values()} == {"HIGH"}
    assert verdicts["verifier false positives"].needed == "< 0.05"


def test_a_verifier_that_accepts_everything_is_caught() -> None:
    verdicts = judged(lambda checks, seconds: [Outcome("accept", "", 0.0) for _ in checks])
    assert verdicts["verifiability"].value == 0.0
    assert verdicts["verifier false positives"].value == 1.0
    assert verdicts["verifier false positives"].tier == "REJECT"


def test_a_verifier_that_rejects_everything_is_caught() -> None:
    verdicts = judged(lambda checks, seconds: [Outcome("reject", "", 0.0) for _ in checks])
    assert verdicts["verifiability"].tier == "REJECT"
    assert verdicts["verifiability"].details["faults"] == {"a reference answer was rejected": 40}
    assert verdicts["verifier false positives"].tier == "HIGH"


def test_a_flaky_verifier_is_caught_by_the_second_run() -> None:
    turn = itertools.count()

    def flaky(checks: Sequence[tuple[Check, str]], seconds: float) -> list[Outcome]:
        second = next(turn) % 2
        good = verify_all(checks, seconds)
        return [Outcome("accept", "", 0.0) if second and n % 7 == 0 else each for n, each in enumerate(good)]

    verdicts = judged(flaky)
    assert verdicts["verifiability"].tier == "REJECT"
    assert any("two verdicts" in fault for fault in verdicts["verifiability"].details["faults"])
    assert verdicts["verifier false positives"].tier == "REJECT"


def test_a_verifier_that_hangs_fails_coverage_and_time() -> None:
    verdicts = judged(lambda checks, seconds: [Outcome("unknown", "not decided in 10 s", seconds) for _ in checks])
    assert verdicts["verifier coverage"].tier == verdicts["verifier time"].tier == "REJECT"
    assert verdicts["verifier time"].value == 10.0
    assert verdicts["verifier false positives"].value is None, "nothing was decided, so nothing was measured"
    assert verdicts["verifier coverage"].details["unknown"] == {"not decided in 10 s": 40 * 12}


def test_a_reference_that_is_wrong_in_itself_is_not_verifiable() -> None:
    verdicts = judged(verify_all, tasks(20, answer="a few") + tasks(40)[20:])
    assert verdicts["verifiability"].value == 0.5
    assert verdicts["verifiability"].tier == "REJECT"


def test_unknown_is_neither_a_pass_nor_a_failure() -> None:
    def sometimes(checks: Sequence[tuple[Check, str]], seconds: float) -> list[Outcome]:
        good = verify_all(checks, seconds)
        return [Outcome("unknown", "busy", 0.0) if text == "Answer: 3" else each
                for (_, text), each in zip(checks, good, strict=True)]  # fmt: skip

    verdicts = judged(sometimes)
    assert verdicts["verifiability"].value == 1.0
    assert verdicts["verifier false positives"].value == 0.0
    assert 0.85 < verdicts["verifier coverage"].value < 0.95


@pytest.mark.parametrize(("domain", "target"), [("maths", 0.95), ("code", 0.9), ("finance", 0.85), ("general", 0.8)])
def test_a_domain_sets_its_target_unless_it_is_named(domain: str, target: float) -> None:
    assert Settings.model_validate({"rlvr": {"domain": domain}}).gates.verifiability_high == target
    named = {"rlvr": {"domain": domain}, "gates": {"verifiability_high": 0.5}}
    assert Settings.model_validate(named).gates.verifiability_high == 0.5


# -- a dataset file -----------------------------------------------------------------------------------------------


def write(folder: Path, rows: Sequence[object]) -> Path:
    path = folder / "tasks.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def row(n: int, answer: str = "B") -> dict[str, object]:
    choices = {"name": "choice", "choices": ["oak", "ash", "elm"]}
    return {"prompt": f"Of what is lock {n}?", "answer": answer, "verifier": choices}


def test_the_rows_of_a_file_are_verified_for_real(tmp_path: Path) -> None:
    checked = check_file(write(tmp_path, [row(n) for n in range(32)]), "rlvr", SETTINGS)
    assert (checked.tier, checked.rows) == ("HIGH", 32)


def test_a_file_whose_references_are_wrong_is_caught(tmp_path: Path) -> None:
    rows = [row(n, "Z" if n % 2 else "B") for n in range(40)]
    checked = check_file(write(tmp_path, rows), "rlvr", SETTINGS)
    verdicts = {verdict.gate: verdict for verdict in checked.verdicts}
    assert checked.tier == "REJECT"
    assert verdicts["verifiability"].value == 0.5


def test_a_bad_row_is_named_by_line_and_field_and_the_rest_is_checked(tmp_path: Path) -> None:
    bad = [
        {**row(0), "verifier": {"name": "choice", "choices": 5}},
        {"prompt": "?", "answer": "A", "verifier": "guess"},
        {"prompt": "?", "answer": {}, "verifier": row(0)["verifier"]},
    ]
    checked = check_file(write(tmp_path, [*(row(n) for n in range(30)), *bad]), "rlvr", SETTINGS)
    assert (checked.rows, checked.bad_rows) == (30, 3)
    assert "line 31: field 'verifier': choices: int" in checked.notes[0]
    assert "line 32: field 'verifier'" in checked.notes[1]
    assert "line 33: field 'answer': dict" in checked.notes[2]


def test_a_file_without_a_task_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmptyInput, match="prompt, answer and verifier"):
        check_file(write(tmp_path, [{"prompt": "?"}]), "rlvr")
