"""Several machines answer the items of a stage: start their ranks under mlx.launch, keep what they answer, mind losses.

    share = share_among(read_hosts(path))            for Work(..., share=share)

Each rank (rank.py) answers separate portions; every round's batches come back here in the items' order and are
committed like any others. mlx.launch ends all ranks when one dies, says nothing of one that froze, and gives 0 whatever
happened: so each rank gives signs of life, and success is a file that rank 0 writes last. When a machine is lost, the
others are started again with what is left of the work; with none left this process does it alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from realign.errors import Interrupted, StageFailed
from realign.hardware.environment import FACTS, worker_environment
from realign.hardware.hosts import Host, Hosts
from realign.job.process import rebuild
from realign.job.wire import unpack
from realign.run import DATABASE, Batch, Run, write_atomically
from realign.work import Answer, Share, Work, in_order

SAID = re.compile(rb"@realign (\d+) (\w+)")
LOOK_EVERY = 0.05  # seconds
FROZEN_AFTER = 30.0  # seconds without a sign of life
LATE_AFTER = 120.0  # seconds until the first one: a rank imports MLX before
RETRIES = 1  # launches that may end without a reason


@dataclass(slots=True)
class Launch:
    """One mlx.launch that runs. said: the last word of each rank; heard: when it last gave a sign of life."""

    process: subprocess.Popen[bytes]
    scratch: Path
    began: float
    said: dict[int, str] = field(default_factory=dict)
    heard: dict[int, float] = field(default_factory=dict)

    def listen(self) -> None:
        """Read what the ranks say until the launch ends; runs in a thread."""
        assert self.process.stdout
        for line in self.process.stdout:
            for rank, word in SAID.findall(line):
                self.heard[int(rank)] = time.monotonic()
                if word != b"beat":
                    self.said[int(rank)] = word.decode()

    def silent(self, ranks: int, frozen_after: float) -> list[int]:
        """Ranks that have given no sign of life for too long."""
        now = time.monotonic()
        first = max(LATE_AFTER, frozen_after)
        return [
            rank
            for rank in range(ranks)
            if now - self.heard.get(rank, self.began) > (frozen_after if rank in self.heard else first)
        ]

    def end(self) -> None:
        """End the launch and every rank of it on this machine; those elsewhere end with their ssh."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1.0)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def share_among(hosts: Hosts, speeds: Sequence[float] | None = None, frozen_after: float = FROZEN_AFTER) -> Share:
    """How the items of a stage are shared among `hosts`. speeds: what each should manage, in any unit; None: equal."""

    def share(work: Work, items: Sequence[Any], grain: int, prepare: Callable[[], Answer]) -> Iterator[Batch]:
        if items:
            team = Team(hosts, list(speeds or [1.0] * len(hosts.hosts)), frozen_after)
            yield from team.answer(work, items, grain, prepare)

    return share


