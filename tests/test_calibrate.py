"""`realign calibrate` with real workers on a real tiny model: measured, kept, planned with, stopped, killed."""

from __future__ import annotations

import json
import math
import os
import signal
import time
from contextlib import closing
from importlib import resources
from pathlib import Path

import pytest

from processes import TIDES, listed
from realign import workflow
from realign.cli import main
from realign.errors import Busy, Interrupted, ModelError, UsageError
from realign.hardware import calibration
from realign.hardware.calibration import Calibration, Point, calibrated, read_calibrations
from realign.hardware.fit import BATCHES
from realign.hardware.machines import this_machine
from realign.hardware.memory import bits_on
from realign.hardware.models import measure_model
from realign.hardware.plan import make_plan
from realign.intake.request import Request
from realign.intake.start import start_run
from realign.job import calibrate as job
from realign.job.measure import make_case
from realign.job.progress import Progress
from realign.report.calibration import as_page, as_text, bar
from realign.views.results import hardware_plan


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from realign.engine.tiny import make_tiny_model

    texts = resources.files("realign").joinpath("templates").iterdir()
    folder = tmp_path_factory.mktemp("models") / "tiny"
    return make_tiny_model(folder, " ".join(text.read_text("utf-8") for text in texts), vocabulary=1000)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REALIGN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def workers(model: Path) -> list[int]:
    rows = [line.split(None, 2) for line in listed("pid=,stat=,args=")]
    return [int(pid) for pid, state, args in rows if f"job.measure {model}" in args and not state.startswith("Z")]


def test_a_real_model_is_measured_kept_shown_and_used(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate", str(model), "--seconds", "2", "--json"]) == 0
    out, err = capsys.readouterr()
    said = json.loads(out)
    [found], problems = read_calibrations()
    assert problems == [] and Path(said["file"]) == calibration.place_of(found)
    assert (found.model, found.machine, found.precision) == ("tiny", this_machine().name, 32)
    for points in (found.scoring, found.generation):
        assert [point.batch_size for point in points] == list(BATCHES[: len(points)])
        assert all(point.peak_gb > 0.01 and point.repetitions >= 1 for point in points)
    assert all(math.isclose(point.tokens_per_second, 64 * point.examples_per_second) for point in found.generation)
    assert any("nice" in note for note in found.notes) and "scoring (1 of 2)" in err
    machine = calibrated(this_machine(), measure_model(str(model)))
    assert machine.batch_size == found.best_scoring and "tiny, 32 bit" in machine.basis
    assert as_page(found) == Path(said["chart"]).read_text("utf-8")
    assert as_text(found).count("<- knee") == 2


def kept(model: Path, scoring: int, generation: int) -> None:
    """A calibration of this machine and this model, as if it had been measured just now."""
    size = measure_model(str(model))
    points = tuple(Point(batch_size, 1.0, 1.0, 1.0) for batch_size in BATCHES)
    machine, total = this_machine(), float(size.parameters or 0)
    calibration.keep(
        Calibration(
            machine.name, machine.name, machine.memory_gb, calibration.mlx_version(), "tiny", "id", total,
            float(size.active or total), bits_on(machine, size.bits), 700, points, points, scoring, generation,
            time.time(),
        )
    )  # fmt: skip


def sizes_of(model: Path, folder: Path, **asked: int) -> tuple[int, int, list[str]]:
    """(judges' batch size, author's batch size, what the plan rests on) of a run in `folder`, new or found again."""
    sections = {section: {"batch_size": size} for section, size in asked.items()}
    request = Request((str(TIDES),), "dpo", author=str(model), judge=str(model), settings=sections, output=str(folder))
    with closing(start_run(request)) as run:
        settings = workflow.settings_of(run)
        return settings.judge.batch_size, settings.candidates.batch_size, run.noted("plan")["basis"]


def test_a_run_works_at_the_measured_batch_sizes_and_says_what_they_rest_on(model: Path, tmp_path: Path) -> None:
    kept(model, scoring=4, generation=16)
    judging, writing, basis = sizes_of(model, tmp_path)
    assert (judging, writing) == (4, 16)
    assert [line for line in basis if line.startswith("judge.batch_size 4: calibration of 20")]
    assert sizes_of(model, tmp_path / "asked", judge=3)[:2] == (3, 16)


def test_a_calibration_changes_no_batch_size_of_a_run_that_is_there(model: Path, tmp_path: Path) -> None:
    before = sizes_of(model, tmp_path)
    kept(model, scoring=1, generation=2)
    assert sizes_of(model, tmp_path) == before
    kept(model, scoring=2, generation=1)
    assert sizes_of(model, tmp_path) == before
    assert sizes_of(model, tmp_path / "new")[:2] == (2, 1)


def test_a_size_that_was_asked_for_goes_when_it_is_not_asked_for_again(model: Path, tmp_path: Path) -> None:
    kept(model, scoring=4, generation=16)
    assert sizes_of(model, tmp_path, judge=7)[0] == 7
    assert sizes_of(model, tmp_path)[0] == 4


def test_the_next_plan_uses_a_calibration_and_says_so(model: Path) -> None:
    kept(model, scoring=4, generation=16)
    plan = make_plan(str(model), machines=[this_machine()])
    assert plan.batch_size == 4
    for basis in (plan.basis, hardware_plan(plan).basis):  # of the command, and of the tool plan_hardware
        assert any("calibration of 20" in line and "tiny, 32 bit" in line for line in basis)


def test_ctrl_c_keeps_nothing_and_leaves_no_worker(model: Path, home: Path) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.done:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="nothing of it is kept"):
        job.calibrate(str(model), 60.0, interrupt)
    assert read_calibrations() == ([], []) and workers(model) == []
    assert [path.name for path in (home / "calibrations").iterdir()] == [".lock"]


