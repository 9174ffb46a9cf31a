"""Stage 2 of anti-hallucination data: for each prompt the good answer, and answers that invent or refuse wrongly.

Good is a grounded answer with its citation, a refusal of what is not told, a hedge, or a correction. The others keep
its form and length. Confidence is filled in as measured on other passages; where a guess has earned
less than grounding.guess, the good answer refuses to guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from realign.curate.authors import author_identity, extractive
from realign.curate.given import AUTHOR
from realign.curate.grounding import rows
from realign.curate.grounding.calibrate import Earned, earn
from realign.curate.grounding.items import Item, Made, items_of
from realign.quality.evidence import token_count
from realign.records import Completion, Dropped, Passage, Prompt, make_id
from realign.run import Batch, Run
from realign.settings import Settings
from realign.work import Work

PROMPTS_A_BATCH, PROMPTS_AT_LEAST = 256, 16
UNSURE = re.compile(r" (?:\([^()]*\{confidence\}[^()]*\)|[^.!?()“”]*\{confidence\}[^.!?()]*\.)")
SHORTEST = 4  # words of an answer that the filter lets pass
Asked = tuple[Prompt, Passage]


def inputs(run: Run, settings: Settings) -> str:
    """The author's identity."""
    return author_identity(settings.candidates.author)


def answer_prompts(work: Work) -> Iterator[Batch]:
    """Answer every prompt that has not been answered, a fixed batch at a time."""
    run, seen = work.run, work.run.done(work.stage)
    passages = {passage.id: passage for passage in run.records("passage")}
    asked = [(prompt, passages[prompt.parent]) for prompt in run.records("prompt")]
    pending = [pair for pair in asked if pair[0].id not in seen]

    def prepare() -> Callable[[Sequence[Asked]], Batch]:
        author = _author(work, [passage for _, passage in asked])
        return lambda some: _completed(some, *author(some))

    yield from work.each(pending, PROMPTS_A_BATCH, PROMPTS_AT_LEAST, prepare, "answering prompts", len(asked))


Author = Callable[[Sequence[Asked]], tuple[list[Completion], list[Dropped]]]


def _author(work: Work, asked: Sequence[Passage]) -> Author:
    """The author that the settings name; prompts of existing rows are answered by rules from what the rows hold."""
    by_rules = _by_rules(work, list({passage.id: passage for passage in asked}.values()))
    if work.settings.candidates.author == extractive.NAME:
        return by_rules
    from realign.curate.grounding import model

    write = model.open_answering(work)

    def author(some: Sequence[Asked]) -> tuple[list[Completion], list[Dropped]]:
        mine = [pair for pair in some if pair[0].author != AUTHOR]
        found = [write(mine), by_rules([pair for pair in some if pair not in mine])]
        return [c for completions, _ in found for c in completions], [d for _, drops in found for d in drops]

    return author


def _completed(some: Sequence[Asked], completions: list[Completion], drops: list[Dropped]) -> Batch:
    """A batch in which prompts without two different completions are dropped, once."""
    texts: dict[str, set[str]] = {prompt.id: set() for prompt, _ in some}
    for completion in completions:
        texts[completion.parent].add(completion.text)
    named = {drop.record for drop in drops}
    few = [prompt for prompt, found in texts.items() if len(found) < 2 and prompt not in named]
    drops += [Dropped(prompt, "prompt", "complete", "fewer than two different completions") for prompt in few]
    lost = {*few, *named}
    return Batch([p.id for p, _ in some], [c for c in completions if c.parent not in lost], drops)


# -- by rules -------------------------------------------------------------------------------------------------------


def _by_rules(work: Work, asked: Sequence[Passage]) -> Author:
    """The embedded author: finds each prompt's item again and writes its answers."""
    items = _items(work, asked)
    earned = earn(
        [(passage, list(mine.values())) for passage, mine in items.items()], work.settings.grounding.fewest_cases
    )

    def write(some: Sequence[Asked]) -> tuple[list[Completion], list[Dropped]]:
        found: list[Completion] = []
        drops: list[Dropped] = []
        for prompt, passage in some:
            item = items[passage.id].get(prompt.id)
            if item is None:
                drops.append(Dropped(prompt.id, "prompt", "complete", "its passage gives it no more", prompt.text))
                continue
            made = answers(item, passage.id, earned, work.settings)
            found += [_completion(prompt, method, text, work.settings.candidates.seed) for method, text in made]
        return found, drops

    return write


def _items(work: Work, asked: Sequence[Passage]) -> dict[str, dict[str, Item]]:
    """Every item of the passages that were asked about, by passage and prompt."""
    mine: dict[str, Passage] = {passage.id: passage for passage in asked}
    found: dict[str, dict[str, Item]] = {name: {} for name in mine}
    by_document: dict[str, list[Passage]] = {}
    for passage in work.run.records("passage"):
        by_document.setdefault(passage.parent, []).append(passage)
    written = {p.parent for p in work.run.records("prompt") if p.author == extractive.NAME}
    for document in work.run.records("document"):
        here = [passage for passage in by_document.get(document.id, []) if passage.id in written]
        lexicon = extractive.build_lexicon(document, by_document[document.id]) if here else None
        for passage in here:
            assert lexicon is not None
            found[passage.id] = {item.prompt(passage).id: item for item in items_of(passage, lexicon)}
    for prompt in work.run.records("prompt"):
        if prompt.author == AUTHOR:
            items = rows.items_of(prompt, mine[prompt.parent])
            ids = [prompt.id] if prompt.turns else [item.prompt(mine[prompt.parent], AUTHOR).id for item in items]
            found[prompt.parent].update(zip(ids, items, strict=False))
    return found


def answers(item: Item, passage: str, earned: Earned, settings: Settings) -> list[Made]:
    """The answers of an item with their confidence filled in, in an order that tells nothing."""
    confidence = earned(passage, item) if item.evidence else None
    if confidence is not None and confidence < settings.grounding.guess and not item.unsure:
        confidence = None
    good = [(method, stated(text, confidence)) for method, text in item.good]
    bad = [(method, stated(text, confidence)) for method, text in item.bad]
    if item.unsure and (confidence is None or confidence < settings.grounding.guess):
        good = [("refusal", item.unsure)]
    made = [*good, *hardest(bad, good[0][1], settings.candidates.per_prompt - 1)]
    return sorted(made, key=lambda one: make_id(settings.candidates.seed, passage, one[1]))


def hardest(bad: Sequence[Made], good: str, count: int) -> list[Made]:
    """The wrong answers nearest to the good one in length, one of each method before a second of any."""
    near = sorted(bad, key=lambda one: (abs(token_count(one[1]) - token_count(good)), one[1]))
    first = {method: (method, text) for method, text in reversed(near)}
    ranked = [one for one in near if first[one[0]] == one] + [one for one in near if first[one[0]] != one]
    return ranked[:count]


def stated(text: str, confidence: float | None) -> str:
    """The text with its confidence in whole percent, fives below 90; without the sentence where none was earned."""
    if "{confidence}" not in text:
        return text
    if confidence is None:
        return UNSURE.sub("", text)
    percent = round(100 * confidence)
    percent = min(99, percent) if percent >= 90 else 5 * round(percent / 5)
    return text.replace("{confidence}", str(percent))


def _completion(prompt: Prompt, method: str, text: str, seed: int) -> Completion:
    return Completion(make_id("completion", prompt.id, text), prompt.id, text, extractive.NAME, method, seed)
