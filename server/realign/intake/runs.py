"""The runs this user knows: a list of folders in the user's data folder, so that a run has a short name everywhere.

    remember(run.folder)                 after a run was started
    find_run("dpo_tides_20260128")       its folder; an absolute path to a run's folder works too

A run id is only ever compared with names on the list; it is never joined to a path, so "../../etc" names nothing.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path

from realign.errors import UsageError
from realign.run import DATABASE, is_file

LIST = "runs.jsonl"
RUN_ID = re.compile(r"[a-z0-9_]+")


def data_folder() -> Path:
    """Where ReAlign keeps what belongs to the user: $REALIGN_HOME, or the platform's place for application data."""
    if os.environ.get("REALIGN_HOME"):
        return Path(os.environ["REALIGN_HOME"]).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "realign"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "realign"


def remember(folder: Path) -> None:
    """Put a run's folder on the list, once. Two processes may do so at the same time: a line is one write."""
    folder = folder.resolve()
    if folder in _listed():
        return
    data_folder().mkdir(parents=True, exist_ok=True)
    with open(data_folder() / LIST, "a", encoding="utf-8") as file:
        file.write(json.dumps({"folder": str(folder), "at": round(time.time(), 3)}) + "\n")


def known_runs() -> list[Path]:
    """Folders of all runs on the list that still exist, newest last."""
    return [folder for folder in _listed() if is_file(folder / DATABASE)]


def find_run(name: str) -> Path:
    """The folder of a run, given its id or the absolute path of its folder.

    Raises UsageError when there is none, or when several known runs share the id.
    """
    if Path(name).is_absolute():
        return _checked(Path(name))
    matches = [folder for folder in known_runs() if folder.name == name] if RUN_ID.fullmatch(name) else []
    if len(matches) == 1:
        return matches[0]
    if matches:
        places = ", ".join(str(folder) for folder in matches)
        raise UsageError(f"{len(matches)} runs are called {name}", "one run", f"the absolute path of one: {places}")
    latest = ", ".join(folder.name for folder in known_runs()[-5:][::-1])
    raise UsageError(
        f"No run called {name!r} is known",
        "a run id or the absolute path of a run's folder",
        f"one of the latest: {latest}" if latest else "starting a run first, with its sources",
    )


def name_of(folder: Path) -> str:
    """What `find_run` finds this run by: its id where that is one run's alone, else its folder."""
    alone = [known for known in known_runs() if known.name == folder.name] == [folder.resolve()]
    return folder.name if alone else str(folder.resolve())


def _checked(folder: Path) -> Path:
    if not is_file(folder / DATABASE):
        raise UsageError(
            f"No run at {folder}", f"a folder that holds {DATABASE}", "`realign runs` lists the runs it knows"
        )
    return folder.resolve()


def _listed() -> list[Path]:
    """Folders on the list in the order of their coming, each once. A line that can't be read is passed over."""
    found: dict[Path, None] = {}
    try:
        text = (data_folder() / LIST).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    for line in text.splitlines():
        try:
            found[Path(json.loads(line)["folder"])] = None
        except (ValueError, KeyError, TypeError):
            continue
    return list(found)
