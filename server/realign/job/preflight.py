"""The pre-flight of a run that several machines share, made where its work begins: by whatever door it was started.

    check_machines(run, stopping)        in the worker, before its first stage that has anything left to do

The checks are kept with the run, those of the last time. Looking at a run asks no machine anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from realign.errors import Blocked
from realign.job.progress import DOING
from realign.run import Run


def task_of(run: Run) -> str:
    """What the machines of a run do, as memory is planned for it: the stage of an alignment that needs the most."""
    if run.noted("workflow") != "align":
        return "curate"
    return "dpo" if run.noted("data_type") == "dpo" else "rl"


def check_machines(run: Run, stopping: Callable[[], bool]) -> None:
    """Ask the machines of the run's host file. Raises Blocked when one of the eight checks fails."""
    from realign.hardware.flight import fly
    from realign.hardware.hosts import read_hosts
    from realign.hardware.preflight import blocking
    from realign.workflow import settings_of

    settings = settings_of(run)
    if not settings.hardware.hosts:
        return
    hosts = read_hosts(Path(settings.hardware.hosts))
    try:
        checks = fly(hosts, settings, lambda line: run.note(DOING, line), stopping, task=task_of(run))
    finally:
        run.note(DOING, "")
    run.note("preflight", [asdict(check) for check in checks])
    if failed := blocking(checks):
        raise Blocked(
            "The pre-flight failed: " + "; ".join(f"{check.name}: {check.detail}" for check in failed),
            f"no fail among {len(checks)} checks",
            "; ".join(dict.fromkeys(check.fix for check in failed if check.fix)),
        )
