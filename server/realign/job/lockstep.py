"""Several machines train one model in lockstep: each has its part of every batch, and the first keeps the checkpoints.

    lockstep = lockstep_of(settings)                     for Work(..., lockstep=lockstep)

The stage runs on every rank (rank.py) up to the end of its training. Rank 0 writes checkpoints where the run keeps them
and tells its progress in a copy of the run, from which it is taken over here. Then this process, the run's one writer,
takes up the last checkpoint and measures it, as it would its own.

Nobody can go on without a lost machine in the middle of a step: the training ends, in an error that names it, and its
last checkpoint stays. The same words go on from there, with the same machines, others, or none.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from realign.align.places import CHECKPOINTS, state_folder
from realign.align.telling import IDLE
from realign.errors import Interrupted, StageFailed
from realign.hardware.hosts import Hosts, read_hosts
from realign.job.launch import LOOK_EVERY, Launch, launched
from realign.job.process import rebuild
from realign.job.progress import duration
from realign.job.rank import STOP
from realign.job.ranks import CHECK, FROZEN_AFTER, together
from realign.records import Step, decode
from realign.run import DATABASE, PACE, Batch, write_atomically
from realign.settings import Settings
from realign.work import Lockstep, Work

STOPPING = 1.5  # seconds for a last checkpoint; the worker itself has two (worker.py)
ALONE = "or take that host out of the host file: batches and their order stay the same"


def lockstep_of(settings: Settings) -> Lockstep | None:
    """How the settings have several machines train; None for this machine alone. Raises UsageError."""
    if not settings.hardware.hosts:
        return None
    hosts = read_hosts(Path(settings.hardware.hosts).expanduser())
    return train_on(hosts, settings.hardware.stalled_after) if len(hosts.hosts) > 1 else None


def train_on(hosts: Hosts, stalled_after: float, frozen_after: float = FROZEN_AFTER) -> Lockstep:
    """Train on all of `hosts`.

    frozen_after: seconds without a sign of life of one machine; stalled_after: without any of them getting further,
    though all live. Either ends the training.
    """

    def train(work: Work, attempt: int) -> None:
        (work.run.folder / CHECKPOINTS).mkdir(exist_ok=True)
        places = list(range(len(hosts.hosts)))
        with launched(hosts, places, [1.0] * len(places), work) as launch:
            Watched(hosts, launch, work, attempt, stalled_after, frozen_after).follow()

    return train


@dataclass(slots=True)
class Watched:
    """A training on several machines, looked at from outside. done, total: the steps that rank 0 has told of."""

    hosts: Hosts
    launch: Launch
    work: Work
    attempt: int
    stalled_after: float
    frozen_after: float
    done: int = 0
    total: int = 0
    taken: int = 0
    told_idle: bool = False

    def follow(self) -> None:
        """Take over progress until the training has ended. Raises what ended it early, and Interrupted when stopped."""
        self.work.run.note(PACE, {})  # an earlier attempt's tells nothing of this one
        self.work.progress(0, 0, f"{len(self.hosts.hosts)} machines begin together")
        with self.copy() as copy:
            self.taken = copy.execute("SELECT COALESCE(MAX(seq), 0) FROM records").fetchone()[0]
            going = True
            while going:
                going = self.launch.running() and not self.finished.exists()
                try:
                    self.take_over(copy)
                except Interrupted:
                    self.stop()
                    raise
                if going:
                    self.require_alive()
                    time.sleep(LOOK_EVERY)
        self.conclude()

    def stop(self) -> None:
        """Ask rank 0 to end after a checkpoint, and wait a little for it."""
        write_atomically(self.launch.scratch / STOP, [])
        end = time.monotonic() + STOPPING
        while time.monotonic() < end and self.launch.running():
            time.sleep(LOOK_EVERY)

    @contextlib.contextmanager
    def copy(self) -> Iterator[sqlite3.Connection]:
        """Rank 0's copy of the run, to read."""
        address = f"file:{self.launch.scratch / DATABASE}?mode=ro"
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=30.0)) as copy:
            yield copy

    def take_over(self, copy: sqlite3.Connection) -> None:
        """Keep the new points of the curves, and say how far rank 0 is. Raises Interrupted when that is asked for."""
        stage = self.work.stage
        words = "SELECT seq, body FROM records WHERE kind = 'step' AND stage = ? AND seq > ? ORDER BY seq"
        for seq, body in copy.execute(words, (stage, self.taken)).fetchall():
            point: Step = decode("step", body)
            self.work.run.commit(stage, Batch(records=[point]))
            self.taken, self.done = seq, max(self.done, point.number)
        row = copy.execute("SELECT done, total, message FROM stages WHERE name = ?", (stage,)).fetchone()
        if row and IDLE in row[2]:
            self.tell_idle()
        if row and "tokens/s" in row[2]:  # what telling.py says of a step
            self.done, self.total = max(self.done, row[0]), row[1]
            pace = copy.execute("SELECT value FROM meta WHERE key = ?", (PACE,)).fetchone()
            rate = json.loads(pace[0]).get("rate") if pace else None
            self.work.progress(self.done, self.total, f"{row[2]}, {len(self.hosts.hosts)} machines", rate)
        elif self.work.stopping():
            raise Interrupted(f"{stage} was stopped", fix="the same command goes on where it stopped")

    def tell_idle(self) -> None:
        """Say once a training what a progress line may hide: batches of too few rows for so many machines."""
        if not self.told_idle:
            fix = "name a larger training.rows, and a schedule for this stage"
            self.work.run.event(self.work.stage, f"some machines have nothing to do: batches have too few rows; {fix}")
        self.told_idle = True

    # -- how it may end ---------------------------------------------------------------------------------------------

    @property
    def finished(self) -> Path:
        """What rank 0 writes last."""
        return self.launch.scratch / "finished.json"

    def require_alive(self) -> None:
        """Raises StageFailed for a machine that gives no sign of life, or where none gets any further."""
        silent = self.launch.silent(len(self.hosts.hosts), self.frozen_after)
        # One that has ended is waited for no longer, but rank 0 may be writing a last checkpoint.
        if silent := [rank for rank in silent if rank not in self.launch.codes]:
            raise self.lost(silent, f"gave no sign of life for {duration(self.frozen_after)}")
        if time.monotonic() - self.launch.moved > self.stalled_after:
            raise self.stalled()

    def conclude(self) -> None:
        """Note who took part. Raises the error that a rank told, or StageFailed for one that was lost wordless."""
        ranks = range(len(self.hosts.hosts))
        error = self.launch.scratch / "error.json"
        told = json.loads(error.read_text(encoding="utf-8")) if error.exists() else None
        for rank, failure in self.launch.errors.items():
            told = told or {"rank": rank, "error": failure}
        if told:
            # A loss that is no number is the sum of all machines' parts, and each of them says so.
            where = "" if told["error"]["type"] == "Diverged" else f"On {self.name(told['rank'])}: "
            raise rebuild({**told["error"], "found": where + told["error"]["found"]})
        if not self.finished.exists():
            lost = self.launch.lost(len(ranks)) or list(self.launch.codes)[:1] or list(ranks)
            raise self.lost(lost, "died or could not be reached")
        self.note_parts(json.loads(self.finished.read_text(encoding="utf-8"))["machines"])

    def note_parts(self, machines: Sequence[dict[str, object]]) -> None:
        """Note each machine's part of this stage: how long it trained and what was in force there. Shares are equal."""
        run, stage = self.work.run, self.work.stage
        before = run.noted(f"machines of {stage}", [{"seconds": 0.0}] * len(machines))
        run.note(f"machines of {stage}", [
            {**machine, "host": host.ssh, "examples": None, "examples_per_second": None, "share": 1 / len(machines),
             "seconds": machine["seconds"] + past["seconds"]}
            for machine, host, past in zip(machines, self.hosts.hosts, before, strict=False)
        ])  # fmt: skip
        run.note("machines", together(run))

    def lost(self, ranks: Sequence[int], how: str) -> StageFailed:
        """The error for machines that are gone."""
        return StageFailed(
            f"{' and '.join(map(self.name, ranks))} {how} {self.where()}",
            "all machines of a training until its end",
            f"see to it ({CHECK}), then the same command, which goes on from the checkpoint; {ALONE}",
        )

    def stalled(self) -> StageFailed:
        """The error for machines that live and do nothing, with those that the others wait for."""
        ranks = range(len(self.hosts.hosts))
        busy = [rank for rank in ranks if self.launch.said.get(rank) != "waits"]
        names = " and ".join(map(self.name, busy))
        how = f"{names} did not get any further" if busy else "All machines waited for each other"
        return StageFailed(
            f"{how} for {duration(self.stalled_after)} {self.where()}",
            "steps; hardware.stalled_after says how long one may take",
            "the same command, which goes on from the checkpoint; a larger hardware.stalled_after for longer steps",
        )

    def name(self, rank: int) -> str:
        """host 2 (studio.local)."""
        return f"host {rank + 1} ({self.hosts.hosts[rank].ssh})"

    def where(self) -> str:
        """How far the training had come, and what is left of it."""
        step = f"after step {self.done} of {self.total}" if self.done else "before the first step was done"
        return f"in {self.work.stage}, attempt {self.attempt}, {step}; {self.kept()}"

    def kept(self) -> str:
        """What the checkpoints' folder holds, in words."""
        folder = state_folder(self.work.run, self.work.stage, self.attempt)
        steps = [int(path.name[5:13]) for path in folder.glob("step-*.safetensors*") if path.name[5:13].isdigit()]
        return f"the checkpoint of step {max(steps)} is kept" if steps else "no checkpoint had been written"
