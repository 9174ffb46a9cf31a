"""Gates of the training stages, measured on the readings that a stage's last attempt left.

    kl("optimize"), reward_accuracy("reward", "reward"), ...     each gate is bound to the stage whose readings it reads

What a reading's values are called: loss and kl hold `value` and `tokens`; reward and preference hold `chosen` and
`rejected`; return holds `before` and `after`, and so does capability, whose part is the benchmark.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

from realign.errors import EmptyInput
from realign.quality import metrics
from realign.quality.checks.preferences import pair_gates
from realign.quality.checks.shared import DECONTAMINATION
from realign.quality.evidence import Evidence, ScoredRow
from realign.quality.gates import Gate
from realign.quality.metrics import Measure
from realign.records import Reading

HELD_OUT, TRAIN = "held-out", "train"
DRIFT = "lower the learning rate, or raise beta"
OVERFIT = "more diverse pairs, or fewer epochs"
LOST = "roll back to the last passing checkpoint, and mix in 30 % SFT rows"

# -- before training ------------------------------------------------------------------------------------------------

PAIRS = Gate(
    "training pairs", lambda e: metrics.count(len(e.scored_rows)), "training_pairs", minimum=0,
    remedy="more sources, or more prompts a passage", meaning="how many preference pairs there are to train on",
)  # fmt: skip
VERDICTS = {"accept": 1.0, "reject": 0.0}


def _gap(evidence: Evidence) -> Measure:
    """Mean gap of the pairs: of their judges' scores, or, where a verifier decided, of accept over reject."""
    rows = [row for row in evidence.rows if "chosen" in row]
    gaps = [_gap_of(row, scored, evidence) for row, scored in zip(rows, evidence.scored_rows, strict=True)]
    known = [gap for gap in gaps if gap is not None]
    if len(known) < len(gaps):
        missing = len(gaps) - len(known)
        return metrics.not_measured(
            f"{missing} rows have neither all judges' scores nor a verifier's; curating them gives it", len(gaps)
        )
    return metrics.preference_gap(known, evidence.settings.select.easy_gap)


def _gap_of(row: dict[str, Any], scored: ScoredRow, evidence: Evidence) -> float | None:
    scores = row.get("scores") or {}
    if "verifier" in scores:
        both = [VERDICTS.get(str(scores.get(side))) for side in ("chosen", "rejected")]
        return both[0] - both[1] if both[0] is not None and both[1] is not None else None
    return scored.gap(evidence.settings.select) if scored.is_scored() else None


_PAIRS = {gate.name: gate for gate in pair_gates("rows")}
PREFERENCES = (PAIRS, replace(_PAIRS["preference gap"], measure=_gap), _PAIRS["length bias"], DECONTAMINATION)
TASKS = Gate(
    "training tasks", lambda e: metrics.count(sum("verifier" in row for row in e.rows)), "training_tasks", minimum=0,
    remedy="more sources, or more tasks a passage", meaning="how many tasks there are to train on",
)  # fmt: skip

# -- losses and drift -----------------------------------------------------------------------------------------------


def a_token(evidence: Evidence, stage: str, metric: str, part: str = HELD_OUT) -> Measure:
    """Mean a token of what was measured prompt by prompt, in nats."""
    readings = evidence.readings_of(stage, metric, part)
    return metrics.weighted_mean([r.values["value"] for r in readings], [r.values["tokens"] for r in readings])


def loss_falls(stage: str) -> Gate:
    """The held-out loss is lower after SFT than before it: a diverged training is not passed on."""

    def measure(evidence: Evidence) -> Measure:
        readings = evidence.readings_of(stage, "loss", HELD_OUT)
        if not readings:
            raise EmptyInput("Nothing was trained")
        fallen = [r.values["before"] - r.values["value"] for r in readings]
        return metrics.weighted_mean(fallen, [r.values["tokens"] for r in readings])

    return Gate(
        "held-out loss falls", measure, "loss_falls", strictly=True,
        remedy="lower the learning rate, or train for fewer iterations",
        meaning="held-out loss before training minus after it, in nats a token",
    )  # fmt: skip


def start_kl(stage: str) -> Gate:
    """Policy and reference are the same model before the first step."""
    return Gate(
        "reference equals policy", lambda e: a_token(e, stage, "start kl"), "start_kl", at_least=False, strictly=True,
        remedy="load the reference from the policy's own checkpoint",
        meaning="KL(policy, reference) before the first step, over the full vocabulary, in nats a token",
    )  # fmt: skip


def kl(stage: str) -> Gate:
    """How far the policy has moved from the reference."""
    return Gate(
        "KL", lambda e: a_token(e, stage, "kl"), "kl", at_least=False, remedy=DRIFT,
        meaning="KL(policy, reference) over the full vocabulary, in nats an answer token, on held-out prompts",
    )  # fmt: skip