def test_a_worker_that_is_killed_loses_the_batch_size_it_was_at_and_no_more(model: Path) -> None:
    def kill(progress: Progress) -> None:
        if progress.done == 2 and progress.message == "batch size 4":
            for worker in workers(model):
                os.kill(worker, signal.SIGKILL)

    found = job.run_sweep(model, "scoring", 60.0, kill)
    assert [point.batch_size for point in found.points] == [1, 2]
    assert found.ended == "the worker was ended by SIGKILL, often for want of memory at batch size 4"


def test_a_second_calibration_beside_the_first_is_refused(model: Path) -> None:
    calibration.check_writable()
    with job.only_one(), pytest.raises(Busy, match="would measure each other"):
        job.calibrate(str(model), 2.0, lambda progress: None)


def test_an_endpoint_is_refused_with_its_reason() -> None:
    with pytest.raises(UsageError, match="is an endpoint: its speed is that of another program"):
        job.calibrate("http://127.0.0.1:9/v1", 2.0, lambda progress: None)


def test_what_is_no_model_no_time_or_no_place_to_write_is_said_before_anything_starts(
    model: Path, tmp_path: Path, home: Path
) -> None:
    with pytest.raises(ModelError, match="No model folder"):
        job.calibrate(str(tmp_path / "nothing"), 2.0, lambda progress: None)
    with pytest.raises(ModelError, match=r"no model\*\.safetensors|config\.json"):
        job.calibrate(str(tmp_path), 2.0, lambda progress: None)
    for seconds in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(UsageError, match="a time above zero"):
            job.calibrate(str(model), seconds, lambda progress: None)
    home.write_text("a file")
    with pytest.raises(UsageError, match="set REALIGN_HOME"):
        job.calibrate(str(model), 2.0, lambda progress: None)


def test_examples_are_as_long_as_real_ones_and_all_different() -> None:
    cases = [make_case(n) for n in range(max(BATCHES))]
    assert {len(case.passage.text.split()) for case in cases} == {160}
    assert len({case.passage.text for case in cases}) == len(cases)
    assert all(case.first.text != case.second.text for case in cases)


def test_a_bar_is_as_long_as_its_share() -> None:
    assert [len(bar(share)) for share in (1.0, 0.5, 0.25)] == [30, 15, 8]
    assert bar(0.0) == " "
