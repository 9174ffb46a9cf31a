"""The rows on which a trained model is compared: those of a file, a run or the training run itself, never trained on.

rows, left_out, notes = held_out(trained, "exam.jsonl", Evaluating())
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from realign.align.data import chats_of, prompt_of
from realign.align.reading import read_rows
from realign.align.stages.training import some
from realign.errors import EmptyInput, UsageError
from realign.intake.alignment import data_files
from realign.intake.trained import Trained
from realign.records import Row
from realign.run import Run
from realign.settings import Evaluating


def held_out(trained: Trained, data: str, evaluating: Evaluating) -> tuple[list[Row], list[str], list[str]]:
    """(rows, lines that can't be used, what a reader must know). data "": those that the training run held out.

    Of a file every row counts; of a run or folder, those outside its training split. Rows with a prompt that the
    training run trained on are left out. Raises UsageError without data, EmptyInput where no row is left.
    """
    known = run_rows(trained)
    if not data and not known:
        raise UsageError(
            f"Nobody knows what rows {trained.name} was trained on", "rows to compare on", "--data RUN_OR_FILE"
        )
    rows, left_out = read(data) if data else ([row for row in known if row.split != "train"], [])
    learned = {str(prompt_of(row.data)) for row in known if row.split == "train"}
    unseen = [row for row in rows if str(prompt_of(row.data)) not in learned]
    notes = [] if known else ["whether it was trained on these rows is not known"]
    if len(unseen) < len(rows):
        notes.append(f"{len(rows) - len(unseen)} rows whose prompt it was trained on are left out")
    chats = chats_of([replace(row, split="test") for row in unseen], "test")
    if not chats:
        reasons = "; ".join([*notes, *left_out][:3])
        raise EmptyInput(f"No held-out row to compare on ({reasons})", "rows with an answer", "another --data")
    return some(chats, evaluating.prompts, evaluating.seed, _id), left_out, notes


def _id(row: Row) -> str:
    return row.id


def run_rows(trained: Trained) -> Sequence[Row]:
    """The rows of the run that trained it; none where that is not known."""
    if not trained.learned_in:
        return []
    with closing(Run.open(Path(trained.learned_in))) as run:
        return list(run.records("row"))


def read(data: str) -> tuple[list[Row], list[str]]:
    """(rows of a file, or of a run outside its training split; what could not be used, by file and line)."""
    sources, _ = data_files((data,))
    whole = not any(source["split"] for source in sources)
    rows, drops = read_rows(sources)
    return [row for row in rows if whole or row.split != "train"], [drop.detail for drop in drops]