def entropy(stage: str, gated: bool) -> tuple[Gate, ...]:
    """The policy's entropy, between two bounds where it is gated, else reported."""

    def measure(evidence: Evidence) -> Measure:
        return a_token(evidence, stage, "entropy")

    meaning = "entropy of the policy's next-token distribution, in nats an answer token, on held-out prompts"
    if not gated:
        return (Gate("entropy", measure, "", meaning=meaning),)
    collapse = "a smaller reward scale, or more entropy bonus"
    return (
        Gate("entropy", measure, "entropy_low", remedy=collapse, meaning=meaning),
        Gate("entropy ceiling", measure, "entropy_high", at_least=False, remedy="less entropy bonus", meaning=meaning),
    )


# -- preferences ----------------------------------------------------------------------------------------------------


def preferred(readings: list[Reading]) -> list[bool]:
    """Whether each pair's chosen answer got more than its rejected one; a tie is no preference."""
    return [reading.values["chosen"] > reading.values["rejected"] for reading in readings]


def accuracy(stage: str, metric: str) -> tuple[Gate, Gate]:
    """Held-out accuracy of a reward model ("reward") or a policy's implied rewards ("preference"), and overfitting."""

    def held_out(evidence: Evidence) -> Measure:
        return metrics.share(preferred(evidence.readings_of(stage, metric, HELD_OUT)))

    def overfit(evidence: Evidence) -> Measure:
        train, held = (preferred(evidence.readings_of(stage, metric, part)) for part in (TRAIN, HELD_OUT))
        return metrics.difference_of_shares(train, held)

    return (
        Gate(
            f"{metric} accuracy", held_out, "preference_accuracy",
            remedy="more pairs, or pairs whose difference is clearer",
            meaning="share of held-out pairs whose chosen answer gets the higher reward",
        ),
        Gate(
            "overfitting", overfit, "overfitting", at_least=False, strictly=True, remedy=OVERFIT,
            meaning="accuracy on training pairs minus accuracy on held-out pairs",
        ),
    )  # fmt: skip


def beats_baselines(stage: str) -> Gate:
    """The reward model knows more than the length of an answer, and more than its words without the prompt."""

    def measure(evidence: Evidence) -> Measure:
        model = preferred(evidence.readings_of(stage, "reward", HELD_OUT))
        simple = [reading.values for reading in evidence.readings_of(stage, "baseline", HELD_OUT)]
        scores = {name: sum(each[name] for each in simple) / max(1, len(simple)) for name in ("length", "blind")}
        best = max(scores, key=lambda name: scores[name])
        ahead = [float(right) - each[best] for right, each in zip(model, simple, strict=True)]
        measure = metrics.mean(ahead)
        measure.details.update({name: round(score, 4) for name, score in scores.items()})
        return measure

    return Gate(
        "reward beats its baselines", measure, "rises", strictly=True,
        remedy="pairs whose lengths and words tell less, or more of them",
        meaning="accuracy of the reward model minus that of the better baseline: by length, or by word counts alone",
    )  # fmt: skip


def margin(stage: str) -> Gate:
    """The policy prefers the chosen answers more than the reference does."""

    def measure(evidence: Evidence) -> Measure:
        readings = evidence.readings_of(stage, "preference", HELD_OUT)
        return metrics.mean([r.values["chosen"] - r.values["rejected"] for r in readings], "nats")

    return Gate(
        "margin", measure, "rises", strictly=True, remedy="train longer, or raise the learning rate",
        meaning="mean implied reward of chosen minus rejected on held-out pairs, in nats",
    )  # fmt: skip


def rises(stage: str, name: str) -> Gate:
    """What is trained for is higher after than before, on the same held-out prompts."""

    def measure(evidence: Evidence) -> Measure:
        readings = evidence.readings_of(stage, "return", HELD_OUT)
        return metrics.mean([r.values["after"] - r.values["before"] for r in readings], "score")

    return Gate(
        f"{name} rises", measure, "rises", strictly=True, remedy="a larger group, more steps, or easier tasks",
        meaning=f"mean {name} after minus before, on the same held-out prompts",
    )  # fmt: skip


# -- capability -----------------------------------------------------------------------------------------------------


def _benchmarks(evidence: Evidence, stage: str) -> tuple[Measure, Measure]:
    found: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for reading in evidence.readings_of(stage, "capability"):
        found[reading.part].append((reading.values["before"], reading.values["after"]))
    return metrics.retention(found)


def capability(stage: str) -> tuple[Gate, Gate]:
    """What the model could do before, it still can."""
    return (
        Gate(
            "capability retention", lambda e: _benchmarks(e, stage)[0], "retention", remedy=LOST,
            meaning="mean over benchmarks of the score after alignment over the score before it, on the same items",
        ),
        Gate(
            "worst benchmark drop", lambda e: _benchmarks(e, stage)[1], "worst_drop", at_least=False, remedy=LOST,
            meaning="share of its score that the benchmark lost which lost most",
        ),
    )  # fmt: skip
