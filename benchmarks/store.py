"""Every stage, gate and commit of a run, with an engine that costs nothing.

    python benchmarks/store.py [PROMPTS]                                                      5000

The prompts come from a JSONL file made on the spot; the engine answers and rates at once, from a hash. What is timed is
all the rest: reading, templates, records, transactions with their syncs, selection, near duplicates, decontamination,
gates, export. Bar: at least 2,000 records a second. There is no peer: the figure is a floor for what a model adds.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import realign.engine
from realign import workflow
from realign.engine import Answer, Engine, Question, Rating, Request
from realign.records import KINDS, make_id
from realign.run import Run, file_sha256
from realign.settings import Settings

BAR = 2000
WORDS = "harbor tide lock gate pilot buoy chart wind wave shore rock sand ship crew sail rope".split()


def sentence(*parts: object) -> str:
    """Twelve words that depend on `parts` alone."""
    digits = make_id(*parts)
    return " ".join(WORDS[int(digit, 16)] for digit in digits[:11]) + f" {digits[11:]}."


def ratings_of(shared: str) -> list[Rating]:
    """The ratings of answers 1 and 2, each by the words of the answer alone: the same in both orders."""
    answers = shared.split("Answer 1:")[1].split("Answer 2:")
    told = ["".join(word for word in answer.lower().split() if word in WORDS) for answer in answers]
    return [Rating(4.8 if answer == max(told) else 1.4, 1.0) for answer in told]


def free_engine() -> Engine:
    """Answers and ratings by hash: no time at all, and the same whenever it is asked."""

    def generate(requests: Sequence[Request], batch_size: int) -> list[Answer]:
        return [Answer(sentence(request.prompt[-80:], request.seed).capitalize(), "stop") for request in requests]

    def rate(questions: Sequence[Question], batch_size: int) -> list[tuple[Rating, ...] | None]:
        return [tuple(ratings_of(question.shared) * 3) for question in questions]

    return Engine("free", "free", generate, rate)


def main(arguments: list[str]) -> int:
    """Run the workflow over made prompts; print seconds a stage and records a second."""
    prompts = int(arguments[0]) if arguments else 5000
    realign.engine.open_engine = lambda spec: free_engine()  # the one seam: engines are opened by name
    realign.engine.identity_of = lambda spec: spec
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "prompts.jsonl"
        rows = (json.dumps({"prompt": f"What is said of number {n}, {sentence(n)[:-1]}?"}) for n in range(prompts))
        source.write_text("\n".join(rows), encoding="utf-8")
        run = Run.create(Path(folder), "dpo", "store")
        settings = {"candidates": {"author": "free", "per_prompt": 2, "batch_size": 256}, "judge": {"judge": "free"}}
        gates = {"gap_medium": -1.0, "agreement_medium": 0.0}
        for key, value in {
            "workflow": "curate", "data_type": "dpo",
            "settings": Settings.model_validate({**settings, "gates": gates}).model_dump(mode="json"),
            "sources": [{"path": str(source), "name": source.name, "sha256": file_sha256(source)}],
        }.items():  # fmt: skip
            run.note(key, value)
        started = time.perf_counter()
        for stage in workflow.stages_of(run):
            begun = time.perf_counter()
            workflow.run_stage(run, stage.name)
            print(f"{stage.name:<12}{time.perf_counter() - begun:8.2f} s  {run.stage(stage.name).status}")
        seconds = time.perf_counter() - started
        records = sum(run.count(kind) for kind in KINDS)
        print(f"{records:,} records in {seconds:.2f} s: {records / seconds:,.0f} records/s (bar {BAR:,})")
    return 0 if records / seconds >= BAR else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
