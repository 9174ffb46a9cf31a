"""A worker beside a server that must stay awake: start or attach, report, wait as long as asked, stop when cancelled.

    progress, writer = await attend(folder, "all", report, seconds=100)

The same as `job.carry_on`, without ever holding up the event loop. A worker lives on when the waiting is over: the next
call finds it in JOBS, or sees in run.db that somebody writes the run.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from realign.errors import Busy, Interrupted
from realign.job.process import Job, ask_to_stop, finish, start_stage, stop
from realign.job.progress import Progress, Watch, duration

REPORT_EVERY = 2.0  # seconds between progress notifications
LOOK_EVERY = 0.2  # seconds between looks at a worker
STILL_EVERY = 5.0  # seconds between signs of life of other work
JOBS: dict[Path, Job] = {}  # workers that this process started and whose end nobody has been told yet

Report = Callable[[float, float | None, str], Awaitable[None]]
T = TypeVar("T")


async def in_thread(work: Callable[..., T], *args: Any) -> T:
    """Run something that reads disks or imports heavy modules, without holding up other calls."""
    return await anyio.to_thread.run_sync(functools.partial(work, *args))


async def patiently(report: Report, every: float, what: str, work: Callable[..., T], *args: Any) -> T:
    """`in_thread` for what may take a while, with a sign of life every `every` seconds: how long it has been at it."""
    outcome: list[T | Exception] = []
    async with anyio.create_task_group() as group:
        group.start_soon(_say_still, report, every, what)
        try:
            outcome.append(await in_thread(work, *args))
        except Exception as error:  # raised below: a task group would wrap it
            outcome.append(error)
        group.cancel_scope.cancel()
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


async def _say_still(report: Report, every: float, what: str) -> None:
    seconds = 0.0
    while True:
        await anyio.sleep(every)
        seconds += every
        await report(seconds, None, f"{what}, for {duration(seconds)} now")


async def attend(folder: Path, stage: str, report: Report, seconds: float) -> tuple[Progress, str]:
    """Bring a stage, or all, to its end, or as far as it comes in `seconds`. Gives (progress, who is writing still).

    Raises what the worker met. Being cancelled stops a worker of ours, and leaves another process's alone.
    """
    steps, deadline = Steps(report), time.monotonic() + seconds
    with Watch(folder) as watch:
        while True:
            job = JOBS.get(folder)
            if job is None and not watch.writer():
                job = JOBS[folder] = start_stage(folder, stage)
            ended = await _wait(job, watch, steps, deadline)
            progress = await in_thread(watch.look)
            if not ended:  # even where the worker is just starting, or between two stages
                return dataclasses.replace(progress, status="running"), watch.writer()
            if job is None:
                if progress.status not in ("passed", "warned"):
                    return progress, ""
                continue  # the other process did its part: see to it that ours is done too
            JOBS.pop(folder, None)
            try:
                await in_thread(finish, job)
            except Busy:
                continue  # another process was faster: attach to it
            except Interrupted:
                return progress, ""
            if job.stage in (stage, "all"):
                return await in_thread(watch.look), ""


async def _wait(job: Job | None, watch: Watch, steps: Steps, deadline: float) -> bool:
    """Report until the worker has ended (True) or time is up (False)."""
    try:
        while job.running() if job else await in_thread(watch.writer):
            await steps.report(await in_thread(watch.look))
            if time.monotonic() >= deadline:
                return False
            await anyio.sleep(LOOK_EVERY)
        return True
    except anyio.get_cancelled_exc_class():
        if job is not None:
            JOBS.pop(job.folder, None)
            with anyio.CancelScope(shield=True):
                await in_thread(stop, job)
        raise


class Steps:
    """Progress notifications: one every two seconds, each a little further than the last, as the protocol asks."""

    def __init__(self, report: Report) -> None:
        self.send, self.last, self.said = report, -1.0, float("-inf")

    async def report(self, progress: Progress) -> None:
        """Notify when it is time to."""
        if time.monotonic() - self.said < REPORT_EVERY:
            return
        self.said = time.monotonic()
        total = float(progress.stages)
        within = max(self.last, 0.0) + (total - max(self.last, 0.0)) * 1e-6  # further, and never past the end
        self.last = min(max(progress.overall, within), total)
        await self.send(self.last, total, str(progress))


def stop_all(grace: float) -> None:
    """End every worker of ours and wait for it."""
    for job in list(JOBS.values()):
        stop(job, grace)


def ask_all_to_stop() -> None:
    """Tell every worker of ours to stop, and wait for nothing."""
    for job in list(JOBS.values()):
        ask_to_stop(job)
