"""The package's own reading of a request, loaded from its files: server/realign/intake/{words,detect}.py.

    detect("Curate DPO preference pairs from book.pdf").data_type       -> "dpo"

The two files are standard library only. The package around them is not imported: an empty one stands in for it while
they load. Nothing else of the package may be loaded this way.
"""

from __future__ import annotations

import dataclasses
import sys
import types
from pathlib import Path

SERVER = Path(__file__).resolve().parents[1] / "server"

# slots=True saves memory only, and Python 3.9 does not know it.
if sys.version_info < (3, 10):  # noqa: UP036
    _dataclass = dataclasses.dataclass
    dataclasses.dataclass = lambda cls=None, slots=False, **rest: _dataclass(cls, **rest)  # type: ignore


def _stand_in(name: str) -> None:
    """An empty package of that name, whose modules are found where the real ones are."""
    package = types.ModuleType(name)
    package.__path__ = [str(SERVER.joinpath(*name.split(".")))]
    sys.modules.setdefault(name, package)


for _name in ("realign", "realign.intake"):
    _stand_in(_name)

from realign.intake.detect import SURE, Detection, detect
from realign.intake.words import read_size

__all__ = ["SURE", "Detection", "detect", "read_size"]
