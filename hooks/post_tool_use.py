"""After a Bash command of ours, or our tool run_stage: what it took is recorded, and the gates' verdict is told.

A line of JSON for each run, or for a command without one, goes to activity.jsonl in the plugin's data folder
(ledger.py): machine, batch size, examples, seconds, cost; null is what was not measured. Where gates were measured, the
model is told their verdict as a fact. Serves PostToolUse and PostToolUseFailure; other commands pass in silence.
"""

from __future__ import annotations

import sys

sys.path.insert(0, __file__.rpartition("/")[0] or ".")
from event import answer_with, command_of


def main(event: bytes) -> str:
    """What the model is told, as JSON; "" for nothing."""
    command = command_of(event)
    if command:
        from after import after_command

        return after_command(event, command)
    if b"__run_stage" not in event:
        return ""
    from after import after_stage

    return after_stage(event)


if __name__ == "__main__":
    answer_with(main)
