"""A stage as a child process in its own process group: start, attach, progress, stop.

    job = start_stage(folder, "all")                a worker (worker.py); a stage's name or "next" works too
    for progress in follow(folder, job): ...        what run.db says; without a job it attaches to another's worker
    finish(job)                                     raises the worker's own error

The worker holds the reading end of a pipe whose writing end is only here, and stops when that end closes, however this
process dies. Nothing here imports anything heavy, and a worker's progress is read from run.db, whoever started it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from realign import errors
from realign.errors import Busy, Interrupted, RealignError, StageFailed
from realign.job.progress import Progress, Watch
from realign.run import Run

LOG = "worker.log"
LOG_LIMIT = 1 << 20  # bytes; a longer log starts anew
TAIL = 12  # lines of the log shown when a worker crashed
NO_MEMORY = (signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS)  # how a machine without memory ends it
LESS_MEMORY = {
    "curate": "--set candidates.batch_size=1 --set judge.batch_size=1, or a smaller model,",
    "align": "--set training.memory_gb=GB, less than is free (steps are cut to fit, nothing starts anew), or a smaller"
    " training.rows or training.longest,",
}
HELD_BACK = (signal.SIGINT, signal.SIGTERM)
GRACE = 4.0  # seconds between asking a worker to stop and ending its whole group


@dataclass(slots=True)
class Job:
    """A worker that this process started. lifeline: our end of the pipe it lives by; log_from: where its log begins.

    said is what it wrote to its standard output, once it has ended.
    """

    folder: Path
    stage: str
    process: subprocess.Popen[str]
    lifeline: int
    log_from: int
    said: str | None = None

    def running(self) -> bool:
        """True while the worker lives."""
        return self.process.poll() is None


def start_stage(folder: Path, stage: str) -> Job:
    """Start a worker for a stage, "next" or "all". Call it on the main thread where you can (see `_parent_death`)."""
    return start_worker(folder, stage, "realign.job.worker", str(folder), stage, fast_synch=wants_fast_synch(folder))


def wants_fast_synch(folder: Path) -> bool:
    """The run's setting hardware.fast_synch."""
    with contextlib.closing(Run.open(folder)) as run:
        return bool(run.noted("settings", {}).get("hardware", {}).get("fast_synch", True))


def start_worker(folder: Path, stage: str, module: str, *words: str, fast_synch: bool = True) -> Job:
    """Start a module as a worker, with every worker's environment; its log goes to `folder`.

    After `words` it gets the lifeline's descriptor and, where that serves, this process's id. fast_synch: False turns
    it off, and so does MLX_METAL_FAST_SYNCH=0 in this process's own environment.
    """
    from realign.hardware.environment import worker_environment

    wanted = fast_synch and os.environ.get("MLX_METAL_FAST_SYNCH") != "0"
    environment = worker_environment(os.environ, fast_synch=wanted)
    reading, writing = os.pipe()
    path = folder / LOG
    too_long = path.exists() and path.stat().st_size > LOG_LIMIT
    try:
        with open(path, "wb" if too_long else "ab") as log:
            log_from = log.tell()
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, *words, str(reading), *_parent_death()],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True,
                pass_fds=(reading,), process_group=0, env=environment,
            )  # fmt: skip
    except BaseException:
        os.close(writing)
        raise
    finally:
        os.close(reading)
    return Job(folder, stage, process, writing, log_from)


def _parent_death() -> list[str]:
    """This process's id where the worker may ask Linux for a signal at its parent's death, else nothing.

    Linux sends it when the parent *thread* ends, so it is asked for only when that is the main thread.
    """
    main = threading.current_thread() is threading.main_thread()
    return [str(os.getpid())] if main and sys.platform == "linux" else []


def follow(folder: Path, job: Job | None = None, every: float = 0.2) -> Iterator[Progress]:
    """Progress, five times a second, until the worker has ended; without a job, until nobody writes the run."""
    with Watch(folder) as watch:
        while job.running() if job else watch.writer():
            yield watch.look()
            time.sleep(every)
        yield watch.look()


