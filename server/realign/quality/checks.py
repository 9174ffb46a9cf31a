"""The gates of DPO curation: what each measures on the evidence, its thresholds, and the remedy shown when it fails.

Grouped by stage, in the order of the workflow. Tests plant a fault for every one of them and show that it is caught.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import combinations
from typing import Any

from realign.quality import metrics
from realign.quality.evidence import JUDGES, Evidence, ScoredRow, token_count
from realign.quality.gates import Gate
from realign.quality.ledger import ledger
from realign.quality.metrics import Measure
from realign.records import Document

# -- source -------------------------------------------------------------------------------------------------------


def _parsed_pages(evidence: Evidence) -> Measure:
    """Share of pages that gave readable text. A page without text counts as unread: it may be a scan that needs OCR.

    A document below the gate is dropped by name and the others are measured; where none is left, all are, and a file
    that could not be read at all counts as one unread page. Details name every document that went no further.
    """
    lost = {drop.record for _, drop in evidence.drops if drop.kind == "document" and drop.step != "duplicate"}
    parts = {d.id: (d.name, sum(_good_pages(d)) / max(1, len(d.pages))) for d in evidence.documents}
    below = {name: round(part, 3) for name, part in parts.values() if part < evidence.settings.gates.parse_success}
    below.update(dict.fromkeys(lost - parts.keys(), 0.0))
    went_on = [document for document in evidence.documents if document.id not in lost]
    unread = [] if went_on else [False] * len(lost - parts.keys())
    measure = metrics.share([good for d in went_on or evidence.documents for good in _good_pages(d)] + unread)
    measure.details.update(
        below=below, garbled=_count_pages(evidence, "garbled"), empty=_count_pages(evidence, "empty")
    )
    return measure


def _good_pages(document: Document) -> list[bool]:
    return [page.verdict == "read" for page in document.pages]


def _count_pages(evidence: Evidence, verdict: str) -> int:
    return sum(page.verdict == verdict for document in evidence.documents for page in document.pages)


def _clear_prompts(evidence: Evidence) -> Measure:
    """Share of the prompts an author wrote that were clear and answerable, before the others were dropped."""
    unclear = [drop.reason for _, drop in evidence.drops if drop.kind == "prompt" and drop.step == "clarity"]
    if not evidence.prompts and not unclear:
        why = Counter(drop.reason for _, drop in evidence.drops if drop.kind == "passage").most_common(1)
        return metrics.not_measured(f"no prompt was written: {why[0][0] if why else 'no passages'}")
    measure = metrics.share([True] * len(evidence.prompts) + [False] * len(unclear))
    measure.details.update(dropped=dict(Counter(unclear).most_common()))
    return measure


PARSE_SUCCESS = Gate(
    "parse success", _parsed_pages, "parse_success", minimum=1,
    remedy="run OCR on the documents named, or leave them out of the sources",
)  # fmt: skip
PROMPT_CLARITY = Gate(
    "prompt clarity", _clear_prompts, "prompt_clarity",
    remedy="use another author, or a document with more running prose",
)  # fmt: skip

# -- candidates, judge --------------------------------------------------------------------------------------------


def _answered_prompts(evidence: Evidence) -> Measure:
    """Share of prompts with at least two different completions."""
    texts: defaultdict[str, set[str]] = defaultdict(set)
    for completion in evidence.completions.values():
        texts[completion.parent].add(completion.text)
    return metrics.share(len(texts[prompt]) >= 2 for prompt in evidence.prompts)


def _judged_comparisons(evidence: Evidence) -> Measure:
    """Share of comparisons that all three judges scored in both orders, each score in 0..1.

    What should have been judged is counted from the completions: every two of a prompt, whatever became of them.
    """
    judged: defaultdict[frozenset[str], set[str]] = defaultdict(set)
    for judgment in evidence.judgments:
        if all(0.0 <= score <= 1.0 for score in (*judgment.straight, *judgment.swapped)):
            judged[frozenset((judgment.first, judgment.second))].add(judgment.judge)
    answers: defaultdict[str, list[str]] = defaultdict(list)
    for completion in evidence.completions.values():
        answers[completion.parent].append(completion.id)
    due = [frozenset(two) for found in answers.values() for two in combinations(found, 2)]
    return metrics.share(judged[two] >= set(JUDGES) for two in due)


ENOUGH_COMPLETIONS = Gate(
    "enough completions", _answered_prompts, "enough_completions",
    remedy="raise candidates.per_prompt or the temperature, or use a stronger author",
)  # fmt: skip
EVERY_COMPLETION_JUDGED = Gate(
    "every completion judged", _judged_comparisons, "every_completion_judged",
    remedy="look at the raw answers kept with the drops; use a judge that answers in the asked form",
)  # fmt: skip

# -- the dataset: the same rules on selected pairs and on exported rows ---------------------------------------------


def _gap(rows: list[ScoredRow], evidence: Evidence) -> Measure:
    weights = evidence.settings.select
    if not all(row.is_scored() for row in rows):
        return metrics.not_measured("rows without all three judges' scores in both orders", len(rows))
    return metrics.preference_gap([row.gap(weights) for row in rows], weights.easy_gap)


def _agreement(rows: list[ScoredRow]) -> Measure:
    if not all(row.is_scored() for row in rows):
        return metrics.not_measured("rows without all three judges' scores in both orders", len(rows))
    return metrics.agreement([row.votes() for row in rows])


def _length_bias(rows: list[ScoredRow]) -> Measure:
    return metrics.length_bias([(token_count(row.chosen), token_count(row.rejected)) for row in rows])


def _scored(rows: list[ScoredRow]) -> Measure:
    return metrics.share(row.is_scored() for row in rows)


WEAK_GAP = "harder negatives, more candidates a prompt, or a higher temperature"
TOO_FEW = "more sources, or more prompts a passage"
LENGTH = "candidates of more equal length; drop the pairs whose length gives the answer away"
UNSCORED = "judge the rows with all three judges, in both orders"
DISAGREE = "look at the judges' disagreements; sharpen the prompts or use stronger judges"


def _dataset_gates(which: str) -> tuple[Gate, ...]:
    def rows(evidence: Evidence) -> list[ScoredRow]:
        return evidence.scored_pairs if which == "pairs" else evidence.scored_rows

    return (
        Gate("preference gap", lambda e: _gap(rows(e), e), "gap_high", "gap_medium", remedy=WEAK_GAP),
        Gate("agreement", lambda e: _agreement(rows(e)), "agreement_high", "agreement_medium", remedy=DISAGREE),
        Gate("length bias", lambda e: _length_bias(rows(e)), "length_bias", at_least=False, remedy=LENGTH),
        Gate("every pair scored", lambda e: _scored(rows(e)), "integrity", remedy=UNSCORED),
    )


SELECTION = _dataset_gates("pairs")

# -- filter -------------------------------------------------------------------------------------------------------


def _clean_rows(evidence: Evidence) -> Measure:
    """1 - contaminated / total, found again from the texts. Not measured while a benchmark asked for is missing."""
    from realign.quality.contamination import find_contaminated
    from realign.quality.evaluation import chosen_index

    index = chosen_index(evidence.settings.filter)
    if index.missing:
        return metrics.not_measured(f"no index of {', '.join(index.missing)}", len(evidence.texts))
    hits = find_contaminated(evidence.texts, index, evidence.settings.filter.fuzzy_ratio)
    rows = {hit.row for hit in hits}
    measure = metrics.share(row not in rows for row in range(len(evidence.texts)))
    items = Counter(f"{hit.benchmark} {hit.item}" for hit in hits)
    measure.details.update(
        benchmarks=list(index.names), contaminated=len(rows), items_hit=dict(items.most_common(20)),
        rules=dict(Counter(hit.rule for hit in hits)),
    )  # fmt: skip
    return measure


def _kept_pairs(evidence: Evidence) -> Measure:
    dropped = {drop.record for stage, drop in evidence.drops if stage == "filter"}
    return metrics.count(sum(pair.id not in dropped for pair in evidence.pairs))


DECONTAMINATION = Gate(
    "decontamination", _clean_rows, "decontamination",
    remedy="the items hit are listed: remove the sources that hold them; build the index of a missing benchmark",
)  # fmt: skip
PAIRS = Gate("pairs", _kept_pairs, "pairs_high", "pairs_medium", minimum=0, remedy=TOO_FEW)

# -- export -------------------------------------------------------------------------------------------------------


def _isolated_passages(evidence: Evidence) -> Measure:
    """Share of source passages whose rows are all in one split."""
    splits: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for row in evidence.rows:
        source = row.get("provenance") or {}
        splits[(str(source.get("sha256")), str(source.get("passage")))].add(row["split"])
    return metrics.share(len(found) == 1 for found in splits.values())


def _rows_walk_back(evidence: Evidence) -> Measure:
    """Share of rows whose provenance leads to their prompt and answers, and to their quote in its document."""
    documents = {document.id: document for document in evidence.documents}
    found = [_walks_back(row, evidence, documents) for row in evidence.rows]
    return metrics.share(
        found, broken=[row.get("id") for row, good in zip(evidence.rows, found, strict=True) if not good][:20]
    )


def _walks_back(row: dict[str, Any], evidence: Evidence, documents: dict[str, Document]) -> bool:
    source = row.get("provenance") or {}
    passage = evidence.passages.get(str(source.get("passage")))
    document = documents.get(passage.parent) if passage else None
    span = source.get("span")
    if passage is None or document is None or not isinstance(span, list) or len(span) != 2:
        return False
    start, end = span
    return (
        passage.start <= start < end <= passage.end
        and document.sha256 == source.get("sha256")
        and document.text[start:end] == source.get("quote")
        and document.page_at(start).number == source.get("page")
        and _has_texts_of(row, source, evidence)
    )


def _has_texts_of(row: dict[str, Any], source: dict[str, Any], evidence: Evidence) -> bool:
    """True when prompt and answers are those of the records that the provenance names."""
    prompt = evidence.prompts.get(str(source.get("prompt_id")))
    answers = [evidence.completions.get(str(source.get(f"{which}_id"))) for which in ("chosen", "rejected")]
    return (
        prompt is not None
        and prompt.text == row["prompt"]
        and prompt.parent == source.get("passage")
        and [answer and answer.text for answer in answers] == [row["chosen"], row["rejected"]]
    )


def _reconciled(evidence: Evidence) -> Measure:
    """Share of steps in which what went in equals what was kept plus what was dropped, by reason."""
    assert evidence.run is not None
    steps = ledger(evidence.run)
    off = [f"{step.stage}: {step.entered} in, {step.kept} kept, {step.dropped} dropped" for step in steps if step.off]
    measure = metrics.share(not step.off for step in steps)
    measure.details.update(off=off)
    return measure


EXPORT = (
    *_dataset_gates("rows"),
    Gate("rows", lambda e: metrics.count(len(e.rows)), "pairs_high", "pairs_medium", minimum=0, remedy=TOO_FEW),
    Gate("split isolation", _isolated_passages, "integrity", minimum=1, remedy="export again; report this"),
    Gate("provenance", _rows_walk_back, "integrity", minimum=1, remedy="export again from unchanged sources"),
    Gate("counts reconcile", _reconciled, "integrity", minimum=1, remedy="report this: a step lost records"),
)
DATASET_FILE = (
    *_dataset_gates("rows"),
    Gate("rows", lambda e: metrics.count(len(e.rows)), "pairs_high", "pairs_medium", minimum=0, remedy=TOO_FEW),
    DECONTAMINATION,
)
