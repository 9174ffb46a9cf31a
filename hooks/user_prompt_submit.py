"""When the user has asked for something: the data type and the skill that the words name, as one line, or nothing.

The decision is the package's own (intake.py). An unsure one adds nothing: the model then reads the request by itself.
"""

from __future__ import annotations

import sys

sys.path.insert(0, __file__.rpartition("/")[0] or ".")
from event import answer_with, field


def main(event: bytes) -> str:
    """The line for the model, as JSON; "" for none."""
    prompt = field(event.decode("utf-8", "replace"), "prompt")
    if not prompt.strip():
        return ""
    import json

    from intake import detect

    found = detect(prompt)
    if not found.data_type:
        return ""
    said = {"hookEventName": "UserPromptSubmit", "additionalContext": line(found)}
    return json.dumps({"hookSpecificOutput": said})


def line(found) -> str:  # type: ignore[no-untyped-def]
    """What was found (an intake.Detection), as a fact."""
    words = ", ".join(dict.fromkeys(word for word, data_type, weight in found.evidence if weight))
    return (
        f"ReAlign: the request names data type {found.data_type} (confidence {found.confidence:.2f}, from: {words});"
        f" the matching skill is {found.skill}."
    )


if __name__ == "__main__":
    answer_with(main)
