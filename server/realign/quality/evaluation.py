"""The evaluation items that a run must stay clear of: the shipped benchmarks its settings name, and the user's files.

A benchmark that was asked for and is missing stays in `missing`, where the decontamination gate finds it.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from realign.quality.evaluation_index import EvaluationIndex, index_files, load_index, merge
from realign.run import file_sha256
from realign.settings import Filter


def chosen_index(settings: Filter) -> EvaluationIndex:
    """The index of everything the settings name. Raises SourceError for a file that can't be read."""
    return _chosen(settings.benchmarks, tuple((file, _as_it_is(file)) for file in settings.evaluation_files))


@lru_cache(maxsize=4)
def _chosen(benchmarks: tuple[str, ...] | None, files: tuple[tuple[str, object], ...]) -> EvaluationIndex:
    return merge(load_index(benchmarks), index_files([Path(file) for file, _ in files]))


def _as_it_is(file: str) -> tuple[int, int] | None:
    """What changes when a file does, so that no index of its earlier lines is used again; None where it is gone."""
    try:
        found = Path(file).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def index_identity(settings: Filter) -> str:
    """What the index depends on besides its settings: the hashes of the benchmarks' sources and of the user's files."""
    shipped = load_index(settings.benchmarks)
    hashes = [f"{benchmark.name}={benchmark.sha256}" for benchmark in shipped.benchmarks]
    return ";".join([*hashes, *(file_sha256(Path(file)) for file in settings.evaluation_files)])
