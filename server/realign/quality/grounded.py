"""Rows of grounded answers as gates see them, of a run or of a dataset file: texts, claims, citations, confidence.

    for row in grounded_rows(evidence): row.claims, row.citations, row.confidence, row.truth

A citation is checked from the texts each time: it must stand verbatim in what the prompt shows, and in a run at its
span of the document too. Support is what the judge measured; a row without it is not judged.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from realign.quality.citations import find_quote, read_answer, states
from realign.quality.evidence import Evidence
from realign.quality.selected import as_text
from realign.records import Document, Example, Grounding

Citation = tuple[bool, float]  # (whether it stands where it says, support of its claim)


@dataclass(frozen=True, slots=True)
class GroundedRow:
    """One taught answer. claims: the support of each; citations: whether each exists, and its support.

    judged: False where no judge has measured its claims. confidence is None where none is stated; truth is whether the
    first claim holds the planted fact, None where none was planted.
    """

    id: str
    category: str
    judged: bool
    claims: tuple[float, ...]
    citations: tuple[Citation, ...]
    confidence: float | None
    truth: bool | None
    refuses: bool


def grounded_rows(evidence: Evidence, kept: bool = False) -> list[GroundedRow]:
    """The selected examples (kept: those that no filter dropped), or for a dataset file its rows."""
    if evidence.run is None:
        return [_of_row(row) for row in evidence.rows if "messages" in row]
    judged: defaultdict[str, list[Grounding]] = defaultdict(list)
    for grounding in evidence.groundings:
        judged[grounding.completion].append(grounding)
    documents = {document.id: document for document in evidence.documents}
    chosen = evidence.kept if kept else evidence.selected
    return [
        _of_example(each.record, judged[each.record.completion], documents, evidence)
        for each in chosen
        if isinstance(each.record, Example)
    ]


def exported_rows(evidence: Evidence) -> list[GroundedRow]:
    """The rows as they were written, from what they carry themselves."""
    return [_of_row(row) for row in evidence.rows if "messages" in row]


def _of_example(
    example: Example, groundings: list[Grounding], documents: dict[str, Document], evidence: Evidence
) -> GroundedRow:
    prompt, text = evidence.prompts[example.parent], evidence.completions[example.completion].text
    document = documents[evidence.passages[prompt.parent].parent]
    claims = [{"claim": g.claim, "support": g.support, "span": [g.start, g.end]} for g in groundings]
    return _read(example.id, example.category, prompt.text, text, claims, prompt.focus, document)


def _of_row(row: Mapping[str, Any]) -> GroundedRow:
    """A row as it stands in a file: what is not well-formed counts as not judged."""
    scores = row.get("scores") if isinstance(row.get("scores"), dict) else {}
    source = row.get("provenance") if isinstance(row.get("provenance"), dict) else {}
    messages = row["messages"]
    assert isinstance(scores, dict) and isinstance(source, dict)
    claims = scores.get("claims")
    found = [c for c in claims if isinstance(c, dict)] if isinstance(claims, list) else []
    said, asked = as_text(messages[-1:]), as_text(messages[:-1])
    reference = scores.get("reference")
    return _read(
        str(row.get("id", "")), str(source.get("category", "")), asked, said, found,
        reference if isinstance(reference, str) else "",
    )  # fmt: skip


def _read(
    name: str, category: str, asked: str, said: str, claims: list[dict[str, Any]], reference: str,
    document: Document | None = None,
) -> GroundedRow:  # fmt: skip
    """The row from its texts; claims carry what the judge measured."""
    spoken = read_answer(said)
    supports = {str(claim.get("claim")): claim.get("support") for claim in claims}
    values = [supports.get(each.text) for each in spoken.claims]
    judged = bool(values) and all(isinstance(v, int | float) and 0 <= v <= 1 for v in values)
    known = [float(v) if isinstance(v, int | float) else 0.0 for v in values]
    citations = tuple(
        (_exists(spoken.quotes[cite], asked, each.text, claims, document), support)
        for each, support in zip(spoken.claims, known, strict=True)
        for cite in each.cites
    )
    truth = None if spoken.confidence is None else states(spoken, reference) if reference else None
    return GroundedRow(name, category, judged, tuple(known), citations, spoken.confidence, truth, spoken.refuses)


def _exists(quote: str, asked: str, claim: str, claims: list[dict[str, Any]], document: Document | None) -> bool:
    """True for a quotation that stands in the prompt and, where there is a document, at a span of its claim."""
    if find_quote(quote, asked) is None:
        return False
    if document is None:
        return True
    spans = [each["span"] for each in claims if each["claim"] == claim]
    texts = [document.text[start:end] for start, end in spans if start < end]
    return any(_same(quote, text) for text in texts)


def _same(quote: str, text: str) -> bool:
    """The same words, however white space, a final full stop, and JSON write them."""
    try:
        plain = str(json.loads(f'"{text}"'))
    except ValueError:
        plain = text
    return " ".join(plain.split()).rstrip(".,; ") == " ".join(quote.split()).strip(" …").rstrip(".,; ")
