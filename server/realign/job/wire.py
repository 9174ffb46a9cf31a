"""A batch as plain values, for the way from the machine that made it to the one that keeps it."""

from __future__ import annotations

import dataclasses
from typing import Any

from realign.records import Dropped, decode, encode
from realign.run import Batch


def pack(batch: Batch) -> dict[str, Any]:
    """The batch as values that JSON knows."""
    return {
        "done": batch.done,
        "records": [[record.kind, encode(record)] for record in batch.records],
        "drops": [dataclasses.astuple(drop) for drop in batch.drops],
        "counts": batch.counts,
    }


def unpack(values: dict[str, Any]) -> Batch:
    """The batch that `pack` was given."""
    return Batch(
        done=list(values["done"]),
        records=[decode(kind, body) for kind, body in values["records"]],
        drops=[Dropped(*fields) for fields in values["drops"]],
        counts=dict(values["counts"]),
    )
