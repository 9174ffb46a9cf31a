"""The rounds in which the ranks of a launch answer the items of a stage, each its part.

Every rank knows the same after a round, so each works out alone who does what in the next (shares.py). Rank 0 puts a
file a round into its folder, with the batches in the items' order and what each rank has done so far.
"""

from __future__ import annotations

import functools
import json
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realign.errors import PeersLost, RealignError, StageFailed
from realign.job import planted, shares
from realign.job.wire import pack
from realign.job.worker import as_plain
from realign.run import write_atomically
from realign.work import Answer, Work

if TYPE_CHECKING:
    from realign.engine.group import Group


class ToldAll(Exception):
    """An error that every rank knows of. told: {"rank", "error"}, the error as plain values."""

    def __init__(self, told: dict[str, Any]) -> None:
        super().__init__(told["error"]["found"])
        self.told = told


@dataclass(slots=True)
class Part:
    """This rank's part in the rounds. out: where rank 0 puts them. Kept a rank: items, busy seconds, and how many
    seconds after the beginning it had finished its last portion."""

    group: Group
    speeds: list[float]
    out: Path | None
    members: list[dict[str, Any]]
    items: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    finished: list[float] = field(default_factory=list)
    began: float = 0.0
    rounds: int = 0
    ready: dict[int, dict[str, Any]] = field(default_factory=dict)
    written: int = 0

    def do_mine(self, work: Work, items: Sequence[Any], grain: int, prepare: Callable[[], Answer]) -> Iterator[Any]:
        """Answer this rank's portions of every round. Gives nothing: rank 0 writes what all ranks answered."""
        portions = [items[start : start + grain] for start in range(0, len(items), grain)]
        waiting = list(range(len(portions)))
        self.begin()
        answer = self.told(lambda: prepare() if self.speeds[self.group.rank] else None)
        while waiting:
            now = waiting[: shares.round_length(len(waiting), self.speeds, first=not self.rounds)]
            owners = shares.deal(len(now), self.speeds)
            mine = [place for place, owner in zip(now, owners, strict=True) if owner == self.group.rank]
            done = self.exchange(functools.partial(self.answer, answer, portions, mine, now[0]))
            odd = self.odd(done)
            for rank, result in enumerate(done):
                if rank not in odd:
                    self.ready.update((int(place), batch) for place, batch in result["batches"].items())
            self.count(done, odd, portions)
            waiting = [place for place in waiting if place not in self.ready and place >= self.written]
            self.write()
        yield from ()

    def do_all(self, work: Work, items: Sequence[Any], grain: int, prepare: Callable[[], Answer]) -> Iterator[Any]:
        """Answer every portion on every rank, each with its shard of the model. Rank 0 writes."""
        self.begin()
        answer = self.told(prepare)
        for place, start in enumerate(range(0, len(items), grain)):
            some, began = items[start : start + grain], time.monotonic()
            self.ready[place] = pack(self.told(functools.partial(answer, some)))
            self.items = [count + len(some) for count in self.items]
            self.seconds = [took + time.monotonic() - began for took in self.seconds]
            self.finished = [time.monotonic() - self.began] * self.group.size
            self.rounds += 1
            self.write()
        yield from ()

    def begin(self) -> None:
        """Nothing is done yet."""
        self.items, self.seconds = [0] * self.group.size, [0.0] * self.group.size
        self.finished = [0.0] * self.group.size
        self.written, self.began = 0, time.monotonic()

    def answer(
        self, answer: Answer | None, portions: Sequence[Sequence[Any]], mine: Sequence[int], planted_in: int
    ) -> dict[str, Any]:
        """This rank's batches, the seconds they took, and its answer to the item planted in this round."""
        if answer is None or not self.speeds[self.group.rank]:
            return {"batches": {}, "seconds": 0.0, "finished": 0.0, "planted": None}
        began = time.monotonic()
        batches = {place: pack(answer(portions[place])) for place in mine}
        now = time.monotonic()
        probe = pack(answer(portions[planted_in][:1]))
        return {"batches": batches, "seconds": now - began, "finished": now - self.began, "planted": probe}

    def odd(self, done: Sequence[dict[str, Any]]) -> tuple[int, ...]:
        """Ranks whose answer to the planted item stands alone; from now on they take no part."""
        odd = planted.odd_ones([result["planted"] for result in done])
        if not odd:
            return ()
        names = ", ".join(
            f"rank {rank} ({self.members[rank]['machine']}, {self.members[rank]['host']})" for rank in odd
        )
        if len(odd) * 2 >= sum(speed > 0 for speed in self.speeds):
            error = StageFailed(
                f"{names} answer the same planted item differently, and no majority says which is wrong",
                "the same answers within tolerance everywhere",
                "`realign preflight` names what differs: program, prompts, checkpoint or settings",
            )
            raise ToldAll({"rank": odd[0], "error": as_plain(error)})
        print(f"{names}: other answers than the rest; its share is done again", file=sys.stderr)
        self.speeds = [0.0 if rank in odd else speed for rank, speed in enumerate(self.speeds)]
        for rank in odd:
            self.members[rank]["divergent"] = True
        return odd

    def count(self, done: Sequence[dict[str, Any]], odd: Sequence[int], portions: Sequence[Sequence[Any]]) -> None:
        """Keep what each rank did in this round, and its speed."""
        counts = [len(result["batches"]) for result in done]
        seconds = [float(result["seconds"]) for result in done]
        self.speeds = shares.measured(self.speeds, counts, seconds, first=not self.rounds)
        self.rounds += 1
        for rank, result in enumerate(done):
            if rank not in odd:
                self.items[rank] += sum(len(portions[int(place)]) for place in result["batches"])
                self.seconds[rank] += seconds[rank]
                self.finished[rank] = result["finished"] if result["batches"] else self.finished[rank]

    def write(self) -> None:
        """Rank 0: put out every batch up to the first that is still missing."""
        batches = []
        while self.written in self.ready:
            batches.append(self.ready.pop(self.written))
            self.written += 1
        if self.out:
            text = json.dumps({"batches": batches, "machines": self.machines()}, ensure_ascii=False)
            write_atomically(self.out / f"round-{self.rounds:06}.json", [text])

    def machines(self) -> list[dict[str, Any]]:
        """Each rank's part so far: items, busy seconds, items/s, and when it had finished."""
        return [
            {
                **member,
                "examples": items,
                "seconds": seconds,
                "finished": finished,
                "examples_per_second": items / seconds if seconds else None,
            }
            for member, items, seconds, finished in zip(
                self.members, self.items, self.seconds, self.finished, strict=True
            )
        ]

    def finish(self, engine: Sequence[str]) -> None:
        """Rank 0: say that nothing is left."""
        if self.out:
            text = json.dumps({"machines": self.machines(), "engine": list(engine)}, ensure_ascii=False)
            write_atomically(self.out / "finished.json", [text])

    def exchange(self, work: Callable[[], dict[str, Any]]) -> list[dict[str, Any]]:
        """What every rank's `work` gave. Raises ToldAll, on every rank, where one of them failed."""
        results = [json.loads(text) for text in self.group.gather(json.dumps(_outcome(work)).encode())]
        for rank, result in enumerate(results):
            if result["error"]:
                raise ToldAll({"rank": rank, "error": result["error"]})
        return [result["value"] for result in results]

    def told(self, work: Callable[[], Any]) -> Any:
        """What this rank's `work` gave; the others are told only whether it failed. Raises ToldAll where one did."""
        kept: list[Any] = []

        def keep() -> dict[str, Any]:
            kept.append(work())
            return {}

        self.exchange(keep)
        return kept[0]


def described(error: Exception) -> dict[str, str]:
    """An error of any kind as plain values; what is none of ours is shown with its trace on stderr."""
    if isinstance(error, RealignError):
        return as_plain(error)
    traceback.print_exc()
    return as_plain(StageFailed(f"A {type(error).__name__}: {error}", "no error that is unknown to ReAlign"))


def _outcome(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """{"value", "error"}: an error is for all ranks to know, and only a lost peer ends this rank alone."""
    try:
        return {"value": work(), "error": None}
    except PeersLost:
        raise
    except Exception as error:
        return {"value": None, "error": described(error)}
