"""Gates on verifiable tasks: rollouts enough, verifiers that can be trusted, and nothing taken from an evaluation.

In a run they read the trials that its judging stage left; of a dataset file every row is verified again for real.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from realign.quality import metrics
from realign.quality.checks.shared import DATASET, DECONTAMINATION, clean_share
from realign.quality.evidence import Evidence
from realign.quality.gates import Gate
from realign.quality.metrics import Measure
from realign.quality.soundness import fault_of
from realign.records import Trial


def _by_task(trials: Iterable[Trial]) -> dict[str, list[Trial]]:
    found: defaultdict[str, list[Trial]] = defaultdict(list)
    for trial in trials:
        found[trial.task].append(trial)
    return found


def _verifiable(evidence: Evidence) -> Measure:
    """Share of tasks whose verifier accepts the reference and its other forms and rejects every planted wrong answer,
    twice with the same result. Details: what the others did, by reason."""
    return _sound_share(evidence, evidence.trials)


def _verifiable_rows(evidence: Evidence) -> Measure:
    """The same of the tasks that became rows."""
    exported = {str((row.get("provenance") or {}).get("task_id")) for row in task_rows(evidence)}
    return _sound_share(evidence, [trial for trial in evidence.trials if trial.task in exported])


def _sound_share(evidence: Evidence, trials: Sequence[Trial]) -> Measure:
    tried = _by_task(trial for trial in trials if trial.subject != "rollout")
    faults = [fault_of(mine) for mine in tried.values()]
    measure = metrics.share(not fault for fault in faults)
    reasons = dict(Counter(fault for fault in faults if fault).most_common())
    measure.details.update(faults=reasons, domain=evidence.settings.rlvr.domain)
    return measure


def _false_positives(evidence: Evidence) -> Measure:
    """Share of planted wrong answers that the verifier accepted in either of two runs, of those it decided once."""
    planted = [trial for trial in evidence.trials if trial.subject == "planted"]
    known = [trial for trial in planted if (trial.verdict, trial.again) != ("unknown", "unknown")]
    measure = metrics.share("accept" in (trial.verdict, trial.again) for trial in known)
    accepted = [trial.text[:80] for trial in known if "accept" in (trial.verdict, trial.again)]
    measure.details.update(accepted=accepted[:20])
    return measure


def _coverage(evidence: Evidence) -> Measure:
    """Share of answers that the verifier decided both times: accept or reject, and no unknown."""
    unknown = [trial for trial in evidence.trials if "unknown" in (trial.verdict, trial.again)]
    measure = metrics.share("unknown" not in (trial.verdict, trial.again) for trial in evidence.trials)
    measure.details.update(unknown=dict(Counter(trial.detail[:80] for trial in unknown).most_common(10)))
    return measure


def _seconds(evidence: Evidence) -> Measure:
    """Mean wall time of one verdict, in seconds: of each task's answers, then of the tasks."""
    times = [[trial.seconds for trial in trials] for trials in _by_task(evidence.trials).values()]
    measure = metrics.mean([sum(mine) / len(mine) for mine in times], unit="seconds")
    measure.details.update(slowest=round(max(max(mine) for mine in times), 3))
    return measure


VERIFIABILITY = Gate(
    "verifiability", _verifiable, "verifiability_high", "verifiability_medium",
    remedy="look at the faults by reason: mend references that can't be read, or name another verifier",
    meaning="share of tasks whose verifier accepts the reference answer and other forms of it, and rejects every"
    " planted wrong one, twice with the same result",
)  # fmt: skip
FALSE_POSITIVES = Gate(
    "verifier false positives", _false_positives, "false_positives", at_least=False, strictly=True,
    remedy="the planted answers that were accepted are listed: use a stricter verifier, or less tolerance",
    meaning="share of planted wrong answers that the verifier accepted, in either of two runs",
)  # fmt: skip
COVERAGE = Gate(
    "verifier coverage", _coverage, "coverage",
    remedy="the reasons are listed: install what the verifier misses, give it more time, or leave these tasks out",
    meaning="share of answers, rollouts and planted ones alike, that the verifier decided; unknown is neither",
)  # fmt: skip
TIME = Gate(
    "verifier time", _seconds, "verifier_seconds", at_least=False, strictly=True,
    remedy="simpler tests, or a shorter rlvr.seconds",
    meaning="mean wall time of one verdict in seconds, over the tasks",
)  # fmt: skip
VERIFIERS = (VERIFIABILITY, FALSE_POSITIVES, COVERAGE, TIME)

# -- rollouts -----------------------------------------------------------------------------------------------------


def _rolled_out(evidence: Evidence) -> Measure:
    """Share of tasks with as many rollouts as asked for by the gate, of all that were posed."""
    counts = Counter(completion.parent for completion in evidence.completions.values())
    fewest = evidence.settings.gates.rollouts
    measure = metrics.share(counts[prompt] >= fewest for prompt in evidence.prompts)
    why = Counter(drop.reason for stage, drop in evidence.drops if stage == "candidates" and drop.kind == "prompt")
    measure.details.update(fewest=fewest, dropped=dict(why.most_common(10)))
    return measure


def _fewest_rollouts(evidence: Evidence) -> Measure:
    """The fewest rollouts that any row's pass rate rests on, decided ones alone."""
    rows = task_rows(evidence)
    counts = [n for row in rows if isinstance(n := (row.get("scores") or {}).get("n"), int)]
    if not counts or len(counts) < len(rows):
        return metrics.not_measured("rows without the number of their rollouts (scores.n)", len(rows))
    fewest = float(min(counts))
    return Measure(fewest, len(counts), fewest, fewest, "records")


def task_rows(evidence: Evidence) -> list[dict[str, Any]]:
    """The rows that are tasks, without the preference rows beside them."""
    return [row for row in evidence.rows if "verifier" in row]


ROLLED_OUT = Gate(
    "rollouts", _rolled_out, "enough_completions",
    remedy="rlvr.rollouts of 8 or more; a model as author where the embedded reader writes no such answers",
    meaning="share of tasks with at least eight rollouts",
)  # fmt: skip
FEWEST_ROLLOUTS = Gate(
    "rollouts a row", _fewest_rollouts, "rollouts", minimum=1, remedy="more rollouts a task: rlvr.rollouts=16",
    meaning="the fewest decided rollouts that a row's pass rate rests on",
)  # fmt: skip


def _pass_rates(evidence: Evidence) -> Measure:
    """Mean pass rate of the tasks that were selected."""
    return metrics.mean([float(each.scores["pass_rate"]) for each in evidence.examples])


PASS_RATE = Gate(
    "pass rate", _pass_rates, "", minimum=1,
    meaning="mean share of a selected task's rollouts that its verifier accepted; reported, and kept in range a task",
)  # fmt: skip

# -- tasks --------------------------------------------------------------------------------------------------------


def _clean_tasks(evidence: Evidence) -> Measure:
    """Decontamination of all tasks that were posed, before any rollout is paid for."""
    texts = [f"{evidence.prompts[task.parent].text}\n{task.answer}" for task in evidence.tasks.values()]
    return clean_share(texts, evidence.settings.filter)


CLEAN_TASKS = Gate(
    "clean tasks", _clean_tasks, "decontamination", remedy=DECONTAMINATION.remedy,
    meaning="1 - contaminated / total of all tasks that were posed, measured before any of them was answered",
)  # fmt: skip
EXPORT = (FEWEST_ROLLOUTS, replace(VERIFIABILITY, measure=_verifiable_rows), *DATASET)
DATASET_FILE = (*VERIFIERS, DECONTAMINATION)
