"""A small run of chats (SFT), or of chats and pairs (SRF), made of records that a test can read: support.py's harbors.

run = build_chats(tmp_path)                                  40 chats, every stage up to export
run = build_chats(tmp_path, "srf", change=plant_a_fault)     change(batches) edits the batches before they are kept
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from realign.curate import export
from realign.records import Difficulty, Example, Prompt, Rating, make_id
from realign.run import Batch, Run
from support import (
    SETTINGS,
    STAGES,
    Batches,
    make_completions,
    make_document,
    make_judgments,
    make_pair,
    make_prompt,
    run_by_hand,
    start,
    work_on,
)

MODEL = "tiny model trained on this source (0.2M parameters, loss 3.0)"


def build_chats(
    folder: Path, data_type: str = "sft", prompts: int = 40, until: str = "export",
    change: Callable[[Batches], object] = lambda batches: None,
) -> Run:  # fmt: skip
    """A run in a new folder of `folder` with every stage up to `until` done."""
    run = Run.create(folder, data_type, "harbors")
    start(run, SETTINGS)
    run.note("data_type", data_type)
    batches = chat_batches(prompts, data_type == "srf")
    change(batches)
    for name in STAGES[: STAGES.index(until) + 1]:
        run_by_hand(run, name, [batches[name]] if name in batches else export.write_dataset(work_on(run, name)))
    return run


def chat_batches(count: int, pairs: bool) -> Batches:
    """One batch for each stage before export. Every third prompt of a run with pairs has an example and no pair."""
    document, passages = make_document(-(-count // 2))
    prompts = [make_prompt(document, passage, n) for passage in passages for n in range(2)][:count]
    paired = [prompt for place, prompt in enumerate(prompts) if pairs and place % 3]
    completions = {p.id: make_completions(p)[: 3 if p in paired else 1] for p in prompts}
    ids, examples = [prompt.id for prompt in prompts], [make_example(prompt) for prompt in prompts]
    chosen = [make_pair(prompt) for prompt in paired]
    ratings = [make_rating(c.id, p, c.method) for p in prompts for c in completions[p.id]]
    hard = [make_difficulty(c.id, p) for p in prompts for c in completions[p.id]]
    judgments = [judgment for prompt in paired for judgment in make_judgments(prompt)]
    return {
        "source": Batch(["harbors.md"], [document, *passages, *prompts], counts={"prompts asked": len(prompts)}),
        "candidates": Batch(ids, [c for found in completions.values() for c in found]),
        "judge": Batch(ids, [*ratings, *hard, *judgments]),
        "select": Batch(ids, [*examples, *chosen]),
        "filter": Batch([each.id for each in (*examples, *chosen)]),
    }


def make_rating(completion: str, prompt: Prompt, method: str) -> Rating:
    """The right answer is rated 9.1 to 10 of 10, a wrong one 3.7."""
    score = 0.9 + int(prompt.id[:2], 16) / 2560 if method == "grounded" else 0.3
    return Rating(make_id("rating", completion), prompt.id, completion, "extractive rubric", score)


def make_difficulty(completion: str, prompt: Prompt) -> Difficulty:
    """IFD of 0.65 to 0.85."""
    given = 2.0 * (0.65 + int(prompt.id[:2], 16) / 1280)
    return Difficulty(make_id("difficulty", completion), prompt.id, completion, MODEL, 20, given, 2.0)


def make_example(prompt: Prompt) -> Example:
    """The right answer, with the scores that its rating and difficulty give."""
    completion = make_id(prompt.id, "grounded")
    rating, hard = make_rating(completion, prompt, "grounded"), make_difficulty(completion, prompt)
    scores: dict[str, Any] = {"quality": 1 + 9 * rating.score, "ifd_loss": hard.ifd_loss, "ifd_ppl": hard.ifd_ppl}
    return Example(make_id("example", completion), prompt.id, completion, "answer", scores)
