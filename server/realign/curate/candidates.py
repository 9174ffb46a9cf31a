"""Stage 2, candidates: completions of every prompt, by the author the settings name.

Prompts that brought their answers keep them. A prompt that ends with fewer different completions than the data type
needs is dropped: two where they are compared, one where an answer is taught.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle

from realign.curate import given
from realign.curate.authors import author_identity, extractive
from realign.records import Completion, Dropped, Passage, Prompt, make_id
from realign.run import Batch, Run
from realign.settings import Candidates, Settings
from realign.work import Work

Asked = tuple[Prompt, Passage]
Author = Callable[[Sequence[Asked]], tuple[list[Completion], list[Dropped]]]
EXTRACTIVE_BATCH = 256


def inputs(run: Run, settings: Settings) -> str:
    """The author's identity."""
    return author_identity(settings.candidates.author)


def complete_prompts(work: Work, fewest: int = 2, negatives: bool = True) -> Iterator[Batch]:
    """Answer every prompt that has not been answered, a fixed batch at a time.

    fewest: completions a prompt needs. negatives: the extractive author writes wrong answers beside the grounded one.
    """
    run, seen = work.run, work.run.done(work.stage)
    passages = {passage.id: passage for passage in run.records("passage")}
    asked = [(prompt, passages[prompt.parent]) for prompt in run.records("prompt")]
    pending = [pair for pair in asked if pair[0].id not in seen]
    size, grain = _sizes(work.settings.candidates)

    def prepare() -> Callable[[Sequence[Asked]], Batch]:
        author = _author(work, fewest, negatives)
        return lambda some: _completed(some, fewest, *author(some))

    yield from work.each(pending, size, grain, prepare, "answering prompts", len(asked))


def _sizes(settings: Candidates) -> tuple[int, int]:
    """Prompts of a batch, and the fewest that keep the author busy: a model's batch counts completions."""
    if settings.author == extractive.NAME:
        return EXTRACTIVE_BATCH, EXTRACTIVE_BATCH // 16
    return settings.batch_size, -(-settings.batch_size // settings.per_prompt)


def _completed(some: Sequence[Asked], fewest: int, completions: list[Completion], drops: list[Dropped]) -> Batch:
    """A batch in which prompts with fewer than `fewest` different completions are dropped."""
    texts: dict[str, set[str]] = {prompt.id: set() for prompt, _ in some}
    for completion in completions:
        texts[completion.parent].add(completion.text)
    few = {prompt for prompt, found in texts.items() if len(found) < fewest}
    reason = "no completion" if fewest == 1 else "fewer than two different completions"
    drops += [Dropped(prompt, "prompt", "complete", reason) for prompt in sorted(few)]
    kept: list[Completion] = [completion for completion in completions if completion.parent not in few]
    return Batch([prompt.id for prompt, _ in some], list(kept), drops)


def _author(work: Work, fewest: int, negatives: bool) -> Author:
    """The author as a function."""
    settings = work.settings.candidates
    if settings.author != extractive.NAME:
        from realign.curate.authors.model import write_completions
        from realign.engine import open_engine

        engine = open_engine(settings.author, sharded=work.settings.hardware.sharded)
        work.run.note("engine", list(engine.notes))
        return lambda some: _with_given(some, fewest, lambda rest: write_completions(engine, rest, settings))
    lexicons, answers = _lexicons(work.run), settings.per_prompt if negatives else 1

    def write(some: Sequence[Asked]) -> tuple[list[Completion], list[Dropped]]:
        found: list[Completion] = []
        for prompt, passage in some:
            if prompt.author != given.AUTHOR:
                found += extractive.answer(prompt, passage, lexicons[passage.parent], answers, settings.seed)
        return found, []

    return lambda some: _with_given(some, fewest, write)


def _with_given(some: Sequence[Asked], fewest: int, write: Author) -> tuple[list[Completion], list[Dropped]]:
    """Given answers first; the author writes for the prompts that brought fewer than `fewest`."""
    found = [
        Completion(make_id("completion", prompt.id, text), prompt.id, text, given.AUTHOR, method, 0)
        for prompt, _ in some
        for text, method in zip(prompt.answers, given.METHODS if prompt.ranked else cycle(["given"]), strict=False)
    ]
    completions, drops = write([pair for pair in some if len(pair[0].answers) < fewest])
    return found + completions, drops


def _lexicons(run: Run) -> dict[str, extractive.Lexicon]:
    """What the extractive author knows of each English document, from the passages it was asked about."""
    by_document: dict[str, list[Passage]] = {}
    for passage in run.records("passage"):
        by_document.setdefault(passage.parent, []).append(passage)
    return {
        document.id: extractive.build_lexicon(document, by_document.get(document.id, []))
        for document in run.records("document")
        if document.language in extractive.LANGUAGES
    }
