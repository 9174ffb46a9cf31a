"""Stage 4 of anti-hallucination data: the best supported answer of each prompt, in the mix that was asked for.

An answer is taught when each of its claims is supported and it is better supported than every other answer; what it is
rejected against is the answer nearest to it in length. The mix is as large as the source allows: a category that lacks
answers gives all it has, and the others exceed their share by grounding.slack at most. What is left out says so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from realign.curate.authors.extractive import NAME
from realign.curate.grounding.items import CATEGORY, take_turns
from realign.quality import decisions
from realign.quality.citations import Spoken, read_answer, states
from realign.quality.evidence import token_count
from realign.quality.mixture import CATEGORIES, mix_sizes
from realign.records import Completion, Document, Dropped, Example, Grounding, Pair, Prompt, make_id
from realign.run import Batch, Run
from realign.settings import Settings
from realign.work import Work

GOOD = ("grounded", "refusal", "hedged", "correction", "partial", "given", "sample")  # methods of what may be taught
LEFT_OUT = "left out for the mix"


@dataclass(frozen=True, slots=True)
class Offer:
    """A prompt's answer that may be taught, with the pair it makes."""

    example: Example
    pair: Pair | None
    kind: str


def inputs(run: Run, settings: Settings) -> str:
    """What a person re-admits, and the gap that a pair needs."""
    return f"{decisions.identity(run, 'select')};{settings.select.minimum_gap};{settings.gates.minimum_records}"


def choose_mix(work: Work) -> Iterator[Batch]:
    """Examples in the mix and their pairs, in one batch: shares are a matter of the whole dataset."""
    if work.run.done(work.stage):
        return
    offers, drops = _offers(work)
    spared = decisions.readmitted(work.run, "select")
    taken = {offer.example.id for offer in choose(offers, shares_of(work.settings), work.settings.grounding.slack)}
    kept = [offer for offer in offers if offer.example.id in taken or offer.example.parent in spared]
    kept_ids = {offer.example.id for offer in kept}
    left = [offer for offer in offers if offer.example.id not in kept_ids]
    drops += [Dropped(o.example.parent, "prompt", "select", LEFT_OUT, o.example.category) for o in left]
    pairs = [offer.pair for offer in kept if offer.pair]
    work.progress(None, len(offers), "mix chosen")
    done = [*(offer.example.parent for offer in offers), *(drop.record for drop in drops)]
    yield Batch(list(dict.fromkeys(done)), [*(offer.example for offer in kept), *pairs], drops)


def shares_of(settings: Settings) -> dict[str, float]:
    """The mix asked for."""
    return {category: float(getattr(settings.grounding, category)) for category in CATEGORIES}


def choose(offers: Sequence[Offer], shares: dict[str, float], slack: float) -> list[Offer]:
    """As many offers as the mix allows; within a category its kinds take turns."""
    shuffled = sorted(offers, key=lambda offer: make_id("mix", offer.example.id))
    waiting = {
        category: take_turns((o for o in shuffled if o.example.category == category), lambda offer: offer.kind)
        for category in CATEGORIES
    }
    sizes = mix_sizes({category: len(waiting[category]) for category in CATEGORIES}, shares, slack)
    return [offer for category in CATEGORIES for offer in waiting[category][: sizes[category]]]


# -- what each prompt offers ----------------------------------------------------------------------------------------


def _offers(work: Work) -> tuple[list[Offer], list[Dropped]]:
    run = work.run
    documents = {document.id: document for document in run.records("document")}
    passages = {passage.id: passage for passage in run.records("passage")}
    completions = {completion.id: completion for completion in run.records("completion")}
    judged: defaultdict[str, defaultdict[str, list[Grounding]]] = defaultdict(lambda: defaultdict(list))
    for grounding in run.records("grounding"):
        judged[grounding.parent][grounding.completion].append(grounding)
    offers: list[Offer] = []
    drops: list[Dropped] = []
    for prompt in run.records("prompt"):
        if prompt.id in judged:
            document = documents[passages[prompt.parent].parent]
            found = offer_of(prompt, judged[prompt.id], completions, document, work.settings)
            if isinstance(found, Offer):
                offers.append(found)
            else:
                drops.append(Dropped(prompt.id, "prompt", "select", found))
    return offers, drops


def offer_of(
    prompt: Prompt, judged: dict[str, list[Grounding]], completions: dict[str, Completion], document: Document,
    settings: Settings,
) -> Offer | str:  # fmt: skip
    """The answer that a prompt teaches and the pair it makes, or why it teaches none."""
    scores = {name: min(grounding.support for grounding in found) for name, found in judged.items()}
    best = max(scores, key=lambda name: (scores[name], name))
    others = {name: score for name, score in scores.items() if name != best}
    if scores[best] < settings.grounding.support:
        return f"no answer with every claim supported to {settings.grounding.support:g}"
    if any(score == scores[best] for score in others.values()):
        return "another answer is as well supported"
    taught = completions[best]
    if taught.method not in GOOD:
        return "a planted wrong answer seems better supported"
    spoken, kind = read_answer(taught.text), prompt.template.split("/")[0]
    by_rules = taught.author == NAME and taught.method not in ("refusal", "given")
    category = CATEGORY[kind] if by_rules else category_of(spoken)
    scored = scores_of(prompt, judged[best], spoken, document, scores[best])
    example = Example(make_id("example", best), prompt.id, best, category, scored)
    return Offer(example, _pair(prompt, best, scores, completions, settings), kind)


def category_of(spoken: Spoken) -> str:
    """The category of an answer by what it says, where no rule made it for one."""
    if spoken.refuses:
        return "refusal"
    if any(said.kind != "claim" for said in spoken.claims):
        return "edge"
    return "hedged" if spoken.confidence is not None and spoken.confidence < 0.9 else "confident"


def scores_of(
    prompt: Prompt, groundings: Sequence[Grounding], spoken: Spoken, document: Document, support: float
) -> dict[str, Any]:
    """What a row shows: its support, each claim with its citation, and the confidence with what it is held against."""
    found: dict[str, Any] = {"support": round(support, 4), "claims": [_claim(each, document) for each in groundings]}
    if spoken.confidence is not None:
        found["confidence"] = spoken.confidence
        if prompt.focus:
            found["reference"] = prompt.focus
            found["truth"] = states(spoken, prompt.focus)
    return found


def _claim(grounding: Grounding, document: Document) -> dict[str, Any]:
    said: dict[str, Any] = {"claim": grounding.claim, "support": grounding.support}
    if grounding.start < grounding.end:
        said["span"] = [grounding.start, grounding.end]
        said["page"] = document.page_at(grounding.start).number
        said["quote"] = document.text[grounding.start : grounding.end]
    return said


def _pair(
    prompt: Prompt, best: str, scores: dict[str, float], completions: dict[str, Completion], settings: Settings
) -> Pair | None:
    """The taught answer before the one nearest in length that is behind it by the gap; None where none is."""
    behind = [name for name, score in scores.items() if scores[best] - score >= settings.select.minimum_gap]
    if not behind:
        return None
    length = token_count(completions[best].text)
    other = min(behind, key=lambda name: (abs(token_count(completions[name].text) - length), name))
    return Pair(make_id("pair", best, other), prompt.id, best, other, scores[best], scores[other], 1.0)
