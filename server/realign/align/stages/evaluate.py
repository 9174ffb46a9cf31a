"""Stage evaluate: the aligned model beside the one that went in, on the same held-out items; then DEPLOY or REJECT.

base, policy -> capability before and after, answers side by side -> model/, where every gate lets it through
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from realign.align.attempts import measure
from realign.align.data import Asked, prompt_of, tasks_of
from realign.align.places import base_folder, last_checkpoint, model_folder
from realign.align.stages.policy import capability_readings, held_out_prompts
from realign.align.stages.training import reading, some
from realign.quality.checks.training import capability
from realign.records import Reading, Reply, Row, make_id
from realign.run import Batch, Run
from realign.settings import Settings
from realign.work import Work

GATES = capability("evaluate")
SHOWN = 24  # prompts that are answered by both models for people to read
FINAL = "iterate"  # the stage whose model is deployed


def inputs(run: Run, settings: Settings) -> str:
    """The hashes of the benchmark files."""
    from realign.run import file_sha256

    return ",".join(file_sha256(Path(file)) for file in settings.evaluating.benchmarks)


def compare_models(work: Work) -> Iterator[Batch]:
    """Measure both models once; write the aligned one where the gates say so."""
    from realign.align.models import open_model

    final = model_folder(work.run, last_checkpoint(work.run, FINAL), work.settings.model)
    if "compared" not in work.run.done(work.stage):
        work.say("opening both models")
        before = open_model(base_folder(work.run, work.settings.model))
        after = open_model(final)
        readings = [*capability_readings(work, 1, before, after), *task_readings(work, before, after)]
        yield Batch(done=["compared"], records=[*readings, *replies(work, before, after)])
    if not any(verdict.tier == "REJECT" for verdict in measure(work, GATES)):
        deploy(final, work.run.folder / "model")
        work.progress(None, 1, "deployed")


def deploy(final: Path, folder: Path) -> None:
    """Put the model where it is looked for, whole or not at all."""
    from realign.align.models import write_folder

    shutil.rmtree(folder, ignore_errors=True)
    write_folder(folder, lambda beside: shutil.copytree(final, beside, dirs_exist_ok=True))


def replies(work: Work, before: Any, after: Any) -> list[Reply]:
    """What both answer, greedily, to the same held-out prompts."""
    from realign.align.measure import sample_answers

    prompts = some(held_out_prompts(work), SHOWN, work.settings.evaluating.seed, lambda each: make_id("shown", each[0]))
    limit, texts = work.settings.optimizing.max_tokens, [prompt for _, prompt in prompts]
    found = []
    for when, loaded in (("before", before), ("after", after)):
        work.say(f"answering {len(prompts)} held-out prompts, {when}")
        answers = sample_answers(loaded, texts, seed=0, max_tokens=limit, temperature=0.0)
        for (name, prompt), answer, right in zip(prompts, answers, judged(work, prompts, answers), strict=True):
            identity = make_id("reply", when, name)
            found.append(Reply(identity, name, "before" if when == "before" else "after", str(prompt), answer, right))
    return found


def judged(work: Work, prompts: list[tuple[str, Asked]], answers: list[str]) -> list[bool | None]:
    """Whether each answer is right, where its prompt is a task's; None where nothing checks it."""
    from realign.align.measure import rightness

    tasks = tasks_of(list(work.run.records("row")), "train", "valid", "test")
    checks = {str(prompt_of(row.data)): row.data for row in tasks}
    return rightness([checks.get(str(prompt), {}) for _, prompt in prompts], answers)


def task_readings(work: Work, before: Any, after: Any) -> list[Reading]:
    """Held-out tasks, verified: 1 for an accepted greedy answer. Nothing where the data holds no tasks."""
    from realign.align.measure import sample_answers

    rows: list[Row] = list(work.run.records("row"))
    evaluating = work.settings.evaluating
    tasks = some(tasks_of(rows, "valid", "test"), evaluating.prompts, evaluating.seed, lambda row: row.id)
    prompts, limit = [(row.id, prompt_of(row.data)) for row in tasks], work.settings.optimizing.max_tokens
    sides = []
    for loaded in (before, after) if tasks else ():
        texts = sample_answers(loaded, [prompt for _, prompt in prompts], seed=0, max_tokens=limit, temperature=0.0)
        sides.append([float(bool(right)) for right in judged(work, prompts, texts)])
    return [
        reading(work, 1, "return", "held-out tasks", row.id, {"before": one, "after": other})
        for row, one, other in zip(tasks, *sides, strict=True)
    ] if sides else []  # fmt: skip
