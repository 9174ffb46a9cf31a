"""A request to align becomes files and settings, checked before any work.

    files, stem = data_files(("dpo_book_20260128",), "dpo")    a run's id or folder, a dataset's folder, or its file
    settings = settle(request)

A run's data is taken only where its last gate has passed. The model is a folder on this disk, or "" for the tiny one
that is made on the spot.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from realign.errors import Blocked, ModelError, UsageError
from realign.intake.roles import check_overrides, fetch, find_model, merge, with_evaluation_files, with_hosts
from realign.intake.runs import find_run
from realign.run import DATABASE, Run, file_sha256, is_file
from realign.sources import READERS
from realign.sources.rows import ENDINGS, is_data_file, peek

if TYPE_CHECKING:
    from realign.intake.request import Request
    from realign.settings import Settings

SAID = re.compile(r"(?:^|[-_.])(train(?:ing)?|valid(?:ation)?|val|dev|eval|test)(?:[-_.]|$)")  # by a file's name
PEEKED = 200  # rows that are looked at to see what a file holds


def data_files(names: Sequence[str], data_type: str = "") -> tuple[list[dict[str, str]], str]:
    """(each file as path, name, sha256, split ("" where its name says none) and part; what the data is called).

    Raises UsageError where there is no data or none of the kind that the data type ("" for any) is trained on, Blocked
    where it is a run's that no gate has let through.
    """
    if len(names) != 1 or not names[0].strip():
        raise UsageError(f"{len(names)} datasets", "one: a run, its folder, or a file", "--data RUN_OR_FILE")
    place = find_data(names[0])
    if not is_file(place):
        require_exported(place)
    elif not is_data_file(place):
        is_document = place.suffix.lower() in READERS
        fix = f"`realign curate {place} --type {data_type or 'dpo'}`, which makes a dataset of a document"
        fix = fix if is_document else "write its rows as JSON lines"
        raise UsageError(f"{place.name} is no file of rows", f"one that ends in {', '.join(ENDINGS)}, or in .gz", fix)
    found = [(place, "", "rows")] if is_file(place) else files_in(place)
    files = [
        {
            "path": str(path), "name": f"{part}/{path.name}" if part != "rows" else path.name,
            "sha256": file_sha256(path), "split": split, "part": part,
        }
        for path, split, part in found
    ]  # fmt: skip
    if data_type:
        require_kind(files, data_type)
    return files, called(place)


def files_in(folder: Path) -> list[tuple[Path, str, str]]:
    """(file, split, part) of a dataset's folder, or of `data` in it. Raises UsageError for one without rows."""
    place = next((place for place in (folder, folder / "data") if named_files(place)), None)
    if place is None:
        found = ", ".join(sorted(path.name for path in folder.glob("*"))[:5]) or "nothing"
        raise UsageError(
            f"{folder} holds no train.jsonl and no other file of rows, but {found}",
            "a curated run, a folder with train.jsonl, or a dataset file",
            "check the path; write a table of another kind as JSON lines first",
        )
    beside = [(path, split, "preferences") for path, split in named_files(place / "preferences")]
    return [(path, split, "rows") for path, split in named_files(place)] + beside


def named_files(folder: Path) -> list[tuple[Path, str]]:
    """(file of rows, the split that its name says) of a folder. Where no name says one, all JSON lines there, "" each:
    a .json file of another name is likelier to describe the dataset."""
    inside = [path for path in sorted(folder.glob("*")) if is_data_file(path) and is_file(path)]
    named = [(path, said[1]) for path in inside if (said := SAID.search(path.name.lower()))]
    return named or [(path, "") for path in inside if ".json" not in path.suffixes]


def require_kind(files: Sequence[dict[str, str]], data_type: str) -> None:
    """Raise what reading them all would raise, where the first rows of no file to train on are of the needed kind."""
    from realign.align import reading
    from realign.align.data import NEEDED

    kind, _ = NEEDED[data_type]
    for file in files:
        if reading.SPLITS.get(file["split"], "train") == "train":
            kinds = reading.kinds_of(peek(Path(file["path"]), PEEKED), data_type)
            if kinds[kind]:
                return
    reading.read_files(files, data_type)


def called(place: Path) -> str:
    """What a dataset is called: a file without its endings, a run without its data type and day, which an alignment has
    of its own."""
    if is_file(place):
        return Path(place.name.removesuffix(".gz")).stem
    if not is_file(place / DATABASE):
        return place.name
    with closing(Run.open(place)) as run:
        return re.sub(r"_\d{8}(_\d+)?$", "", place.name.removeprefix(f"{run.noted('data_type')}_"))


def find_data(name: str) -> Path:
    """A path that exists, else the folder of the run with that id. Raises UsageError for neither."""
    path = Path(name).expanduser().absolute()
    with suppress(OSError):  # a name that is too long, a folder that may not be entered
        if path.exists():
            return path.resolve()
    if "/" in name or is_data_file(path):
        wanted = "a curated run's id or folder, a folder with train.jsonl, or a file of rows"
        raise UsageError(f"No run and no dataset at {name}", wanted, "`realign runs` lists the runs it knows")
    return find_run(name)


def require_exported(folder: Path) -> None:
    """Raise Blocked for a run whose dataset was not let through; a folder that is no run may hold anything."""
    if not is_file(folder / DATABASE):
        return
    from realign.workflow import next_stage

    with closing(Run.open(folder)) as run:
        left = next_stage(run)
        if left and run.stage(left).status in ("passed", "warned"):
            raise Blocked(
                f"The dataset of {run.id} is not what its words give now: settings, a source, a person's decisions or"
                f" the code of its stage {left} changed since",
                "a run that is up to date",
                f"`realign curate` in the same words, which makes {left} and what follows again; or --data"
                f" {folder / 'train.jsonl'}, to train on what is there",
            )
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
    settings = with_evaluation_files(parse_settings(merge({"model": str(model or "")}, request.settings)))
    if settings.hardware.sharded:
        raise UsageError(
            "hardware.sharded asks for one model spread over all hosts, and training does not do that",
            "a model that each machine holds: they divide its batches",
            "fewer bits a weight, a smaller model, or no hardware.sharded",
        )
    return with_hosts(settings)
