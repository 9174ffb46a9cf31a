"""Stage sft: the base model learns to answer as the dataset does.

    rows -> base (the tiny model, where none is named) -> trained weights, held-out losses before and after

Rows are read once and kept as records; every later stage reads those. A row that can't be trained on is dropped with
its reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realign.align.attempts import Attempt, attempts, measure
from realign.align.data import chats_of, messages_of
from realign.align.division import asked_twice
from realign.align.places import base_folder, make_base
from realign.align.reading import read_files
from realign.align.stages.training import HELD_OUT, adapter_of, keep_weights, reading, some, track, turned
from realign.errors import EmptyInput
from realign.quality.checks.training import loss_falls
from realign.quality.gates import Gate
from realign.records import Dropped, Row
from realign.run import Batch, Run
from realign.settings import Settings, Training
from realign.work import Work

if TYPE_CHECKING:
    from realign.align.examples import Example
    from realign.engine.mlx import Loaded

GATES = (loss_falls("sft"),)
KNOBS = {"rate": 1.0, "steps": 1.0}  # of the first attempt
FEWEST, SHOWN = 10, 3  # rows that can be learned from; lost ones that an error names


def inputs(run: Run, settings: Settings) -> str:
    """The hashes of the data, and the base model's."""
    from realign.engine.folders import check_folder, model_identity

    hashes = ",".join(source["sha256"] for source in run.noted("sources", []))
    return f"{hashes};{model_identity(check_folder(Path(settings.model))) if settings.model else 'tiny'}"


def fine_tune(work: Work, foreseen: Sequence[Gate] = ()) -> Iterator[Batch]:
    """Read the data, make the base if need be, and train until the gates let it through.

    foreseen: gates on the rows alone. Where one of them rejects, nothing is trained: more training makes no rows.
    """
    if "rows" not in work.run.done(work.stage):
        yield read_rows(work)
    rows: list[Row] = list(work.run.records("row"))
    require_rows(work, len(rows), 1)
    if any(verdict.tier == "REJECT" for verdict in measure(work, foreseen)):
        return
    base = base_of(work, rows)
    work.say("opening the model")
    from realign.align.models import open_model, require_end  # takes seconds

    loaded = open_model(base)
    require_end(loaded, base)
    learned, drops = encode(work, loaded, chats_of(rows, "train"))
    held_out, more = encode(
        work, loaded, some(chats_of(rows, "valid", "test"), work.settings.evaluating.prompts, 0, _id)
    )
    if "encoded" not in work.run.done(work.stage):
        yield Batch(done=["encoded"], drops=drops + more)
    require_rows(work, len(learned), FEWEST)
    if not held_out:
        found = f"No row is held out to measure on: all {len(rows):,} that fit the model are for training"
        raise EmptyInput(found, "a valid or test split, or rows with at least ten different prompts to divide")
    del loaded  # an attempt opens its own, perhaps on several machines of which this is one
    for attempt in attempts(work, GATES, KNOBS):
        yield train_once(work, attempt, base, learned, held_out)


def require_rows(work: Work, count: int, fewest: int) -> None:
    """Raise EmptyInput, with what befell the first few others, where too few rows can be learned from."""
    if count < fewest:
        lost = "; ".join(f"{drop.detail}: {drop.reason}" for _, drop in list(work.run.drops(work.stage))[:SHOWN])
        raise EmptyInput(f"{count} rows can be learned from ({lost or 'no other'})", f"at least {fewest}")


def read_rows(work: Work) -> Batch:
    """The dataset's rows as records, as far as they fit the model. The tiny one is made of them where none is named."""
    work.say("reading the data")
    found, drops = read_files(work.run.noted("sources", []), work.run.noted("data_type"))
    base = base_of(work, found)
    work.say("fitting the rows to the model")
    from realign.align.fitting import fit_rows  # takes seconds, with what it imports
    from realign.align.models import open_model

    rows, unfit, folded = fit_rows(open_model(base), found, work.settings.training.longest)
    if folded:
        said = f"the model's chat template takes no system turn: in {folded:,} rows its text begins the question"
        work.run.event(work.stage, said)
    if twice := asked_twice(rows):
        work.run.event(work.stage, f"worth a look: {twice:,} held-out rows have a prompt that is trained on too")
    return Batch(done=["rows"], records=list(rows), drops=drops + unfit)


def base_of(work: Work, rows: Sequence[Row]) -> Path:
    """The folder of the model that goes in."""
    if work.settings.model:
        return base_folder(work.run, work.settings.model)
    return make_base(work.run, [turn["content"] for row in rows for turn in messages_of(row)])


def _id(row: Row) -> str:
    return row.id


def encode(work: Work, loaded: Loaded, rows: Sequence[Row]) -> tuple[list[tuple[Row, Example]], list[Dropped]]:
    """(rows with their tokens, drops of those that can't be used)."""
    from realign.align.examples import encode_rows

    settings = work.settings
    chats = [{"messages": messages_of(row), "tools": row.data.get("tools")} for row in rows]
    examples, faults = encode_rows(loaded, chats, learn=settings.fine_tuning.learn, longest=settings.training.longest)
    drops = [
        Dropped(rows[f.line - 1].id, "row", "encode", f.reason, f"{rows[f.line - 1].parent}, field {f.field}")
        for f in faults
    ]
    return [(rows[example.line - 1], example) for example in examples], drops


def train_once(
    work: Work,
    attempt: Attempt,
    base: Path,
    learned: Sequence[tuple[Row, Example]],
    held_out: Sequence[tuple[Row, Example]],
) -> Batch:
    """One training, with the held-out losses before and after it."""
    from realign.align.models import open_model
    from realign.align.sft import row_losses, train_sft

    loaded, tested = open_model(base), [example for _, example in held_out]
    work.say(f"measuring {len(tested)} held-out rows before the training")
    before = row_losses(loaded, tested)
    work.say("preparing the first step")
    train_sft(
        loaded, [example for _, example in learned], tested, training_of(work, attempt, len(learned), loaded),
        adapter_of(work.settings), track(work, attempt, base, ""),
    )  # fmt: skip
    work.trained()
    work.say(f"measuring {len(tested)} held-out rows after it")
    after = row_losses(loaded, tested)
    readings = [
        reading(work, attempt.number, "loss", HELD_OUT, row.id, {
            "before": one[0] / max(1, one[1]), "value": other[0] / max(1, other[1]), "tokens": other[1],
        })
        for (row, _), one, other in zip(held_out, before, after, strict=True)
    ]  # fmt: skip
    return Batch(done=[attempt.key], records=[keep_weights(work, attempt, loaded, base, ""), *readings])


def training_of(work: Work, attempt: Attempt, rows: int, loaded: Any) -> Training:
    """The loop's settings: what is asked for, else what the dataset's size proposes, turned by the attempt's knobs."""
    from realign.align.sft import propose

    settings = work.settings
    proposed = propose(rows, len(loaded.model.layers)).training(settings.training)
    schedule = settings.fine_tuning.schedule
    return turned(settings.training if schedule else proposed, schedule or proposed.schedule, attempt.knobs)
