"""Calibrations: which one a plan uses, why not, the knee, and files that many processes write and rubbish lands in."""

from __future__ import annotations

import dataclasses
import json
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realign.errors import UsageError
from realign.hardware import calibration
from realign.hardware.calibration import Calibration, Point, calibrated, keep, why_not
from realign.hardware.fit import curve_at
from realign.hardware.knee import explain_knee, knee
from realign.hardware.machines import M3_ULTRA, M4_MAX, Machine
from realign.hardware.models import ModelSize, measure_model

NOW = 1_790_000_000.0
DAY = 86_400.0
SEVEN = measure_model("Qwen2.5-7B-Instruct-4bit")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REALIGN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def points(*rates: float, spread: float = 0.01) -> tuple[Point, ...]:
    return tuple(Point(2**n, rate, 100 * rate, 1.0 + n, spread, 3) for n, rate in enumerate(rates))


def made(**changed: object) -> Calibration:
    scoring, generation = points(2.0, 3.5, 6.0, 6.1, 5.0), points(1.0, 1.9, 3.0)
    one = Calibration(
        machine="M4 Max", chip="M4 Max, 40 GPU cores", memory_gb=128, mlx=calibration.mlx_version(),
        model="Qwen2.5-7B-Instruct-4bit", identity="ab12", parameters=7.6e9, active=7.6e9, precision=4, tokens=700,
        scoring=scoring, generation=generation, best_scoring=4, best_generation=4, when=NOW,
    )  # fmt: skip
    return dataclasses.replace(one, **changed)  # type: ignore[arg-type]


def size_of(parameters: float, active: float | None = None, bits: int = 4) -> ModelSize:
    return ModelSize(parameters, active or parameters, bits, None, ())


# -- what plans ask -----------------------------------------------------------------------------------------------


def test_a_calibration_takes_the_place_of_the_shipped_figures_and_says_so() -> None:
    keep(made())
    machine = calibrated(M4_MAX, SEVEN, now=NOW)
    assert (machine.batch_size, machine.max_batch, machine.shared_rate) == (4, 16, 6.0)
    assert dict(machine.batch_curve) == {1: 2.0, 2: 3.5, 4: 6.0, 8: 6.1, 16: 5.0}
    assert (machine.share, machine.rate_parameters, machine.bandwidth_gbs) == (None, 7.6e9, 546)
    assert machine.basis.startswith("calibration of 2026-09-2") and machine.basis.endswith(
        f"Qwen2.5-7B-Instruct-4bit, 4 bit, mlx {calibration.mlx_version()}"
    )
    assert why_not(M4_MAX, SEVEN, now=NOW) == ""


def test_without_a_calibration_a_machine_stays_as_it_is_and_nothing_is_said() -> None:
    assert calibrated(M4_MAX, SEVEN) is M4_MAX
    assert why_not(M4_MAX, SEVEN) == ""


WRONG = [
    ({"when": NOW - 41 * DAY}, "is stale: 41 days old, it holds for 30"),
    ({"mlx": "0.31.2"}, "is made with mlx 0.31.2, this is mlx "),
    ({"parameters": 30e9, "active": 30e9}, "is of another model size (30B, this is 7B)"),
    ({"active": 1e9}, "is of another model size (7.6B with 1B active, this is 7B)"),
    ({"precision": 16}, "is of another precision (16 bit, this is 4 bit)"),
    ({"when": NOW + 40 * DAY}, "is dated 40 days in the future"),
]


@pytest.mark.parametrize(("changed", "reason"), WRONG)
def test_a_calibration_that_does_not_hold_is_not_used_and_the_reason_is_said(
    changed: dict[str, object], reason: str
) -> None:
    keep(made(**changed))
    assert calibrated(M4_MAX, SEVEN, now=NOW) is M4_MAX
    assert reason in why_not(M4_MAX, SEVEN, now=NOW)


