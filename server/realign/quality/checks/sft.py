"""Gates on chats (SFT, SRF): rated whole, rated high, and neither given away nor misled by their prompts.

The quality and IFD of a run are computed from its ratings and difficulties; of a dataset file they are what its rows
carry as ReAlign's export writes them (`scores.quality` of 1..10, `scores.ifd_loss`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from realign.quality import metrics
from realign.quality.checks import preferences
from realign.quality.checks.shared import DATASET, DECONTAMINATION
from realign.quality.evidence import Evidence
from realign.quality.gates import Gate
from realign.quality.metrics import Measure

Values = Callable[[Evidence], Sequence[float | None]]
UNRATED = "rows without a rating of 1 to 10 (scores.quality); rate them with `realign curate FILE --type sft`"
UNMEASURED = "rows without IFD (scores.ifd_loss); measure it with `realign curate FILE --type sft`"


def _rated(evidence: Evidence) -> Measure:
    """Share of completions with a rating in 0..1, of all that prompts have, whatever became of them."""
    rated = {rating.completion for rating in evidence.ratings if 0.0 <= rating.score <= 1.0}
    measure = metrics.share(completion in rated for completion in evidence.completions)
    why = Counter(drop.reason for _, drop in evidence.drops if drop.kind == "rating")
    measure.details.update(
        judges=sorted({rating.judge for rating in evidence.ratings}), unrated=dict(why.most_common())
    )
    return measure


EVERY_COMPLETION_RATED = Gate(
    "every completion rated", _rated, "every_completion_rated",
    remedy="look at the raw answers kept with the drops; rows without a source passage need a model as judge",
    meaning="share of completions that the rubric judge rated",
)  # fmt: skip

# -- the same rules on selected examples and on exported rows -------------------------------------------------------


def _quality_of_examples(evidence: Evidence) -> list[float | None]:
    ratings = {rating.completion: 1 + 9 * rating.score for rating in evidence.ratings}
    return [ratings.get(example.completion) for example in evidence.examples]


def _ifd_of_examples(evidence: Evidence) -> list[float | None]:
    found = [evidence.difficulties.get(example.completion) for example in evidence.examples]
    return [each.ifd_loss if each else None for each in found]


def _carried(name: str) -> Values:
    """What the rows with messages carry under scores.<name>; None where it is missing or no number."""

    def values(evidence: Evidence) -> list[float | None]:
        scores = [row.get("scores") for row in evidence.rows if "messages" in row]
        found = [each.get(name) if isinstance(each, dict) else None for each in scores]
        return [
            float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None for value in found
        ]

    return values


def _mean(values: Values, unit: str, low: float, high: float, why: str) -> Callable[[Evidence], Measure]:
    """The mean of what is in low..high. Not measured where a row has no such value."""

    def measure(evidence: Evidence) -> Measure:
        found = values(evidence)
        good = [value for value in found if value is not None and low <= value <= high]
        return metrics.mean(good, unit) if len(good) == len(found) else metrics.not_measured(why, len(found))

    return measure


def _with_models(measure: Callable[[Evidence], Measure]) -> Callable[[Evidence], Measure]:
    """The mean IFD with what it rests on: the models, the mean ratio of perplexities, rows told or misled by it."""

    def wider(evidence: Evidence) -> Measure:
        found = measure(evidence)
        kept = [e for e in (evidence.difficulties.get(x.completion) for x in evidence.examples) if e]
        if kept:
            ppl = sum(each.ifd_ppl for each in kept) / len(kept)
            found.details.update(models=sorted({each.model for each in kept}), mean_ifd_ppl=round(ppl, 4))
        return found

    return wider


def chat_gates(quality: Values, ifd: Values) -> tuple[Gate, Gate]:
    """The gates on quality and IFD of selected examples, or of rows."""
    return (
        Gate(
            "quality score", _mean(quality, "of 10", 1.0, 10.0, UNRATED), "quality_high", "quality_medium",
            remedy="a stronger author, more candidates a prompt, or a higher sft.quality_floor",
            meaning="mean rating of the answers, 1 to 10, by a rubric judge: grounded in the source, to the question,"
            " readable, telling, safe",
        ),
        Gate(
            "IFD", _with_models(_mean(ifd, "ratio", 0.0, 1e9, UNMEASURED)), "ifd_high", "ifd_medium",
            remedy="prompts that do not give their answers away, or a higher sft.ifd_floor",
            meaning="instruction-following difficulty: mean over rows of a language model's loss on the answer after"
            " its prompt, divided by its loss on the same tokens alone; rows above 1 were dropped",
        ),
    )  # fmt: skip


def _kept_chats(evidence: Evidence) -> Measure:
    return metrics.count(sum(each.form == "chat" for each in evidence.kept))


SELECTION = chat_gates(_quality_of_examples, _ifd_of_examples)
CHATS = Gate(
    "chats", _kept_chats, "chats", minimum=0, remedy=preferences.TOO_FEW, meaning="how many chats the filters left"
)
ROWS = Gate(
    "chat rows", lambda e: metrics.count(sum("messages" in row for row in e.rows)), "chats", minimum=0,
    remedy=preferences.TOO_FEW, meaning="how many chats were written",
)  # fmt: skip
ON_ROWS = chat_gates(_carried("quality"), _carried("ifd_loss"))
EXPORT = (*ON_ROWS, ROWS, *DATASET)

PREFERENCE_ROWS = replace(preferences.ROWS, name="preference rows")
EXPORT_WITH_PAIRS = (*ON_ROWS, ROWS, *preferences.pair_gates("rows"), PREFERENCE_ROWS, *DATASET)
DATASET_FILE = (*ON_ROWS, ROWS, DECONTAMINATION)
