"""Calibrating: two workers measure a model on this machine, one after the other, and the result is kept as one file.

    found, path = calibrate("models/qwen", 600, show)

A worker a sweep, so that a GPU which aborts one leaves the other, and memory starts anew. What was measured before a
worker ended by itself counts; what the user stops is not kept. One calibration at a time: two would measure each other.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import select
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from realign.engine.folders import check_folder, model_identity
from realign.errors import Busy, Interrupted, ModelError, StageFailed, UsageError
from realign.hardware import calibration
from realign.hardware.calibration import Calibration, Point
from realign.hardware.fit import BATCHES
from realign.hardware.knee import knee
from realign.hardware.machines import Machine, most_gpu_gb, this_machine
from realign.hardware.memory import bits_on, estimate_memory
from realign.hardware.models import ModelSize, measure_model
from realign.job.process import Job, how_it_ended, rebuild, release, start_worker, started, stop, tail
from realign.job.progress import HUNG_AFTER, Progress

SECONDS = 600.0
KINDS = ("scoring", "generation")
SHORTEST_CONTEXT = 1024  # tokens of the example whose memory is estimated before anything is loaded
Show = Callable[[Progress], None]


@dataclass(slots=True)
class Sweep:
    """What one worker said so far. trying: the batch size under way; left: seconds, as the worker expects."""

    kind: str
    points: list[Point] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tokens: int = 0
    trying: int = 1
    left: float | None = None
    ended: str | None = None


def calibrate(model: str, seconds: float, show: Show) -> tuple[Calibration, Path]:
    """Measure a model folder here for about `seconds` (loading comes on top); gives the result, and the file it is in.

    Raises UsageError for an endpoint, an impossible time or a data folder that can't be written, ModelError for a
    folder that can't be used here, Busy while another calibration runs, Interrupted at Ctrl-C.
    """
    folder, size, machine = check(model, seconds)
    calibration.check_writable()
    with only_one():
        begun, notes = time.monotonic(), busy(machine)
        try:
            scoring = run_sweep(folder, KINDS[0], seconds / 2, show)
            generation = run_sweep(folder, KINDS[1], max(1.0, seconds - (time.monotonic() - begun)), show)
        except KeyboardInterrupt:
            raise Interrupted("The calibration was stopped, nothing of it is kept", fix="the same command") from None
        found = put_together(folder, size, machine, scoring, generation, notes)
        return found, calibration.keep(found)


def check(model: str, seconds: float) -> tuple[Path, ModelSize, Machine]:
    """The folder, its size and this machine, before anything is loaded."""
    if model.startswith(("http://", "https://")):
        raise UsageError(
            f"{model} is an endpoint: its speed is that of another program and perhaps another machine",
            "a model folder, which runs in a worker here",
            "the model's own folder; an endpoint's batching is set where it is started",
        )
    if not (math.isfinite(seconds) and seconds > 0):
        raise UsageError(f"{seconds:g} seconds", "a time above zero", f"--seconds {SECONDS:g}")
    folder, machine = check_folder(Path(model).expanduser()), this_machine()
    size = measure_model(str(folder))
    needed, limit = estimate_memory(size, machine, 1, SHORTEST_CONTEXT, "curate").total, most_gpu_gb(machine)
    if needed > limit:
        raise ModelError(
            f"{folder.name} takes about {needed:.0f} GB, and {machine.name} can give a model {limit:.0f} GB",
            "a model that fits",
            f"fewer bits a weight: `realign plan {folder}` names a precision that fits",
        )
    return folder, size, machine


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Hold this user's calibrations; raises Busy where another process does."""
    with open(calibration.folder() / ".lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Busy(
                "Another calibration is running: two at once would measure each other",
                fix="the same command when it has ended",
            ) from None
        yield


def busy(machine: Machine) -> list[str]:
    """A note where others were at work when the calibration began: more than half of the cores were taken."""
    load, cores = os.getloadavg()[0], machine.cores or os.cpu_count() or 1
    if load <= cores / 2:
        return []
    return [f"the machine was busy when it began (load {load:.1f} on {cores} cores): the figures may be too low"]


