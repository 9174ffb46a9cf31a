"""Where an alignment's weights lie in its run's folder, and which of them a stage begins with.

    checkpoints/base                      the tiny model, where none was named
    checkpoints/<stage>/attempt_<n>/      state (to resume from); adapter, or model where every weight was trained
    checkpoints/<stage>/attempt_<n>/fused the adapter and its base as one model, made when a later stage needs it
    model                                 what is deployed: written when the evaluation has passed

A stage begins at the checkpoint that the last passed training stage left: rejected attempts are never gone on from.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from realign.errors import UsageError
from realign.records import Checkpoint, make_id
from realign.run import Run

CHECKPOINTS = "checkpoints"
TINY_LAYERS, TINY_WIDTH = 3, 128


def clear_stale(run: Run, stage: str, fingerprint: str) -> None:
    """Remove what a stage and those after it left on the disk under other settings, data or code.

    What was deployed goes in any case: a stage that runs again has not passed yet. Killed on the way, it is done again,
    since it is noted last whose weights lie there.
    """
    shutil.rmtree(run.folder / "model", ignore_errors=True)
    if run.noted(f"weights of {stage}") == fingerprint:
        return
    stages, folder = run.noted("stages"), run.folder / CHECKPOINTS
    after = [folder / name for name in stages[stages.index(stage) :]]
    for place in [*reversed(after), *([folder] if stage == stages[0] else [])]:
        shutil.rmtree(place, ignore_errors=True)
    run.note(f"weights of {stage}", fingerprint)


def base_folder(run: Run, model: str) -> Path:
    """The base model's folder; for "" the tiny one of this run."""
    return Path(model) if model else run.folder / CHECKPOINTS / "base"


def is_deployed(run: Run) -> bool:
    """Whether the aligned model is where it is looked for."""
    return (run.folder / "model").is_dir()


def make_base(run: Run, texts: list[str]) -> Path:
    """The tiny model made on the spot: a tokenizer of the data's own texts, and random weights. Made once."""
    folder = base_folder(run, "")
    if not folder.is_dir():
        from realign.align.models import write_folder
        from realign.engine.tiny import make_tiny_model

        text = "\n".join(texts)
        write_folder(folder, lambda beside: make_tiny_model(beside, text, layers=TINY_LAYERS, width=TINY_WIDTH))
    return folder


def attempt_folder(run: Run, stage: str, number: int) -> Path:
    """The folder of an attempt."""
    return run.folder / CHECKPOINTS / stage / f"attempt_{number}"


def state_folder(run: Run, stage: str, number: int) -> Path:
    """Where an attempt's training keeps what it resumes from."""
    return attempt_folder(run, stage, number) / "state"


def last_checkpoint(run: Run, stage: str) -> Checkpoint:
    """What a stage left: its last attempt. Raises UsageError where it has left nothing yet."""
    mine: list[Checkpoint] = [each for each in run.records("checkpoint") if each.stage == stage]
    if not mine:
        raise UsageError(f"{run.id} has no checkpoint of {stage}", "that stage passed", f"run {stage}")
    return mine[-1]


def plain_folder(run: Run, checkpoint: Checkpoint) -> Path:
    """Where a checkpoint is one plain model folder, or will be when a later stage needs it."""
    folder = run.folder / checkpoint.folder
    return folder if folder.name == "model" else folder.with_name("fused")


def model_folder(run: Run, checkpoint: Checkpoint, model: str) -> Path:
    """A checkpoint as one plain model folder; an adapter is fused with the model that it was trained on, once."""
    plain = plain_folder(run, checkpoint)
    if not plain.is_dir():
        from realign.align.adapters import fuse

        fuse(parent_folder(run, checkpoint, model), run.folder / checkpoint.folder, plain)
    return plain


def files_to_begin_with(run: Run, stage: str, model: str) -> list[Path]:
    """The files that a training stage reads of this run, relative to its folder: what another machine needs to take
    part. They are the tiny base, the stored reference, and what each earlier stage left, as whole models.
    """
    folders = [run.folder / CHECKPOINTS / name for name in ("base", "reference")]
    left = {each.stage: each for each in run.records("checkpoint") if each.stage != stage}
    # A reward model is as large as the policy, and only reinforcement by it needs it.
    if run.noted("data_type") != "srf":
        left = {name: each for name, each in left.items() if name not in ("reward", "detector")}
    folders += [model_folder(run, each, model) for each in left.values()]
    files = [file for folder in folders if folder.is_dir() for file in sorted(folder.iterdir()) if file.is_file()]
    return [file.relative_to(run.folder) for file in files]


def parent_folder(run: Run, checkpoint: Checkpoint, model: str) -> Path:
    """The model folder that a checkpoint was trained from."""
    before = checkpoint_before(run, checkpoint)
    return model_folder(run, before, model) if before else base_folder(run, model)


def checkpoint_before(run: Run, checkpoint: Checkpoint) -> Checkpoint | None:
    """The checkpoint that this one was trained from; None for the base model."""
    return next((each for each in run.records("checkpoint") if each.id == checkpoint.parent), None)


def checkpoint_of(run: Run, stage: str, number: int, folder: Path, parent: str, knobs: dict[str, object]) -> Checkpoint:
    """The record of weights that were just written."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.safetensors")):
        digest.update(file.read_bytes())
    place = folder.relative_to(run.folder).as_posix()
    identity = make_id("checkpoint", stage, number, digest.hexdigest())
    return Checkpoint(identity, parent, stage, number, place, digest.hexdigest(), knobs)
