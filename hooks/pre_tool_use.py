"""Before a Bash command: one of ours is refused where it breaks the standard, else its priority is asked for.

The command itself is never changed, so every permission holds as it did. What breaks the standard is denied with the
reason and the right command (refused.py). For the rest the shell is told, through a file that the session's environment
looks at (priority.py), to raise its own priority before it runs this one. Every other command passes in silence.
"""

from __future__ import annotations

import sys

sys.path.insert(0, __file__.rpartition("/")[0] or ".")
from event import answer_with, command_of, field


def main(event: bytes) -> str:
    """The denial, or "" for silence."""
    command = command_of(event)
    if not command:
        return ""
    from programs import jobs
    from shellwords import Unreadable

    text = event.decode("utf-8", "replace")
    try:
        found = jobs(command, field(text, "cwd"))
    except (Unreadable, RecursionError):
        return ""
    if not found:
        return ""
    from refused import why_not

    reason = next(filter(None, map(why_not, found)), "")
    if reason:
        return denial(reason)
    from priority import ask_for

    ask_for(command, field(text, "session_id"))
    return ""


def denial(reason: str) -> str:
    """The answer that keeps the command from running and tells why."""
    import json

    decision = {"hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": reason}
    return json.dumps({"hookSpecificOutput": decision})


if __name__ == "__main__":
    answer_with(main)
