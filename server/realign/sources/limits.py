"""How much a document may cost to read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """seconds a file (plus 0.1 a page), and megabytes of memory that the reading process may hold."""

    seconds: float = 20.0
    megabytes: int = 1024
