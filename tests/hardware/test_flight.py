"""The pre-flight as it is flown: real processes, a real model, planted faults; and the launch that it blocks."""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from interpreters import REAL, VITALS, host, other_code, other_weights, script

from processes import TIDES
from realign import cli, workflow
from realign.errors import Blocked, Interrupted, UsageError
from realign.hardware.calibration import Calibration, Point, find_calibration, keep
from realign.hardware.flight import fly
from realign.hardware.hosts import LOCAL, Host, Hosts
from realign.hardware.machines import this_machine
from realign.hardware.models import measure_model
from realign.hardware.preflight import Check
from realign.intake.request import Request
from realign.intake.roles import settle
from realign.job.preflight import check_machines
from realign.job.worker import run_stages
from realign.run import Run
from realign.settings import Settings, parse_settings
from support import SETTINGS, build_run

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REALIGN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Path]:
    """Two models of one shape with other weights."""
    from realign.engine.tiny import make_tiny_model

    folder = tmp_path_factory.mktemp("models")
    text = "A tide is the rise and fall of the sea. " * 8
    return [make_tiny_model(folder / f"seed{seed}", text, seed=seed) for seed in (0, 1)]


def settings_for(model: Path | str) -> Settings:
    name = str(model)
    return parse_settings(
        {"source": {"author": name}, "candidates": {"author": name, "batch_size": 2}, "judge": {"judge": name}}
    )


def flown(hosts: Sequence[Host], settings: Settings | None = None, **more: Any) -> dict[str, Check]:
    checks = fly(Hosts("hosts.json", "ring", tuple(hosts)), settings or Settings(), **more)
    return {check.name: check for check in checks}


def host_file(folder: Path, *pythons: str) -> str:
    rows = [{"ssh": LOCAL, "ips": ["127.0.0.1"], **({"python": python} if python else {})} for python in pythons]
    (folder / "hosts.json").write_text(json.dumps({"hosts": rows}), encoding="utf-8")
    return str(folder / "hosts.json")


# -- eight checks of real processes ---------------------------------------------------------------------------------


def test_like_machines_answer_alike_and_a_planted_outlier_is_named(models: Sequence[Path], tmp_path: Path) -> None:
    """Same code, same checkpoint by its hash: only the answers tell that one works with other weights."""
    said: list[str] = []
    odd = host(other_weights(tmp_path, models[1]))
    checks = flown([host(), host(), odd], settings_for(models[0]), say=said.append)
    failed = {name: check.detail for name, check in checks.items() if check.status == "fail"}
    assert set(failed) == {"consistency"}
    assert "other answers than the rest: rank 2 on 127.0.0.1 by" in failed["consistency"]
    assert checks["gradients"].status == checks["checkpoint"].status == checks["health"].status == "pass"
    assert any("loading models on 3 machines" in line for line in said) and "(3 of 3)" in said[-1]


def test_other_code_is_caught_before_any_model_is_loaded(models: Sequence[Path], tmp_path: Path) -> None:
    python = other_code(tmp_path, "curate/select.py", "def choose_pairs", "# changed\ndef choose_pairs")
    checks = flown([host(), host(python)], settings_for(models[0]))
    assert [name for name, check in checks.items() if check.status == "fail"] == ["sync", "consistency"]
    assert "rank 1 on 127.0.0.1 (program)" in checks["consistency"].detail
    assert "not measured: first mend sync, consistency" in checks["gradients"].detail


def test_a_corrupt_checkpoint_is_caught_before_it_is_loaded(models: Sequence[Path], tmp_path: Path) -> None:
    broken = Path(shutil.copytree(models[0], tmp_path / "broken"))
    with open(broken / "model.safetensors", "r+b") as file:
        file.truncate(50_000)
    check = flown([host()], settings_for(broken))["checkpoint"]
    assert check.status == "fail" and "model.safetensors is cut short" in check.detail


def test_a_machine_that_freezes_while_its_model_loads_fails_its_health(models: Sequence[Path], tmp_path: Path) -> None:
    beat = """echo '{"probe": "beat"}'"""
    python = script(tmp_path, "python", f'test "$3" = {VITALS} && {beat} && kill -STOP $$\nexec {REAL} "$@"')
    checks = flown([host(python)], settings_for(models[0]), silence=0.5)
    assert checks["health"].status == "fail" and "frozen" in checks["health"].detail
    assert checks["gradients"].status == "warning" and "not measured" in checks["gradients"].detail


def test_an_answer_of_another_form_is_another_version(tmp_path: Path) -> None:
    python = script(tmp_path, "python", """echo '{"probe": "answer", "host": 7}'""")
    check = flown([host(), host(python)])["workers"]
    assert check.status == "fail" and "it answered in another form (host," in check.detail
    assert "the same version of ReAlign" in check.fix


def test_the_pre_flight_can_be_stopped() -> None:
    with pytest.raises(Interrupted):
        flown([host()], stopping=lambda: True)


def calibrate(model: Path, rate: float) -> None:
    """Keep a calibration of this machine that promises `rate` examples/s."""
    size, here, point = measure_model(str(model)), this_machine(), (Point(1, rate, 100.0, 0.1),)
    counts = (size.parameters or 0.0, size.active or size.parameters or 0.0)
    names = (here.name, here.name, here.memory_gb, version("mlx"), model.name, "")
    keep(Calibration(*names, *counts, 32, 300, point, point, 1, 1, time.time()))
    assert find_calibration(here, size)


