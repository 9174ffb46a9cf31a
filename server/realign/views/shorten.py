"""Answers that fit: a client replaces what is over about 100,000 characters by a notice, so ours stay under 80,000.

    answer = fitted(answer, "check_gates")

Long texts and the ends of long lists are cut, and the whole answer goes to the file that `details_file` names.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, TypeVar

from realign.intake.runs import data_folder
from realign.views.results import Answer

LONGEST = 78_000  # characters of an answer as JSON
LONGEST_TEXT = 3_000  # characters of one field or line

Given = TypeVar("Given", bound=Answer)


def fitted(answer: Given, name: str) -> Given:
    """The answer, shortened where it would not fit; then the whole of it is in the file it names."""
    whole = answer.model_dump(mode="json")
    short = _cut(whole, LONGEST_TEXT, None)
    items = 400
    while len(json.dumps(short)) > LONGEST and items > 1:
        items //= 2
        short = _cut(whole, LONGEST_TEXT, items)
    if short == whole:
        return answer
    short["details_file"] = str(_write_whole(whole, name))
    return type(answer).model_validate(short)


def _cut(value: Any, characters: int, items: int | None) -> Any:
    """The value with long texts and long lists cut; a dropped tail is said where the list holds text."""
    if isinstance(value, str):
        return value if len(value) <= characters else value[:characters] + " …"
    if isinstance(value, dict):
        return {key: _cut(inner, characters, items) for key, inner in value.items()}
    if isinstance(value, list):
        kept = [_cut(inner, characters, items) for inner in value[:items]]
        texts = all(isinstance(inner, str) for inner in value)
        return kept + ([f"… and {len(value) - len(kept)} more"] if texts and len(kept) < len(value) else [])
    return value


def _write_whole(whole: dict[str, Any], name: str) -> Path:
    folder = data_folder() / "answers"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}_{time.strftime('%Y%m%d_%H%M%S')}_{time.time_ns() % 1_000_000:06d}.json"
    path.write_text(json.dumps(whole, indent=1, ensure_ascii=False), encoding="utf-8")
    return path
