"""One rank of a launch: answers its part of a stage's items, round by round. Started by job/ranks.py under mlx.launch.

    python -P -m realign.job.rank STAGE SCRATCH SPEEDS COORDINATOR

Rank 0 runs where the run's folder is: it shares SCRATCH/run.db, a copy of the run, with the others, and puts what all
ranks answered into SCRATCH. SPEEDS: a JSON list, portions/s a rank, 0 for one that takes no part; at first only their
proportion counts. COORDINATOR: the process that waits for the rounds; rank 0 does not outlive it. On stdout go signs of
life.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realign.errors import PeersLost, StageFailed
from realign.job.rounds import Part, ToldAll
from realign.job.worker import as_plain
from realign.run import DATABASE, Run, write_atomically
from realign.work import Work

if TYPE_CHECKING:
    from realign.engine.group import Group

BEAT_EVERY = 1.0  # seconds
MARK = "@realign "  # begins what a rank says on stdout


def main(arguments: Sequence[str]) -> int:
    """Take part until the stage is done. Exit code 0 also after an error that every rank was told."""
    stage, scratch, speeds, coordinator = arguments
    rank = int(os.environ["MLX_RANK"])
    say = _mouth(rank)
    _let_go_of_stdin()
    _live(say, int(coordinator) if rank == 0 else None)
    try:
        from realign.engine.group import join

        say("started")
        take_part(join(), stage, Path(scratch), json.loads(speeds))
    except PeersLost as error:
        print(error, file=sys.stderr)
        say("left")
        return 1
    except ToldAll as error:
        if rank == 0:
            write_atomically(Path(scratch) / "error.json", [json.dumps(error.told)])
    say("done")
    return 0


def take_part(group: Group, stage: str, scratch: Path, speeds: Sequence[float]) -> None:
    """Get to know the others, get the run, and run the stage on this rank's part of its items."""
    from realign.workflow import find_stage, settings_of, stages_of

    members = [json.loads(text) for text in group.gather(json.dumps(introduce()).encode())]
    require_same("runs other code", [member["code"] for member in members], members)
    with contextlib.ExitStack() as held:
        folder = scratch if group.rank == 0 else Path(held.enter_context(tempfile.TemporaryDirectory()))
        copy = group.share((scratch / DATABASE).read_bytes() if group.rank == 0 else b"")
        if group.rank:
            (folder / DATABASE).write_bytes(copy)
        run = held.enter_context(contextlib.closing(Run.open(folder)))
        part = Part(group, list(speeds), scratch if group.rank == 0 else None, members)
        settings, what = settings_of(run), stages_of(run)[find_stage(run, stage)]
        inputs = part.exchange(lambda: {"inputs": what.inputs(run, settings)})
        require_same("has another model or other inputs", [found["inputs"] for found in inputs], members)
        share = part.do_all if settings.hardware.sharded else part.do_mine
        for _ in what.act(Work(run, settings, stage, share=share)):
            pass
        part.finish(run.noted("engine", []))


def require_same(fault: str, found: Sequence[str], members: Sequence[dict[str, Any]]) -> None:
    """Raises ToldAll that names the first rank whose value is not rank 0's."""
    for rank, (value, member) in enumerate(zip(found, members, strict=True)):
        if value != found[0]:
            error = StageFailed(
                f"Rank {rank} ({member['host']}) {fault} than this machine",
                "the same program and model everywhere",
                "`realign preflight` names every difference",
            )
            raise ToldAll({"rank": rank, "error": as_plain(error)})


def introduce() -> dict[str, Any]:
    """What the others and the run's record should know of this rank: measured here, after raising its priority."""
    from realign.hardware.environment import in_force, raise_priority
    from realign.hardware.machines import this_machine
    from realign.workflow import code_hash

    priority = raise_priority()
    return {
        "host": platform.node(), "machine": this_machine().name, "process": os.getpid(), "code": code_hash((".",)),
        "in_force": {**in_force(), "priority": priority.note},
    }  # fmt: skip


# -- being one of several -------------------------------------------------------------------------------------------


def _mouth(rank: int) -> Callable[[str], None]:
    """How this rank says a word on the real stdout; whatever a library prints goes to stderr."""
    real = os.dup(1)
    os.dup2(2, 1)

    def say(word: str) -> None:
        with contextlib.suppress(OSError):
            os.write(real, f"{MARK}{rank} {word}\n".encode())

    return say


def _let_go_of_stdin() -> None:
    """Close the pipe that mlx.launch holds: it looks without rest whether it can write to it, a whole core's worth,
    until writing has failed once."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def _live(say: Callable[[str], None], coordinator: int | None) -> None:
    """Give signs of life; end at once, with a word, when told to stop or when the coordinator is gone."""

    def leave(number: int, frame: object) -> None:
        say("left")
        os._exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, leave)

    def beat() -> None:
        while True:
            say("beat")
            time.sleep(BEAT_EVERY)
            if coordinator is not None:
                try:
                    os.kill(coordinator, 0)
                except ProcessLookupError:
                    os._exit(1)

    threading.Thread(target=beat, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
