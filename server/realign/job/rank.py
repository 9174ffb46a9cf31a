"""One rank of a launch: answers its part of a stage's items, round by round, or trains with the others. Started under
mlx.launch by job/ranks.py and job/lockstep.py.

    python -P -m realign.job.rank STAGE SCRATCH SPEEDS COORDINATOR

Rank 0 runs where the run's folder is: it shares SCRATCH/run.db, a copy of the run, with the others, and puts what all
ranks answered into SCRATCH; checkpoints go where the run keeps them. SPEEDS: a JSON list, portions/s a rank, 0 for one
that takes no part; at first only their proportion counts. COORDINATOR: the process that waits for the rounds; rank 0
does not outlive it. On stdout go signs of life.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realign.errors import Interrupted, PeersLost, StageFailed
from realign.job.rounds import Part, ToldAll, described
from realign.job.worker import as_plain
from realign.run import DATABASE, Run, write_atomically
from realign.work import Trained, Work

if TYPE_CHECKING:
    from realign.engine.group import Group

BEAT_EVERY = 1.0  # seconds
MARK = "@realign "  # begins what a rank says on stdout
KEPT = "realign-rank-"  # begins the name of the folder that a rank keeps its copy of the run in; its process follows
LONGEST = 700  # characters of an error's sentences: a line of less than 4 KB is never mixed with another
STOP = "stop"  # a file in SCRATCH: the training is to end after a checkpoint
CHUNK = 1 << 26  # bytes of a file that are sent at once


def main(arguments: Sequence[str]) -> int:
    """Take part until the stage is done. Exit code 0 also after an error that every rank was told."""
    stage, scratch, speeds, coordinator = arguments
    rank = int(os.environ["MLX_RANK"])
    say = _mouth(rank)
    _let_go_of_stdin()
    ending = Ending(Path(scratch))
    _live(say, int(coordinator) if rank == 0 else None, ending)
    try:
        from realign.engine.group import join

        say("started")
        take_part(join(say), stage, Path(scratch), json.loads(speeds), ending)
    except (PeersLost, Interrupted) as error:
        print(error, file=sys.stderr)
        say("left")
        return 1
    except ToldAll as error:
        if rank == 0:
            write_atomically(Path(scratch) / "error.json", [json.dumps(error.told)])
    except Exception as error:  # of this rank alone, in the middle of a training: the others can only lose it
        told = {name: text[:LONGEST] for name, text in described(error).items()}
        say(f"failed {json.dumps(told)}")
        return 1
    say("done")
    return 0


def take_part(group: Group, stage: str, scratch: Path, speeds: Sequence[float], ending: Ending) -> None:
    """Get to know the others, get the run, and run the stage on this rank's part of its items, or of its batches."""
    from realign.workflow import find_stage, settings_of, stages_of

    members = [json.loads(text) for text in group.gather(json.dumps(introduce()).encode())]
    require_same("runs other code", [member["code"] for member in members], members)
    with contextlib.ExitStack() as held:
        folder = scratch
        if group.rank:
            clear_leftovers()
            place = tempfile.TemporaryDirectory(prefix=f"{KEPT}{os.getpid()}-")
            folder = ending.folder = Path(held.enter_context(place))
        copy = group.share((scratch / DATABASE).read_bytes() if group.rank == 0 else b"")
        if group.rank:
            (folder / DATABASE).write_bytes(copy)
        run = held.enter_context(contextlib.closing(Run.open(folder)))
        part = Part(group, list(speeds), scratch if group.rank == 0 else None, members)
        settings, stages = settings_of(run), stages_of(run)
        what, aligns = stages[find_stage(run, stage)], run.noted("workflow") == "align"
        # Of an alignment other machines have the base model alone, which its first stage depends on.
        inputs = part.exchange(lambda: {"inputs": (stages[0] if aligns else what).inputs(run, settings)})
        require_same("has another model or other inputs", [found["inputs"] for found in inputs], members)
        if aligns:
            share_files(group, run, stage, settings.model)
        share = part.do_all if settings.hardware.sharded else part.do_mine
        stopping = ending.stopping if group.rank == 0 else lambda: False
        part.begin()
        with contextlib.suppress(Trained):
            for _ in what.act(Work(run, settings, stage, stopping, share=share, ranked=True)):
                pass
        if aligns:
            part.seconds = [time.monotonic() - part.began] * group.size
        part.finish(run.noted("engine", []))


def clear_leftovers() -> None:
    """Take away what ranks that were killed kept of their runs on this machine: whole models, perhaps."""
    for folder in Path(tempfile.gettempdir()).glob(f"{KEPT}*"):
        owner = folder.name.removeprefix(KEPT).split("-")[0]
        try:
            os.kill(int(owner), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except (ValueError, PermissionError):
            continue


def share_files(group: Group, run: Run, stage: str, model: str) -> None:
    """Rank 0's models that the stage begins with, at the same places of every other rank's run."""
    from realign.align.places import files_to_begin_with

    mine = files_to_begin_with(run, stage, model) if group.rank == 0 else []
    sizes = [[str(name), (run.folder / name).stat().st_size] for name in mine]
    for name, size in json.loads(group.share(json.dumps(sizes).encode())):
        place = run.folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        with open(place, "rb" if group.rank == 0 else "wb") as file:
            for _ in range(0, size, CHUNK):
                data = group.share(file.read(CHUNK) if group.rank == 0 else b"")
                if group.rank:
                    file.write(data)


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


@dataclass(slots=True)
class Ending:
    """How this rank ends when it is told to: at once, or, once its training asks, after a checkpoint.

    scratch: where the coordinator may leave a file that says so. folder: what this rank keeps of the run, and takes
    away with it; None on rank 0, whose folder is the coordinator's.
    """

    scratch: Path
    told: bool = False
    asked: bool = False
    folder: Path | None = None

    def stopping(self) -> bool:
        """Whether this rank was told to end. From now on it is waited for that this is asked again."""
        self.asked = True
        return self.told or (self.scratch / STOP).exists()


def _live(say: Callable[[str], None], coordinator: int | None, ending: Ending) -> None:
    """Give signs of life; end, with a word, when told to stop, and at once when the coordinator is gone."""

    def leave(number: int, frame: object) -> None:
        ending.told = True
        if not ending.asked:
            say("left")
            if ending.folder:
                shutil.rmtree(ending.folder, ignore_errors=True)
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
