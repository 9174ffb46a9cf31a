"""The eight checks as people read them: number, name, status, what was found, what to do.

print(as_table(checks, color=sys.stdout.isatty(), width=100))
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from realign.hardware.preflight import Check, blocking

COLORS = {"pass": "\033[32m", "warning": "\033[33m", "fail": "\033[31m"}
PLAIN = "\033[0m"
INDENT = 25


def as_table(checks: Sequence[Check], color: bool = False, width: int = 100) -> str:
    """A row a check, with its fix under it, and one line that says whether a launch may start."""
    lines = [line for number, check in enumerate(checks, 1) for line in _row(number, check, color, width)]
    failed = blocking(checks)
    warned = sum(check.status == "warning" for check in checks)
    ready = "Ready to launch" + (f", with {warned} warnings" if warned else "")
    ready = f"Blocked by {len(failed)} of {len(checks)} checks" if failed else ready
    return "\n".join([*lines, "", ready])


def _row(number: int, check: Check, color: bool, width: int) -> list[str]:
    status = f"{COLORS[check.status]}{check.status:<8}{PLAIN}" if color else f"{check.status:<8}"
    wide = max(width - INDENT, 30)
    found = textwrap.wrap(check.detail, wide, break_long_words=False) or [""]
    fix = textwrap.wrap(f"fix: {check.fix}", wide, break_long_words=False) if check.fix else []
    head = f"{number}  {check.name:<12} {status} {found[0]}"
    return [head, *(" " * INDENT + line for line in found[1:] + fix)]
