"""What was asked of a plan, in the words that the rest of it knows: machines by name, a split, a transport.

    read_machines("M4 Max 128GB, M2 Ultra 192GB")                 -> two machines of the catalogue
    read_wishes("m3 ultra", None, "2:1", "rdma", request, fleet)  -> Asked(machine="M3 Ultra", ...)

A word that means nothing is a UsageError with the words that do; none is passed over in silence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from realign.errors import UsageError
from realign.hardware.hearing import batch_heard, hear
from realign.hardware.machines import Machine
from realign.hardware.named import machine_named
from realign.hardware.planned import NONE, SEPARATE
from realign.hardware.refusals import SHARDINGS, Asked

HALVES = ("half", "halves", "half-and-half", "equal", "even", "50/50", "50:50")
RATIO = re.compile(r"\d+(?:\.\d+)?(?:\s*[:/]\s*\d+(?:\.\d+)?)+")


def read_machines(text: str) -> tuple[Machine, ...]:
    """Machines by their names in the catalogue, with commas between them. Raises UsageError for an unknown one."""
    names = [name.strip() for name in re.split(r"[,;]", text) if name.strip()]
    if not names:
        raise UsageError("No machine was named", "names with commas between them", '"M4 Max 128GB, M3 Ultra 512GB"')
    return tuple(map(machine_named, names))


def read_wishes(
    machine: str | None,
    batch_size: int | None,
    split: str | Mapping[str, float] | None,
    transport: str | None,
    words: str,
    fleet: Sequence[Machine],
) -> Asked:
    """What was asked for, in the words that refusals.py knows. Raises UsageError for a word that means nothing."""
    return Asked(
        _read_machine(machine, fleet) if machine else None,
        batch_size,
        _read_split(split, fleet) if isinstance(split, str) else split,
        _read_transport(transport) if transport else None,
        hear(words),
        batch_heard(words),
    )


def _read_machine(said: str, fleet: Sequence[Machine]) -> str:
    """The one machine that is meant: by its name, or by a name that says less or more than its own."""
    names = [machine.name for machine in fleet]
    plain = said.strip().lower()
    exact = [name for name in names if name.lower() == plain]
    near = exact or [name for name in names if name.lower().startswith(plain) or plain.startswith(name.lower())]
    if len(near) != 1:
        raise UsageError(f"No machine {said!r}", f"one of {', '.join(names)}")
    return near[0]


def _read_split(said: str, fleet: Sequence[Machine]) -> str | dict[str, float]:
    plain = said.strip().lower()
    if plain in HALVES:
        return "half"
    if plain in ("none", "cores"):
        return plain
    if RATIO.fullmatch(plain):
        parts = [float(part) for part in re.split(r"\s*[:/]\s*", plain)]
        macs = [machine.name for machine in fleet if machine.shared_rate is not None] or [m.name for m in fleet]
        if len(parts) == len(macs) and sum(parts) > 0:
            return {name: part / sum(parts) for name, part in zip(macs, parts, strict=True)}
    raise UsageError(f"The split {said!r}", "none, half, cores, or a ratio such as 2:1 with a number for each machine")


def _read_transport(said: str) -> str:
    plain = said.strip().lower()
    known = {"separate": SEPARATE, SEPARATE: SEPARATE, "exo": "exo", NONE: SEPARATE} | {
        word: word for word in SHARDINGS
    }
    if plain not in known:
        raise UsageError(f"The transport {said!r}", "separate batches, rdma or exo")
    return known[plain]
