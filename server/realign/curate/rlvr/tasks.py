"""Stage 1 of RLVR, source: passages -> tasks with a ground truth and a verifier, a quota a passage.

Files are read as for every data type (curate/source.py). The extractive author poses questions of closed forms (forms/)
about the document's own sentences, in English only; a model writes tasks as JSON (model.py), each kept only if its
quote stands in the passage and its verifier is sound; rows of a dataset bring their own answers (given.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest

from realign.curate import source
from realign.curate.authors import extractive
from realign.curate.authors.rules import unclear
from realign.curate.rlvr import given
from realign.curate.rlvr.forms import FORMS, read
from realign.curate.rlvr.posed import Posed, as_records, prompt_text
from realign.records import Document, Dropped, Passage, Prompt, Task
from realign.run import Batch
from realign.work import Work

A_SENTENCE, A_FORM = 2, 2  # most tasks of a sentence, and of one form about a passage
# Numbers make up most of these, and whoever poses them has worked them out.
COMPUTED = ("statistic", "equation", "numbers")
Made = tuple[list[Prompt | Task], list[Dropped]]


def read_and_pose(work: Work) -> Iterator[Batch]:
    """Read every source, then pose tasks about every passage."""
    seed = work.settings.source.seed
    yield from source.read_and_ask(work, task_author, lambda raw: given.as_task(raw, seed), why_unclear)


def why_unclear(prompt: Prompt) -> str:
    """The rules of clarity, except for what is mostly numbers and worked out."""
    return "" if prompt.template.startswith(COMPUTED) else unclear(prompt.text)


def task_author(work: Work) -> source.Write:
    """What writes prompts and tasks, by the author the settings name."""
    settings = work.settings.source
    if settings.author == extractive.NAME:
        return Extractive(settings.prompts_per_passage, settings.seed).write
    from realign.curate.rlvr.model import write_tasks
    from realign.engine import open_engine

    engine = open_engine(settings.author, sharded=work.settings.hardware.sharded)
    seconds = work.settings.rlvr.seconds

    def write(document: Document, passages: Sequence[Passage], some: Sequence[Passage]) -> Made:
        readable = [passage for passage in some if passage.role in ("prose", "glossary", "list")]
        return write_tasks(engine, document, readable, settings.prompts_per_passage, settings.seed, seconds)

    return write


class Extractive:
    """The author by rules. It keeps each document's lexicon."""

    def __init__(self, quota: int, seed: int) -> None:
        self.quota, self.seed = quota, seed
        self.lexicons: dict[str, extractive.Lexicon] = {}

    def write(self, document: Document, passages: Sequence[Passage], some: Sequence[Passage]) -> Made:
        """Tasks about some passages of a document; those of a document that is not English are dropped by name."""
        if document.language not in extractive.LANGUAGES:
            reason = f"language {document.language}: the extractive author writes English only"
            return [], [Dropped(passage.id, "passage", "ask", reason) for passage in some]
        if document.id not in self.lexicons:
            self.lexicons[document.id] = extractive.build_lexicon(document, passages)
        lexicon = self.lexicons[document.id]
        return [record for passage in some for record in pose(passage, lexicon, self.quota, self.seed)], []


def pose(passage: Passage, lexicon: extractive.Lexicon, quota: int, seed: int) -> list[Prompt | Task]:
    """At most `quota` tasks about a passage, each a prompt followed by its task, in the order of its sentences."""
    material = read(passage, lexicon)
    chosen = choose([list(form(material)) for form in FORMS], quota)
    return list(chain.from_iterable(as_records(posed, passage, seed) for posed in chosen))


def choose(by_form: Sequence[Sequence[Posed]], quota: int) -> list[Posed]:
    """One of each form in turn, while the quota lasts; each text once."""
    chosen: dict[str, Posed] = {}
    for posed in chain.from_iterable(zip_longest(*by_form)):
        if posed is None or len(chosen) >= quota:
            continue
        others = [(other.start == posed.start, other.form == posed.form) for other in chosen.values()]
        if sum(here for here, _ in others) < A_SENTENCE and sum(alike for _, alike in others) < A_FORM:
            chosen.setdefault(prompt_text(posed), posed)
    return sorted(chosen.values(), key=lambda posed: posed.start)
