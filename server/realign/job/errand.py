"""One errand with models, done by a worker of its own: fuse an adapter, compare two models, convert a folder.

    run_errand("convert", {"source": "from-the-hub", "bits": 4}, show, output=Path("models/small"))
    python -m realign.job.errand NAME WORDS LIFELINE [PARENT]        the worker; WORDS: a JSON object

The worker says a line of JSON for each step, then the result or its error. A new folder is made in a place beside where
it will stand, which this process removes however the worker ends, and moved there as the last thing.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import json
import math
import os
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from realign.errors import Interrupted, RealignError, StageFailed, StorageError, UsageError
from realign.job.calibrate import listen
from realign.job.process import Job, how_it_ended, rebuild, release, start_worker, started, tail
from realign.job.progress import Progress
from realign.job.worker import as_plain, die_with, guard, keep_stdout
from realign.run import storage_error

PARTIAL = ".partial"
STEPS = {"fuse": 3, "compare": 7, "convert": 1, "keep": 1}  # that a worker tells of
Words = dict[str, Any]
Say = Callable[[str], None]


def run_errand(name: str, words: Words, show: Callable[[Progress], None], output: Path | None = None) -> Words:
    """Do it and give its result. output: the new folder that it makes, told to the worker as `folder`.

    Raises the worker's error, UsageError for an output that exists, Interrupted at Ctrl-C; then nothing is left.
    """
    try:
        if output is None:
            return _in_worker(name, words, show)
        with beside(output) as place:
            return _in_worker(name, {**words, "folder": str(place)}, show)
    except KeyboardInterrupt:
        raise Interrupted(f"{name} was stopped, nothing of it is kept", fix="the same command") from None


@contextlib.contextmanager
def beside(output: Path) -> Iterator[Path]:
    """A place for a folder, on the disk where it will stand; moved there when the block has ended well.

    What goes wrong is told of `output`, which is the name that the user knows.
    """
    try:
        if os.path.lexists(output):
            raise UsageError(f"{output} exists already", "a new folder", "another name, or remove it first")
        output.parent.mkdir(parents=True, exist_ok=True)
        clear_leftovers(output)
        with tempfile.TemporaryDirectory(prefix=f".{output.name}.", suffix=PARTIAL, dir=output.parent) as scratch:
            place = Path(scratch) / output.name
            with held(Path(scratch)):
                try:
                    yield place
                except RealignError as error:
                    said = (text.replace(str(place), str(output)) for text in (error.found, error.expected, error.fix))
                    raise type(error)(*said) from None
            place.rename(output)
    except OSError as error:
        taken = f"{output} was made by somebody else in the meantime" if os.path.lexists(output) else ""
        found = taken or f"{output} can't be written ({error.strerror or error})"
        raise StorageError(
            found, "a new folder, on a disk with room", "the same command with another --output"
        ) from None


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """A lock on a folder, which dies with this process. Raises OSError where another process has it."""
    place = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(place)


def clear_leftovers(output: Path) -> None:
    """Remove what a killed process left half written for the same output; what another is writing is locked."""
    for left in output.parent.glob(f".{glob.escape(output.name)}.*{PARTIAL}"):
        with contextlib.suppress(OSError), held(left):
            shutil.rmtree(left)


def _in_worker(name: str, words: Words, show: Callable[[Progress], None]) -> Words:
    """Start it, listen, and give what it says last. Raises StageFailed where it ends without a word."""
    result: Words | None = None
    steps = 0
    with (
        tempfile.TemporaryDirectory(prefix="realign-") as place,
        started(lambda: start_worker(Path(place), name, "realign.job.errand", name, json.dumps(words))) as job,
    ):
        for event in listen(job, silence=math.inf):  # a large model is long in writing
            if "error" in event:
                raise rebuild(event["error"])
            result = event.get("result", result)
            if "doing" in event:
                show(progress_of(name, event["doing"], steps))
                steps += 1
        if result is None:
            raise _died(job)
    show(progress_of(name, "", STEPS[name], "passed"))
    return result


def _died(job: Job) -> StageFailed:
    release(job)
    return StageFailed(
        f"The worker of {job.stage} {how_it_ended(job.process.returncode)}{tail(job)}",
        "a result, said last",
        "a smaller model, or a machine with more memory",
    )


def progress_of(name: str, message: str, done: int, status: str = "running") -> Progress:
    """What is being done, as every progress is shown; how long a step takes is not known before."""
    return Progress(name, status, 1, 1, done, STEPS[name], None, None, message, 0.0)


# -- in the worker --------------------------------------------------------------------------------------------------


def main(arguments: list[str]) -> int:
    """Do the errand, and say how it ended."""
    out, stopping = keep_stdout(), threading.Event()
    guard(stopping, int(arguments[2]))
    if len(arguments) > 3:
        die_with(int(arguments[3]))

    def say(event: Words) -> None:
        out.write(json.dumps(event) + "\n")
        out.flush()

    def doing(what: str) -> None:
        if stopping.is_set():
            raise Interrupted(f"{arguments[0]} was stopped")
        say({"doing": what})

    try:
        say({"result": ERRANDS[arguments[0]](json.loads(arguments[1]), doing)})
    except RealignError as error:
        say({"error": as_plain(error)})
        return error.exit_code
    except (OSError, sqlite3.Error) as error:
        say({"error": as_plain(storage_error(error))})
        return 1
    except Exception as error:
        traceback.print_exc()
        say({"error": as_plain(StageFailed(f"{arguments[0]} stopped on a {type(error).__name__}: {error}"))})
        return 1
    return 0


def fuse(words: Words, doing: Say) -> Words:
    """Base and adapter as one model folder; a model of which every weight was trained is copied."""
    from realign.align.fusing import copy_model, fuse_checked
    from realign.intake.trained import find_trained, model_place, still_its_base

    trained, folder = find_trained(words["what"], words["base"]), Path(words["folder"])
    if not trained.adapter:
        doing("copying")
        copy_model(Path(trained.folder), folder)
        return {"copied": True}
    base = model_place(trained.base)
    still_its_base(trained, base)
    return fuse_checked(base, Path(trained.folder), folder, dequantize=words["dequantize"], say=doing)


def compare(words: Words, doing: Say) -> Words:
    """The trained model and the one that it is compared with, on held-out rows."""
    from realign.align.benchmarks import read_benchmark
    from realign.align.comparing import compare_models, open_both
    from realign.intake.held_out import held_out
    from realign.intake.trained import find_trained, model_place, still_its_base
    from realign.settings import Evaluating

    trained, most = find_trained(words["what"], words["base"]), words["rows"]
    evaluating = Evaluating().model_copy(update={"prompts": most, "items": most})
    doing("reading the rows")
    rows, left_out, notes = held_out(trained, words["data"], evaluating)
    benchmarks = {Path(file).stem: read_benchmark(Path(file)) for file in words["benchmarks"]}
    doing("loading both models")
    start = model_place(trained.start)
    base = model_place(trained.base) if trained.adapter else start
    if trained.adapter:
        still_its_base(trained, base)
    before, after = open_both(start, base, Path(trained.folder))
    found = compare_models(before, after, rows, benchmarks, evaluating, words["max_tokens"], words["shown"], say=doing)
    found["left_out"] = [*left_out, *found["left_out"]]
    notes = [*filter(None, [trained.caution]), *notes]
    return {"trained": trained.name, "kind": trained.kind, "start": str(start), "notes": notes, **found}


def convert(words: Words, doing: Say) -> Words:
    """A Hugging Face folder as one that mlx-lm loads at once, quantized where that is asked for."""
    from realign.align.models import convert as convert_folder
    from realign.hardware.models import measure_model

    source, folder = Path(words["source"]), Path(words["folder"])
    doing("converting")
    began = time.monotonic()
    convert_folder(
        source, folder, words["bits"], words["group_size"], dtype=words["dtype"], dequantize=words["dequantize"]
    )
    sizes = [sum(file.stat().st_size for file in each.glob("*.safetensors")) for each in (source, folder)]
    parameters = measure_model(str(folder)).parameters
    return {
        "gb_before": sizes[0] / 1e9, "gb_after": sizes[1] / 1e9, "parameters": parameters,
        "bits_a_weight": sizes[1] * 8 / parameters if parameters else None, "seconds": time.monotonic() - began,
    }  # fmt: skip


def keep(words: Words, doing: Say) -> Words:
    """What a run trained, or an adapter from elsewhere, as one adapter with a name and the next version."""
    from realign.align.keeping import keep as keep_adapters
    from realign.intake.trained import find_trained, lineage, model_place

    trained, root = find_trained(words["what"], words["base"]), Path(words["root"])
    base, adapters = lineage(trained)
    facts = {"from": trained.name, "run": trained.learned_in}
    doing(f"keeping {len(adapters)} adapters as one")
    root.mkdir(parents=True, exist_ok=True)
    with open(root / ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two at once get two versions
        info = keep_adapters(model_place(base), [Path(each) for each in adapters], root, words["name"], facts)
    return {"name": info.name, "version": info.version, "folder": str(info.folder), "base": info.base,
            "kind": info.kind, "from": trained.name, "adapters": len(adapters)}  # fmt: skip


ERRANDS: dict[str, Callable[[Words, Say], Words]] = {
    "fuse": fuse, "compare": compare, "convert": convert, "keep": keep,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
