"""Small alignments for tests: rows about names, settings whose gates any training passes, and the run of both."""

from __future__ import annotations

import json
import random
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from realign import workflow
from realign.intake.request import Request
from realign.intake.start import start_run
from realign.run import Run

NAMES = "Ada Ben Cleo Dora Eli Fay Gus Hal Ida Jo Kai Leo Mia Ned Oona Pam".split()
JUDGED = {judge: {"straight": [1.0, 0.2], "swapped": [1.0, 0.2]} for judge in ("expert", "user", "safety")}
# The smallest numbers that still go through every stage, and gates that let everything through.
QUICK: dict[str, dict[str, Any]] = {
    "training": {"rows": 16, "evaluate_every": 1000, "save_every": 2},
    "fine_tuning": {"schedule": "4:2e-3"},
    "rewarding": {"schedule": "4:1e-3"},
    "optimizing": {"schedule": "4:1e-4", "max_tokens": 4, "prompts": 60, "samples": 3},
    "evaluating": {"prompts": 30, "items": 30},
    "gates": {
        "training_pairs": 10, "minimum_records": 5, "preference_accuracy": 0.0, "overfitting": 1.1, "kl": 9.0,
        "rises": -9.0, "retention": 0.0, "worst_drop": 1.0, "loss_falls": -9.0, "length_bias": 1.0,
    },
}  # fmt: skip


def pairs(count: int = 120) -> list[dict[str, Any]]:
    """Judged pairs: the first of three names over the second."""
    chance, made = random.Random(3), []
    for n in range(count):
        first, second, third = chance.sample(NAMES, 3)
        prompt = f"Which name stands first: {first}, {second}, {third}?"
        made.append(
            {"id": f"p{n}", "prompt": prompt, "chosen": first, "rejected": second, "scores": {"judges": JUDGED}}
        )
    return made


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Rows as JSON lines."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def as_words(sections: dict[str, dict[str, Any]]) -> list[str]:
    """Settings as a command and a tool take them: section.name=value."""
    return [
        f"{name}.{field}={value if isinstance(value, str) else json.dumps(value)}"
        for name, values in sections.items()
        for field, value in values.items()
    ]


def begin(folder: Path, rows: list[dict[str, Any]] | None = None, model: str = "", **changes: dict[str, Any]) -> Run:
    """The run of some rows in a folder, found again by the same folder. changes: sections laid over QUICK."""
    data = folder / "data.jsonl"
    if rows is not None or not data.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_rows(data, pairs() if rows is None else rows)
    names = {*QUICK, *changes}
    settings = {name: {**QUICK.get(name, {}), **changes.get(name, {})} for name in names}
    return start_run(Request((str(data),), "dpo", model, settings=settings, output=str(folder), workflow="align"))


def go(run: Run, *stages: str) -> Run:
    """Run some stages in this process, or all."""
    with run.writing("a test"):
        for stage in stages or [stage.name for stage in workflow.stages_of(run)]:
            workflow.run_stage(run, stage)
    return run


def weights(run: Run) -> dict[str, bytes]:
    """Every model and adapter that a run left, by its place: the bytes of its tensors."""
    files = [file for file in sorted(run.folder.rglob("*.safetensors")) if "state" not in file.parts]
    return {file.relative_to(run.folder).as_posix(): file.read_bytes() for file in files}


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """The operating system refuses to let a file of this process grow beyond `size` bytes, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
