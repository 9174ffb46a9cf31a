"""Several machines answer the items of a stage: keep what their ranks answer, and mind losses.

    share = sharing_of(settings)                     for Work(..., share=share)

Each rank (rank.py) answers separate portions; every round's batches come back here in the items' order and are
committed like any others. When a machine is lost, the others are started again with what is left of the work, its
share among it; with none left this process does it alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from realign.errors import Interrupted, StageFailed
from realign.hardware.hosts import Hosts, read_hosts
from realign.hardware.named import machine_named
from realign.job.launch import LOOK_EVERY, Launch, launched
from realign.job.process import rebuild
from realign.job.wire import unpack
from realign.run import Batch, Run
from realign.settings import Settings
from realign.work import Answer, Share, Work, in_order

FROZEN_AFTER = 30.0  # seconds without a sign of life
RETRIES = 1  # launches that may end without a reason
CHECK = "`realign preflight` on the host file"


def sharing_of(settings: Settings) -> Share | None:
    """How the settings divide a stage's items; None for this machine alone. Raises UsageError for a bad host file."""
    if not settings.hardware.hosts:
        return None
    hosts = read_hosts(Path(settings.hardware.hosts).expanduser())
    return share_among(hosts, expected_speeds(hosts)) if len(hosts.hosts) > 1 else None


def expected_speeds(hosts: Hosts) -> list[float]:
    """What the hosts' machines are known to manage, until a round has measured it; equal where one is unknown."""
    rates = [machine_named(host.machine).shared_rate if host.machine else None for host in hosts.hosts]
    return [rate or 0.0 for rate in rates] if all(rates) else [1.0] * len(rates)


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
            if self.places == [0]:
                yield from self.alone(work, items[answered:], grain, prepare)
                return
            self.past = dict(self.tallies)
            with launched(self.hosts, self.places, [self.speeds[p] for p in self.places], work) as launch:
                for batch in self.batches(launch, work):
                    yield batch
                    answered += len(batch.done)
                if answered < len(items):
                    self.lose(launch, work)

    def alone(self, work: Work, items: Sequence[Any], grain: int, prepare: Callable[[], Answer]) -> Iterator[Batch]:
        """What is left when no other machine is: answered in this process."""
        work.run.event(work.stage, "no other machine is left: this one goes on alone")
        yield from in_order(items, grain, prepare)

    def batches(self, launch: Launch, work: Work) -> Iterator[Batch]:
        """What the ranks answer, as it comes, until they have ended. Raises the error they told, or Interrupted."""
        number, going = 1, True
        while going:
            # Looked at first: what was written before the end is then read after it.
            told = any((launch.scratch / name).exists() for name in ("finished.json", "error.json"))
            going = not told and launch.running() and not launch.silent(len(self.places), self.frozen_after)
            if work.stopping():
                raise Interrupted(f"{work.stage} was stopped", fix="the same command goes on where it stopped")
            while (path := launch.scratch / f"round-{number:06}.json").exists():
                yield from self.read(path, work)
                path.unlink()
                number += 1
            if going:
                time.sleep(LOOK_EVERY)
        self.conclude(launch, work)

    def read(self, path: Path, work: Work) -> Iterator[Batch]:
        """The batches of one round; what each machine has done so far is noted in the run."""
        told = json.loads(path.read_text(encoding="utf-8"))
        yield from map(unpack, told["batches"])
        self.tally(told["machines"], work.run, work.stage)

    def conclude(self, launch: Launch, work: Work) -> None:
        """Keep what the ranks said last. Raises the error that they told."""
        error, finished = launch.scratch / "error.json", launch.scratch / "finished.json"
        if error.exists():
            told = json.loads(error.read_text(encoding="utf-8"))
            place = self.places[told["rank"]]
            told["error"]["found"] = f"On host {place + 1} ({self.hosts.hosts[place].ssh}): {told['error']['found']}"
            raise rebuild(told["error"])
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
        run.note("machines", together(run))

    def lose(self, launch: Launch, work: Work) -> None:
        """Leave out the machines that were lost. Raises StageFailed where nobody can go on with their share."""
        silent = launch.silent(len(self.places), self.frozen_after)
        lost = silent or launch.lost(len(self.places))
        named = [place for place in map(self.places.__getitem__, lost) if self.speeds[place]]
        if not named or len(lost) == len(self.places):
            self.try_again(work)
            return
        for place in named:
            how = "gave no sign of life" if silent else "died or could not be reached"
            where = f"host {place + 1} ({self.hosts.hosts[place].ssh}) {how}"
            if work.settings.hardware.sharded:
                raise StageFailed(f"A shard of the model is lost: {where}", "all machines that hold one", CHECK)
            work.run.event(work.stage, f"{where}: the others do its share", {"host": place + 1})
            self.speeds[place] = 0.0
        # Rank 0 keeps the run's folder: it stays, to coordinate, even when it could not do its own share.
        self.places = [place for place in self.places if place == 0 or self.speeds[place] > 0]

    def try_again(self, work: Work) -> None:
        """Once more with the same machines. Raises StageFailed the second time."""
        self.failed += 1
        if self.failed > RETRIES:
            found = "The machines of the launch ended twice without a result"
            raise StageFailed(found, "rounds of answers", f"{CHECK}; the run's worker.log has what they said")
        work.run.event(work.stage, "the launch ended without a result and is tried again")


def together(run: Run) -> list[dict[str, Any]]:
    """What each machine has done in all stages of a run: items, busy seconds, items/s."""
    from realign.workflow import settings_of, stages_of

    settings, sums = settings_of(run), dict[int, dict[str, Any]]()
    size = settings.training.rows if run.noted("workflow") == "align" else settings.candidates.batch_size
    for stage in stages_of(run):
        for place, part in enumerate(run.noted(f"machines of {stage.name}", [])):
            kept = sums.setdefault(place, {"machine": part["machine"], "host": part["host"], "batch_size": size})
            for name in ("examples", "seconds"):
                kept[name] = kept.get(name, 0) + (part[name] or 0)  # machines in lockstep count no examples
    for kept in sums.values():
        kept["examples_per_second"] = (kept["examples"] / kept["seconds"] if kept["seconds"] else None) or None
    return list(sums.values())
