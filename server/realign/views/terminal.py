"""Progress on stderr: a live bar with rate and time left on a terminal, else a plain line every few seconds.

with showing() as show:
    show(progress)
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from realign.job.progress import Progress, duration

Show = Callable[[Progress], None]
LINE_EVERY = 5.0  # seconds


@contextlib.contextmanager
def showing(quiet: bool = False) -> Iterator[Show]:
    """A function that shows progress in the way that fits stderr."""
    if quiet:
        yield lambda progress: None
    elif sys.stderr.isatty():
        with bars() as show:
            yield show
    else:
        yield lines()


def lines(say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True)) -> Show:
    """Plain lines: what happens, when a stage begins or ends, and every five seconds in between."""
    shown: dict[str, object] = {"what": None, "at": 0.0}

    def show(progress: Progress) -> None:
        for words in progress.news:
            say(words)
        what, now = (progress.stage, progress.status), time.monotonic()
        if what != shown["what"] or now - float(str(shown["at"])) >= LINE_EVERY:
            say(str(progress))
            shown.update(what=what, at=now)

    return show


@contextlib.contextmanager
def bars() -> Iterator[Show]:
    """One live bar a stage; those of finished stages stay, and what happens is said above them."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"))
    tasks: dict[str, TaskID] = {}
    with Bars(*columns, console=Console(stderr=True)) as live:

        def show(progress: Progress) -> None:
            for words in progress.news:
                live.console.print(words, highlight=False, markup=False)
            if not progress.stage:
                return
            if progress.stage not in tasks:
                for before in tasks.values():  # their end may have come between two looks
                    live.update(before, note="passed")
                name = f"{progress.place}/{progress.stages} {progress.stage}"
                tasks[progress.stage] = live.add_task(name, total=None, note="")
            live.update(
                tasks[progress.stage], total=progress.total or None, completed=progress.done, note=_note(progress)
            )

        yield show


def _note(progress: Progress) -> str:
    """Rate, time left and message while a stage runs; then how it ended."""
    if progress.status != "running":
        return progress.status
    if progress.hung:
        return f"no sign of life for {duration(progress.quiet)}"
    parts = [f"{progress.rate:,.1f}/s"] if progress.rate else []
    parts += [f"{duration(progress.seconds_left)} left"] if progress.seconds_left is not None else []
    return ", ".join([*parts, progress.message] if progress.message else parts)
