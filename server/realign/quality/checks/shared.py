"""Gates that every data type passes: reading, asking and answering, decontamination, and the exported dataset."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from realign.errors import SourceError, UsageError
from realign.quality import metrics
from realign.quality.evidence import Evidence
from realign.quality.gates import Gate
from realign.quality.ledger import ledger
from realign.quality.metrics import Measure
from realign.records import Document
from realign.settings import Filter

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
    meaning="share of pages that gave text which reads as words",
)  # fmt: skip
PROMPT_CLARITY = Gate(
    "prompt clarity", _clear_prompts, "prompt_clarity",
    remedy="use another author, or a document with more running prose",
    meaning="share of the prompts that were clear and answerable",
)  # fmt: skip

# -- candidates ---------------------------------------------------------------------------------------------------


def answered(fewest: int) -> Gate:
    """The gate on prompts with at least `fewest` different completions."""

    def measure(evidence: Evidence) -> Measure:
        texts: defaultdict[str, set[str]] = defaultdict(set)
        for completion in evidence.completions.values():
            texts[completion.parent].add(completion.text)
        return metrics.share(len(texts[prompt]) >= fewest for prompt in evidence.prompts)

    return Gate(
        "enough completions", measure, "enough_completions",
        remedy="raise candidates.per_prompt or the temperature, or use a stronger author",
        meaning=f"share of prompts with at least {fewest} different completion{'s' * (fewest > 1)}",
    )  # fmt: skip


# -- filter -------------------------------------------------------------------------------------------------------


def _clean_rows(evidence: Evidence) -> Measure:
    """Decontamination of all that was selected, or of every row of a file."""
    return clean_share(evidence.texts, evidence.settings.filter)


def clean_share(texts: list[str], settings: Filter) -> Measure:
    """1 - contaminated / total, found again from the texts. Not measured while a benchmark asked for is missing."""
    from realign.quality.contamination import find_contaminated
    from realign.quality.evaluation import chosen_index

    try:
        index = chosen_index(settings)
    except (UsageError, SourceError) as error:  # a file of the user's that is gone since
        return metrics.not_measured(error.found, len(texts))
    if index.missing:
        return metrics.not_measured(f"no index of {', '.join(index.missing)}", len(texts))
    hits = find_contaminated(texts, index, settings.fuzzy_ratio)
    rows = {hit.row for hit in hits}
    measure = metrics.share(row not in rows for row in range(len(texts)))
    items = Counter(f"{hit.benchmark} {hit.item}" for hit in hits)
    measure.details.update(
        benchmarks=list(index.names), contaminated=len(rows), items_hit=dict(items.most_common(20)),
        rules=dict(Counter(hit.rule for hit in hits)),
    )  # fmt: skip
    return measure


DECONTAMINATION = Gate(
    "decontamination", _clean_rows, "decontamination",
    remedy="the items hit are listed: remove the sources that hold them; build the index of a missing benchmark",
    meaning="1 - contaminated / total, before the contaminated rows were removed; a row is contaminated when it shares"
    " 13 words in a row, or half of the runs of 8 words, with an evaluation item, or is a rewording of one",
)  # fmt: skip

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
    if prompt is None or prompt.parent != source.get("passage"):
        return False
    if "task_id" in source:
        task = evidence.tasks.get(str(source["task_id"]))
        return task is not None and row["answer"] == task.answer and row["prompt"] in (prompt.text, prompt.messages)
    named = ("chosen_id", "rejected_id") if "chosen" in row else ("completion_id",)
    answers = [evidence.completions.get(str(source.get(name))) for name in named]
    texts = [answer and answer.text for answer in answers]
    said = [{"role": "assistant", "content": text} for text in texts]
    if "chosen" in row:
        found = [row["prompt"], row["chosen"], row["rejected"]]
        return found in ([prompt.text, *texts], [prompt.messages, *([turn] for turn in said)])
    return bool(row["messages"][-1 - len(prompt.messages) :] == [*prompt.messages, *said])


def _reconciled(evidence: Evidence) -> Measure:
    """Share of steps in which what went in equals what was kept plus what was dropped, by reason."""
    assert evidence.run is not None
    steps = ledger(evidence.run)
    off = [f"{step.stage}: {step.entered} in, {step.kept} kept, {step.dropped} dropped" for step in steps if step.off]
    measure = metrics.share(not step.off for step in steps)
    measure.details.update(off=off)
    return measure


DATASET = (
    Gate(
        "split isolation", _isolated_passages, "integrity", minimum=1, remedy="export again; report this",
        meaning="share of source passages whose rows are all in one split",
    ),
    Gate(
        "provenance", _rows_walk_back, "integrity", minimum=1, remedy="export again from unchanged sources",
        meaning="share of rows whose quote stands at its place in its source, and whose texts are those of its records",
    ),
    Gate(
        "counts reconcile", _reconciled, "integrity", minimum=1, remedy="report this: a step lost records",
        meaning="share of steps in which what went in is what was kept plus what was dropped",
    ),
)  # fmt: skip
