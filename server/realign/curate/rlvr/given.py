"""Rows of a dataset as prompts with their tasks, as sources/tasks.py reads them.

context, make = as_task(raw, seed=0)
"""

from __future__ import annotations

from realign.curate import given
from realign.curate.rlvr.posed import make_task
from realign.records import Passage, Prompt, Record
from realign.sources.chat import FieldError
from realign.sources.rows import Raw
from realign.sources.tasks import read_task

TEMPLATE = "given-task/1"


def as_task(raw: Raw, seed: int) -> tuple[str, given.Make]:
    """A row as its context (none: a task is whole) and its prompt with its task. Raises FieldError."""
    if raw.row is None:
        raise FieldError("", raw.problem)
    text, check = read_task(raw.row)

    def make(passage: Passage) -> list[Record]:
        prompt = Prompt(
            given.prompt_id(passage.parent, raw.number), passage.id, text, TEMPLATE, "", passage.start, passage.end,
            given.AUTHOR, line=raw.number,
        )  # fmt: skip
        return [prompt, make_task(prompt, check, seed)]

    return "", make