@pytest.mark.parametrize(("days", "used"), [(0, True), (30, True), (30.1, False), (-1, True), (-1.1, False)])
def test_a_calibration_holds_for_thirty_days(days: float, used: bool) -> None:
    keep(made(when=NOW - days * DAY))
    assert (calibrated(M4_MAX, SEVEN, now=NOW) is not M4_MAX) == used


@pytest.mark.parametrize(
    ("parameters", "used"), [(7.6e9, True), (7e9, True), (8.03e9, True), (8.6e9, False), (6e9, False)]
)
def test_a_size_within_an_eighth_is_the_same_size(parameters: float, used: bool) -> None:
    keep(made())
    assert (calibrated(M4_MAX, size_of(parameters), now=NOW) is not M4_MAX) == used


def test_another_machine_or_another_memory_is_another_machine() -> None:
    keep(made())
    assert calibrated(M3_ULTRA, SEVEN, now=NOW) is M3_ULTRA
    half = dataclasses.replace(M4_MAX, memory_gb=64)
    assert calibrated(half, SEVEN, now=NOW) is half
    assert why_not(half, SEVEN, now=NOW) == ""


@pytest.mark.parametrize(("cores", "used"), [(40, True), (None, True), (32, False)])
def test_a_chip_with_fewer_cores_under_the_same_name_is_another_machine(cores: int | None, used: bool) -> None:
    keep(made(gpu_cores=cores))
    assert (calibrated(M4_MAX, SEVEN, now=NOW) is not M4_MAX) == used


def test_mixed_quantization_counts_as_the_precision_in_its_name_up_to_half_a_bit() -> None:
    keep(made(precision=4.4))
    assert calibrated(M4_MAX, SEVEN, now=NOW) is not M4_MAX
    assert calibrated(M4_MAX, size_of(7e9, bits=5), now=NOW) is M4_MAX


def test_on_a_cpu_the_precision_that_counts_is_float32() -> None:
    box = Machine("A CPU (Linux CPU)", 24, system="Linux")
    keep(made(machine=box.name, memory_gb=24, precision=32))
    assert calibrated(box, SEVEN, now=NOW).batch_size == 4


def test_a_model_of_unknown_size_is_never_planned_with_a_calibration() -> None:
    keep(made())
    unknown = ModelSize(None, None, 4, None, ())
    assert calibrated(M4_MAX, unknown, now=NOW) is M4_MAX
    assert why_not(M4_MAX, unknown, now=NOW) == ""


def test_of_several_the_newest_that_holds_is_used() -> None:
    keep(made(identity="old", best_scoring=2, when=NOW - 2 * DAY))
    keep(made(identity="new", best_scoring=8, when=NOW - DAY))
    keep(made(identity="newest, another size", parameters=70e9, active=70e9, when=NOW))
    assert calibrated(M4_MAX, SEVEN, now=NOW).batch_size == 8
    assert why_not(M4_MAX, SEVEN, now=NOW) == ""


def test_of_several_that_do_not_hold_the_one_of_the_right_size_is_named() -> None:
    keep(made(identity="right size", when=NOW - 50 * DAY))
    keep(made(identity="newer", parameters=70e9, active=70e9))
    assert "stale: 50 days" in why_not(M4_MAX, SEVEN, now=NOW)


# -- the knee -----------------------------------------------------------------------------------------------------


def test_the_knee_is_the_smallest_batch_within_five_percent_of_the_best() -> None:
    assert knee(points(2.0, 3.5, 5.8, 6.1, 5.0)) == 4  # 5.8 is 4.9 % below 6.1
    assert knee(points(2.0, 3.5, 5.79, 6.1, 5.0)) == 8
    assert knee(points(3.0, 2.0, 1.0)) == 1


def test_the_shipped_curves_have_the_knees_that_their_user_found() -> None:
    def of(machine: Machine) -> int:
        return knee([Point(batch, rate, rate, 1.0) for batch, rate in machine.batch_curve.items()])

    assert (of(M4_MAX), of(M3_ULTRA)) == (M4_MAX.batch_size, M3_ULTRA.batch_size)


