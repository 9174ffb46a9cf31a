"""Who writes and who judges: from the words of a request to settings, checked before any work.

    settings = settle(Request(sources=("book.pdf",), author="http://127.0.0.1:8080/v1"))

The model a request names is the target; it writes and judges too when it is on this disk. Without one, the extractive
author does. What is not there is an error that names the places looked in, never a silent stand-in.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realign.errors import ModelError, RealignError, UsageError
from realign.run import is_file

if TYPE_CHECKING:
    from realign.intake.request import Request
    from realign.settings import Settings

EXTRACTIVE = "extractive"


def settle(request: Request) -> Settings:
    """The run's settings: defaults, overrides, who writes and who judges, and what measures difficulty.

    A named model that is on this disk does all that; an explicit author or judge goes before it.
    """
    from realign.settings import parse_settings

    check_overrides(request.settings)
    model = find_model(request.model) if request.model else None
    if request.model and model is None and not (request.author and request.judge):
        if request.download:
            model = fetch(request.model)
        elif not request.author:
            raise model_missing(request.model)
    default = str(model) if model else EXTRACTIVE
    author = usable(request.author, "author") if request.author else default
    judge = usable(request.judge, "judge") if request.judge else str(model) if model else author
    chosen: dict[str, Any] = {
        "model": str(model or request.model),
        "source": {"author": author}, "candidates": {"author": author}, "judge": {"judge": judge},
    }  # fmt: skip
    if model and request.data_type in ("sft", "srf"):
        chosen["sft"] = {"ifd_model": str(model)}
    return with_hosts(with_evaluation_files(parse_settings(with_usable_roles(merge(chosen, request.settings)))))


def with_usable_roles(values: dict[str, Any]) -> dict[str, Any]:
    """The settings with every author and judge in full, those named by a setting included. Raises ModelError."""
    roles = [("source", "author"), ("candidates", "author"), ("judge", "judge")]
    if values.get("sft", {}).get("ifd_model"):
        roles.append(("sft", "ifd_model"))
    return merge(values, {section: {role: usable(str(values[section][role]), role)} for section, role in roles})


EVALUATIONS = (("filter", "evaluation_files"), ("evaluating", "benchmarks"))  # settings that name files to read


def with_evaluation_files(settings: Settings) -> Settings:
    """The settings with each evaluation file as an absolute path. Raises UsageError for one that is no file."""
    for section, name in EVALUATIONS:
        files = [Path(file).expanduser().absolute() for file in getattr(getattr(settings, section), name)]
        for file in files:
            if not (is_file(file) and os.access(file, os.R_OK)):
                raise UsageError(f"No evaluation file can be read at {file}", "a file", f"check {section}.{name}")
        chosen = getattr(settings, section).model_copy(update={name: tuple(map(str, files))})
        settings = settings.model_copy(update={section: chosen})
    return settings


def with_hosts(settings: Settings) -> Settings:
    """The settings with the host file, where one is named, as an absolute path. Raises UsageError for a bad one."""
    from realign.hardware.hosts import read_hosts

    if not settings.hardware.hosts:
        return settings
    file = Path(settings.hardware.hosts).expanduser().absolute()
    read_hosts(file)
    chosen = settings.hardware.model_copy(update={"hosts": str(file)})
    return settings.model_copy(update={"hardware": chosen})


def check_overrides(values: dict[str, Any]) -> None:
    """Raise UsageError for overrides that are not sections of values."""
    for section, inner in values.items():
        if section != "model" and not isinstance(inner, dict):
            raise UsageError(
                f"Setting {section} is {inner!r}", "a section with names and values", "filter.duplicate_jaccard=0.9"
            )


def overrides(words: Sequence[str]) -> dict[str, Any]:
    """["filter.duplicate_jaccard=0.9"] as nested values. A value is JSON where it reads as JSON, else plain text."""
    found: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        section, dot, key = name.strip().partition(".")
        if not (equals and dot and section and key):
            raise UsageError(f"Setting {word!r}", "section.name=value", "filter.duplicate_jaccard=0.9")
        try:
            value = json.loads(text)
        except ValueError:
            value = text.strip()
        found.setdefault(section, {})[key] = value
    return found


def merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with `changes` laid over it, section by section."""
    merged = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def usable(name: str, role: str) -> str:
    """Whoever has a role, in full: extractive, an address, or the absolute path of a model folder. Raises ModelError.

    What measures difficulty (ifd_model) can only be a folder.
    """
    if role == "ifd_model" and (name == EXTRACTIVE or "://" in name):
        raise UsageError(
            f"sft.ifd_model is {name}, which gives no probabilities of tokens",
            "a model folder", 'sft.ifd_model="", which trains a tiny model on the source itself',
        )  # fmt: skip
    if name == EXTRACTIVE:
        return name
    if "://" in name:
        return check_address(name, role)
    folder = find_model(name)
    if folder is None:
        raise ModelError(
            f"The {role} {name} is not on this disk (looked in {_looked_in(name)})",
            "a model folder" if role == "ifd_model" else "extractive, a model folder, or an endpoint's http address",
            'sft.ifd_model=""' if role == "ifd_model" else f"--{role} extractive, which needs no model",
        )
    return str(folder)


