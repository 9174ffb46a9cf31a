"""Read one PDF and print what it holds as JSON lines: the child in which a hostile file may crash, hang or swell.

    python -m realign.sources.pdf_child pypdfium2 FILE.pdf MEGABYTES      (or pypdf, the second reader)

First a line with the number of pages, then one line a page as soon as it is read, then one with title, outline and
labels, which pypdf reads. The parent, pdf.py, watches time, memory and size, and keeps every line that got out.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import resource
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from realign.sources.limits import Stop, character_cap, checked_pages

MOST_TITLES = 20_000


def say(line: dict[str, Any]) -> None:
    """One JSON line, flushed, so that the parent has it whatever happens next."""
    sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def main(reader: str, path: Path, megabytes: int) -> None:
    """Print the file's lines, ending with an error line where it can't be read on."""
    if sys.platform == "linux":  # a backstop behind the parent's watch, which looks only fifty times a second
        address_space = (2 * megabytes + 512) << 20
        resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    try:
        print_pages(reader, path)
        with contextlib.suppress(Exception):
            say(structure(path))
    except Stop as stop:
        say({"error": stop.args[0], "detail": stop.args[1]})
    except (MemoryError, RecursionError) as error:
        say({"error": "limit", "detail": f"reading it ended in {type(error).__name__}"})
    except Exception as error:
        say({"error": "damaged", "detail": f"{type(error).__name__}: {error}"[:300]})


def print_pages(reader: str, path: Path) -> None:
    """Print page after page. Raises Stop once more characters came than a file of that size may give."""
    if reader == "pypdfium2":
        from realign.sources.pdfium import pdfium_lines as lines
    else:
        lines = pypdf_lines
    left = character_cap(path.stat().st_size)
    for line in lines(path):
        left -= sum(len(row[0]) for row in line.get("rows", ()))
        if left < 0:
            raise Stop("limit", "it gives absurdly much text for its size")
        say(line)


def pypdf_lines(path: Path) -> Iterator[dict[str, Any]]:
    """{"pages": count}, then one entry a page, whose lines have no places."""
    reader = open_with_pypdf(path)
    count = checked_pages(len(reader.pages))
    yield {"pages": count}
    for index in range(count):
        try:
            text = reader.pages[index].extract_text()
        except Exception as error:  # pypdf's policy: whatever it does not catch is the caller's to catch
            yield {"page": index, "rows": [], "hidden": 0, "failed": f"{type(error).__name__}: {error}"[:200]}
            continue
        rows = [[line.strip(), 0, 0, 0, 0, 0] for line in text.splitlines() if line.strip()]
        yield {"page": index, "rows": rows, "hidden": 0}


def open_with_pypdf(path: Path) -> Any:
    """A pypdf reader. Raises Stop where the blank password does not open the file."""
    import pypdf

    reader = pypdf.PdfReader(path)
    if reader.is_encrypted and not reader.decrypt(""):
        raise Stop("encrypted", "the blank password does not open it")
    return reader


def structure(path: Path) -> dict[str, Any]:
    """Title, outline as [level from 1, title, page index], and page labels."""
    reader = open_with_pypdf(path)
    found: dict[str, Any] = {"title": "", "outline": [], "labels": []}
    with contextlib.suppress(Exception):
        found["title"] = str((reader.metadata or {}).get("/Title") or "")
    with contextlib.suppress(Exception):
        found["outline"] = list(itertools.islice(flat_outline(reader, reader.outline, 1), MOST_TITLES))
    with contextlib.suppress(Exception):
        found["labels"] = reader.page_labels if "/PageLabels" in reader.trailer["/Root"] else []
    return found


def flat_outline(reader: Any, items: list[Any], level: int) -> Iterator[list[Any]]:
    """The outline in reading order."""
    for item in items:
        if isinstance(item, list):
            yield from flat_outline(reader, item, level + 1)
        else:
            page = reader.get_destination_page_number(item)
            if page is not None and item.title:
                yield [level, str(item.title)[:500], page]


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
