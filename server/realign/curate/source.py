"""Stage 1, source: files -> documents -> passages -> prompts, a quota a passage, unclear prompts dropped.

Each file is read once (in a child process where it is a PDF); a file that can't be read is dropped by name and the rest
goes on. Then passages are asked about, a batch at a time. Existing rows (JSONL) bring their own prompts and answers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from realign.curate import given
from realign.curate.authors import extractive, rules
from realign.errors import EmptySource, SourceError
from realign.records import Document, Dropped, Passage, Prompt, Record
from realign.run import Batch, Run, file_sha256
from realign.settings import Settings
from realign.sources import Limits, read_document
from realign.sources.passages import split_passages
from realign.sources.rows import is_data_file
from realign.work import Work

PASSAGES_A_BATCH, PASSAGES_AT_LEAST = 64, 8
# (document, its passages, the ones to ask about) -> (prompts, each before what hangs on it, and drops)
Write = Callable[[Document, Sequence[Passage], Sequence[Passage]], tuple[Sequence[Record], list[Dropped]]]
Unclear = Callable[[Prompt], str]


def inputs(run: Run, settings: Settings) -> str:
    """The hashes of the sources, in order, the author's identity, and the share of pages a document must have read."""
    from realign.curate.authors import author_identity

    hashes = ",".join(source["sha256"] for source in run.noted("sources", []))
    return f"{hashes};{author_identity(settings.source.author)};{settings.gates.parse_success}"


def read_and_ask(
    work: Work,
    open_author: Callable[[Work], Write] | None = None,
    read: given.Read | None = None,
    unclear: Unclear | None = None,
) -> Iterator[Batch]:
    """Read every source, then let an author write prompts about every passage, and what hangs on each prompt.

    open_author: who asks; None is the author of the settings. read: what a row of a data file gives, see
    `given.read_dataset`. unclear: why a prompt of the author can't be used.
    """
    sources, seen = work.run.noted("sources", []), work.run.done(work.stage)
    for place, source in enumerate(sources):
        if _key(source) not in seen:
            work.progress(None, len(sources), f"reading {source['name']}")
            twin = next((other for other in sources[:place] if other["sha256"] == source["sha256"] != ""), None)
            batch = _same_file(source, twin) if twin else _read(source, work.settings, read)
            yield dataclasses.replace(batch, done=[_key(source), *batch.done])
            work.progress(None, len(sources), f"read {place + 1} of {len(sources)} documents")
    if not work.run.count("document"):
        reasons = "; ".join(f"{drop.record}: {drop.detail}" for _, drop in work.run.drops(work.stage))
        raise EmptySource(f"No document could be read: {reasons}", fix="another source, or OCR for scans")
    yield from _ask(work, open_author or _author, unclear or (lambda prompt: rules.unclear(prompt.text)))


def _same_file(source: dict[str, Any], twin: dict[str, Any]) -> Batch:
    drop = Dropped(source["name"], "document", "duplicate", "same file twice", f"the same bytes as {twin['name']}")
    return Batch(drops=[drop])


def _key(source: dict[str, Any]) -> str:
    """A source's path as the database can keep it, whatever bytes its name is made of."""
    return str(source["path"]).encode("utf-8", "backslashreplace").decode("utf-8")


def _read(source: dict[str, Any], settings: Settings, read: given.Read | None) -> Batch:
    path = Path(source["path"])
    try:
        if _key(source) != source["path"]:
            raise SourceError(f"The name of {_key(source)} is not UTF-8", "a name in UTF-8", "rename it")
        if file_sha256(path) != source["sha256"]:
            raise SourceError(
                f"{path.name} changed while the run was going on", "the file it started with", "start again"
            )
        if is_data_file(path):
            return _given(given.read_dataset(path, source["name"], source["sha256"], read))
        limits = Limits(settings.source.seconds_per_file, settings.source.megabytes_per_file)
        document = read_document(path, limits)
    except SourceError as error:
        return Batch(drops=[Dropped(source["name"], "document", "read", type(error).__name__, str(error))])
    except OSError as error:
        detail = f"{path.name} can't be read: {error.strerror or error}"
        return Batch(drops=[Dropped(source["name"], "document", "read", "SourceError", detail)])
    if unread := _below_gate(document, settings.gates.parse_success):
        return Batch(records=[document], drops=[unread])
    passages = split_passages(document, settings.source.passage_words)
    return Batch(records=[document, *passages])


def _given(rows: given.Rows) -> Batch:
    """A data file whole: its rows bring their prompts, so that nobody asks about them."""
    asked = _asked(rows.passages, rows.made, [], given.unclear)
    return dataclasses.replace(
        asked, records=[rows.document, *rows.passages, *asked.records], drops=[*rows.drops, *asked.drops]
    )


