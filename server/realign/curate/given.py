"""Existing rows as a source: a data file becomes a document of its lines, its rows prompts that bring their answers.

Each row is a passage, so it walks back to its line; where it has a context, that is the passage, and what is asked
about the same context shares it. Rows are judged, filtered and tiered like any others. A bad one is dropped with file,
line and field, and the rest goes on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from realign.errors import EmptySource
from realign.records import Document, Dropped, Page, Passage, Prompt, Record, make_id
from realign.sources.chat import FieldError
from realign.sources.repair import language
from realign.sources.rows import Raw, read_rows
from realign.sources.shapes import Given, asked_of, read_given

AUTHOR = "given"
TEMPLATE = "given/2"
METHODS = ("given as chosen", "given as rejected")  # of the answers of a ranked prompt
MEDIA_TYPE = "application/jsonl"
LINE = "line"  # the kind of a dropped row
SAMPLE = 200  # rows that the language is told from
EXAMPLES, SHOWN = 3, 200  # rows that an error shows, and characters of each
POINTING = re.compile(r"^\s*(?:it|this|that|they|these|those|continue|go on|more)\W*$", re.IGNORECASE)
Make = Callable[[Passage], Sequence[Record]]
Read = Callable[[Raw], tuple[str, Make]]


@dataclass(slots=True)
class Rows:
    """What a data file gave: the file as a document, its passages, the rows dropped, and what was made of the others.

    made holds each row's prompt and, right after it, what hangs on that prompt.
    """

    document: Document
    passages: list[Passage]
    made: list[Record]
    drops: list[Dropped]


@dataclass(slots=True)
class _Text:
    """The document's text as it grows, a page a row: the context where the row is the first to have it, its line."""

    identity: str
    pieces: list[str] = field(default_factory=list)
    size: int = 0
    pages: list[Page] = field(default_factory=list)
    contexts: dict[str, Passage] = field(default_factory=dict)

    def add(self, raw: Raw, context: str) -> Passage:
        """A page for a row; gives the passage it is about, a new one or the one with the same context."""
        start, about = self.size, self.contexts.get(context)
        before = f"{context}\n" if context and about is None else ""
        whole = f"{before}{raw.text}\n"
        self.pieces.append(whole)
        self.size += len(whole)
        self.pages.append(Page(raw.number, str(raw.number), start, self.size, "read"))
        if about is None and context:
            about = self.contexts[context] = self._passage(start, context, raw.number, "prose")
        return about or self._passage(start, raw.text, raw.number, "given")

    def _passage(self, start: int, text: str, page: int, role: str) -> Passage:
        identity = make_id("passage", self.identity, start)
        return Passage(identity, self.identity, (), start, start + len(text), page, text, role)  # type: ignore[arg-type]


def read_dataset(path: Path, name: str, sha256: str, read: Read | None = None) -> Rows:
    """The rows of a data file. Raises SourceError, with the first reasons, when none is usable.

    read: what a row gives, as its context and a function from its passage to records, the prompt first; it raises
    FieldError. Without it a row is a prompt with answers.
    """
    identity, made, drops = make_id("document", sha256, name), list[Record](), list[Dropped]()
    text, passages = _Text(identity), dict[str, Passage]()
    for raw in read_rows(path):
        try:
            context, make = (read or as_prompt)(raw)
        except FieldError as error:
            text.add(raw, "")
            drops.append(Dropped(f"{name}:{raw.number}", LINE, "read", "malformed row", f"{raw.place}: {error}"))
            continue
        passage = text.add(raw, context)
        passages[passage.id] = passage
        made += make(passage)
    if not made:
        shown = zip(drops[:EXAMPLES], text.pieces, strict=False)
        detail = "".join(f"\n  {drop.detail}: {piece.strip()[:SHOWN]}" for drop, piece in shown)
        raise EmptySource(f"{name} has no usable row: {detail}\n", "one JSON object a line with a prompt")
    prompts = [record for record in made if isinstance(record, Prompt)][:SAMPLE]
    spoken = language("\n".join(f"{p.text} {' '.join(p.answers)}" for p in prompts))
    notes = (f"{len(drops)} malformed rows",) if drops else ()
    document = Document(
        identity, "", name, sha256, MEDIA_TYPE, path.stem, spoken, "".join(text.pieces), tuple(text.pages),
        notes,
    )  # fmt: skip
    return Rows(document, list(passages.values()), made, drops)


def as_prompt(raw: Raw) -> tuple[str, Make]:
    """A row as its context and its prompt with answers."""
    given = usable(raw)
    return given.context, lambda passage: [make_prompt(given, passage, raw.number)]


def usable(raw: Raw) -> Given:
    """A row as what it gives. Raises FieldError for one that can't be read, or that asks nothing."""
    if raw.row is None:
        raise FieldError("", raw.problem)
    given = read_given(raw.row)
    if not given.prompt:
        raise FieldError("text", "text without a prompt, expected a prompt and an answer; a .txt file is asked about")
    return given


def make_prompt(given: Given, passage: Passage, line: int) -> Prompt:
    """The prompt of a row, with its answers."""
    asked, turns = asked_of(given), given.turns
    return Prompt(
        prompt_id(passage.parent, line), passage.id, asked, f"{TEMPLATE} {given.shape}", "", passage.start,
        passage.end, AUTHOR, tuple(answer.text for answer in given.answers), given.ranked, turns, given.tools, line,
    )  # fmt: skip


def unclear(prompt: Prompt) -> str:
    """Why an existing prompt can't stand by itself, or "". It may be long, or end as it likes: a person wrote it so."""
    if not re.search(r"\w", prompt.text):
        return "no word in it"
    return "points at something that is not there" if not prompt.turns and POINTING.match(prompt.text) else ""


def prompt_id(document: str, line: int) -> str:
    """The id of the prompt that a line of a data file holds, whether it became a record or was dropped."""
    return make_id("prompt", document, line)


def lines_of(document: Document) -> dict[int, str]:
    """The rows of a data file as they stood there, by line; {} for any other document."""
    if document.media_type != MEDIA_TYPE:
        return {}
    text = document.text
    return {page.number: text[page.start : page.end].rstrip("\n").rpartition("\n")[2] for page in document.pages}
