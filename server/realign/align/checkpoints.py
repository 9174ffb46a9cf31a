"""Checkpoints of a training: written beside it, whole or not at all; the last three and the best are kept.

    checkpoints = Checkpoints("run/checkpoints", identity)      or "s3://bucket/run"
    checkpoints.save(100, {"weights.w": w, ...}, {"cursor": 100}, score=0.31)   returns at once
    saved = checkpoints.latest()                                None where there is none
    checkpoints.flush()                                         waits, and raises what went wrong

One file a checkpoint: every array, and in the header the step, the score and `facts`. The loop puts weights, optimizer,
random state and data cursor inside. `identity` stands for settings, data and model: another training's checkpoint is
refused rather than carried on with; "" reads any.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import mlx.core as mx

from realign.align.stores import clear_partials, open_store
from realign.align.tensors import Tensor, freeze, read_metadata, read_tensors, write_tensors
from realign.errors import StorageError, UsageError

NAME = re.compile(r"step-(\d+)\.safetensors(\.gz)?")
KEPT = 3
DAMAGED = (RuntimeError, ValueError, EOFError, KeyError, gzip.BadGzipFile, zlib.error)


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint as it was read. score: lower is better, None where nothing was measured at that step."""

    step: int
    score: float | None
    arrays: dict[str, mx.array]
    facts: dict[str, Any]


class Checkpoints:
    """The checkpoints at one address. One process writes there at a time; its run's lock sees to that."""

    def __init__(self, address: str | Path, identity: str, *, compress: bool = False, kept: int = KEPT) -> None:
        self.identity, self.compress, self.kept = identity, compress, kept
        self.address = str(address)
        try:
            self.store = open_store(address)
            self.names = {int(found[1]): name for name in self.store.names() if (found := NAME.fullmatch(name))}
        except OSError as error:
            raise self._failed("be opened", error) from error
        self.scores: dict[int, float] = {}
        self._writer = ThreadPoolExecutor(1, "checkpoints")
        self._writing: Future[None] | None = None
        self._cleared = False

    # -- writing ----------------------------------------------------------------------------------------------------

    def save(
        self, step: int, arrays: Mapping[str, mx.array], facts: Mapping[str, Any], score: float | None = None
    ) -> None:
        """Begin to write, and return; waits only for the checkpoint before it. Raises StorageError when that failed."""
        self.flush()
        about = {"step": step, "score": score, "identity": self.identity, "facts": dict(facts)}
        self._writing = self._writer.submit(self._write, step, score, freeze(arrays), {"realign": json.dumps(about)})

    def flush(self) -> None:
        """Wait until everything is on the disk. Raises StorageError when it could not be written."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def close(self) -> None:
        """Flush, and end the writing thread."""
        try:
            self.flush()
        finally:
            self._writer.shutdown()

    def _write(self, step: int, score: float | None, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
        name = f"step-{step:08d}.safetensors" + ".gz" * self.compress

        def fill(file: BinaryIO) -> None:
            if not self.compress:
                return write_tensors(file, tensors, metadata)
            with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1, mtime=0) as smaller:
                return write_tensors(cast(BinaryIO, smaller), tensors, metadata)

        try:
            if not self._cleared:
                clear_partials(self.store)
                self._cleared = True
            self.store.write(name, fill)
            self.names[step] = name
            if score is not None:
                self.scores[step] = score
            self._prune()
        except OSError as error:
            raise self._failed("be written", error) from error

    def _prune(self) -> None:
        """Remove all but the newest few and the best."""
        wanted = {*sorted(self.names)[-self.kept :], *([self.best_step()] if self.scores else [])}
        for step in sorted(set(self.names) - wanted):
            self.store.remove(self.names.pop(step))
            self.scores.pop(step, None)

    def _failed(self, verb: str, error: OSError) -> StorageError:
        last = max(getattr(self, "names", {}), default=None)
        kept = "no earlier checkpoint is there" if last is None else f"the one of step {last} is kept, whole"
        return StorageError(
            f"A checkpoint can't {verb} at {self.address} ({error.strerror or error}); {kept}",
            "a folder or address that can be written, with room for the weights and the optimizer's state",
            "make room or name another place, then the same command: it goes on from the last checkpoint",
        )

    # -- reading ----------------------------------------------------------------------------------------------------

    def best_step(self) -> int | None:
        """The step with the lowest score, the earliest of equal ones; None where none was scored."""
        return min(self.scores, key=lambda step: (self.scores[step], step), default=None)

    def latest(self) -> Saved | None:
        """The newest checkpoint that is whole, None where there is none. A damaged one is passed over and left there.

        Raises UsageError when it is another training's, StorageError when the place can't be read.
        """
        self.flush()
        newest = None
        for step in sorted(self.names, reverse=True):
            try:
                if newest is None:
                    newest = self.read(step)
                score = self._about(step)["score"]
            except DAMAGED:
                del self.names[step]
                continue
            if score is not None:
                self.scores[step] = score
        return newest

    def read(self, step: int) -> Saved:
        """One checkpoint. Raises KeyError where there is none, UsageError when it is another training's."""
        about = self._about(step)
        if self.identity not in ("", about["identity"]):
            raise UsageError(
                f"{self.address} holds the checkpoint of another training (step {step})",
                "one of the same settings, data and model",
                "another folder, or remove that one to start anew",
            )
        with self._opened(step) as file:
            arrays, _ = read_tensors(file)
        return Saved(step, about["score"], arrays, about["facts"])

    def _about(self, step: int) -> dict[str, Any]:
        """What a checkpoint says of itself, without its arrays."""
        with self._opened(step) as file:
            about: dict[str, Any] = json.loads(read_metadata(file)["realign"])
        return about

    @contextlib.contextmanager
    def _opened(self, step: int) -> Iterator[BinaryIO]:
        name = self.names[step]
        try:
            with self.store.open(name) as raw:
                yield cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if name.endswith(".gz") else raw
        except DAMAGED:
            raise
        except OSError as error:
            raise self._failed("be read", error) from error