def carry_on(folder: Path, stage: str, show: Callable[[Progress], None]) -> None:
    """Bring a stage, or all, to its end: by a worker of our own, or beside whoever is at it already.

    Raises what the worker met, and Interrupted at Ctrl-C, which stops a worker of our own and leaves another's alone.
    """
    try:
        while True:
            with Watch(folder) as watch:
                attached = watch.writer()
            if attached and follow_to_the_end(folder, None, show).status not in ("passed", "warned"):
                return
            try:
                with started(lambda: start_stage(folder, stage)) as job:
                    follow_to_the_end(folder, job, show)
                    finish(job)
                    return
            except Busy:
                continue
    except KeyboardInterrupt:
        raise Interrupted(f"{folder.name} was stopped", fix="the same command goes on where it stopped") from None


@contextlib.contextmanager
def started(start: Callable[[], Job]) -> Iterator[Job]:
    """The worker that `start` starts, stopped at the end however that comes.

    Ctrl-C and SIGTERM wait while it is being started: else they could come when it lives and nobody knows it yet.
    """
    job: Job | None = None
    try:
        with held_back():
            job = start()
        yield job
    finally:
        if job is not None:
            stop(job)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait for the end of the block. In the main thread only: no other hears them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {number: signal.signal(number, lambda number, _: came.append(number)) for number in HELD_BACK}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
    if came:
        signal.raise_signal(came[0])


def follow_to_the_end(folder: Path, job: Job | None, show: Callable[[Progress], None]) -> Progress:
    """Show every step; gives the last one."""
    for progress in follow(folder, job):
        show(progress)
    return progress


def finish(job: Job) -> str:
    """Wait for the worker's end. Gives the stage it ended with; raises its error, or StageFailed when it crashed.

    Asked again, it says the same again.
    """
    release(job)
    try:
        result = json.loads((job.said or "").splitlines()[-1])
    except (ValueError, IndexError):
        raise died(job) from None
    if result["error"]:
        raise rebuild(result["error"])
    return str(result["stage"])


def died(job: Job) -> StageFailed:
    """The error of a worker that ended without a word: OutOfMemory where a machine ends what it has no memory for."""
    again = f"the same command again, which goes on where it stopped; the whole log is {job.folder / LOG}"
    found = f"The worker of {job.stage} {how_it_ended(job.process.returncode)}{tail(job)}"
    if -job.process.returncode not in NO_MEMORY:
        return StageFailed(found, "a result, written last", again)
    with contextlib.closing(Run.open(job.folder)) as run:
        less = LESS_MEMORY.get(run.noted("workflow", "curate"), "")
    return errors.OutOfMemory(found, "a result, written last", f"{again}. If it was memory, add {less} to the command")


def rebuild(error: dict[str, str]) -> RealignError:
    """The error that the worker wrote down, of the same class."""
    made = getattr(errors, error["type"], StageFailed)(error["found"], error["expected"], error["fix"])
    assert isinstance(made, RealignError)
    return made


def stop(job: Job, grace: float = GRACE) -> None:
    """End a worker and its whole group: it is asked first and killed after `grace` seconds. Stopping twice is fine."""
    if job.running():
        _signal_group(job, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            job.process.wait(grace)
    _signal_group(job, signal.SIGKILL)
    release(job)


def ask_to_stop(job: Job) -> None:
    """Ask a worker to stop and wait for nothing: for a process that is about to end itself."""
    if job.running():
        _signal_group(job, signal.SIGTERM)


def release(job: Job) -> None:
    """Wait for a worker's end, keep what it said, and close what this process holds of it."""
    if job.said is None:
        job.said, _ = job.process.communicate()
        _signal_group(job, signal.SIGKILL)  # children of a worker that was killed alone
        os.close(job.lifeline)


def _signal_group(job: Job, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(job.process.pid, number)


def how_it_ended(code: int) -> str:
    """A worker's end, in words that follow its name."""
    if code >= 0:
        return f"ended without a result (exit code {code})"
    name = next((known.name for known in signal.Signals if known == -code), f"signal {-code}")
    return f"was ended by {name}" + (", often for want of memory" if -code in NO_MEMORY else "")


def tail(job: Job) -> str:
    """The last lines that this worker logged, as the end of a sentence."""
    with open(job.folder / LOG, "rb") as log:
        log.seek(job.log_from)
        lines = log.read().decode("utf-8", "replace").strip().splitlines()
    return ". Its last words:\n" + "\n".join(lines[-TAIL:]) + "\n" if lines else ""