def _below_gate(document: Document, needed: float) -> Dropped | None:
    """Why a document goes no further: too few of its pages gave text. It is kept, so that the gate can name it."""
    read = sum(page.verdict == "read" for page in document.pages)
    if read >= needed * len(document.pages):
        return None
    detail = f"{document.name}: {read} of {len(document.pages)} pages gave text, {needed:g} are needed; it may need OCR"
    return Dropped(document.id, "document", "parse gate", "too few pages gave text", detail)


def _ask(work: Work, open_author: Callable[[Work], Write], unclear: Unclear) -> Iterator[Batch]:
    """Ask about the passages of every document that were not asked about yet."""
    seen = work.run.done(work.stage)
    documents = {document.id: document for document in work.run.records("document")}
    by_document: dict[str, list[Passage]] = {document: [] for document in documents}
    for passage in work.run.records("passage"):
        by_document[passage.parent].append(passage)
    pending = [p for passages in by_document.values() for p in passages if p.id not in seen]

    def prepare() -> Callable[[Sequence[Passage]], Batch]:
        write = open_author(work)

        def ask(some: Sequence[Passage]) -> Batch:
            asked = [
                write(documents[name], by_document[name], list(mine))
                for name, mine in groupby(some, key=lambda passage: passage.parent)
            ]
            made, drops = [m for made, _ in asked for m in made], [d for _, drops in asked for d in drops]
            return _asked(some, made, drops, unclear)

        return ask

    total = len(work.run.noted("sources", [])) + sum(map(len, by_document.values()))
    yield from work.each(pending, PASSAGES_A_BATCH, PASSAGES_AT_LEAST, prepare, "asking about passages", total)


def _asked(passages: Sequence[Passage], made: Sequence[Record], drops: Sequence[Dropped], unclear: Unclear) -> Batch:
    """A batch in which unclear prompts are dropped with their reason, and so are passages without a clear one.

    Whatever else was made hangs on a prompt, its parent, and goes with it.
    """
    lost = [drop for drop in drops if drop.kind == "prompt"]
    clear: dict[str, Prompt] = {}
    for prompt in (record for record in made if isinstance(record, Prompt)):
        if reason := unclear(prompt):
            lost.append(Dropped(prompt.id, "prompt", "clarity", reason, prompt.text))
        else:
            clear[prompt.id] = prompt
    asked = {prompt.parent for prompt in clear.values()}
    named = {drop.record: drop for drop in drops if drop.kind == "passage"}
    silent = [
        named.get(passage.id) or Dropped(passage.id, "passage", "ask", _why_silent(passage))
        for passage in passages
        if passage.id not in asked
    ]
    kept = [record for record in made if (record.id if isinstance(record, Prompt) else record.parent) in clear]
    counts = {"prompts asked": len(clear) + len(lost)}
    return Batch([passage.id for passage in passages], kept, [*lost, *silent], counts)


def _why_silent(passage: Passage) -> str:
    return "no clear question" if passage.role in ("prose", "glossary", "given") else f"not prose: {passage.role}"


def _author(work: Work) -> Write:
    """What writes prompts, by the author the settings name."""
    settings = work.settings.source
    if settings.author != extractive.NAME:
        from realign.curate.authors.model import write_prompts
        from realign.engine import open_engine

        engine = open_engine(settings.author, sharded=work.settings.hardware.sharded)
        quota, seed, kinds = settings.prompts_per_passage, settings.seed, ("prose", "glossary", "list")
        return lambda document, passages, some: write_prompts(
            engine, document, [passage for passage in some if passage.role in kinds], quota, seed
        )
    lexicons: dict[str, extractive.Lexicon] = {}
    asks = extractive.ASKS.get(work.run.noted("data_type", "dpo"), extractive.CONTRASTED)

    def write(
        document: Document, passages: Sequence[Passage], some: Sequence[Passage]
    ) -> tuple[list[Prompt], list[Dropped]]:
        if document.language not in extractive.LANGUAGES:
            reason = f"language {document.language}: the extractive author writes English only"
            return [], [Dropped(passage.id, "passage", "ask", reason) for passage in some]
        if document.id not in lexicons:
            lexicons[document.id] = extractive.build_lexicon(document, passages)
        lexicon, quota = lexicons[document.id], settings.prompts_per_passage
        return [
            p for passage in some for p in extractive.ask(document, passage, lexicon, quota, settings.seed, asks)
        ], []

    return write