def check_address(address: str, role: str) -> str:
    """An endpoint's address when it can be one. Raises UsageError otherwise; nothing is asked of it yet."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(address)
        port_fits = parts.port is None or parts.port > 0
    except ValueError:
        port_fits = False
    if not port_fits or parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(
            f"The {role} {address} is no http address", "http://HOST:PORT/v1", f"--{role} http://127.0.0.1:8080/v1"
        )
    if parts.username or parts.password:
        raise UsageError(
            f"The {role}'s address holds a user name or password",
            "an address without secrets, since it is kept with the run",
            "the key in the environment instead",
        )
    return address


def find_model(name: str) -> Path | None:
    """The folder of a model on this disk: a path, or a name in the Hugging Face cache; None where there is none.

    Raises ModelError for a folder that is there and can't be used, and for an address: a target model has no address.
    """
    from realign.engine.folders import check_folder

    if "://" in name:
        raise ModelError(f"The model {name} is an address", "a model's folder or name", f"--author {name}")
    path = Path(name).expanduser()
    if path.is_dir():
        return check_folder(path.resolve())
    revision = _cache() / f"models--{name.replace('/', '--')}" / "refs" / "main"
    if "/" not in name or ".." in name or not revision.is_file():
        return None
    snapshot = revision.parents[1] / "snapshots" / revision.read_text(encoding="utf-8").strip()
    return check_folder(snapshot) if snapshot.is_dir() else None


def _cache() -> Path:
    """Where Hugging Face keeps downloaded models."""
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    return Path(os.environ.get("HF_HUB_CACHE") or home / "hub").expanduser()


def _looked_in(name: str) -> str:
    return f"{Path(name).expanduser().absolute()} and {_cache()}"


def model_missing(name: str) -> ModelError:
    """The stop before any work, with the choices."""
    return ModelError(
        f"The model {name} is not on this disk (looked in {_looked_in(name)})",
        "a model folder, or a choice of who writes and judges in its place",
        "--download to fetch it, --author with another model folder or an endpoint's address, or --author extractive,"
        " which needs no model; the data is for the named model all the same",
    )


def fetch(name: str) -> Path:
    """Fetch a model into the Hugging Face cache, its size said out loud first. Raises ModelError when that fails."""
    import sys

    from huggingface_hub import HfApi, snapshot_download

    wanted = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja", "*.tiktoken"]
    try:
        files = HfApi().model_info(name, files_metadata=True).siblings or []
        size = sum(file.size or 0 for file in files if any(Path(file.rfilename).match(kind) for kind in wanted))
        print(f"Fetching {name}: {size / 1e9:,.1f} GB into {_cache()}", file=sys.stderr, flush=True)
        return Path(snapshot_download(name, allow_patterns=wanted))
    except RealignError:
        raise
    except Exception as error:  # the library raises a dozen kinds; each means the same here
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(
            f"{name} could not be fetched into {_cache()}: {type(error).__name__}: {reason[0]}",
            "a network, and a model by that name (ORGANIZATION/NAME)",
            "a model folder on this disk, or --author extractive, which needs no model",
        ) from None
