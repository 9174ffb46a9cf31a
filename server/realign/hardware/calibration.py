"""Measured speeds of machines on models, kept in the user's data folder; plans use them in place of shipped figures.

    keep(calibration)                          after `realign calibrate` (engine/sweep.py measures)
    calibrated(machine, size)                  the machine with its measured figures, where a calibration fits
    why_not(machine, size)                     why the one at hand does not fit: stale, another MLX, another model size

One JSON file a machine and model, in calibrations/. Files that are damaged or somebody else's are left alone, and
named in the log. Standard library only.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import math
import os
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import Any

from realign.errors import UsageError
from realign.hardware.machines import Machine
from realign.hardware.memory import bits_on
from realign.hardware.models import ModelSize
from realign.intake.runs import data_folder
from realign.run import slug

FOLDER = "calibrations"
DAYS = 30  # a calibration holds this long
DAY = 86_400.0
SIZE_TOLERANCE = 0.125  # of parameters: Qwen2.5-7B, which has 7.6e9, fits itself by name and by folder; 7B is not 8B
BITS_TOLERANCE = 0.5  # of precision: mixed quantization counts as its mean, and its name says a whole number
MEMORY_TOLERANCE = 0.1  # of memory: containers and kernels differ by a little, models of one Mac by a third or more
LARGEST_FILE = 1 << 20
log = logging.getLogger("realign")


@dataclass(frozen=True, slots=True)
class Point:
    """One batch size, measured: examples/s, tokens/s (read in scoring, written in generation), peak memory in GB.

    The rates are medians of `repetitions`; spread is half their range over the median, 0 for a single one.
    """

    batch_size: int
    examples_per_second: float
    tokens_per_second: float
    peak_gb: float
    spread: float = 0.0
    repetitions: int = 1


@dataclass(frozen=True, slots=True)
class Calibration:
    """What one machine did with one model. when: seconds since the epoch.

    machine: a catalogue name or the CPU's; memory_gb and cores as it has them; identity: the model folder's hash.
    precision: bits a weight as it ran (32 on a CPU). tokens: of one scored example, with the judges' instructions.
    best is the knee of each sweep. notes: what the reader should know, such as why a sweep ended early.
    """

    machine: str
    chip: str
    memory_gb: float
    mlx: str
    model: str
    identity: str
    parameters: float
    active: float
    precision: float
    tokens: int
    scoring: tuple[Point, ...]
    generation: tuple[Point, ...]
    best_scoring: int
    best_generation: int
    when: float
    notes: tuple[str, ...] = ()
    gpu_cores: int | None = None
    cores: int | None = None


# -- what plans ask -----------------------------------------------------------------------------------------------


def calibrated(machine: Machine, size: ModelSize, now: float | None = None) -> Machine:
    """`machine` with the measured figures of its newest fitting calibration; the same machine when none fits.

    The rates are those of scoring; its own curve takes the place of the shipped one. Batch sizes that were not reached
    are not planned. The shipped share of the work goes: it belongs to the figures that are replaced.
    """
    found = find_calibration(machine, size, now)
    if found is None:
        return machine
    curve = {point.batch_size: point.examples_per_second for point in found.scoring}
    return dataclasses.replace(
        machine,
        batch_size=found.best_scoring,
        max_batch=max(curve),
        batch_curve=MappingProxyType(curve),
        scoring_rate=curve[found.best_scoring],
        shared_rate=curve[found.best_scoring],
        rate_parameters=found.active,
        share=None,
        basis=f"calibration of {title(found)}",
    )


def find_calibration(machine: Machine, size: ModelSize, now: float | None = None) -> Calibration | None:
    """The newest calibration of this machine that holds for a model of this size, or None. now: for tests."""
    return next((found for found in of_machine(machine) if not misfit(found, machine, size, now)), None)


def why_not(machine: Machine, size: ModelSize, now: float | None = None) -> str:
    """Why no calibration of this machine holds for a model of this size; "" when one does, or there is none at all.

    Of several, the one that comes closest is named: of the right size before the newest.
    """
    reasons = [(found, misfit(found, machine, size, now)) for found in of_machine(machine)]
    if not reasons or size.parameters is None or not all(reason for _, reason in reasons):
        return ""
    closest, reason = min(reasons, key=lambda each: not _same_model(each[0], machine, size))  # the newest of equals
    return f"calibration of {title(closest)} on {machine.name} is {reason}"


def of_machine(machine: Machine) -> list[Calibration]:
    """Every calibration of a machine of this name, memory and cores (where both are known), newest first."""
    found, _ = read_calibrations()
    return [each for each in found if each.machine == machine.name and _alike(each, machine)]


def _alike(found: Calibration, machine: Machine) -> bool:
    cores = ((found.gpu_cores, machine.gpu_cores), (found.cores, machine.cores))
    near = abs(found.memory_gb - machine.memory_gb) <= MEMORY_TOLERANCE * machine.memory_gb
    return near and all(None in pair or pair[0] == pair[1] for pair in cores)


def misfit(found: Calibration, machine: Machine, size: ModelSize, now: float | None = None) -> str:
    """What keeps a calibration of this machine from being used for a model of this size; "" when nothing does."""
    days = ((time.time() if now is None else now) - found.when) / DAY
    bits = bits_on(machine, size.bits)
    if size.parameters is None:
        return "of no use for a model of unknown size"
    if not _same_model(found, machine, size):
        if abs(found.precision - bits) > BITS_TOLERANCE:
            return f"of another precision ({found.precision:g} bit, this is {bits:g} bit)"
        here, there = (in_billions(*counts) for counts in (_counts(size), (found.parameters, found.active)))
        return f"of another model size ({there}, this is {here})"
    if found.mlx != mlx_version():
        return f"made with mlx {found.mlx}, this is mlx {mlx_version()}"
    if days > DAYS:
        return f"stale: {days:.0f} days old, it holds for {DAYS}"
    return f"dated {-days:.0f} days in the future" if days < -1 else ""


def _same_model(found: Calibration, machine: Machine, size: ModelSize) -> bool:
    """Whether all parameters and the active ones are within the tolerance, at the precision that would run."""
    pairs = zip(_counts(size), (found.parameters, found.active), strict=True)
    close = all(abs(wanted - measured) <= SIZE_TOLERANCE * measured for wanted, measured in pairs)
    return close and abs(found.precision - bits_on(machine, size.bits)) <= BITS_TOLERANCE


def _counts(size: ModelSize) -> tuple[float, float]:
    total = size.parameters or 0.0
    return total, size.active or total


def in_billions(total: float, active: float) -> str:
    """7B, 30B with 3B active, 0.5M."""
    return _short(total) if abs(total - active) < 0.01 * total else f"{_short(total)} with {_short(active)} active"


def _short(count: float) -> str:
    unit, name = (1e9, "B") if count >= 1e9 else (1e6, "M")
    return f"{count / unit:.2g}{name}" if count < 10 * unit else f"{count / unit:.0f}{name}"


def title(found: Calibration) -> str:
    """2026-11-21: Qwen2.5-7B-Instruct-4bit, 4 bit, mlx 0.32.4."""
    day = time.strftime("%Y-%m-%d", time.localtime(found.when))
    return f"{day}: {found.model}, {found.precision:g} bit, mlx {found.mlx}"


def mlx_version() -> str:
    """MLX's version, without importing it."""
    try:
        return version("mlx")
    except PackageNotFoundError:
        return "not installed"


