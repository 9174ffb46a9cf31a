"""Reading and repairing a PDF against plain pypdf extraction of the same file, in one run.

    python benchmarks/pdf_text.py BOOK.pdf [ROUNDS]

Prints seconds and pages per second of both, and the ratio; ours includes the child process, the repair and the layout.
The two take turns and the best round of each counts, so that a busy machine disturbs both alike.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from pypdf import PdfReader

from realign.sources import Limits, read_document


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def plain(path: Path) -> int:
    return sum(len(page.extract_text()) for page in PdfReader(path).pages)


def main(path: Path, rounds: int) -> None:
    pages = len(read_document(path, Limits()).pages)
    ours, pypdf = [], []
    for _ in range(rounds):
        ours.append(seconds(lambda: read_document(path, Limits())))
        pypdf.append(seconds(lambda: plain(path)))
    for name, taken in (("realign, read and repaired", min(ours)), ("pypdf, text alone", min(pypdf))):
        print(f"{name:28} {taken:8.2f} s {pages / taken:8.0f} pages/s")
    print(f"{'ratio':28} {min(pypdf) / min(ours):8.1f} x")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 2)
