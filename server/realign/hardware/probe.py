"""What a machine says of itself before a distributed launch. It is run there, and answers with one JSON line:

    python -P -m realign.hardware.probe '{"settings": {}, "models": ["/models/qwen"]}'

    {"probe": "beat"}                      every second until then, so that a frozen machine is told from a slow one
    {"probe": "answer", "host": "studio", "program": "9f86d0...", ...}      a `Seen`

No model is loaded here (engine/vitals.py does that). Nothing is changed, nothing is asked of anyone else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

PACKAGE = Path(__file__).parents[1]
TEMPLATES = PACKAGE / "templates"
BEAT_EVERY = 1.0  # seconds
GIT_SECONDS = 10.0
PARTS = ("program", "prompts", "thresholds", "checkpoint", "seeds")


class Said(BaseModel):
    """What comes from another process or machine: fields of the right kind, or it is refused."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class Checkpoint(Said):
    """A model folder as it is there. identity: its hash; damage: what is wrong with it, "" for nothing.

    rate: examples/s at the best batch size, as this machine was calibrated; None with the reason in uncalibrated.
    """

    identity: str = ""
    damage: str = ""
    rate: float | None = None
    uncalibrated: str = ""


class Seen(Said):
    """One machine. Memory in GB; used: share of memory in use, 0..1, None where it can't be read; time: its clock.

    program, prompts, thresholds, seeds: SHA-256 of the package's files, of the templates, and of the settings as its
    code reads them. uncommitted: files changed since the last commit, None where the code is no git checkout.
    """

    host: str
    time: float
    realign: str
    mlx: str
    mlx_lm: str
    machine: str
    system: str
    charted: bool
    memory_gb: float
    gpu_gb: float | None
    used: float | None
    program: str
    prompts: str
    thresholds: str
    seeds: str
    refused: str
    uncommitted: tuple[str, ...] | None
    models: dict[str, Checkpoint]


def look(settings: dict[str, Any], models: Iterable[str]) -> Seen:
    """What is true of this machine now. settings: those that differ from the defaults; models: paths of folders."""
    from realign import __version__
    from realign.hardware.machines import this_machine

    machine = this_machine()
    thresholds, seeds, refused = hash_settings(settings)
    return Seen(
        host=os.uname().nodename, realign=__version__, mlx=installed("mlx"), mlx_lm=installed("mlx-lm"),
        machine=machine.name, system=machine.system, charted=machine.bandwidth_gbs is not None,
        memory_gb=machine.memory_gb, gpu_gb=machine.gpu_gb, used=memory_used(),
        program=hash_files(path for path in PACKAGE.rglob("*") if TEMPLATES not in path.parents),
        prompts=hash_files(TEMPLATES.rglob("*")),
        thresholds=thresholds, seeds=seeds, refused=refused, uncommitted=find_uncommitted(),
        models={name: look_at(Path(name)) for name in models}, time=time.time(),
    )  # fmt: skip


