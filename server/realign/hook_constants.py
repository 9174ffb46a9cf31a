"""What the plugin's hooks must know of this package, as a file of constants: they may not import it.

    python -m realign.hook_constants            writes hooks/standard.py beside the package

The environment, the refusals' names and reasons, what fits one machine, watts and prices are read from the code that
owns them, so the standard lives in one place. A test asks that the written file is current.
"""

from __future__ import annotations

import sys
from pathlib import Path

from realign import settings
from realign.hardware import environment, quantization, refusals
from realign.hardware.fit import WEIGHTS_SHARE
from realign.hardware.machines import M3_ULTRA, SHIPPED_MACHINES

HOOKS = Path(__file__).parents[2] / "hooks"
LINE = 120  # characters
HEADER = '''"""The standard, read from the package by `python -m realign.hook_constants`. Not to be edited by hand."""

# ruff: noqa: E501
# fmt: off
'''


def constants() -> dict[str, object]:
    """Every constant by its name, as plain Python values."""
    prices = settings.Cost()
    return {
        "ENVIRONMENT": {name: value for name, value, _ in environment.FACTS if name != "nice"},
        "TRUTHS": {name: truth for name, _, truth in environment.FACTS},
        "KEEPS": environment.KEEPS,
        "MAY_BE_OFF": ("MLX_METAL_FAST_SYNCH",),
        "NICE": environment.NICE,
        "HALF": refusals.HALF,
        "CORES": refusals.CORES,
        "BATCH": refusals.BATCH,
        "RDMA": refusals.RDMA,
        "REASONS": refusals.REASONS,
        "SHARDINGS": refusals.SHARDINGS,
        "SLOW_MACHINE": M3_ULTRA.name,
        "MAX_BATCH": M3_ULTRA.max_batch,
        "BITS": quantization.BITS.pattern,
        "POSSIBLE_BITS": quantization.POSSIBLE_BITS,
        "LARGEST_WEIGHTS_GB": WEIGHTS_SHARE * max(machine.memory_gb for machine in SHIPPED_MACHINES),
        "WATTS": {machine.name: machine.watts for machine in SHIPPED_MACHINES},
        "CURRENCY": prices.currency,
        "ELECTRICITY_PER_KWH": prices.electricity_per_kwh,
        "MACHINE_PER_HOUR": prices.machine_per_hour,
    }


def source() -> str:
    """The text of hooks/standard.py."""
    return HEADER + "".join(f"{name} = {_literal(value)}\n" for name, value in constants().items())


def _literal(value: object) -> str:
    """A value as Python writes it, on one line where that is short enough."""
    plain = repr(value)
    if len(plain) < LINE - 25 or not isinstance(value, dict):
        return plain
    return "{\n" + "".join(f"    {key!r}: {inner!r},\n" for key, inner in value.items()) + "}"


if __name__ == "__main__":
    (HOOKS / "standard.py").write_text(source(), encoding="utf-8")
    print(f"wrote {HOOKS / 'standard.py'}", file=sys.stderr)
