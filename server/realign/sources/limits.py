"""How much a document may cost to read, for the parent and for the child process that reads it."""

from __future__ import annotations

from dataclasses import dataclass

PAGE_CAP = 20_000


@dataclass(frozen=True)
class Limits:
    """seconds a file (plus 0.1 a page), and megabytes of memory that the reading process may hold."""

    seconds: float = 20.0
    megabytes: int = 1024


class Stop(Exception):
    """A file can't be read on. args: (kind, detail), kind being "encrypted", "damaged" or "limit"."""


def character_cap(size: int) -> int:
    """How many characters a file of `size` bytes may give: 200 a byte and a million, at most 50 million."""
    return min(200 * size + 1_000_000, 50_000_000)


def checked_pages(count: int) -> int:
    """The number of pages. Raises Stop where no honest file has so many, or none at all."""
    if count > PAGE_CAP:
        raise Stop("limit", f"it declares {count:,} pages, and {PAGE_CAP:,} are read at most")
    if count < 1:
        raise Stop("damaged", "it has no pages")
    return count