def hash_files(paths: Iterable[Path]) -> str:
    """SHA-256 of the files of the package among `paths`: their names and bytes. Compiled files don't count."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        if path.is_file() and "__pycache__" not in path.parts and path.name != ".DS_Store":
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.relative_to(PACKAGE).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


def hash_settings(changed: dict[str, Any]) -> tuple[str, str, str]:
    """(SHA-256 of every setting that shapes the records, of the seeds, why this code refuses them or "").

    Only what was changed is given: the rest are the defaults of the code that is here.
    """
    from realign.errors import UsageError
    from realign.settings import parse_settings

    try:
        values = parse_settings(changed).model_dump(mode="json", exclude={"hardware", "cost"})
    except UsageError as error:
        return "", "", str(error)
    sections = {name: section for name, section in values.items() if isinstance(section, dict)}
    seeds = {name: section.pop("seed") for name, section in sections.items() if "seed" in section}
    return _hash(values), _hash(seeds), ""


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def look_at(folder: Path) -> Checkpoint:
    """A model folder on this disk."""
    from realign.engine.folders import check_folder, model_identity
    from realign.engine.weights import find_damage
    from realign.errors import ModelError
    from realign.hardware.calibration import find_calibration, why_not
    from realign.hardware.machines import this_machine
    from realign.hardware.models import measure_model

    try:
        damage, identity = find_damage(check_folder(folder)), model_identity(folder)
        machine, size = this_machine(), measure_model(str(folder))
        found = find_calibration(machine, size)
        rates = {point.batch_size: point.examples_per_second for point in found.scoring} if found else {}
        rate = rates.get(found.best_scoring) if found else None
        return Checkpoint(identity=identity, damage=damage, rate=rate, uncalibrated=why_not(machine, size))
    except ModelError as error:
        return Checkpoint(damage=error.found)
    except OSError as error:
        return Checkpoint(damage=f"{folder} can't be read: {error.strerror or error}")


def installed(package: str) -> str:
    """Version of an installed package, "" where it is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def find_uncommitted() -> tuple[str, ...] | None:
    """The package's files that git knows as changed or new; None where git does not know the package."""
    if _git("ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    changed = _git("status", "--porcelain", "--untracked-files=all", "--", ".")
    return None if changed is None else tuple(line[3:] for line in changed.splitlines())


def _git(*words: str) -> str | None:
    """What git says in the package's folder, or None where it refuses, is missing or takes too long."""
    # Without optional locks: looking must not get in the way of somebody who commits.
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            ["git", "-C", str(PACKAGE), *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=GIT_SECONDS, env=environment,
        )  # fmt: skip
        return done.stdout if done.returncode == 0 else None
    return None


def memory_used() -> float | None:
    """Share of this machine's memory that is in use and can't be had at once, in 0..1; None where nothing says so."""
    with contextlib.suppress(OSError, ValueError, KeyError, ZeroDivisionError, subprocess.SubprocessError):
        if sys.platform == "darwin":
            asked = ["sysctl", "-n", "kern.memorystatus_level"]  # per cent that is free or can be freed
            said = subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=2.0)
            return 1 - int(said.stdout) / 100
        lines = (line.split(":") for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines())
        sizes = {name: int(rest.split()[0]) for name, rest in lines}
        return 1 - sizes["MemAvailable"] / sizes["MemTotal"]
    return None


# -- answering ------------------------------------------------------------------------------------------------------


def answer(arguments: list[str], work: Callable[[dict[str, Any]], Said]) -> int:
    """Do `work` with the JSON object on the command line, and say what came of it; the shape of every probe."""
    say = _mouth()
    stopped = threading.Event()
    threading.Thread(target=_beat, args=(say, stopped), daemon=True).start()
    found = work(json.loads(arguments[0]))
    stopped.set()
    say({"probe": "answer", **found.model_dump(mode="json")})
    return 0


def _mouth() -> Callable[[dict[str, Any]], None]:
    """Says one JSON object a line on the real stdout; whatever a library prints from now on goes to stderr."""
    real, lock = os.dup(1), threading.Lock()
    os.dup2(2, 1)

    def say(value: dict[str, Any]) -> None:
        line = json.dumps(value).encode() + b"\n"
        with lock:
            while line:
                line = line[os.write(real, line) :]

    return say


def _beat(say: Callable[[dict[str, Any]], None], stopped: threading.Event) -> None:
    """A sign of life every second. Nobody listens any more: this process ends, wherever it is."""
    while True:
        try:
            say({"probe": "beat"})
        except OSError:
            os._exit(1)
        if stopped.wait(BEAT_EVERY):
            return


def said(line: bytes) -> dict[str, Any] | None:
    """The object of a line that a probe wrote; None for anything else, such as a shell's greeting."""
    if b'"probe"' not in line:  # millions of lines of something else must not cost a parse each
        return None
    with contextlib.suppress(ValueError, RecursionError):
        value = json.loads(line)
        return value if isinstance(value, dict) and value.get("probe") in ("beat", "answer") else None
    return None


def lines_of(heard: bytes) -> Iterator[dict[str, Any]]:
    """What a probe said, line by line; the rest is passed over."""
    return (value for line in heard.splitlines() if (value := said(line)) is not None)


if __name__ == "__main__":
    sys.exit(answer(sys.argv[1:], lambda request: look(request["settings"], request["models"])))
