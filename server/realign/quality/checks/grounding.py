"""Gates on grounded answers: confidence that is earned, citations that stand, claims that are supported, and the mix.

Truth of a stated confidence is the planted one: whether the answer's first claim holds the fact that the document has
there, which the judge is never shown. Where none was planted (a model's questions), it is the judge's word on that
claim; the details count both. Support is the judge's; citations are found again in the texts.
"""

from __future__ import annotations

from collections.abc import Callable

from realign.quality import metrics
from realign.quality.calibration import calibration_error
from realign.quality.checks.preferences import pair_gates
from realign.quality.checks.shared import DATASET, DECONTAMINATION
from realign.quality.evidence import Evidence
from realign.quality.gates import Gate
from realign.quality.grounded import GroundedRow, exported_rows, grounded_rows
from realign.quality.metrics import Measure
from realign.quality.mixture import CATEGORIES, mix_reached

Rows = Callable[[Evidence], list[GroundedRow]]
NOT_JUDGED = "rows whose claims no judge has measured"


def _judged_completions(evidence: Evidence) -> Measure:
    """Share of completions with a grounding in 0..1 for what they claim."""
    judged = {each.completion for each in evidence.groundings if 0.0 <= each.support <= 1.0}
    return metrics.share(completion in judged for completion in evidence.completions)


EVERY_CLAIM_JUDGED = Gate(
    "every completion judged", _judged_completions, "every_completion_judged",
    remedy="look at the raw answers kept with the drops; use a judge that answers in the asked form",
    meaning="share of completions whose claims the judge measured against what they cite",
)  # fmt: skip


def _calibration(rows: list[GroundedRow], floor: float) -> Measure:
    stated = [row for row in rows if row.confidence is not None and (row.truth is not None or row.judged)]
    if not stated:
        return metrics.not_measured("no answer states a confidence whose truth is known", len(rows))
    truths = [row.claims[0] >= floor if row.truth is None else row.truth for row in stated]
    measure = calibration_error([row.confidence or 0.0 for row in stated], truths)
    planted = sum(row.truth is not None for row in stated)
    measure.details.update(truth_planted=planted, truth_by_the_judge=len(stated) - planted)
    return measure


def _citations(rows: list[GroundedRow], floor: float) -> Measure:
    found = [citation for row in rows for citation in row.citations]
    if not found:
        return metrics.not_measured("no answer cites anything", len(rows))
    if not all(row.judged for row in rows):
        return metrics.not_measured(NOT_JUDGED, sum(not row.judged for row in rows))
    missing = sum(not exists for exists, _ in found)
    return metrics.share((exists and support >= floor for exists, support in found), not_there=missing)


def _factuality(rows: list[GroundedRow], floor: float) -> Measure:
    if not all(row.judged for row in rows):
        return metrics.not_measured(NOT_JUDGED, sum(not row.judged for row in rows))
    return metrics.share(support >= floor for row in rows for support in row.claims)


def _hallucination(rows: list[GroundedRow], floor: float) -> Measure:
    if not all(row.judged for row in rows):
        return metrics.not_measured(NOT_JUDGED, sum(not row.judged for row in rows))
    unsupported = [any(s < floor for s in row.claims) or not all(e for e, _ in row.citations) for row in rows]
    named = [row.id for row, bad in zip(rows, unsupported, strict=True) if bad][:20]
    return metrics.share(unsupported, rows=named)


def _refusals(rows: list[GroundedRow]) -> Measure:
    return metrics.share(row.refuses for row in rows)


def _mix(rows: list[GroundedRow], evidence: Evidence) -> Measure:
    wanted = {category: float(getattr(evidence.settings.grounding, category)) for category in CATEGORIES}
    if rows and not any(row.category for row in rows):
        return metrics.not_measured("rows that do not say which category they are of", len(rows))
    return mix_reached([row.category for row in rows], wanted)


def answer_gates(rows: Rows) -> tuple[Gate, ...]:
    """The gates of grounded answers, on the rows that `rows` finds in the evidence."""

    def floor(evidence: Evidence) -> float:
        return evidence.settings.grounding.support

    return (
        Gate(
            "calibration error", lambda e: _calibration(rows(e), floor(e)), "calibration_high", "calibration_medium",
            at_least=False, remedy="state the confidence that was measured; more passages to measure it on",
            meaning="expected calibration error over ten equal bins of the stated confidences; an answer is right when"
            " its first claim holds the fact that its source has there, or, where none is known, when the judge"
            " supports that claim",
        ),
        Gate(
            "citation accuracy", lambda e: _citations(rows(e), floor(e)), "citation_accuracy",
            remedy="cite verbatim, and the sentence that says it",
            meaning="share of citations that stand verbatim in the shown passage and support their claim",
        ),
        Gate(
            "factuality", lambda e: _factuality(rows(e), floor(e)), "factuality",
            remedy="drop the answers whose claims are not supported, or use a stronger author",
            meaning="share of claims that what they cite supports, by the judge; a refusal claims that the passage does"
            " not answer the question. Where the same judge selected the answers, this says that selection worked",
        ),
        Gate(
            "hallucination rate", lambda e: _hallucination(rows(e), floor(e)), "hallucination", at_least=False,
            strictly=True, remedy="drop the answers named in the details, or use a stronger author",
            meaning="share of answers with a claim that is not supported, or a citation that is not there",
        ),
        Gate(
            "refusals", lambda e: _refusals(rows(e)), "refusals",
            remedy="more passages, or rows whose question their passage does not answer",
            meaning="share of answers that say that the passage does not tell: without them a model learns to answer"
            " whatever it is asked",
        ),
        Gate(
            "mix", lambda e: _mix(rows(e), e), "",
            meaning="how much of the mix of refusals, hedged, confident and edge cases was reached: the sum of the"
            " smaller of share and target; a missing category costs its target. Reported: sources differ in what they"
            " allow",
        ),
    )  # fmt: skip


LENGTH = (next(gate for gate in pair_gates("rows") if gate.name == "length bias"),)
SELECTION = answer_gates(grounded_rows)
KEPT = answer_gates(lambda evidence: grounded_rows(evidence, kept=True))[1:2]
EXPORT = (*answer_gates(exported_rows), *LENGTH, *DATASET)
DATASET_FILE = (*answer_gates(exported_rows), DECONTAMINATION)