@dataclass(slots=True)
class Team:
    """The machines that are still there. places: their numbers in the host file; speeds: 0 where it only coordinates.

    tallies: what each has done by now, by its number in the host file; past: what it had done before this launch.
    """

    hosts: Hosts
    speeds: list[float]
    frozen_after: float
    places: list[int] = field(default_factory=list)
    tallies: dict[int, dict[str, Any]] = field(default_factory=dict)
    past: dict[int, dict[str, Any]] = field(default_factory=dict)
    failed: int = 0

    def answer(self, work: Work, items: Sequence[Any], grain: int, prepare: Callable[[], Answer]) -> Iterator[Batch]:
        """Batches in the items' order, whoever is lost on the way."""
        self.places, answered = list(range(len(self.hosts.hosts))), 0
        while answered < len(items):
            if sum(self.speeds[place] > 0 for place in self.places) < 2 and self.places == [0]:
                yield from self.alone(work, items[answered:], grain, prepare)
                return
            self.past = dict(self.tallies)
            with launched(self, work) as launch:
                for batch in self.batches(launch, work):
                    yield batch
                    answered += len(batch.done)
                if answered < len(items):
                    self.lose(launch, work)

    def alone(self, work: Work, items: Sequence[Any], grain: int, prepare: Callable[[], Answer]) -> Iterator[Batch]:
        """What is left when no other machine is: answered in this process."""
        if work.settings.hardware.sharded:
            raise StageFailed(
                "The machines that held the other shards of the model are gone", "all of them", "`realign preflight`"
            )
        work.run.event(work.stage, "no other machine is left: this one goes on alone")
        yield from in_order(items, grain, prepare)

    def batches(self, launch: Launch, work: Work) -> Iterator[Batch]:
        """What the ranks answer, as it comes, until they have ended. Raises the error they told, or Interrupted."""
        number, waiting = 1, True
        while waiting:
            waiting = launch.process.poll() is None  # looked at first: what was written before the end is read after it
            if work.stopping():
                raise Interrupted(f"{work.stage} was stopped", fix="the same command goes on where it stopped")
            while (path := launch.scratch / f"round-{number:06}.json").exists():
                yield from self.read(path, work)
                path.unlink()
                number += 1
            if (launch.scratch / "finished.json").exists() or (launch.scratch / "error.json").exists():
                break
            if waiting:
                if launch.silent(len(self.places), self.frozen_after):
                    return
                time.sleep(LOOK_EVERY)
        self.conclude(launch, work)

    def read(self, path: Path, work: Work) -> Iterator[Batch]:
        """The batches of one round; what each machine has done so far is noted in the run."""
        told = json.loads(path.read_text(encoding="utf-8"))
        yield from map(unpack, told["batches"])
        self.tally(told["machines"], work.run, work.stage)

    def conclude(self, launch: Launch, work: Work) -> None:
        """Keep what the ranks said last. Raises the error that they told."""
        error = launch.scratch / "error.json"
        if error.exists():
            told = json.loads(error.read_text(encoding="utf-8"))
            raise rebuild(told["error"])
        finished = launch.scratch / "finished.json"
        if finished.exists():
            work.run.note("engine", json.loads(finished.read_text(encoding="utf-8"))["engine"])

    def tally(self, machines: Sequence[dict[str, Any]], run: Run, stage: str) -> None:
        """Note each machine's part of this stage: items, busy seconds, items/s, its share, what was in force there."""
        for place, machine in zip(self.places, machines, strict=True):
            before = self.past.get(place, {"examples": 0, "seconds": 0.0})
            items, seconds = before["examples"] + machine["examples"], before["seconds"] + machine["seconds"]
            self.tallies[place] = {
                **machine, "host": self.hosts.hosts[place].ssh, "examples": items, "seconds": seconds,
                "examples_per_second": items / seconds if seconds else None,
            }  # fmt: skip
        everything = sum(tally["examples"] for tally in self.tallies.values()) or 1
        parts = [{**tally, "share": tally["examples"] / everything} for _, tally in sorted(self.tallies.items())]
        run.note(f"machines of {stage}", parts)

    def lose(self, launch: Launch, work: Work) -> None:
        """Leave out the machines that were lost. Raises StageFailed when none can be named twice in a row."""
        silent = launch.silent(len(self.places), self.frozen_after)
        lost = silent or [rank for rank in range(len(self.places)) if launch.said.get(rank) not in ("left", "done")]
        if not lost or len(lost) == len(self.places):
            self.failed += 1
            if self.failed > RETRIES:
                raise StageFailed(
                    "The machines of the launch ended without a result",
                    "rounds of answers",
                    "`realign preflight` on the host file; the run's worker.log has what they said",
                )
            work.run.event(work.stage, "the launch ended without a result and is tried again")
            return
        for rank in lost:
            place = self.places[rank]
            how = "gave no sign of life" if silent else "died or could not be reached"
            work.run.event(
                work.stage, f"host {place + 1} ({self.hosts.hosts[place].ssh}) {how}: the others do its share",
                {"host": place + 1, "how": how},
            )  # fmt: skip
            self.speeds[place] = 0.0
        # Rank 0 keeps the run's folder: it stays, to coordinate, even when it could not do its own share.
        self.places = [place for place in self.places if place == 0 or self.speeds[place] > 0]


