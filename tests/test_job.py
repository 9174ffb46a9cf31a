import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from processes import EASY, TIDES, dataset_bytes, ended_for_sure, members, until, workers_of
from realign import workflow
from realign.errors import Blocked, Busy, Interrupted, RealignError, StageFailed, UsageError
from realign.hardware.energy import Energy
from realign.hardware.environment import in_force
from realign.intake.request import Request
from realign.intake.start import start_run
from realign.job.process import Job, carry_on, finish, follow, rebuild, start_stage, started, stop
from realign.job.progress import Progress, Watch, duration
from realign.job.record import note_cost, note_work
from realign.job.worker import as_plain
from realign.run import Batch, Run
from realign.work import Work

QUICK = {"source": {"prompts_per_passage": 3}, "gates": EASY}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALIGN_HOME", str(tmp_path / "home"))


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with closing(start_run(Request((str(TIDES),), settings=QUICK, output=str(tmp_path)))) as started:
        yield started


def end(job: Job) -> RealignError | None:
    try:
        finish(job)
    except RealignError as error:
        return error
    return None


def test_a_worker_runs_every_stage_in_a_process_group_of_its_own(run: Run) -> None:
    seen: list[Progress] = []
    job = start_stage(run.folder, "all")
    group = os.getpgid(job.process.pid)
    seen.extend(follow(run.folder, job))
    assert finish(job) == "export"
    assert group == job.process.pid != os.getpgid(0)
    assert not members(group)
    assert [state.status for state in workflow.states(run)] == ["passed"] * 6
    assert [step.stage for step in seen][-1] == "export"
    assert seen[-1].overall == 6


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_a_worker_is_being_started_waits_until_the_worker_can_be_stopped(
    run: Run, number: signal.Signals
) -> None:
    jobs: list[Job] = []

    def start() -> Job:
        jobs.append(start_stage(run.folder, "all"))
        os.kill(os.getpid(), number)
        return jobs[0]

    before = signal.signal(number, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), started(start):
            pytest.fail("the signal was lost")
    finally:
        signal.signal(number, before)
    assert len(jobs) == 1 and not jobs[0].running() and not members(jobs[0].process.pid)


def test_a_run_records_what_was_in_force_and_what_it_cost(run: Run) -> None:
    carry_on(run.folder, "source", lambda progress: None)
    force, cost = run.noted("in_force"), run.noted("cost")
    assert {name: force[name] for name in ("TOKENIZERS_PARALLELISM", "MLX_METAL_PREALLOCATE")} == {
        "TOKENIZERS_PARALLELISM": "false", "MLX_METAL_PREALLOCATE": "1"
    }  # fmt: skip
    assert force["MLX_METAL_FAST_SYNCH"] == "1" and f"nice {force['nice']}" in force["priority"] and force["system"]
    assert cost["seconds"] == pytest.approx(run.stage("source").seconds)
    assert cost["machine"] and cost["batch_size"] and cost["currency"] == "USD" and cost["watts_basis"]
    assert (run.noted("mlx"), run.noted("changed_in_force")) == (None, None)  # no stage needed a model