def test_a_calibrated_machine_is_timed_again_and_one_that_lost_speed_is_caught(
    models: Sequence[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are this machine and equally fast; the second one's calibration promises nine times as much."""
    calibrate(models[0], 10.0)
    python = script(tmp_path, "python", f'REALIGN_HOME={tmp_path}/other exec {REAL} "$@"')
    with monkeypatch.context() as there:
        there.setenv("REALIGN_HOME", str(tmp_path / "other"))
        calibrate(models[0], 90.0)
    check = flown([host(), host(python)], settings_for(models[0]))["performance"]
    assert check.status == "fail" and "rank 1 on 127.0.0.1: " in check.detail and "90.0% expected" in check.detail


# -- the doors ------------------------------------------------------------------------------------------------------


def test_the_command_shows_the_eight_checks_and_ends_in_zero_or_three(tmp_path: Path, capsys: Capture) -> None:
    assert cli.main(["preflight", host_file(tmp_path, "", ""), "--json"]) == 0
    said = capsys.readouterr()
    answer = json.loads(said.out)
    assert answer["ready"] and len(answer["checks"]) == 8 and "(2 of 2)" in said.err
    assert cli.main(["preflight", host_file(tmp_path, "", "/none"), "--quiet"]) == 3
    said = capsys.readouterr()
    assert "Blocked by 1 of 8 checks" in said.out and "/none can't be run here" in said.out and said.err == ""


def test_a_bad_host_file_ends_in_two_before_anything_is_made(tmp_path: Path, capsys: Capture) -> None:
    for words in (
        ["preflight", "none.json"],
        ["launch", "none.json", str(TIDES), "--type", "dpo", "-o", str(tmp_path)],
    ):
        assert cli.main(words) == 2
    assert "is no host file" in capsys.readouterr().err and list(tmp_path.iterdir()) == []


def test_the_host_file_of_a_run_is_kept_as_a_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host_file(tmp_path, "")
    monkeypatch.chdir(tmp_path)
    settled = settle(Request((), settings={"hardware": {"hosts": "hosts.json"}}))
    assert settled.hardware.hosts == str(tmp_path / "hosts.json")
    with pytest.raises(UsageError, match="is no host file"):
        settle(Request((), settings={"hardware": {"hosts": "none.json"}}))


def test_a_launch_is_blocked_by_one_fail_and_the_run_keeps_the_checks(tmp_path: Path, capsys: Capture) -> None:
    words = [host_file(tmp_path, "", "/none"), str(TIDES), "--type", "dpo", "-o", str(tmp_path / "out"), "--json"]
    assert cli.main(["launch", *words, "--quiet"]) == 3
    answer = json.loads(capsys.readouterr().out)
    assert (answer["kind"], len(answer["preflight"])) == ("Blocked", 8)
    (folder,) = (tmp_path / "out").iterdir()
    assert cli.main(["summarize", str(folder), "--json"]) == 0  # looking asks no machine
    summary = json.loads(capsys.readouterr().out)
    assert summary["preflight"] == answer["preflight"] and summary["examples"] == 0


def hosted(folder: Path, until: str, *pythons: str) -> Run:
    """A run that several machines share."""
    return build_run(folder, until=until, settings={**SETTINGS, "hardware": {"hosts": host_file(folder, *pythons)}})


def test_work_that_is_started_again_is_pre_flighted_again_and_finished_work_is_not(tmp_path: Path) -> None:
    run = hosted(tmp_path, "export", "", "/none")
    assert workflow.next_stage(run) == ""
    run.note("preflight", "untouched")
    for stage in workflow.stages_of(run):
        run.note(f"thresholds of {stage.name}", workflow.settings_of(run).gates.model_dump(mode="json"))
    run_stages(run, "all", lambda: False)
    assert run.noted("preflight") == "untouched"
    run.note("settings", {**run.noted("settings"), "export": {"seed": 5}})
    with pytest.raises(Blocked, match="The pre-flight failed: workers: rank 1"):
        run_stages(run, "all", lambda: False)
    assert [check["name"] for check in run.noted("preflight")][:2] == ["hardware", "workers"]
    run.close()


def test_a_sound_pre_flight_is_kept_and_says_what_it_is_doing(tmp_path: Path) -> None:
    run = hosted(tmp_path, "select", "")
    said: list[str] = []
    note = run.note

    def listening(key: str, value: Any) -> None:
        said.extend([value] if key == "doing" else [])
        note(key, value)

    run.note = listening  # type: ignore[method-assign]
    check_machines(run, lambda: False)
    assert "this machine: answered in" in said[0] and said[-1] == ""
    assert {check["status"] for check in run.noted("preflight")} <= {"pass", "warning"}
    assert set(run.noted("preflight")[0]) == {field.name for field in dataclasses.fields(Check)}
    run.close()


def test_a_run_of_this_machine_alone_is_not_pre_flighted(tmp_path: Path) -> None:
    run = build_run(tmp_path, until="select")
    check_machines(run, lambda: False)
    assert run.noted("preflight") is None
    run.close()
