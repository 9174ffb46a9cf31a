"""The worker: runs one stage, or all that are left, in a process of its own, and writes a result line last.

    python -m realign.job.worker FOLDER STAGE [LIFELINE [PARENT]]        STAGE: a name, "next" or "all"

It stops when told by a signal, when LIFELINE (a file descriptor) reaches its end, or on Linux when PARENT dies: first
between two batches, and after two seconds hard, with its whole process group. Whatever was committed stays. The exit
code is that of the command: 0 passed, 1 failed, 2 usage, 3 blocked, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import sqlite3
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from realign.engine import OFFLINE
from realign.errors import Blocked, Busy, EmptyInput, Interrupted, RealignError, StageFailed
from realign.run import Run, storage_error

GRACE = 2.0  # seconds from being told to stop to the hard end
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
LOCK_TRIES = 50  # a reader that looks who is writing holds the lock for an instant
PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    """Do the work and say how it ended."""
    folder, stage = Path(arguments[0]), arguments[1]
    result_file = keep_stdout()
    os.environ.update(OFFLINE)  # libraries read it when they are imported, whichever stage imports them first
    stopping = threading.Event()
    guard(stopping, int(arguments[2]) if len(arguments) > 2 else None)
    if len(arguments) > 3:
        die_with(int(arguments[3]))
    print(f"--- {stage}, {time.strftime('%Y-%m-%d %H:%M:%S')}, process {os.getpid()}", file=sys.stderr, flush=True)
    code, result = work(folder, stage, stopping.is_set)
    with contextlib.suppress(OSError), result_file:
        result_file.write(json.dumps(result) + "\n")
    return code


def work(folder: Path, which: str, stopping: Callable[[], bool]) -> tuple[int, dict[str, Any]]:
    """(exit code, result): the stage it ended with and its error. Nothing is raised: the parent is told instead."""
    try:
        with contextlib.ExitStack() as held:
            run = held.enter_context(contextlib.closing(Run.open(folder)))
            take_lock(run, held)
            stage, code = run_stages(run, which, stopping)
            report(run, code)
        return code, {"stage": stage, "error": None}
    except RealignError as error:
        return error.exit_code, {"stage": which, "error": as_plain(error)}
    except (OSError, sqlite3.Error) as error:
        traceback.print_exc()
        trouble = storage_error(error)
        return trouble.exit_code, {"stage": which, "error": as_plain(trouble)}
    except Exception as error:
        traceback.print_exc()
        failed = StageFailed(
            f"The stage stopped on a {type(error).__name__}: {error}",
            "no error that is unknown to ReAlign",
            f"the same command again; if it comes back, report it with {folder / 'worker.log'}",
        )
        return failed.exit_code, {"stage": which, "error": as_plain(failed)}


def run_stages(run: Run, which: str, stopping: Callable[[], bool]) -> tuple[str, int]:
    """Run the stages asked for in order, up to the first that is rejected. Gives (last stage, exit code)."""
    from realign import workflow
    from realign.hardware.energy import metered
    from realign.job.lockstep import lockstep_of
    from realign.job.preflight import check_machines
    from realign.job.ranks import sharing_of
    from realign.job.record import note_conditions, note_cost, note_work
    from realign.quality.gates import worst

    first = note_conditions(run)
    if not all(is_current(run, name) for name in stages_to_run(run, which)):
        check_machines(run, stopping)
    settings = workflow.settings_of(run)
    share, lockstep = sharing_of(settings), lockstep_of(settings)
    last = ""
    for name in stages_to_run(run, which):
        last = name
        if stopping():
            raise Interrupted(f"{name} was stopped", fix="the same command goes on where it stopped")
        if is_current(run, name):
            continue
        with metered() as energy, explained(run):
            verdicts = workflow.run_stage(run, name, stopping, share, lockstep)
        run.note(f"thresholds of {name}", thresholds(run))
        note_work(run, first, energy)
        note_cost(run)
        if worst(verdicts) == "REJECT":
            return name, 3
    return last, 0


@contextlib.contextmanager
def explained(run: Run) -> Iterator[None]:
    """Write card, report and the quarantined rows where a stage left nothing, too."""
    try:
        yield
    except EmptyInput:
        report(run, Blocked.exit_code)
        raise


def report(run: Run, code: int) -> None:
    """Write card, report, manifest and quarantine where a run has come to its end, or to a gate that blocks it."""
    from realign.report.files import write_reports
    from realign.workflow import next_stage

    if code == Blocked.exit_code or not next_stage(run):
        write_reports(run)


def stages_to_run(run: Run, which: str) -> list[str]:
    """The names behind a name, "next" or "all". Raises UsageError for an unknown one."""
    from realign import workflow

    if which == "all":
        return [stage.name for stage in workflow.stages_of(run)]
    if which == "next":
        return [name] if (name := workflow.next_stage(run)) else []
    workflow.find_stage(run, which)
    return [which]


def is_current(run: Run, name: str) -> bool:
    """True when a stage has passed with the present settings, inputs, code and thresholds: nothing is left to do.

    A dataset whose files were removed since is written again from its records, and so is an aligned model.

    Thresholds are no part of a stage's fingerprint: other ones change no record, only the gates are measured again.
    """
    from realign import workflow
    from realign.align.places import is_deployed
    from realign.curate.export import is_written

    passed = workflow.states(run)[workflow.find_stage(run, name)].status in ("passed", "warned")
    if (name == "export" and not is_written(run)) or (name == "evaluate" and not is_deployed(run)):
        return False
    return passed and run.noted(f"thresholds of {name}") == thresholds(run)


def thresholds(run: Run) -> dict[str, Any]:
    """The thresholds of every gate, as the run's settings have them now."""
    from realign.workflow import settings_of

    return settings_of(run).gates.model_dump(mode="json")


def take_lock(run: Run, held: contextlib.ExitStack) -> None:
    """Become the run's only writer. Raises Busy when another process really is; a mere reader is waited out."""
    for _ in range(LOCK_TRIES):
        try:
            held.enter_context(run.writing("realign"))
            return
        except Busy:
            time.sleep(0.01)
    held.enter_context(run.writing("realign"))


def as_plain(error: RealignError) -> dict[str, str]:
    """The error as plain values, for `job.rebuild`."""
    return {"type": type(error).__name__, "found": error.found, "expected": error.expected, "fix": error.fix}


# -- being stopped ------------------------------------------------------------------------------------------------


def guard(stopping: threading.Event, lifeline: int | None) -> None:
    """From now on a signal, or the end of the lifeline, sets `stopping`, and ends this process hard a little later.

    The waiting is done in a thread that the operating system wakes through a pipe, so that it works while the main
    thread is deep inside a library.
    """
    waking, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in SIGNALS:
        signal.signal(number, lambda *_: None)
    watched = [waking] if lifeline is None else [waking, lifeline]
    threading.Thread(target=_end_when_told, args=(watched, stopping), daemon=True).start()


def _end_when_told(watched: list[int], stopping: threading.Event) -> None:
    select.select(watched, [], [])
    stopping.set()
    time.sleep(GRACE)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(130)


def die_with(parent: int) -> None:
    """Ask Linux for SIGTERM at the parent's death; act at once if it has died already."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def keep_stdout() -> Any:
    """The real stdout for the result alone; from now on whatever a library prints goes to the log."""
    kept = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return kept


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
