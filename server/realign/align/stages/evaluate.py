"""Stage evaluate: the aligned model beside the one that went in, on the same held-out items; then DEPLOY or REJECT.

base, policy -> capability before and after, answers side by side -> model/, where every gate lets it through
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from realign.align.attempts import measure
from realign.align.data import Asked, prompt_of, tasks_of
from realign.align.places import base_folder, last_checkpoint, model_folder
from realign.align.stages.policy import benchmarks, capability_readings, held_out_prompts
from realign.align.stages.training import reading, some
from realign.quality.checks.training import capability
from realign.records import Reading, Reply, Row, make_id
from realign.run import Batch, Run
from realign.settings import Settings
from realign.work import Work

GATES = capability("evaluate")
SHOWN = 24  # questions that are answered by both models for people to read
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
    """What both answer, greedily, to the same questions."""
    from realign.align.measure import rightness, sample_answers

    asked, limit = shown_questions(work), work.settings.optimizing.max_tokens
    texts, checks = [question for _, question, _ in asked], [check for *_, check in asked]
    found = []
    for when, loaded in (("before", before), ("after", after)):
        work.say(f"answering {len(asked)} held-out questions, {when}")
        answers = sample_answers(loaded, texts, seed=0, max_tokens=limit, temperature=0.0)
        for (name, question, _), answer, right in zip(asked, answers, rightness(checks, answers), strict=True):
            identity = make_id("reply", when, name)
            found.append(Reply(identity, name, "before" if when == "before" else "after", str(question), answer, right))
    return found


def shown_questions(work: Work) -> list[tuple[str, Asked | str, Mapping[str, Any]]]:
    """(name, question, what checks an answer to it, if anything does) for people to read: half of them of benchmarks
    that are answered freely, the rest the data's own held-out prompts, which a task of the same words may check."""
    from realign.align.benchmarks import as_task

    seed = work.settings.evaluating.seed
    exam = [item for items in benchmarks(work).values() for item in items if not item.choices]
    exam = some(exam, SHOWN // 2, seed, lambda item: make_id("shown", item.id))
    prompts = some(held_out_prompts(work), SHOWN - len(exam), seed, lambda each: make_id("shown", each[0]))
    tasks = tasks_of(list(work.run.records("row")), "train", "valid", "test")
    checks = {str(prompt_of(row.data)): row.data for row in tasks}
    return [
        *((item.id, item.question, as_task(item)) for item in exam),
        *((name, prompt, checks.get(str(prompt), {})) for name, prompt in prompts),
    ]


def task_readings(work: Work, before: Any, after: Any) -> list[Reading]:
    """Held-out tasks, verified: 1 for an accepted greedy answer. Nothing where the data holds no tasks."""
    from realign.align.measure import rightness, sample_answers

    rows: list[Row] = list(work.run.records("row"))
    evaluating = work.settings.evaluating
    tasks = some(tasks_of(rows, "valid", "test"), evaluating.prompts, evaluating.seed, lambda row: row.id)
    prompts, limit = [prompt_of(row.data) for row in tasks], work.settings.optimizing.max_tokens
    sides = []
    for loaded in (before, after) if tasks else ():
        texts = sample_answers(loaded, prompts, seed=0, max_tokens=limit, temperature=0.0)
        sides.append([float(bool(right)) for right in rightness([row.data for row in tasks], texts)])
    return [
        reading(work, 1, "return", "held-out tasks", row.id, {"before": one, "after": other})
        for row, one, other in zip(tasks, *sides, strict=True)
    ] if sides else []  # fmt: skip
