"""A request to align becomes files and settings, checked before any work.

    files, stem = data_files(("dpo_book_20260128",))    a run's id or folder, a folder with its files, or a dataset file
    settings = settle(request)

A run's data is taken only where its last gate has passed. The model is a folder on this disk, or "" for the tiny one
that is made on the spot.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from realign.errors import Blocked, ModelError, UsageError
from realign.intake.roles import check_overrides, fetch, find_model, merge, with_evaluation_files
from realign.intake.runs import find_run
from realign.run import DATABASE, Run, file_sha256, is_file

if TYPE_CHECKING:
    from realign.intake.request import Request
    from realign.settings import Settings

SPLITS = ("train", "valid", "test")
PARTS = ("", "preferences/")


def data_files(names: Sequence[str]) -> tuple[list[dict[str, str]], str]:
    """(each file as path, name and sha256; what the data is called). A name tells its part and split.

    Raises UsageError where there is no data, Blocked where it is a run's that no gate has let through.
    """
    if len(names) != 1 or not names[0].strip():
        raise UsageError(f"{len(names)} datasets", "one: a run, its folder, or a file", "--data RUN_OR_FILE")
    place = find_data(names[0])
    if is_file(place):
        found = [(place, "data" + place.suffix)]
    else:
        require_exported(place)
        wanted = [f"{part}{split}.jsonl" for part in PARTS for split in SPLITS]
        found = [(place / name, name) for name in wanted if is_file(place / name)]
    if not found:
        raise UsageError(f"{place} holds no train.jsonl", "a curated run's folder, or a dataset file", "check the path")
    files = [{"path": str(path), "name": name, "sha256": file_sha256(path)} for path, name in found]
    return files, place.stem if is_file(place) else called(place)


def called(folder: Path) -> str:
    """What a dataset's folder is called: a run's without its data type and day, which an alignment has of its own."""
    if not is_file(folder / DATABASE):
        return folder.name
    with closing(Run.open(folder)) as run:
        return re.sub(r"_\d{8}(_\d+)?$", "", folder.name.removeprefix(f"{run.noted('data_type')}_"))


def find_data(name: str) -> Path:
    """A path that exists, else the folder of the run with that id. Raises UsageError for neither."""
    path = Path(name).expanduser().absolute()
    return path.resolve() if path.exists() else find_run(name)


def require_exported(folder: Path) -> None:
    """Raise Blocked for a run whose dataset was not let through; a folder that is no run may hold anything."""
    if not is_file(folder / DATABASE):
        return
    from realign.workflow import next_stage

    with closing(Run.open(folder)) as run:
        left = next_stage(run)
        if left:
            raise Blocked(
                f"{run.id} has no dataset to train on: its stage {left} has not passed",
                "a run whose last stage has passed",
                f"`realign check {run.id}` shows the gates and their remedies",
            )


def settle(request: Request) -> Settings:
    """The run's settings with the model in full. Raises UsageError and ModelError."""
    from realign.settings import parse_settings

    check_overrides(request.settings)
    model = find_model(request.model) if request.model else None
    if request.model and model is None:
        if not request.download:
            raise ModelError(
                f"The model {request.model} is not on this disk",
                "a model's folder, or a name in the Hugging Face cache",
                "--download to fetch it, or no --model for the tiny one that is made on the spot",
            )
        model = fetch(request.model)
    return with_evaluation_files(parse_settings(merge({"model": str(model or "")}, request.settings)))
