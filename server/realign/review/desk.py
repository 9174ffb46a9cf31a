"""What lies before the reviewer: the run, its rows, and the documents they come from, kept as long as they are true.

desk = Desk(run)
desk.refresh()                                      before anything is shown
desk.commit(lambda: decide(run, row, keep=False))   the run is locked only for this moment
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from typing import TypeVar

from realign.errors import Busy, StorageError, UsageError
from realign.intake.runs import name_of
from realign.records import Document
from realign.review.rows import Entry, read_entries
from realign.run import DATABASE, Run

PATIENCE = 25  # tries for the lock, 20 ms apart: who only looks who is writing holds it for an instant
T = TypeVar("T")


class Desk:
    """The run with its rows and documents. Raises UsageError for a run without a selected row."""

    def __init__(self, run: Run) -> None:
        self.run, self.inode = run, _inode(run)
        self.name = shlex.quote(name_of(run.folder))  # what a command calls it
        self.entries: list[Entry] = []
        self.documents: dict[str, Document] = {}
        self.version = -1
        self.refresh()
        if not self.entries:
            raise UsageError(
                f"{run.id} has no selected rows to review",
                "a run whose select stage has ended",
                "`realign curate` with the same words, which goes on where it is; `realign show` says how it went",
            )

    def refresh(self) -> None:
        """Read everything again where others have written since. Raises StorageError where the run is gone."""
        if _inode(self.run) != self.inode:
            raise StorageError(f"{self.run.id} was removed or made anew", "the run that was opened", "`realign runs`")
        version = self.run.db.execute("PRAGMA data_version").fetchone()[0]
        if version != self.version:
            self.entries, self.documents, self.version = read_entries(self.run), {}, version

    def commit(self, act: Callable[[], T]) -> T:
        """Do one thing as the run's only writer. Raises Busy, naming the holder, where another process stays it."""
        for left in reversed(range(PATIENCE)):
            try:
                with self.run.writing("realign review"):
                    return act()
            except Busy:
                if not left:
                    raise
                time.sleep(0.02)
        raise AssertionError("unreachable")


def _inode(run: Run) -> tuple[int, int] | None:
    try:
        found = (run.folder / DATABASE).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