def put_together(
    folder: Path, size: ModelSize, machine: Machine, scoring: Sweep, generation: Sweep, notes: list[str]
) -> Calibration:
    """The two sweeps as a calibration."""
    ends = [f"{sweep.kind} ended early: {sweep.ended}" for sweep in (scoring, generation) if sweep.ended]
    total = size.parameters or 0.0
    return Calibration(
        machine=machine.name, chip=chip_in_words(machine), memory_gb=machine.memory_gb, mlx=calibration.mlx_version(),
        model=folder.resolve().name, identity=model_identity(folder), parameters=total, active=size.active or total,
        precision=bits_on(machine, size.bits), tokens=scoring.tokens, scoring=tuple(scoring.points),
        generation=tuple(generation.points), best_scoring=knee(scoring.points),
        best_generation=knee(generation.points), when=time.time(), notes=(*ends, *notes, *scoring.notes),
        gpu_cores=machine.gpu_cores, cores=machine.cores,
    )  # fmt: skip


def chip_in_words(machine: Machine) -> str:
    """M4 Max, 40 GPU cores, 16 CPU cores: as far as it is known."""
    counts = [f"{machine.gpu_cores} GPU cores"] if machine.gpu_cores else []
    counts += [f"{machine.cores} CPU cores"] if machine.cores else []
    return ", ".join([machine.name, *counts])


# -- one worker ---------------------------------------------------------------------------------------------------


def run_sweep(folder: Path, kind: str, seconds: float, show: Show) -> Sweep:
    """Start a worker and listen to it until it ends, whatever ends it."""
    found = Sweep(kind)
    with tempfile.TemporaryDirectory(prefix="realign-") as place:
        words = ("realign.job.measure", str(folder.resolve()), kind, str(seconds))
        with started(lambda: start_worker(Path(place), kind, *words)) as job:
            for event in listen(job):
                hear(found, event)
                show(progress_of(found))
            stop(job)
            check_end(found, job)
    show(progress_of(found))
    return found


def listen(job: Job, silence: float = HUNG_AFTER) -> Iterator[dict[str, Any]]:
    """What the worker says, line by line, and {} each second in which it says nothing; gives up after `silence`."""
    assert job.process.stdout is not None
    pipe, heard, rest = job.process.stdout.fileno(), time.monotonic(), b""
    while time.monotonic() - heard < silence:
        if not select.select([pipe], [], [], 1.0)[0]:
            yield {}
            continue
        heard, data = time.monotonic(), os.read(pipe, 1 << 16)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        yield from map(json.loads, lines)
    yield {"end": f"the worker gave no sign of life for {silence:g} s"}


def hear(found: Sweep, event: dict[str, Any]) -> None:
    """Keep what a worker said. Raises its error."""
    if "ready" in event:
        found.tokens, found.notes = event["ready"]["tokens"], event["ready"]["notes"]
    elif "trying" in event:
        found.trying, found.left = event["trying"], event["left"]
    elif "point" in event:
        found.points.append(Point(**event["point"]))
    elif "end" in event:
        found.ended = event["end"]
    elif "error" in event:
        raise rebuild(event["error"])
    elif found.left is not None:
        found.left = max(0.0, found.left - 1.0)  # a second in which nothing was said


def check_end(found: Sweep, job: Job) -> None:
    """Say how a worker ended that did not say it itself. Raises StageFailed where it had measured nothing yet."""
    release(job)
    how = how_it_ended(job.process.returncode)
    if not found.points:
        raise StageFailed(
            f"The worker that measures {found.kind} {found.ended or how}{tail(job)}",
            "at least batch size 1",
            "a smaller model, or fewer bits a weight",
        )
    if found.ended is None:
        found.ended = f"the worker {how} at batch size {found.trying}"


def progress_of(found: Sweep) -> Progress:
    """How far a sweep is, as every progress is shown."""
    rate = found.points[-1].examples_per_second if found.points else None
    return Progress(
        stage=found.kind,
        status="running" if found.ended is None else "passed",
        place=1 + KINDS.index(found.kind),
        stages=len(KINDS),
        done=len(BATCHES) if found.ended == "" else len(found.points),
        total=len(BATCHES),
        rate=rate,
        seconds_left=found.left,
        message=f"batch size {found.trying}" if found.tokens else "loading the model",
        quiet=0.0,
    )
