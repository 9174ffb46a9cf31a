"""What the subcommands share: how a command is added, how JSON is said, how a run is named on a command line."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from realign.intake.runs import find_run
from realign.run import DATABASE, is_file

EPILOG = "exit codes: 0 passed, 1 failed, 2 usage, 3 blocked by a gate, 130 interrupted"


class Add(Protocol):
    """Adds a subcommand: its name, the function that does it, one line of help. json: whether it takes --json."""

    def __call__(
        self, name: str, act: Callable[[argparse.Namespace], int], help: str, *, json: bool = True
    ) -> argparse.ArgumentParser:
        """The subcommand's parser, to which its words are added."""


def say_json(value: Any) -> None:
    """Print one JSON object."""
    print(json.dumps(value, ensure_ascii=False, indent=1, default=str))


def place_of(name: str) -> Path:
    """A run's folder from its id, or from a path as it is typed in a shell."""
    folder = Path(name).expanduser().absolute()
    return folder if is_file(folder / DATABASE) else find_run(name)
