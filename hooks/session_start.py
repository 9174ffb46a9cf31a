"""At a session's start: its shell gets the standard's environment, in silence.

The lines (priority.py) are added to the file that the client names in CLAUDE_ENV_FILE, once, after whatever other hooks
have written there. Without that file, nothing is done.
"""

from __future__ import annotations

import os
import sys

sys.path.insert(0, __file__.rpartition("/")[0] or ".")
from event import answer_with, field
from priority import marker_of, shell_lines


def main(event: bytes) -> str:
    """Nothing: what is said here would be part of the conversation."""
    file = os.environ.get("CLAUDE_ENV_FILE", "")
    if not file:
        return ""
    marker = marker_of(field(event.decode("utf-8", "replace"), "session_id"))
    if marker:
        os.makedirs(os.path.dirname(marker), exist_ok=True)
    add_once(file, shell_lines(marker))
    return ""


def add_once(file: str, lines: str) -> None:
    """Add the lines to a file in one write, on a line of their own, unless they are in it."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        before = os.read(descriptor, 1 << 20)
        if lines.encode() in before:
            return
        begin = "" if not before or before.endswith(b"\n") else "\n"
        os.write(descriptor, (begin + lines).encode())
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    answer_with(main)
