"""Every failure ReAlign foresees, as one small tree.

    RealignError                what was found, what was expected, what to try next
    |- UsageError               a wrong word, path or setting            (exit 2)
    |- SourceError              a document that can't be read            (exit 1)
    |  |- EmptySource           zero bytes, or no text at all
    |  |- EncryptedSource       needs a password
    |  |- DamagedSource         truncated, malformed, not what its name says
    |  `- SourceLimit           took too long, too much memory, or printed too much
    |- ModelError               a model or endpoint that can't be used   (exit 1)
    |- EmptyInput               a metric or stage was given nothing to work on
    |- StageFailed              a stage's worker ended without finishing (exit 1)
    |  |- PeersLost           another machine of a launch is gone
    |  |- Diverged            a training's loss or gradient is no number any more
    |  `- OutOfMemory         not even a single row fits into memory, or a machine without memory ended the worker
    |- Blocked                  a gate says REJECT                       (exit 3)
    |- Busy                     another process is writing this run      (exit 1)
    |- StorageError             a disk, folder or run.db that fails      (exit 1)
    `- Interrupted              the user, or the session, stopped it     (exit 130)

An error is three sentences at most: found, expected, next step. Nothing here is ever turned into a score.
"""

from __future__ import annotations


class RealignError(Exception):
    """What was found, what was expected and what to try next, in one readable message."""

    exit_code = 1

    def __init__(self, found: str, expected: str = "", fix: str = "") -> None:
        self.found, self.expected, self.fix = found, expected, fix
        parts = [found, expected and f"Expected: {expected}", fix and f"Try: {fix}"]
        super().__init__(". ".join(part.rstrip(".") for part in parts if part) + ".")


class UsageError(RealignError):
    """A wrong word, path or setting."""

    exit_code = 2


class SourceError(RealignError):
    """A document that can't be read. The rest of a folder goes on without it."""


class EmptySource(SourceError):
    """Zero bytes, or no text at all."""


class EncryptedSource(SourceError):
    """The document needs a password."""


class DamagedSource(SourceError):
    """Truncated, malformed, or not what its name says."""


class SourceLimit(SourceError):
    """Reading took too long, too much memory, or gave absurdly much text."""


class ModelError(RealignError):
    """A model or endpoint that can't be used."""


class EmptyInput(RealignError):
    """A metric or a stage was given nothing to work on."""


class StageFailed(RealignError):
    """A stage's worker ended without finishing."""


class PeersLost(StageFailed):
    """Another machine of a launch died, froze or can't be reached. The others go on with its share."""


class Diverged(StageFailed):
    """A training's loss or gradient became NaN or infinite. The checkpoint before it is kept."""


class OutOfMemory(StageFailed):
    """One row of a training does not fit, with no batch left to halve; or a machine without memory ended the worker."""


class Blocked(RealignError):
    """A gate says REJECT: the next stage refuses to start."""

    exit_code = 3


class Busy(RealignError):
    """Another process is writing this run."""


class StorageError(RealignError):
    """A full disk, a folder without permission, a damaged or locked run.db."""


class Interrupted(RealignError):
    """The user, or the end of the session, stopped the stage. What was finished is kept."""

    exit_code = 130
