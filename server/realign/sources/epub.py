"""Read an EPUB: a zip of XHTML pages, in the order of its spine. Each page of the spine counts as one page.

The zip is opened with limits on entries, sizes and growth, and no entry is ever written to disk.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
import zlib
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

from realign.errors import DamagedSource, EmptySource, EncryptedSource, SourceLimit
from realign.records import Document, Verdict
from realign.sources.assemble import document
from realign.sources.encodings import decoded_bytes
from realign.sources.layout import Piece
from realign.sources.limits import Limits
from realign.sources.markup import read_pieces, squeezed
from realign.sources.repair import clean_text, verdict

MOST_ENTRIES = 20_000
LARGEST_ENTRY = 32 << 20
LARGEST_BOOK = 200 << 20
PAGES = {"application/xhtml+xml", "text/html"}


class Package(HTMLParser):
    """The book's package file: title, manifest and spine, read leniently as markup, so that no XML entity can grow."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.items: dict[str, tuple[str, str, str]] = {}  # id -> (href, media type, properties)
        self.spine: list[str] = []
        self.root = self.title = ""
        self.in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an item, a place in the spine, or where the package file is."""
        values = {name: value or "" for name, value in attrs}
        tag = tag.rpartition(":")[2]
        if tag == "rootfile" and not self.root:
            self.root = values.get("full-path", "")
        elif tag == "item":
            entry = values.get("href", ""), values.get("media-type", ""), values.get("properties", "")
            self.items[values.get("id", "")] = entry
        elif tag == "itemref" and values.get("linear", "yes") != "no":
            self.spine.append(values.get("idref", ""))
        self.in_title = tag == "title" and not self.title

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element without content."""
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        """The title's text."""
        if self.in_title:
            self.title += data

    def handle_endtag(self, tag: str) -> None:
        """The title ends."""
        self.in_title = False


def read_epub(path: Path, sha256: str, limits: Limits) -> Document:
    """The book. Raises SourceError by name where it can't be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            check(path, archive)
            return read_archive(path, sha256, archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, KeyError, ValueError) as error:
        raise DamagedSource(f"{path.name} can't be unpacked: {error}", "a whole EPUB", "fetch it again") from None
    except RuntimeError:
        raise EncryptedSource(f"{path.name} is locked", "an EPUB without a password", "save an open copy") from None


def check(path: Path, archive: zipfile.ZipFile) -> None:
    """Raises SourceLimit for more entries or bytes than a book has; EncryptedSource for rights management."""
    entries = archive.infolist()
    if len(entries) > MOST_ENTRIES:
        raise SourceLimit(
            f"{path.name} holds {len(entries):,} files", f"at most {MOST_ENTRIES:,}", "re-export the book"
        )
    if any(entry.filename == "META-INF/rights.xml" for entry in entries):
        raise EncryptedSource(
            f"{path.name} is protected by its seller", "an open EPUB", "use a copy without protection"
        )


def read_entry(archive: zipfile.ZipFile, name: str, left: int) -> bytes:
    """The bytes of an entry. Raises SourceLimit as soon as it grows past its cap or what is left of the book's."""
    cap = min(LARGEST_ENTRY, left)
    with archive.open(name) as file:
        data = file.read(cap + 1)
    if len(data) > cap:
        raise SourceLimit(f"{name} unpacks to more than {cap:,} bytes", "a page of usual size", "re-export the book")
    return data


def read_archive(path: Path, sha256: str, archive: zipfile.ZipFile) -> Document:
    """The pages of the spine, one after the other."""
    package, folder = open_package(archive)
    pieces: list[Piece] = []
    notes: list[str] = []
    labels: list[str] = []
    verdicts: list[Verdict] = []
    left, invisible, missing = LARGEST_BOOK, 0, 0
    for href in spine_pages(package):
        try:
            data = read_entry(archive, posixpath.normpath(posixpath.join(folder, href)), left)
        except KeyError:
            missing += 1
            continue
        left -= len(data)
        text, _ = decoded_bytes(data, href)
        cleaned = clean_text(text)
        reader = read_pieces(cleaned.text.replace("\x02", ""), page=len(labels))
        pieces += reader.pieces
        verdicts.append(verdict("\n".join(piece.text for piece in reader.pieces)))
        labels.append("")
        invisible += cleaned.invisible
    if not pieces:
        raise EmptySource(
            f"{path.name} has no page with text", "an EPUB with chapters", "check that it opens in a reader"
        )
    notes += [f"{missing} pages of its spine are missing."] * (missing > 0)
    notes += [f"Dropped {invisible} invisible characters."] * (invisible > 0)
    return document(path, sha256, "application/epub+zip", squeezed(package.title), pieces, labels, verdicts, notes)


def open_package(archive: zipfile.ZipFile) -> tuple[Package, str]:
    """The package and the folder its links start from."""
    container = Package()
    container.feed(read_entry(archive, "META-INF/container.xml", LARGEST_ENTRY).decode("utf-8", "replace"))
    package = Package()
    package.feed(read_entry(archive, container.root, LARGEST_ENTRY).decode("utf-8", "replace"))
    package.close()
    return package, posixpath.dirname(container.root)


def spine_pages(package: Package) -> list[str]:
    """Links of the spine's text pages, contents pages left out."""
    entries = [package.items.get(name, ("", "", "")) for name in package.spine]
    wanted = [href for href, media, properties in entries if media in PAGES and "nav" not in properties.split()]
    return [unquote(re.sub(r"#.*", "", href)) for href in wanted]
