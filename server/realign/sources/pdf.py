"""Read a PDF: a child process takes it apart, this side watches the child and repairs what came out.

The child (pdf_child.py) gets `limits.seconds` + 0.1 s a page, `limits.megabytes` of resident memory, and a cap on the
text it may print. A crash, a hang, a flood and a swelling child end in a named error; only that child is ended. Where
PDFium can't open or survive a file, pypdf is tried as the second reader.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import realign
from realign.errors import DamagedSource, EmptySource, EncryptedSource, SourceError, SourceLimit
from realign.records import Document, Verdict
from realign.sources.assemble import document
from realign.sources.kinds import pieces
from realign.sources.layout import Title, body_height, cuts, merge_fragments
from realign.sources.limits import Limits, character_cap
from realign.sources.repair import Hyphens, clean_text, verdict, vocabulary
from realign.sources.running import Line, running_lines

SECONDS_A_PAGE = 0.1
BYTES_A_CHARACTER = 8  # JSON escapes and coordinates, generously


class Raw(NamedTuple):
    """What the child printed: one entry a page, the structure if it got that far, and its error if it had one."""

    reader: str
    expected: int  # pages that the file announced
    pages: list[dict[str, Any]]
    structure: dict[str, Any]
    error: tuple[str, str] | None

    @property
    def whole(self) -> bool:
        """Whether every page got out; an error after that cost the structure at most."""
        return 0 < self.expected == len(self.pages)


def read_pdf(path: Path, sha256: str, limits: Limits) -> Document:
    """The repaired document. Raises SourceError by name for a file that gives no text."""
    size = path.stat().st_size
    raw = extract(path, size, limits)
    return repaired(path, sha256, raw)


def extract(path: Path, size: int, limits: Limits) -> Raw:
    """What the first reader that gets through the pages says. Raises SourceError where neither does."""
    first = run_child("pypdfium2", path, size, limits)
    if first.whole:
        return first
    if first.error and first.error[0] in ("encrypted", "limit"):
        raise named(path, first.error)
    second = run_child("pypdf", path, size, limits)
    if second.whole:
        return second
    raise named(
        path, second.error if second.error and second.error[0] == "encrypted" else first.error or ("damaged", "")
    )


def named(path: Path, error: tuple[str, str]) -> SourceError:
    """The exception for what the child said."""
    kind, detail = error
    name = path.name
    if kind == "encrypted":
        return EncryptedSource(f"{name} needs a password", "a PDF that opens without one", "save an unprotected copy")
    if kind == "limit":
        return SourceLimit(f"{name} is too much to read: {detail}", "a document of usual size", "split or re-save it")
    return DamagedSource(
        f"{name} can't be read: {what_is_wrong(path, detail)}", "a whole PDF file", "fetch it again or re-save it"
    )


def what_is_wrong(path: Path, detail: str) -> str:
    """The plainest reason the file's bytes give, else what the reader said."""
    data = path.read_bytes()
    if b"%PDF" not in data[:1024]:
        return "it is called a PDF and does not begin as one"
    return detail if b"%%EOF" in data[-2048:] else f"it is cut off, its end is missing ({detail})"


def run_child(reader: str, path: Path, size: int, limits: Limits) -> Raw:
    """Run the child to its end or its limit, and take in the lines it printed."""
    command = [sys.executable, "-m", "realign.sources.pdf_child", reader, str(path.resolve()), str(limits.megabytes)]
    package = str(Path(realign.__file__).resolve().parent.parent)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([package, *sys.path[1:]]), "PYTHONWARNINGS": "ignore"}
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.DEVNULL, env=environment
        )
        try:
            over = watch(child, output, size, limits)
        finally:
            if child.poll() is None:
                child.kill()
            child.wait()
        return gathered(reader, output, over, child.returncode)


def watch(child: subprocess.Popen[bytes], output: IO[bytes], size: int, limits: Limits) -> str:
    """Wait for the child; "" when it ended by itself, else which limit it broke."""
    start = time.monotonic()
    deadline = start + limits.seconds
    known = False
    most_bytes = BYTES_A_CHARACTER * character_cap(size)
    while True:
        try:
            child.wait(timeout=0.02)
            return ""
        except subprocess.TimeoutExpired:
            pass
        if not known and (pages := announced(output)):
            known, deadline = True, deadline + SECONDS_A_PAGE * pages
        if time.monotonic() > deadline:
            return f"it took longer than {deadline - start:.0f} s"
        if resident_megabytes(child.pid) > limits.megabytes:
            return f"it took more than {limits.megabytes} MB of memory"
        if os.fstat(output.fileno()).st_size > most_bytes:
            return "it gives absurdly much text for its size"


def announced(output: IO[bytes]) -> int:
    """The number of pages from the child's first line; 0 until it is there."""
    head = os.pread(output.fileno(), 200, 0)
    line, newline, _ = head.partition(b"\n")
    return int(json.loads(line).get("pages", 0)) if newline else 0


