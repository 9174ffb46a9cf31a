"""What stands at the end: the rows of a dataset, what was dropped on the way, and what a person decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's word on one pair, example or dropped prompt (its parent): kept or not. The last one counts.

    overrides names the stage that had dropped it ("select", "filter"), "" for a record that nothing dropped.
    """

    kind: ClassVar[str] = "decision"
    id: str
    parent: str
    keep: bool
    at: float
    note: str = ""
    by: str = ""
    overrides: str = ""


Part = Literal["rows", "preferences"]
Split = Literal["train", "valid", "test"]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the dataset. parent is the pair or example, or in an alignment the place it was read at ("a.jsonl:3");
    data is exactly what is written to the file of its split.

    part: "rows" is the dataset itself; "preferences" are the pairs that stand beside rows of another form.
    """

    kind: ClassVar[str] = "row"
    id: str
    parent: str
    split: Split
    data: dict[str, Any]
    part: Part = "rows"


@dataclass(frozen=True, slots=True)
class Dropped:
    """Why a record went no further. Nothing vanishes: every drop is kept with its step and reason."""

    record: str
    kind: str
    step: str
    reason: str
    detail: str = ""
