"""One mlx.launch: the ranks of several machines started together, listened to, and ended together.

    with launched(hosts, [0, 1], [1.0, 1.0], work) as launch: ...

mlx.launch ends all ranks when one dies, says nothing of one that froze, and gives 0 whatever happened: so each rank
(rank.py) gives signs of life, and success is a file in the launch's scratch folder that rank 0 writes last.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from realign.align.places import CHECKPOINTS
from realign.errors import StageFailed
from realign.hardware.environment import FACTS, worker_environment
from realign.hardware.hosts import Host, Hosts
from realign.run import DATABASE, Run, write_atomically
from realign.work import Work

SAID = re.compile(rb"@realign (\d+) (\w+)(?: (\{.*\}))?")
EXITED = re.compile(rb"Node with rank (\d+) exited with code (-?\d+)")
TOLD_TO_END = (-15, 143)  # SIGTERM, as mlx.launch sends it to the others when one rank has died
LOOK_EVERY = 0.05  # seconds
LATE_AFTER = 120.0  # seconds until the first sign of life: ssh, and Python's own start


@dataclass(slots=True)
class Launch:
    """One mlx.launch that runs. said: the last word of each rank; heard: when it last gave a sign of life.

    moved: when any rank last said more than that it lives. codes: the exit code of each rank that failed, as mlx.launch
    reports it; errors: what ranks said that they failed of, as plain values.
    """

    process: subprocess.Popen[bytes]
    scratch: Path
    began: float = field(default_factory=time.monotonic)
    listeners: list[threading.Thread] = field(default_factory=list)
    moved: float = field(default_factory=time.monotonic)
    codes: dict[int, int] = field(default_factory=dict)
    errors: dict[int, dict[str, str]] = field(default_factory=dict)
    said: dict[int, str] = field(default_factory=dict)
    heard: dict[int, float] = field(default_factory=dict)

    def running(self) -> bool:
        """Whether mlx.launch lives; once it does not, everything that the ranks said has been heard."""
        if self.process.poll() is None:
            return True
        for listener in self.listeners:
            listener.join(2.0)
        return False

    def listen(self) -> None:
        """Read what the ranks say until the launch ends; runs in a thread."""
        assert self.process.stdout
        for line in self.process.stdout:
            for rank, word, error in SAID.findall(line):
                now = self.heard[int(rank)] = time.monotonic()
                if word != b"beat":
                    self.said[int(rank)], self.moved = word.decode(), now
                if error:
                    with contextlib.suppress(ValueError):
                        self.errors[int(rank)] = json.loads(error)

    def watch(self) -> None:
        """Hand on what is written to stderr, and keep how ranks ended; runs in a thread."""
        assert self.process.stderr
        for line in self.process.stderr:
            sys.stderr.write(line.decode("utf-8", "replace"))
            self.codes.update((int(rank), int(code)) for rank, code in EXITED.findall(line))

    def lost(self, ranks: int) -> list[int]:
        """Ranks that ended by themselves without a word, once the launch has ended."""
        silenced = [rank for rank in range(ranks) if self.said.get(rank) not in ("left", "done")]
        return [rank for rank in silenced if self.codes.get(rank) not in TOLD_TO_END]

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


@contextlib.contextmanager
def launched(hosts: Hosts, places: Sequence[int], speeds: Sequence[float], work: Work) -> Iterator[Launch]:
    """The ranks of the hosts at `places`, started; ended when the block is left, however."""
    with tempfile.TemporaryDirectory(prefix="realign-") as folder:
        scratch = Path(folder)
        copy_database(work.run, scratch)
        if (kept := work.run.folder / CHECKPOINTS).is_dir():
            (scratch / CHECKPOINTS).symlink_to(kept.absolute())  # rank 0 reads and writes those of the run itself
        chosen = [hosts.hosts[place] for place in places]
        write_atomically(scratch / "hosts.json", [host_file(hosts, places)])
        command = [
            sys.executable, "-c", "from mlx._distributed_utils.launch import main; main()",
            "--hostfile", str(scratch / "hosts.json"), "--backend", hosts.backend,
            "--starting-port", str(free_ports(sum(len(host.ips) for host in chosen))),
            *environment_words(work), "--",
            "/bin/sh", "-c", pick_python(chosen), "rank",
            work.stage, str(scratch), json.dumps(speeds), str(os.getpid()),
        ]  # fmt: skip
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, process_group=0) as process:
            launch = Launch(process, scratch)
            quiet = threading.Thread(target=_end_its_looking, args=(launch, len(chosen)), daemon=True)
            launch.listeners += [threading.Thread(target=do, daemon=True) for do in (launch.listen, launch.watch)]
            for thread in (*launch.listeners, quiet):
                thread.start()
            try:
                yield launch
            finally:
                launch.end()
                for thread in (*launch.listeners, quiet):
                    thread.join()


def _end_its_looking(launch: Launch, ranks: int) -> None:
    """Write one line to mlx.launch once every rank has closed its stdin (see rank.py): it stops looking then."""
    assert launch.process.stdin
    while launch.process.poll() is None and len(launch.heard) < ranks:
        time.sleep(LOOK_EVERY)
    with contextlib.suppress(OSError):
        os.write(launch.process.stdin.fileno(), b"\n")  # not kept in a buffer that closing would flush again


def copy_database(run: Run, folder: Path) -> None:
    """A copy of the run's database as it is now, in one file, for the ranks to read."""
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
    cases = [f"{rank}) python={shlex.quote(host.python or sys.executable)};;" for rank, host in enumerate(hosts)]
    return f'case $MLX_RANK in {" ".join(cases)} esac; exec "$python" -P -m realign.job.rank "$@"'


def free_ports(count: int) -> int:
    """The first of `count` neighboring TCP ports that nobody listens on here."""
    for start in range(30000 + os.getpid() * 16 % 20000, 60000, count):  # far from a launch beside this one
        with contextlib.suppress(OSError), contextlib.ExitStack() as held:
            for port in range(start, start + count):
                listener = held.enter_context(socket.socket())
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind(("", port))
            return start
    raise StageFailed(f"No {count} free ports between 30000 and 60000", "ports for the ranks", "close other programs")