def test_the_knee_is_explained_with_its_figures_and_the_noise() -> None:
    said = explain_knee(points(2.0, 3.5, 5.9, 6.1, 5.0, spread=0.012))
    assert said == (
        "batch size 4 is the smallest within 5% of the best: 5.9 examples/s, 3.3% below 6.1 at 8;"
        " repetitions differ by ±1.2% (median over the batch sizes)"
    )
    assert "on a quieter machine it may move" in explain_knee(points(2.0, 3.5, spread=0.09))
    assert "nothing is known of the noise" in explain_knee([Point(1, 2.0, 2.0, 1.0)])


@given(st.lists(st.floats(0.01, 1e4), min_size=1, max_size=7))
def test_no_batch_size_beats_the_knee_by_more_than_five_percent(rates: list[float]) -> None:
    found = points(*rates)
    chosen = next(point for point in found if point.batch_size == knee(found))
    assert chosen.examples_per_second >= 0.95 * max(rates)
    smaller = [point.examples_per_second for point in found if point.batch_size < chosen.batch_size]
    assert all(rate < 0.95 * max(rates) for rate in smaller)


# -- the files ----------------------------------------------------------------------------------------------------


def test_what_was_kept_is_read_again_as_it_was() -> None:
    one = made(notes=("the machine was busy",))
    keep(one)
    assert calibration.read_calibrations() == ([one], [])


def test_a_newer_one_replaces_the_older_of_the_same_machine_and_model() -> None:
    assert keep(made()) == keep(made(when=NOW + 5, best_scoring=8))
    found, _ = calibration.read_calibrations()
    assert [each.best_scoring for each in found] == [8]


def test_two_writers_at_once_leave_one_whole_file(home: Path) -> None:
    writers = [threading.Thread(target=keep, args=(made(when=NOW + n),)) for n in range(16)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(calibration.read_calibrations()[0]) == 1
    assert len(list((home / "calibrations").iterdir())) == 1


RUBBISH = [
    "", "{", "[]", "null", '"text"', "{}", "[" * 100_000, '{"machine": "M4 Max"}',
    json.dumps({**dataclasses.asdict(made()), "parameters": "7B"}),
    json.dumps({**dataclasses.asdict(made()), "parameters": float("nan")}),
    json.dumps({**dataclasses.asdict(made()), "when": -1}),
    json.dumps({**dataclasses.asdict(made()), "scoring": []}),
    json.dumps({**dataclasses.asdict(made()), "best_scoring": 3}),
    json.dumps({**dataclasses.asdict(made()), "surprise": 1}),
]  # fmt: skip


@pytest.mark.parametrize("rubbish", RUBBISH)
def test_a_damaged_or_foreign_file_is_named_and_the_others_are_used(
    rubbish: str, caplog: pytest.LogCaptureFixture
) -> None:
    keep(made())
    (calibration.folder() / "damaged.json").write_text(rubbish)
    assert calibrated(M4_MAX, SEVEN, now=NOW).batch_size == 4
    assert "damaged.json is ignored: no calibration" in caplog.text


def test_a_file_cut_short_by_a_power_cut_is_ignored() -> None:
    path = keep(made())
    path.write_bytes(path.read_bytes()[:200])
    assert calibrated(M4_MAX, SEVEN, now=NOW) is M4_MAX


def test_folders_and_dead_links_with_the_name_of_a_file_do_no_harm(home: Path) -> None:
    keep(made())
    (home / "calibrations" / "folder.json").mkdir()
    (home / "calibrations" / "link.json").symlink_to(home / "nowhere")
    found, problems = calibration.read_calibrations()
    assert (len(found), len(problems)) == (1, 2)


def test_a_data_folder_that_is_a_file_is_said_before_anything_is_measured(home: Path) -> None:
    home.write_text("not a folder")
    with pytest.raises(UsageError, match="set REALIGN_HOME"):
        calibration.check_writable()


def test_a_calibrated_curve_is_read_like_a_shipped_one() -> None:
    keep(made())
    assert curve_at(calibrated(M4_MAX, SEVEN, now=NOW), 3) == pytest.approx(4.75)
