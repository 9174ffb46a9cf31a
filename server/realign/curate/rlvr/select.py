"""Stage 4 of RLVR, select: tasks that are neither too hard nor too easy for their author, each with a pair of rollouts.

The pass rate of a task is c / n over the rollouts that the verifier decided the same way twice; unknown ones are in
neither. A task is kept when the rate is within the settings' range and its verifier is sound on it: it accepts the
reference and every other right form and rejects every planted wrong answer, twice. The pair is an accepted and a
rejected rollout, the two nearest in length. A task that a person re-admitted is kept whatever its pass rate.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from realign.curate.rlvr.verify import decided
from realign.quality import decisions
from realign.quality.evidence import token_count
from realign.quality.soundness import fault_of
from realign.records import Completion, Dropped, Example, Pair, Task, Trial, make_id
from realign.run import Batch, Run
from realign.settings import Candidates, Settings
from realign.work import Work


def inputs(run: Run, settings: Settings) -> str:
    """The range of pass rates, and what a person re-admits."""
    return f"{settings.rlvr.pass_low};{settings.rlvr.pass_high};{decisions.identity(run, 'select')}"


def choose_tasks(work: Work) -> Iterator[Batch]:
    """An example a task that is kept, with a pair where its rollouts give one; the others are dropped, and why."""
    run, batch = work.run, Batch()
    completions = {each.id: each for each in run.records("completion")}
    trials: defaultdict[str, list[Trial]] = defaultdict(list)
    for trial in run.records("trial"):
        trials[trial.task].append(trial)
    seen, spared = run.done(work.stage), decisions.readmitted(run, "select")
    for task in run.records("task"):
        if task.parent in seen or task.id not in trials:
            continue
        example = judge_task(task, trials[task.id], completions, work.settings, task.parent in spared)
        if isinstance(example, Example):
            batch.records += [example, *pair_of(task, trials[task.id], completions)]
        else:
            batch.drops.append(Dropped(task.parent, "prompt", "select", example))
        batch.done.append(task.parent)
    work.progress(None, len(trials), "tasks chosen")
    yield batch


def judge_task(
    task: Task,
    trials: Sequence[Trial],
    completions: dict[str, Completion],
    settings: Settings,
    readmitted: bool = False,
) -> Example | str:
    """The example of a task, or why it is none."""
    if fault := fault_of([trial for trial in trials if trial.subject != "rollout"]):
        return f"its verifier is not sound: {fault}"
    rollouts = [trial for trial in trials if trial.subject == "rollout"]
    verdicts = [trial.verdict for trial in rollouts if decided(trial)]
    n, c = len(verdicts), verdicts.count("accept")
    if not n:
        return "no rollout could be decided"
    low, high = settings.rlvr.pass_low, settings.rlvr.pass_high
    if not low <= c / n <= high and not readmitted:
        return f"pass rate under {low:g}: too hard" if c / n < low else f"pass rate above {high:g}: too easy"
    author = completions[rollouts[0].completion].author
    scores = {
        "pass_rate": round(c / n, 6), "n": n, "c": c, "unknown": len(rollouts) - n, "rollout_model": author,
        "sampler": sampler_of(settings.candidates),
    }  # fmt: skip
    return Example(make_id("example", task.id), task.parent, "", task.verifier, scores, task.id)


def sampler_of(settings: Candidates) -> str:
    """How rollouts were drawn, in words."""
    return f"temperature {settings.temperature:g}, max_tokens {settings.max_tokens}, seed {settings.seed}"


def pair_of(task: Task, trials: Sequence[Trial], completions: dict[str, Completion]) -> Iterator[Pair]:
    """A right and a wrong rollout of a task, the nearest in length; none where either is missing, cut off or empty."""
    rollouts = [trial for trial in trials if trial.completion and decided(trial)]
    whole = [(each.verdict, completions[each.completion]) for each in rollouts]
    right, wrong = (
        {each.text: each for verdict, each in whole if verdict == wanted and each.method == "rollout"}
        for wanted in ("accept", "reject")
    )
    offers = [
        (abs(token_count(one) - token_count(other)), make_id(task.id, one, other), one, other)
        for one in right
        for other in wrong
    ]
    for *_, one, other in sorted(offers)[:1]:
        chosen, rejected = right[one], wrong[other]
        yield Pair(make_id("pair", chosen.id, rejected.id), task.parent, chosen.id, rejected.id, 1.0, 0.0, 1.0)
