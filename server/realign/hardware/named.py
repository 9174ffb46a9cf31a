"""A machine by its name in words, from the catalogue of chips and the shipped figures.

    machine_named("M2 Ultra 192GB")            machine_named("Mac Studio, M4 Max, 40-core GPU, 64 GB")

What is not said is what is usual for the chip, and the machine's basis says what was assumed.
"""

from __future__ import annotations

import dataclasses
import difflib
import re

from realign.errors import UsageError
from realign.hardware.catalogue import SOURCES, find_variant, variants
from realign.hardware.machines import SHIPPED_MACHINES, Machine, profile, this_machine

CHIP = re.compile(r"(?<![a-z0-9])m(\d+)[\s-]*(pro|max|ultra)?(?![a-z0-9])", re.IGNORECASE)
CORES = re.compile(r"(\d+)[\s-]*(?:gpu[\s-]*)?cores?", re.IGNORECASE)
MEMORY = re.compile(r"(?<![\w.-])(\d+(?:\.\d+)?)\s*(tb|gb|gib|g)?(?![\w.])", re.IGNORECASE)
MOST_GB = 2048
# Words that say which Mac a chip sits in: they change nothing, and any other word is a slip that must be seen.
OTHER_WORDS = re.compile(
    r"\b(?:apple|mac|macbook|imac|studio|mini|pro|air|gpu|with|and|of|unified|memory|ram)\b|[\s,;()+/]+",
    re.IGNORECASE,
)


def machine_named(text: str) -> Machine:
    """A Mac by its chip, and its GPU cores and memory where they are said: "m4 max", "M4 Max 40-core 128 GB".

    The shipped figures where chip and cores are those of a shipped machine; else what the catalogue has. What is not
    said is what is usual, and the basis says so. The name of this machine gives this machine. Raises UsageError for
    anything else, with near names.
    """
    chips = {" ".join(filter(None, (f"M{found[1]}", (found[2] or "").title()))) for found in CHIP.finditer(text)}
    if len(chips) != 1 or not variants(name := chips.pop()):
        if text == this_machine().name:
            return this_machine()
        raise UsageError(f"No machine {text!r} in the catalogue", _near(text), "such as 'M2 Ultra 192GB'")
    rest = re.sub(r"\d+[\s-]*inch", " ", CHIP.sub(" ", text), flags=re.IGNORECASE)
    cores = [int(found[1]) for found in CORES.finditer(rest)]
    rest = CORES.sub(" ", rest)
    sizes = [_gigabytes(found) for found in MEMORY.finditer(rest)]
    unknown = OTHER_WORDS.sub("", MEMORY.sub(" ", rest))
    if unknown or len(cores) > 1 or len(sizes) > 1:
        what = f"; {unknown!r} is neither" if unknown else ""
        raise UsageError(
            f"The machine {text!r}{what}", "a chip, one number of GPU cores and one size of memory at most", _near(text)
        )
    return _of_catalogue(name, cores[0] if cores else None, sizes[0] if sizes else None)


def _of_catalogue(name: str, cores: int | None, memory_gb: float | None) -> Machine:
    """A chip with these cores and this memory; None for what was not said. Raises UsageError for what can't be."""
    if memory_gb is not None and not 1 <= memory_gb <= MOST_GB:
        raise UsageError(f"{name} with {memory_gb:g} GB", f"a size of memory from 1 to {MOST_GB} GB")
    chip, assumed = find_variant(name, cores, memory_gb)
    usual = next((m.memory_gb for m in SHIPPED_MACHINES if (m.name, m.gpu_cores) == (name, chip.gpu_cores)), None)
    notes = [assumed] if assumed else []
    if memory_gb is None:
        memory_gb = usual or chip.memory[0]
        if len(chip.memory) > 1:
            notes.append(f"{memory_gb:g} GB assumed, it comes with {' or '.join(map(str, chip.memory))}")
    elif memory_gb not in chip.memory:
        notes.append(f"{memory_gb:g} GB is no size that Apple sold with it ({', '.join(map(str, chip.memory))})")
    machine = profile(chip, memory_gb)
    return dataclasses.replace(machine, basis="; ".join([machine.basis, *notes]))


def _gigabytes(found: re.Match[str]) -> float:
    """Memory as said, in GB; a bare number is GB."""
    return float(found[1]) * (1024 if (found[2] or "").lower() == "tb" else 1)


def _near(text: str) -> str:
    """The names of the catalogue that are most like the words, or all of them."""
    names = {name.lower(): name for name in SOURCES}
    near = difflib.get_close_matches(" ".join(text.lower().split()), names, n=4, cutoff=0.5)
    return f"one of {', '.join(names[found] for found in near) or ', '.join(names.values())}"
