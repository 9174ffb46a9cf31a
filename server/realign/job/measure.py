"""The worker of `realign calibrate`: one sweep of a model folder, each point said as soon as it is measured.

    python -m realign.job.measure FOLDER scoring|generation SECONDS LIFELINE [PARENT]

A line of JSON for each thing that happens: ready, trying, point, then end (with why) or error. A GPU that aborts the
process at a large batch size therefore loses that point alone. The examples have the length of real ones: a passage,
a question and answers, cut from the package's own English prompts, in the words in which judges and authors are asked.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from realign import settings
from realign.curate.judges import Case
from realign.curate.judges.model import rating_question
from realign.engine.prompts import fence, load_template
from realign.errors import Interrupted, ModelError, RealignError
from realign.hardware.fit import BATCHES
from realign.job.worker import as_plain, die_with, guard, keep_stdout
from realign.records import Completion, Passage, Prompt

QUESTION_WORDS, ANSWER_WORDS = 15, 40
WRITTEN_TOKENS = 64  # of one answer; one to four sentences are asked for
TEXTS = ("judge_shared", "judge_expert", "judge_user", "judge_safety", "questions", "answer")
Say = Callable[[dict[str, Any]], None]


def main(arguments: list[str]) -> int:
    """Measure, and say how it ended."""
    folder, kind, seconds = Path(arguments[0]), arguments[1], float(arguments[2])
    out, stopping = keep_stdout(), threading.Event()
    guard(stopping, int(arguments[3]))
    if len(arguments) > 4:
        die_with(int(arguments[4]))

    def say(event: dict[str, Any]) -> None:
        out.write(json.dumps(event) + "\n")
        out.flush()

    try:
        measure(folder, kind, seconds, say, stopping.is_set)
    except RealignError as error:
        say({"error": as_plain(error)})
        return error.exit_code
    return 0


def measure(folder: Path, kind: str, seconds: float, say: Say, stopping: Callable[[], bool]) -> None:
    """One sweep. What fails at a larger batch size than 1 ends the sweep there; at the first it is raised."""
    from realign.engine import sweep
    from realign.hardware.environment import raise_priority
    from realign.hardware.machines import default_gpu_gb, this_machine

    priority = raise_priority()
    work, notes = open_workload(folder, kind)
    say({"ready": {"tokens": work.tokens, "notes": [*filter(None, [work.note]), *notes, priority.note]}})
    timed, points = sweep.timed(work), list[Any]()

    def announced(batch_size: int, left: float) -> Any:
        if stopping():
            raise Interrupted("The calibration was stopped")
        say({"trying": batch_size, "left": sweep.time_left(points, left)})
        return timed(batch_size, left)

    try:
        for found in sweep.sweep(announced, seconds, default_gpu_gb(this_machine())[0]):
            if isinstance(found, str):
                say({"end": found})
            else:
                points.append(found)
                say({"point": dataclasses.asdict(found)})
    except (RuntimeError, ValueError, MemoryError) as error:  # what MLX raises where memory or a kernel fails
        trouble = f"{type(error).__name__}: {str(error)[:200]}"
        if not points:
            raise ModelError(f"{folder} can't be measured ({trouble})", "a model that can do one example") from error
        say({"end": f"the next batch size failed ({trouble})"})


def open_workload(folder: Path, kind: str) -> tuple[Any, list[str]]:
    """(the model at work on examples, how it runs)."""
    from realign.engine import mlx, sweep
    from realign.engine.accel import use_fast_blas

    blas = use_fast_blas()
    loaded, cases = mlx.load(folder), [make_case(n) for n in range(max(BATCHES))]
    notes = ["on Metal" if mlx.on_metal() else "on the CPU, in float32", blas]
    if kind == "scoring":
        scale = settings.Judge().scale
        return sweep.rating(loaded, [rating_question(case, False, scale) for case in cases]), notes
    template = load_template("answer")
    prompts = [template.fill(passage=fence(c.passage.text), question=fence(c.prompt.text, "QUESTION")) for c in cases]
    return sweep.writing(loaded, prompts, WRITTEN_TOKENS, settings.Candidates().temperature), notes


def make_case(n: int) -> Case:
    """A passage, a question and two answers of real length, different for every n up to about 60."""
    words = " ".join(load_template(name).text for name in TEXTS).split()

    def cut(count: int, start: int) -> str:
        return " ".join(words[(13 * n + start + k) % len(words)] for k in range(count))

    passage = Passage(f"passage {n}", "document", (), 0, 1, 1, cut(settings.Source().passage_words, 0))
    prompt = Prompt(f"prompt {n}", passage.id, cut(QUESTION_WORDS, 200) + "?", "none", "", 0, 1, "none")
    first, second = (
        Completion(f"{start} {n}", prompt.id, cut(ANSWER_WORDS, start), "none", "none", 0) for start in (300, 400)
    )
    return Case(prompt, passage, first, second)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
