"""A request becomes a run, checked before any work: a new folder, or the one that the same words made before.

    run = start_run(Request(sources=("book.pdf",), output="out"))

Sources exist, the author and judge can be used, settings have known names and fitting values: whatever is wrong is a
UsageError or ModelError here, and nothing is written. Asked again with the same output folder, data type and sources,
the run goes on where it was; other settings make exactly the stages that depend on them stale.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realign.errors import ModelError, UsageError
from realign.intake.request import Request
from realign.intake.roles import EXTRACTIVE, merge, settle
from realign.intake.runs import remember
from realign.run import DATABASE, Run, file_sha256, slug

if TYPE_CHECKING:
    from realign.settings import Settings


def start_run(request: Request) -> Run:
    """The run that `request` asks for, new or found again, ready for its next stage.

    Raises UsageError or ModelError for what can't work, Busy when the found run is being written with other settings.
    """
    from realign.workflow import workflow

    stages = [stage.name for stage in workflow(request.workflow, request.data_type)]
    sources, settings, stem = ingredients(request)
    parent, plan = output_folder(request.output), plan_of(request, settings)
    parent.mkdir(parents=True, exist_ok=True)
    with alone(parent):
        run = find_same(parent, request.data_type, stem, sources)
        if run and run.noted("plan")["model"] == settings.model:
            plan = run.noted("plan")  # a newer plan's batch size would make finished stages stale
        settings, rests_on = with_batch_sizes(settings, plan, request, run)
        plan["basis"] = [*plan["basis"], *rests_on]
        notes = {
            "data_type": request.data_type, "workflow": request.workflow, "stages": stages, "sources": sources,
            "settings": settings.model_dump(mode="json"), "plan": plan, "request": dataclasses.asdict(request),
        }  # fmt: skip
        if run is None:
            run = new_run(parent, request.data_type, stem, notes)
        elif any(run.noted(key) != notes[key] for key in ("sources", "settings")):
            with run.writing("realign, with changed settings"):
                keep_notes(run, notes)
    remember(run.folder)
    return run


def ingredients(request: Request) -> tuple[list[dict[str, str]], Settings, str]:
    """(files, settings, what the run is called after) of a curation, or of an alignment."""
    if request.workflow == "curate":
        return list_sources(request.sources), settle(request), run_stem(request.sources)
    from realign.intake import alignment

    files, stem = alignment.data_files(request.sources, request.data_type)
    return files, alignment.settle(request), f"aligned {stem}"


def change_run(folder: Path, given: dict[str, Any]) -> Run:
    """A run with the words of its request, except those in `given`; settings are laid over the earlier ones.

    Raises what `start_run` raises, and UsageError where the changed words would make another run.
    """
    with closing(Run.open(folder)) as run:
        earlier = run.noted("request")
    words = {**earlier, **given, "output": str(folder.parent), "sources": tuple(earlier["sources"])}
    words["settings"] = merge(earlier["settings"], given.get("settings", {}))
    changed = start_run(Request(**words))
    if changed.folder != folder:
        changed.close()
        raise UsageError(
            f"These words belong to {changed.folder}", f"words for {folder}", "the sources, without a run id"
        )
    return changed


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a folder while a run is looked for and made in it, so that the same words at the same time make one run."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def keep_notes(run: Run, notes: dict[str, Any]) -> None:
    """Write all notes or none."""
    with run.transaction():
        for key, value in notes.items():
            run.note(key, value)


def new_run(parent: Path, data_type: str, stem: str, notes: dict[str, Any]) -> Run:
    """A new run with its notes; where they can't be written, its folder goes again."""
    run = Run.create(parent, data_type, stem)
    try:
        keep_notes(run, notes)
    except BaseException:
        run.close()
        shutil.rmtree(run.folder, ignore_errors=True)
        raise
    return run


def wanted_stage(run: Run, stage: str) -> str:
    """A stage's name, or "all": "next" becomes the stage that it means now. Raises UsageError for an unknown one."""
    from realign import workflow

    if stage == "next":
        return workflow.next_stage(run) or "all"
    if stage != "all":
        workflow.find_stage(run, stage)
    return stage


def plan_of(request: Request, settings: Settings) -> dict[str, Any]:
    """The plan for the target model, as plain values."""
    from realign.hardware.plan import make_plan

    task = "curate" if request.workflow == "curate" else "dpo" if request.data_type == "dpo" else "rl"
    return dataclasses.asdict(make_plan(settings.model, data_type=request.data_type, task=task, prices=settings.cost))


def with_batch_sizes(
    settings: Settings, plan: dict[str, Any], request: Request, run: Run | None
) -> tuple[Settings, list[str]]:
    """(settings with a batch size for each model at work that nobody asked another for, what measured ones rest on).

    The run that is found again keeps the size it has, so that a calibration makes no finished stage stale; else it is
    the knee that was measured here with that model, else the plan's for this machine.
    """
    from realign.settings import parse_settings

    values, rests_on = settings.model_dump(mode="json"), []
    for section, role in (("candidates", "author"), ("judge", "judge")):
        model = values[section][role]
        if model == EXTRACTIVE or "batch_size" in request.settings.get(section, {}):
            continue
        size = _size_before(run, section, role, model)
        if size is None and (measured := measured_size(section, model)):
            size = measured[0]
            rests_on.append(f"{section}.batch_size {size}: {measured[1]}")
        values[section]["batch_size"] = size or plan["here"]["batch_size"] or values[section]["batch_size"]
    return parse_settings(values), rests_on


