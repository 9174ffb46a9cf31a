"""What is asked for, by whatever door: the words of a run before they are checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for. author and judge: extractive, a model folder, an endpoint's address, or "" for the default.

    settings: overrides as nested values, {"filter": {"duplicate_jaccard": 0.9}}. output: the folder that will hold the
    run's folder. download: a model that is not on this disk may be fetched. workflow: "curate", or "align", whose one
    source is a run, a folder with its files, or a dataset file.
    """

    sources: tuple[str, ...]
    data_type: str = "dpo"
    model: str = ""
    author: str = ""
    judge: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    output: str = ""
    download: bool = False
    workflow: str = "curate"