def test_one_setting_turns_fast_synch_off_in_the_worker(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLX_METAL_FAST_SYNCH", "1")
    run.note("settings", {**run.noted("settings"), "hardware": {"fast_synch": False}})
    carry_on(run.folder, "source", lambda progress: None)
    assert run.noted("in_force")["MLX_METAL_FAST_SYNCH"] == "0"


def test_users_who_turned_fast_synch_off_themselves_keep_it_off(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLX_METAL_FAST_SYNCH", "0")
    carry_on(run.folder, "source", lambda progress: None)
    assert run.noted("in_force")["MLX_METAL_FAST_SYNCH"] == "0"


@pytest.mark.slow
def test_a_worker_that_asked_a_model_notes_what_mlx_says_of_its_device(tmp_path: Path) -> None:
    from realign.engine.tiny import make_tiny_model

    source, model = tmp_path / "tides.md", tmp_path / "tiny"
    source.write_text("# Tides\n\nA tide is the regular rise and fall of the sea. " * 40, encoding="utf-8")
    make_tiny_model(model, source.read_text(), vocabulary=300, width=32, layers=1)
    settings = {"judge": {"judge": str(model)}, "gates": dict.fromkeys(("prompt_clarity", "parse_success"), 0.0)}
    request = Request((str(source),), settings=settings, output=str(tmp_path))
    with closing(start_run(request)) as run:
        for stage in ("source", "candidates", "judge"):
            end(start_stage(run.folder, stage))
        mlx = run.noted("mlx")
        assert mlx["device"].startswith("Device(") and mlx["name"] and mlx["mlx"] and mlx["mlx-lm"]
        assert run.noted("in_force")["TOKENIZERS_PARALLELISM"] == "false"


def test_a_variable_that_changed_and_energy_that_was_read_are_noted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    first = in_force()
    note_work(run, first, Energy(30.0, 2.0, "counter"))
    assert run.noted("changed_in_force") is None
    os.environ["TOKENIZERS_PARALLELISM"] = "true"  # as `mlx_lm lora` does
    note_work(run, first, Energy(10.0, 3.0, "counter"))
    note_work(run, first, Energy(None, 9.0, "lost"))
    assert run.noted("changed_in_force") == {"TOKENIZERS_PARALLELISM": "false at first, true now"}
    assert run.noted("energy") == {"joules": 40.0, "seconds": 5.0, "source": "counter"}
    note_cost(run)
    assert (run.noted("cost")["watts"], run.noted("cost")["per_example"]) == (8.0, None)


def test_a_wall_clock_that_is_set_back_takes_no_time_away(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10**9, 0, -3600))
    monkeypatch.setattr("realign.run.time.time", lambda: float(next(clock)))
    run.begin("source", 0, "print")
    run.end("source", "failed")
    assert 0 <= run.stage("source").seconds < 60
    run.begin("source", 0, "print")
    run.began.clear()  # begun by another process, which was killed
    run.end("source", "cancelled")
    assert 0 <= run.stage("source").seconds < 60


def test_a_stage_that_has_passed_is_not_done_again(run: Run) -> None:
    carry_on(run.folder, "source", lambda progress: None)
    before = run.stage("source")
    carry_on(run.folder, "source", lambda progress: None)
    assert run.stage("source") == before


def test_the_error_of_a_worker_arrives_as_it_was_raised(run: Run) -> None:
    error = end(start_stage(run.folder, "judge"))
    assert isinstance(error, Blocked)
    assert "candidates is waiting" in error.found and error.fix == "run `next`"


def test_every_kind_of_error_survives_the_way_to_the_parent() -> None:
    for kind in (UsageError, Blocked, Interrupted, StageFailed):
        sent = kind("found this", "that", "the other")
        got = rebuild(as_plain(sent))
        assert type(got) is kind and str(got) == str(sent)


def test_a_second_writer_is_refused_by_the_name_of_the_first(run: Run) -> None:
    with run.writing("a test"):
        error = end(start_stage(run.folder, "source"))
    assert isinstance(error, Busy) and "a test" in error.found


def test_a_worker_that_is_killed_is_reported_with_the_signal_and_what_to_do(run: Run) -> None:
    job = start_stage(run.folder, "all")
    until(lambda: run.stage("source").status == "running")
    os.kill(job.process.pid, signal.SIGKILL)
    error = end(job)
    assert isinstance(error, StageFailed)
    assert "SIGKILL" in error.found and "goes on where it stopped" in error.fix
    with Watch(run.folder) as watch:
        assert watch.look().status == "cancelled"


def test_the_log_of_a_crashed_worker_is_quoted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", str(run.folder))  # no interpreter starts with this
    error = end(start_stage(run.folder, "all"))
    assert isinstance(error, StageFailed)
    assert "ended without a result (exit code 1)" in error.found and "encodings" in error.found


def test_stopping_leaves_nobody_in_the_group_and_keeps_what_was_finished(run: Run) -> None:
    job = start_stage(run.folder, "all")
    until(lambda: run.count("passage"))
    stop(job)
    assert not members(job.process.pid)
    assert run.count("document") == 1
    assert isinstance(end(job), Interrupted)
    stop(job)  # twice is fine


def test_a_worker_ends_with_a_parent_that_is_killed(run: Run) -> None:
    start = (
        "from pathlib import Path; from realign.job.process import start_stage; "
        f"start_stage(Path({str(run.folder)!r}), 'all')"
    )
    words = [sys.executable, "-c", f"{start}; import signal; print('started', flush=True); signal.pause()"]
    with ended_for_sure(subprocess.Popen(words, stdout=subprocess.PIPE, text=True)) as parent:
        assert parent.stdout is not None and parent.stdout.readline() == "started\n"
        (worker,) = until(lambda: workers_of(run.folder))
        parent.kill()
        until(lambda: not members(worker), 10)


@pytest.mark.slow
def test_a_worker_that_does_not_listen_is_ended_hard(tmp_path: Path) -> None:
    deaf = (
        "import threading; from realign.job.worker import guard; "
        "guard(threading.Event(), None); print('up', flush=True)\n"
    )
    words = [sys.executable, "-c", deaf + "while True: sum(range(100000))"]
    with ended_for_sure(subprocess.Popen(words, stdout=subprocess.PIPE, text=True, process_group=0)) as process:
        assert process.stdout is not None and process.stdout.readline() == "up\n"
        process.terminate()
        assert process.wait(10) == -signal.SIGKILL


@pytest.mark.slow
def test_who_asks_while_another_writes_attaches_and_starts_no_second_worker(run: Run) -> None:
    first = start_stage(run.folder, "all")
    until(lambda: run.holder())
    seen: list[Progress] = []
    carry_on(run.folder, "all", seen.append)
    assert finish(first) == "export"
    assert [step.status for step in seen if step.stage == "export"][-1] == "passed"
    log = (run.folder / "worker.log").read_text()
    assert log.count("--- all") == 2  # the second found nothing left to do
    assert run.count("row") == len((b"".join(dataset_bytes(run.folder).values())).splitlines())


# -- progress -----------------------------------------------------------------------------------------------------


def test_progress_tells_rate_and_time_left_from_what_was_committed(run: Run) -> None:
    with run.writing("a test"), Watch(run.folder) as watch:
        run.begin("source", 0, "x")
        run.progress("source", 10, 110, "reading")
        watch.look()
        watch.seen[0] = (time.monotonic() - 10.0, 10)
        run.progress("source", 60, 110, "reading")
        progress = watch.look()
    assert progress.rate == pytest.approx(5.0, rel=0.1)
    assert progress.seconds_left == pytest.approx(10.0, rel=0.1)
    assert str(progress).startswith("source (1 of 6): 60 of 110, 5.0/s, 10 s left, reading")


def test_steps_longer_than_the_window_still_have_a_rate_and_who_has_seen_none_believes_the_stage(run: Run) -> None:
    with run.writing("a test"), Watch(run.folder) as watch:
        run.begin("source", 0, "x")
        work = Work(run, workflow.settings_of(run), "source")
        work.progress(3, 10, "loss 0.5", rate=0.02)
        assert watch.look().rate == 0.02 and watch.look().seconds_left == pytest.approx(350)
        watch.seen[0] = (time.monotonic() - 40.0, 3)
        work.progress(10, 10, "loss 0.4")
        assert watch.look().rate == pytest.approx(7 / 40, rel=0.1)
        assert watch.look().seconds_left is None
        work.say("measuring held-out rows")
        run.commit("source", Batch(["attempt 1"]))
        assert str(watch.look()) == "source (1 of 6): 10 of 10, 0.2/s, measuring held-out rows"


def test_the_first_count_after_other_words_is_told_at_once(run: Run) -> None:
    with run.writing("a test"), Watch(run.folder) as watch:
        run.begin("source", 0, "x")
        work = Work(run, workflow.settings_of(run), "source")
        work.say("preparing the first step")
        work.progress(1, 24, "loss 0.5")
        assert str(watch.look()).startswith("source (1 of 6): 1 of 24")


def test_a_stage_without_a_sign_of_life_for_ten_minutes_is_said_to_hang(run: Run) -> None:
    with run.writing("a test"), Watch(run.folder) as watch:
        run.begin("source", 0, "x")
        run.db.execute("UPDATE stages SET updated = updated - 700")
        progress = watch.look()
    assert progress.hung and "no sign of life for 11 min 40 s" in str(progress)


def test_what_happens_is_told_once_to_who_watches(run: Run) -> None:
    run.event("optimize", "before anybody looked")
    with Watch(run.folder) as watch:
        run.event("optimize", "attempt 1 was rejected: KL: half the learning rate")
        assert watch.look().news == ("optimize: attempt 1 was rejected: KL: half the learning rate",)
        assert watch.look().news == ()


def test_nothing_is_said_to_hang_that_has_ended() -> None:
    assert not Progress("source", "passed", 1, 6, 5, 5, None, None, "", 5000.0).hung


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")]
)
def test_durations_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words