# -- the files ----------------------------------------------------------------------------------------------------


def folder() -> Path:
    """Where calibrations are kept."""
    return data_folder() / FOLDER


def place_of(found: Calibration) -> Path:
    """A calibration's file: a newer one of the same machine and model has the same. The hash keeps likes apart."""
    key = hashlib.sha256(
        f"{found.machine}\0{found.memory_gb:.0f}\0{found.gpu_cores}\0{found.identity}".encode()
    ).hexdigest()[:8]
    return folder() / f"{slug(found.machine)[:30]}_{slug(found.model)[:40]}_{key}.json"


def check_writable() -> None:
    """Make the folder. Raises UsageError where nothing can be written there, before anything is measured."""
    place = folder()
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise UsageError(
            f"Nothing can be written in {place} ({error.strerror})", "a data folder of your own", "set REALIGN_HOME"
        ) from None


def keep(found: Calibration) -> Path:
    """Write a calibration in one step, in place of an older one; gives its file. Of two writers the later one stays."""
    place = place_of(found)
    write_whole(place, json.dumps(dataclasses.asdict(found), indent=1) + "\n")
    return place


def write_whole(place: Path, text: str) -> None:
    """Write a file so that a reader finds the old one or the new one, never a part."""
    place.parent.mkdir(parents=True, exist_ok=True)
    descriptor, part = tempfile.mkstemp(dir=place.parent, prefix=".", suffix=".part")
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, place)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


def read_calibrations() -> tuple[list[Calibration], list[str]]:
    """(all calibrations, newest first, what is wrong with each file that is none). The latter is logged too."""
    found, problems = [], []
    for path in sorted(folder().glob("*.json")):
        try:
            found.append(_read(path))
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            problems.append(f"{path} is ignored: no calibration ({type(error).__name__}: {error})")
            log.warning(problems[-1])
    return sorted(found, key=lambda each: each.when, reverse=True), problems


def _read(path: Path) -> Calibration:
    """One file. Raises ValueError, TypeError or KeyError for anything but a whole calibration."""
    if path.stat().st_size > LARGEST_FILE or not path.is_file():
        raise ValueError("too large, or not a file")
    data = json.loads(path.read_text(encoding="utf-8"))
    sweeps = {name: tuple(Point(**point) for point in data[name]) for name in ("scoring", "generation")}
    found = Calibration(**{**data, **sweeps, "notes": tuple(data.get("notes", ()))})
    texts = (found.machine, found.chip, found.mlx, found.model, found.identity, *found.notes)
    numbers = (found.memory_gb, found.parameters, found.active, found.precision, found.tokens, found.when)
    cores = (each for each in (found.gpu_cores, found.cores) if each is not None)
    if not all(isinstance(text, str) for text in texts) or not all(map(_is_amount, (*numbers, *cores))):
        raise ValueError("a field of the wrong kind")
    for best, points in ((found.best_scoring, found.scoring), (found.best_generation, found.generation)):
        if best not in [point.batch_size for point in points] or not all(map(_is_whole, points)):
            raise ValueError("a sweep without its best, or with an impossible point")
    return found


def _is_whole(point: Point) -> bool:
    rates = (point.batch_size, point.examples_per_second, point.tokens_per_second, point.peak_gb, point.repetitions)
    return all(map(_is_amount, rates)) and isinstance(point.batch_size, int) and isinstance(point.spread, int | float)


def _is_amount(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0