# -- starting the ranks -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def launched(team: Team, work: Work) -> Iterator[Launch]:
    """The ranks of the team's machines, started; ended when the block is left, however."""
    with tempfile.TemporaryDirectory(prefix="realign-") as folder:
        scratch = Path(folder)
        copy_database(work.run, scratch)
        hosts = [team.hosts.hosts[place] for place in team.places]
        write_atomically(scratch / "hosts.json", [host_file(team.hosts, team.places)])
        speeds = json.dumps([team.speeds[place] for place in team.places])
        command = [
            sys.executable, "-c", "from mlx._distributed_utils.launch import main; main()",
            "--hostfile", str(scratch / "hosts.json"), "--backend", team.hosts.backend,
            "--starting-port", str(free_ports(sum(len(host.ips) for host in hosts))),
            *environment_words(work), "--",
            "/bin/sh", "-c", pick_python(hosts), "rank", work.stage, str(scratch), speeds, str(os.getpid()),
        ]  # fmt: skip
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0)
        launch = Launch(process, scratch, time.monotonic())
        listener = threading.Thread(target=launch.listen, daemon=True)
        listener.start()
        quiet = threading.Thread(target=_end_its_looking, args=(launch, len(hosts)), daemon=True)
        quiet.start()
        try:
            yield launch
        finally:
            launch.end()
            listener.join(1.0)


def _end_its_looking(launch: Launch, ranks: int) -> None:
    """Write one line to mlx.launch once every rank has closed its stdin (see rank.py): it stops looking then."""
    while launch.process.poll() is None and len(launch.heard) < ranks:
        time.sleep(LOOK_EVERY)
    with contextlib.suppress(OSError):
        assert launch.process.stdin
        launch.process.stdin.write(b"\n")
        launch.process.stdin.flush()


def copy_database(run: Run, folder: Path) -> None:
    """A copy of the run's database as it is now, in one file, for the ranks to read."""
    import sqlite3

    with contextlib.closing(sqlite3.connect(folder / DATABASE)) as copy:
        run.db.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")


def host_file(hosts: Hosts, places: Sequence[int]) -> str:
    """The hosts at `places` in the JSON that mlx.launch reads."""
    chosen = [hosts.hosts[place] for place in places]
    rows = [{"ssh": host.ssh, "ips": host.ips, "rdma": [host.rdma[p] for p in places if host.rdma]} for host in chosen]
    return json.dumps({"backend": hosts.backend, "hosts": rows})


def environment_words(work: Work) -> list[str]:
    """The environment of every worker, as words of mlx.launch: ssh carries no variables by itself."""
    environment = worker_environment(os.environ, fast_synch=work.settings.hardware.fast_synch)
    names = [name for name, _, _ in FACTS if name in environment]
    return [word for name in names for word in ("--env", f"{name}={environment[name]}")]


def pick_python(hosts: Sequence[Host]) -> str:
    """A shell script that runs a rank with the interpreter of its own host: mlx.launch knows one for all."""
    import shlex

    cases = [f"{rank}) python={shlex.quote(host.python or sys.executable)};;" for rank, host in enumerate(hosts)]
    return f'case $MLX_RANK in {" ".join(cases)} esac; exec "$python" -P -m realign.job.rank "$@"'


def free_ports(count: int) -> int:
    """The first of `count` neighboring TCP ports that nobody listens on here."""
    for start in range(30000 + os.getpid() % 20000, 60000, count):
        with contextlib.suppress(OSError), contextlib.ExitStack() as held:
            for port in range(start, start + count):
                listener = held.enter_context(socket.socket())
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind(("", port))
            return start
    raise StageFailed(f"No {count} free ports between 30000 and 60000", "ports for the ranks", "close other programs")