def resident_megabytes(pid: int) -> float:
    """Memory a process holds now, in MB (2**20 bytes); 0 once it is gone."""
    try:
        if sys.platform == "linux":
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
        answer = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return int(answer.stdout.strip() or 0) / 1024
    except (OSError, ValueError, IndexError):
        return 0.0


def gathered(reader: str, output: IO[bytes], over: str, code: int) -> Raw:
    """The child's lines, the last of which may be cut off."""
    pages: list[dict[str, Any]] = []
    structure: dict[str, Any] = {}
    error = ("limit", over) if over else None
    count = 0
    for line in printed(output):
        if "pages" in line:
            count = line["pages"]
        elif "page" in line:
            pages.append(line)
        elif "error" in line:
            error = line["error"], line["detail"]
        elif "outline" in line:
            structure = line
    if error is None and code != 0:
        how = f"signal {-code}" if code < 0 else f"status {code}"
        error = "damaged", f"the reader {reader} ended with {how}"
    return Raw(reader, count, pages, structure, error)


def printed(output: IO[bytes]) -> Iterator[dict[str, Any]]:
    """Whole JSON lines."""
    output.seek(0)
    for line in output:
        if line.endswith(b"\n"):
            yield json.loads(line)


def repaired(path: Path, sha256: str, raw: Raw) -> Document:
    """Clean, unframe and lay out the child's lines. Raises EmptySource where no page has a letter."""
    pages, invisible = cleaned([[Line(*row) for row in page["rows"]] for page in raw.pages])
    verdicts = [verdict("\n".join(line.text for line in lines)) for lines in pages]
    refuse_textless(path, raw, verdicts)
    frame = running_lines(pages, body_height(pages))
    pages = [[line for i, line in enumerate(lines) if (p, i) not in frame] for p, lines in enumerate(pages)]
    pages = [merge_fragments(lines) for lines in pages]
    text = "\n".join(line.text for lines in pages for line in lines)
    hyphens = Hyphens(vocabulary(text), cuts(pages))
    titles = [Title(level, clean_text(title).text, page) for level, title, page in raw.structure.get("outline", ())]
    found = list(pieces(pages, titles, hyphens, body_height(pages)))
    labels = labels_of(raw, len(pages))
    title = clean_text(raw.structure.get("title", "")).text
    notes = remarks(raw, verdicts, invisible, len(frame))
    return document(path, sha256, "application/pdf", title, found, labels, verdicts, notes)


def refuse_textless(path: Path, raw: Raw, verdicts: Sequence[Verdict]) -> None:
    """Raises DamagedSource where every page failed, and EmptySource where no page has a letter."""
    if all("failed" in page for page in raw.pages):
        raise named(path, ("damaged", f"none of its pages can be loaded ({raw.pages[0]['failed']})"))
    if all(how == "empty" for how in verdicts):
        raise EmptySource(
            f"{path.name} has no text on any of its {len(verdicts)} pages",
            "pages with a text layer",
            "it looks like a scan: run OCR over it first (for instance ocrmypdf)",
        )


def cleaned(pages: list[list[Line]]) -> tuple[list[list[Line]], int]:
    """The lines with their characters repaired, all at once, and how many characters no reader sees went."""
    flat = "\n".join(line.text.replace("\n", " ") for lines in pages for line in lines)
    text, invisible = clean_text(flat)
    texts = iter(text.split("\n"))
    fresh = [[refreshed(line, next(texts)) for line in lines] for lines in pages]
    return [[line for line in lines if line.text] for lines in fresh], invisible


def refreshed(line: Line, text: str) -> Line:
    """The line with its repaired text, single-spaced; the bold start is counted again where characters changed."""
    if text == line.text and "  " not in text:
        return line
    bold = len(clean_text(line.text[: line.bold]).text) if 0 < line.bold < len(line.text) else len(text)
    return line._replace(text=" ".join(text.split()), bold=bold if line.bold else 0)


def labels_of(raw: Raw, count: int) -> list[str]:
    """One label a page: the file's own, else the page's number."""
    labels = [str(label or "") for label in raw.structure.get("labels", ())][:count]
    return labels + [""] * (count - len(labels))


def remarks(raw: Raw, verdicts: Sequence[Verdict], invisible: int, frame: int) -> list[str]:
    """What a reader of the dataset should know, as sentences."""
    hidden = sum(page["hidden"] for page in raw.pages)
    failed = sum("failed" in page for page in raw.pages)
    facts = [
        (raw.reader != "pypdfium2", f"Read by the second reader, {raw.reader}; lines have no places."),
        (not raw.structure, "Its outline, labels and title could not be read."),
        (failed > 0, f"{failed} of {len(verdicts)} pages could not be read."),
        (frame > 0, f"Removed {frame} running lines."),
        (hidden > 0, f"Left out {hidden} characters that no reader sees on the page."),
        (invisible > 0, f"Dropped {invisible} invisible characters."),
        ("empty" in verdicts, f"{verdicts.count('empty')} of {len(verdicts)} pages have no text."),
        ("garbled" in verdicts, f"{verdicts.count('garbled')} of {len(verdicts)} pages are garbled."),
    ]
    return [sentence for holds, sentence in facts if holds]
