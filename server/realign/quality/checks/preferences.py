"""Gates on preference pairs: judged whole, wide gaps, judges that agree, telling lengths, and enough of them."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations

from realign.quality import metrics
from realign.quality.checks.shared import DATASET, DECONTAMINATION
from realign.quality.evidence import JUDGES, Evidence, ScoredRow, token_count
from realign.quality.gates import Gate
from realign.quality.metrics import Measure


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


EVERY_COMPLETION_JUDGED = Gate(
    "every completion judged", _judged_comparisons, "every_completion_judged",
    remedy="look at the raw answers kept with the drops; use a judge that answers in the asked form",
    meaning="share of comparisons that all three judges scored in both orders",
)  # fmt: skip

# -- the same rules on selected pairs and on exported rows ----------------------------------------------------------


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


def pair_gates(which: str) -> tuple[Gate, ...]:
    """The gates of pairs: on the selected "pairs", or on the exported "rows"."""

    def rows(evidence: Evidence) -> list[ScoredRow]:
        return evidence.scored_pairs if which == "pairs" else evidence.scored_rows

    return (
        Gate(
            "preference gap", lambda e: _gap(rows(e), e), "gap_high", "gap_medium",
            remedy="harder negatives, more candidates a prompt, or a higher temperature",
            meaning="mean of score(chosen) - score(rejected); scores are in 0 to 1, weighted over three judges: expert"
            " (accuracy), user (helpfulness), safety",
        ),
        Gate(
            "agreement", lambda e: _agreement(rows(e)), "agreement_high", "agreement_medium",
            remedy="look at the judges' disagreements; sharpen the prompts or use stronger judges",
            meaning="mean share of the three judges that prefer the chosen answer; each sees both orders, and a"
            " preference that changes with the order counts as none",
        ),
        Gate(
            "length bias", lambda e: _length_bias(rows(e)), "length_bias", at_least=False,
            remedy="candidates of more equal length; drop the pairs whose length gives the answer away",
            meaning="share of pairs whose chosen answer has more tokens (words and punctuation marks) than the rejected"
            " one; 0.5 gives nothing away",
        ),
        Gate(
            "every pair scored", lambda e: _scored(rows(e)), "integrity",
            remedy="judge the rows with all three judges, in both orders",
            meaning="share of pairs that all three judges scored in both orders",
        ),
    )  # fmt: skip


def _kept_pairs(evidence: Evidence) -> Measure:
    return metrics.count(sum(each.form == "pair" for each in evidence.kept))


TOO_FEW = "more sources, or more prompts a passage"
SELECTION = pair_gates("pairs")
PAIRS = Gate(
    "pairs", _kept_pairs, "pairs_high", "pairs_medium", minimum=0, remedy=TOO_FEW,
    meaning="how many pairs the filters left",
)  # fmt: skip
ROWS = Gate(
    "rows", lambda e: metrics.count(len(e.scored_rows)), "pairs_high", "pairs_medium", minimum=0, remedy=TOO_FEW,
    meaning="how many rows were written",
)  # fmt: skip
EXPORT = (*pair_gates("rows"), ROWS, *DATASET)
DATASET_FILE = (*pair_gates("rows"), ROWS, DECONTAMINATION)
