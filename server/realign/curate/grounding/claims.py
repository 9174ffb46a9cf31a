"""Stage 1 of anti-hallucination data: passages -> claims with verbatim spans, and prompts that show their passage.

A claim is a sentence that some prompt is about, with its place and page. Prompts ask for it, for what is not told, or
take something for granted that the passage denies (items.py). Existing rows bring their passage (rows.py).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

from realign.curate import source
from realign.curate.authors import extractive
from realign.curate.given import AUTHOR
from realign.curate.grounding import rows
from realign.curate.grounding.items import CATEGORY, Item, items_of, take_turns
from realign.records import Claim, Document, Dropped, Passage, Prompt, make_id
from realign.run import Batch, Run
from realign.settings import Settings
from realign.work import Work

WHEEL = ("refusal", "hedged", "refusal", "confident", "edge", "refusal", "hedged")


def inputs(run: Run, settings: Settings) -> str:
    """What the source stage of every data type depends on."""
    return source.inputs(run, settings)


def read_and_claim(work: Work) -> Iterator[Batch]:
    """Read every source, ask about every passage, and put the claims beside the prompts that are about them."""
    claimed: set[str] = set()
    for read in source.read_and_ask(work, _author):
        batch = _grounded(read)
        found = [each for each in batch.records if isinstance(each, Prompt)]
        claims = [claim for claim in _claims(work.run, batch, found) if claim.id not in claimed]
        claimed.update(claim.id for claim in claims)
        yield dataclasses.replace(batch, records=[*claims, *batch.records]) if claims else batch


def _grounded(batch: Batch) -> Batch:
    """A batch in which the prompts of existing rows have become ones whose answers can be checked, or are dropped."""
    given = [each for each in batch.records if isinstance(each, Prompt) and each.author == AUTHOR]
    if not given:
        return batch
    passages = {each.id: each for each in batch.records if isinstance(each, Passage)}
    made: dict[str, Prompt] = {}
    drops: list[Dropped] = []
    for prompt in given:
        found = rows.prompts_of(prompt, passages[prompt.parent])
        if isinstance(found, str):
            drops.append(Dropped(prompt.id, "prompt", "ask", found, prompt.text[:200]))
        else:
            made.update({each.id: each for each in found})
    asked = {prompt.parent for prompt in made.values()}
    lost = {prompt.parent for prompt in given} - asked
    drops += [Dropped(name, "passage", "ask", "nothing in it can be checked") for name in sorted(lost)]
    kept = [each for each in batch.records if each not in given]
    asked_in_all = batch.counts.get("prompts asked", 0) - len(given) + len(made) + len(drops) - len(lost)
    counts = {**batch.counts, "prompts asked": asked_in_all}
    return dataclasses.replace(batch, records=[*kept, *made.values()], drops=[*batch.drops, *drops], counts=counts)


def _claims(run: Run, batch: Batch, prompts: Sequence[Prompt]) -> list[Claim]:
    """One claim for each span that some prompt is about."""
    if not prompts:
        return []
    documents = {each.id: each for each in (*run.records("document"), *batch.records) if isinstance(each, Document)}
    passages = {each.id: each for each in (*run.records("passage"), *batch.records) if isinstance(each, Passage)}
    found: dict[str, Claim] = {}
    for prompt in prompts:
        document = documents[passages[prompt.parent].parent]
        quote = document.text[prompt.start : prompt.end]
        identity = make_id("claim", document.id, prompt.start, prompt.end)
        page, text = document.page_at(prompt.start).number, " ".join(quote.split())
        found[identity] = Claim(identity, prompt.parent, text, prompt.start, prompt.end, page, quote)
    return list(found.values())


Asks = Callable[[Document, Sequence[Passage], Sequence[Passage]], tuple[list[Prompt], list[Dropped]]]


def _author(work: Work) -> Asks:
    """(document, its passages, the ones to ask about) -> (prompts, drops), by the author the settings name."""
    from realign.curate.grounding import model

    settings = work.settings.source
    written = model.open_asking(work) if settings.author != extractive.NAME else None
    lexicons: dict[str, extractive.Lexicon] = {}

    def write(
        document: Document, passages: Sequence[Passage], some: Sequence[Passage]
    ) -> tuple[list[Prompt], list[Dropped]]:
        if written:
            return written(document, some)
        if document.language not in extractive.LANGUAGES:
            reason = f"language {document.language}: the extractive author writes English only"
            return [], [Dropped(passage.id, "passage", "ask", reason) for passage in some]
        if document.id not in lexicons:
            lexicons[document.id] = extractive.build_lexicon(document, passages)
        asked = [(p, chosen(items_of(p, lexicons[document.id]), settings.prompts_per_passage)) for p in some]
        return [item.prompt(passage) for passage, items in asked for item in items], []

    return write


def chosen(items: Sequence[Item], quota: int) -> list[Item]:
    """At most `quota` items: categories take turns in about the proportions of the mix, and in each its kinds do."""
    waiting: dict[str, list[Item]] = {category: [] for category in WHEEL}
    for item in take_turns(items, lambda item: item.kind):
        waiting[CATEGORY[item.kind]].append(item)
    found: list[Item] = []
    while len(found) < quota and any(waiting.values()):
        for category in WHEEL:
            if waiting[category] and len(found) < quota:
                found.append(waiting[category].pop(0))
    return found
