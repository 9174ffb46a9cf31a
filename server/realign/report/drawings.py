"""Which charts a report shows: the numbers of a run put into the drawings of charts.py, each with a caption.

for title, drawing, caption in draw(evidence, steps): ...
"""

from __future__ import annotations

import math
from collections import Counter

from markupsafe import Markup

from realign.quality.evidence import Evidence, ScoredRow, token_count
from realign.quality.ledger import Step
from realign.records import Example
from realign.report import charts
from realign.run import StageState

Figure = tuple[str, Markup, str]
LINEAGE = ("prompts", "pairs", "examples", "rows", "preference rows")  # one prompt, one pair or example, one row


def draw(evidence: Evidence, steps: list[Step]) -> list[Figure]:
    """(title, drawing, caption) of every chart of the data: of the pairs, of the examples, and what was kept."""
    pairs = of_pairs(evidence) if evidence.pairs or not evidence.examples else []
    return [*of_examples(evidence.examples), *pairs, kept(steps)]


def of_pairs(evidence: Evidence) -> list[Figure]:
    """Gaps, lengths and agreement of the rows, or of the pairs while there are none; lengths alone of verified ones."""
    rows = evidence.scored_rows or evidence.scored_pairs
    if evidence.tasks:
        return [lengths(rows)]
    scored = [row for row in rows if row.is_scored()]
    if rows and not scored:
        return [lengths(rows)]
    return [gaps(scored, evidence), lengths(rows), agreement(scored)]


def of_examples(examples: list[Example]) -> list[Figure]:
    """What the examples are, and how each of their scores is spread."""
    if not examples:
        return []
    counts = Counter(each.category for each in examples).most_common()
    bars = [(category, float(n), f"{n:,} ({n / len(examples):.1%})") for category, n in counts]
    found = [("Categories", charts.bars("Selected examples of each category", bars), "Before the filters.")]
    for name in dict.fromkeys(name for each in examples for name in each.scores):
        values = [float(v) for each in examples if isinstance(v := each.scores.get(name), float)]
        if values:
            top = max(1.0, math.ceil(max(values)))
            drawing = charts.histogram(f"{name} of the examples", values, min(0.0, min(values)), top, 25)
            title = name.replace("_", " ").capitalize().replace("Ifd", "IFD")
            found.append((title, drawing, f"{name} of each selected example."))
    return found + calibration(examples)


def calibration(examples: list[Example]) -> list[Figure]:
    """How often answers that state a confidence are right, in tenths of confidence; [] where none states one."""
    bins: dict[int, list[bool]] = {}
    for each in examples:
        stated, truth = each.scores.get("confidence"), each.scores.get("truth")
        if isinstance(stated, float) and isinstance(truth, bool):
            bins.setdefault(min(9, int(stated * 10)), []).append(truth)
    if not bins:
        return []
    bars = [
        (
            f"{10 * b} to {10 * b + 10} % sure",
            sum(mine) / len(mine),
            f"{sum(mine) / len(mine):.0%} right of {len(mine):,}",
        )
        for b, mine in sorted(bins.items())
    ]
    drawing = charts.bars("Share of right answers by stated confidence", bars)
    return [
        ("Stated confidence and truth", drawing, "Where confidence is earned, each bar is as long as its name says.")
    ]


def gaps(rows: list[ScoredRow], evidence: Evidence) -> Figure:
    """How far apart chosen and rejected are, with the boundaries of the tiers."""
    values, limits = [row.gap(evidence.settings.select) for row in rows], evidence.settings.gates
    low = -1.0 if min(values, default=0.0) < 0 else 0.0
    high = max(0.5, math.ceil(max(values, default=0.5) * 10) / 10)
    marks = [(limits.gap_medium, f"{limits.gap_medium:g}"), (limits.gap_high, f"HIGH from {limits.gap_high:g}")]
    drawing = charts.histogram("Preference gap of the pairs", values, low, high, 25, marks)
    easy = evidence.settings.select.easy_gap
    share = (
        f"; {sum(v > easy for v in values) / len(values):.1%} are above {easy:g}, suspiciously easy" if values else ""
    )
    return (
        "Preference gap",
        drawing,
        f"Score of chosen minus score of rejected for each pair. The tier goes by the mean{share}.",
    )


def lengths(rows: list[ScoredRow]) -> Figure:
    """Answer lengths, chosen against rejected."""
    chosen, rejected = [token_count(row.chosen) for row in rows], [token_count(row.rejected) for row in rows]
    drawing = charts.mirrored("Tokens in an answer", chosen, rejected, ("chosen", "rejected"))
    return (
        "Length of the answers",
        drawing,
        "Words and punctuation marks. Where length gives nothing away, the lower half mirrors the upper.",
    )


def agreement(rows: list[ScoredRow]) -> Figure:
    """How many pairs had all judges behind the chosen answer, how many had one less, and so on."""
    votes = Counter((sum(vote == 1 for vote in row.votes()), len(row.votes())) for row in rows)
    found = [
        (f"{won} of {judges} judges", float(n), f"{n:,} ({n / len(rows):.1%})")
        for (won, judges), n in sorted(votes.items(), reverse=True)
    ]
    drawing = charts.bars("Judges that vote for the chosen answer", found)
    return ("Agreement of the judges", drawing, "A vote counts only when it is the same in both orders of the answers.")


def kept(steps: list[Step]) -> Figure:
    """From the prompts that were asked to the rows that were written."""
    lines = [(f"{step.stage}: {step.unit}", step.kept, step.dropped) for step in steps if step.unit in LINEAGE]
    drawing = charts.funnel("Kept and dropped by each stage", lines)
    return (
        "What each stage kept",
        drawing,
        "Each prompt can become one pair or example, and each of these one row. Open ends were dropped.",
    )


def pages(evidence: Evidence) -> list[Figure]:
    """A band for each document: its pages in order, by verdict."""
    found = []
    for document in evidence.documents:
        verdicts = [page.verdict for page in document.pages]
        counts = ", ".join(f"{n:,} {verdict}" for verdict, n in Counter(verdicts).most_common())
        noun = "page" if len(verdicts) == 1 else "pages"
        found.append((document.name, charts.strip(document.name, verdicts), f"{len(verdicts):,} {noun}: {counts}"))
    return found


def times(stages: list[StageState]) -> Markup:
    """Seconds of work in each stage."""
    from realign.report.summary import duration

    rows = [(stage.name, stage.seconds, duration(stage.seconds)) for stage in stages if stage.seconds]
    return charts.bars("Time of each stage", rows)
