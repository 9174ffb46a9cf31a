"""Read documents: files in, repaired Documents out, whatever their format.

for path in find_sources([Path("books")]):
    document = read_document(path, Limits())
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from realign.errors import EmptySource, SourceError, SourceLimit, UsageError
from realign.records import Document
from realign.run import is_file
from realign.sources.limits import Limits

__all__ = ["Limits", "find_sources", "read_document"]

Reader = Callable[[Path, str, Limits], Document]
ROWS = (".jsonl", ".ndjson")  # rows of existing datasets are read by rows.py; a .json file is one when it is named
LARGEST_BYTES = 1 << 30


def open_pdf(path: Path, sha256: str, limits: Limits) -> Document:
    """A PDF, in a child process."""
    from realign.sources.pdf import read_pdf

    return read_pdf(path, sha256, limits)


def open_epub(path: Path, sha256: str, limits: Limits) -> Document:
    """An EPUB."""
    from realign.sources.epub import read_epub

    return read_epub(path, sha256, limits)


def open_html(path: Path, sha256: str, limits: Limits) -> Document:
    """An HTML page."""
    from realign.sources.markup import read_html

    return read_html(path, sha256, limits)


def open_markdown(path: Path, sha256: str, limits: Limits) -> Document:
    """A Markdown file."""
    from realign.sources.plain import read_markdown

    return read_markdown(path, sha256, limits)


def open_text(path: Path, sha256: str, limits: Limits) -> Document:
    """A plain text file."""
    from realign.sources.plain import read_text

    return read_text(path, sha256, limits)


READERS: dict[str, Reader] = {
    ".pdf": open_pdf,
    ".epub": open_epub,
    ".html": open_html,
    ".htm": open_html,
    ".xhtml": open_html,
    ".md": open_markdown,
    ".markdown": open_markdown,
    ".txt": open_text,
}


def find_sources(paths: Sequence[Path]) -> list[Path]:
    """Every readable file named, or found in a named folder at any depth, sorted; hidden files and folders are skipped.

    Raises UsageError for a path that does not exist, and for a folder with nothing readable.
    """
    found: set[Path] = set()
    for path in paths:
        if not os.access(path, os.F_OK):  # no error for a name that is too long
            raise UsageError(f"No file or folder at {path}", "a document or a folder of documents", "check the path")
        if not (path.is_file() or path.is_dir()):
            raise UsageError(
                f"{path} is a pipe or a device", "a document or a folder of documents", "copy it to a file"
            )
        inside = [path] if path.is_file() else sorted(readable_files(path))
        if not inside:
            raise UsageError(
                f"Nothing readable in {path}", f"files ending in {', '.join((*READERS, *ROWS))}", "name the files"
            )
        found.update(inside)
    return sorted(found)


def readable_files(folder: Path) -> list[Path]:
    """Files in a folder that a reader exists for, hidden ones and those in hidden folders left out."""
    return [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in (*READERS, *ROWS)
        and is_file(path)
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def read_document(path: Path, limits: Limits) -> Document:
    """The repaired document. Raises SourceError, by name, for anything that can't be read; never anything else."""
    try:
        size = path.stat().st_size
        if size == 0:
            raise EmptySource(f"{path.name} has zero bytes", "a document with text", "fetch or export it again")
        if size > LARGEST_BYTES:
            raise SourceLimit(f"{path.name} has {size:,} bytes", f"at most {LARGEST_BYTES:,}", "split it")
        with open(path, "rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return reader_of(path)(path, sha256, limits)
    except SourceError:
        raise
    except OSError as error:
        raise SourceError(f"{path} can't be opened: {error.strerror or error}", "a readable file", "check it") from None
    except (MemoryError, RecursionError) as error:
        raise SourceLimit(f"{path.name} is too much to read: {type(error).__name__}", "", "split it") from None


def reader_of(path: Path) -> Reader:
    """The reader for a file, by what it starts with, then by its name's end. Raises SourceError for none."""
    with open(path, "rb") as file:
        head = file.read(1024)
    if head.startswith(b"%PDF-"):
        return open_pdf
    if head.startswith(b"PK") and b"application/epub+zip" in head:
        return open_epub
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise SourceError(f"No reader for {path.name}", f"one of {', '.join(READERS)}", "convert it to one of these")
    return reader
