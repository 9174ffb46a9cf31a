"""Rows of an existing dataset that went no further, in quarantine.jsonl: as they stood, where, and why.

    write_quarantine(run)       one JSON object a row: file, line, stage, step, reason, detail, id, final, row

`realign readmit RUN ID` brings one back by its id; final says why where that can't be. line is the row's number in a
file that is no JSON lines.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from realign.curate.given import LINE, lines_of, prompt_id
from realign.quality.decisions import OVERRIDES, why_final
from realign.quality.dropped import find
from realign.records import Dropped
from realign.run import Run, write_atomically

FILE = "quarantine.jsonl"


def write_quarantine(run: Run) -> Path | None:
    """Write the file anew, or remove it where nothing is in quarantine."""
    path, rows = run.folder / FILE, list(quarantined(run))
    if not rows:
        path.unlink(missing_ok=True)
        return None
    write_atomically(path, (json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


def quarantined(run: Run) -> Iterator[dict[str, Any]]:
    """Every dropped row of a data file, in the order of the drops."""
    known: dict[str, tuple[str, int, str]] = {}
    for document in run.records("document"):
        for line, text in lines_of(document).items():
            known[f"{document.name}:{line}"] = known[prompt_id(document.id, line)] = (document.name, line, text)
    for stage, drop in run.drops() if known else ():
        if (row := known.get(_origin(run, drop))) is not None:
            name, line, text = row
            yield {
                "file": name, "line": line, "stage": stage, "step": drop.step, "reason": drop.reason,
                "detail": drop.detail, "id": drop.record, "final": _final(stage, drop), "row": text,
            }  # fmt: skip


def _final(stage: str, drop: Dropped) -> str:
    return why_final(drop) or ("" if stage in OVERRIDES else "mend the row in its file")


def _origin(run: Run, drop: Dropped) -> str:
    """What a drop's row is known by: its line, or its prompt's line or id, or those of what was selected."""
    asked = drop.record if drop.kind in ("prompt", LINE) else ""
    if drop.kind in ("pair", "example"):
        record = find(run, drop.kind, drop.record)
        asked = record.parent if record else ""
    prompt = find(run, "prompt", asked) if drop.kind != LINE else None
    if prompt and prompt.line:  # several prompts may have been made of a line
        return prompt_id(find(run, "passage", prompt.parent).parent, prompt.line)
    return str(asked)