def _size_before(run: Run | None, section: str, role: str, model: str) -> int | None:
    """The batch size that a run worked at with the same model, unless it had been asked for by name."""
    if run is None or "batch_size" in run.noted("request")["settings"].get(section, {}):
        return None
    earlier = run.noted("settings")[section]
    return int(earlier["batch_size"]) if earlier[role] == model else None


def measured_size(section: str, model: str) -> tuple[int, str] | None:
    """(knee, what it rests on) of this machine's calibration with a model folder: scoring for judges, else generation.

    None for an endpoint, whose batching is its own, and where no calibration holds.
    """
    from realign.hardware.calibration import find_calibration, title
    from realign.hardware.machines import this_machine
    from realign.hardware.models import measure_model

    with contextlib.suppress(ModelError, OSError, ValueError):
        folder = Path(model).expanduser()
        found = find_calibration(this_machine(), measure_model(str(folder))) if folder.is_dir() else None
        if found:
            best = found.best_scoring if section == "judge" else found.best_generation
            return best, f"calibration of {title(found)}"
    return None


# -- sources and folders ------------------------------------------------------------------------------------------


def list_sources(names: Sequence[str]) -> list[dict[str, str]]:
    """Every file behind the names (files and folders), as path, name and sha256, in a fixed order.

    A name is the file's own; where two files share it, their paths below the folder they have in common.
    """
    from realign.sources import find_sources

    if not names:
        raise UsageError(
            "No source was named", "a document, or a folder of documents", "realign curate book.pdf --type dpo"
        )
    files = find_sources([real_path(name) for name in names])
    plain = [file.name for file in files]
    if len(set(plain)) < len(plain):
        shared = os.path.commonpath([file.parent for file in files])
        plain = [file.relative_to(shared).as_posix() for file in files]
    hashes, problems = hash_all(files)
    if not any(hashes):
        raise UsageError(problems[0], "a readable file", "check its permissions")
    return [
        {"path": str(file), "name": speakable(name), "sha256": sha256}
        for file, name, sha256 in zip(files, plain, hashes, strict=True)
    ]


def real_path(name: str) -> Path:
    """A source's path without links. Raises UsageError for an empty name and for links that lead in a circle."""
    if not name.strip():
        raise UsageError("A source's name is empty", "a document, or a folder of documents", "`.` for this folder")
    try:
        return Path(name).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(
            f"{speakable(name)} leads nowhere: {error}", "a document or a folder", "its real path"
        ) from None


def hash_all(files: Sequence[Path]) -> tuple[list[str], list[str]]:
    """(SHA-256 of each file, what kept others from being read); "" for one that is left to be dropped by name."""
    hashes, problems = [], []
    for file in files:
        try:
            hashes.append(file_sha256(file))
        except OSError as error:
            hashes.append("")
            problems.append(f"{speakable(str(file))} can't be read: {error.strerror}")
    return hashes, problems


def speakable(name: str) -> str:
    """A file's name as text that any file can hold: bytes that are not UTF-8 become \\udcff."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def run_stem(names: Sequence[str]) -> str:
    """What a run is called after: its source, or the first of several and how many more."""
    first = Path(names[0]).expanduser().absolute()
    stem = first.name if first.is_dir() else first.stem
    return stem if len(names) == 1 else f"{stem} and {len(names) - 1} more"


def output_folder(name: str) -> Path:
    """The folder that runs are made in: the one named, else the current one. Raises UsageError where that can't be."""
    try:
        parent = Path(name or ".").expanduser().resolve()
    except (RuntimeError, ValueError) as error:
        raise UsageError(f"No folder can be at {name!r}: {error}", "a folder's path", "another `-o` folder") from None
    existing = next(folder for folder in (parent, *parent.parents) if folder.exists())
    if not existing.is_dir():
        raise UsageError(f"{existing} is a file", "a folder for the results", "another `-o` folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise UsageError(f"Nothing can be written in {existing}", "a folder you may write in", "another `-o` folder")
    return parent


def find_same(parent: Path, data_type: str, stem: str, sources: Sequence[dict[str, str]]) -> Run | None:
    """The newest run in `parent` that the same words made: same data type, name and files, whatever their contents."""
    paths = [source["path"] for source in sources]
    for folder in sorted(parent.glob(f"{data_type}_{slug(stem)}_[0-9]*"), key=_age, reverse=True):
        if not (folder / DATABASE).is_file():
            continue
        try:
            run = Run.open(folder)
            noted = [source["path"] for source in run.noted("sources", [])]
        except sqlite3.DatabaseError:
            continue  # a damaged run is nobody's; a new one is made beside it
        if noted == paths and run.noted("data_type") == data_type:
            return run
        run.close()
    return None


def _age(folder: Path) -> tuple[float, str]:
    return folder.stat().st_mtime, folder.name
