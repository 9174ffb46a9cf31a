"""Stage 4, select: from a prompt's judged completions, one pair whose gap is wide enough and whose winner is clear.

The chosen answer is the one with the best weighted score; the rejected one is the answer that most judges put behind
it, and among those the one nearest to it in length and then in score: a hard negative, not an easy one. An existing
pair is never turned round. A prompt that a person re-admitted gives its best pair, however narrow, an existing one as
it came; the gates measure it with the rest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from realign.curate.given import METHODS
from realign.quality import decisions
from realign.quality.evidence import JUDGES, token_count
from realign.records import Completion, Dropped, Judgment, Pair, make_id
from realign.run import Batch, Run
from realign.settings import Select, Settings
from realign.work import Work

GIVEN_CHOSEN, GIVEN_REJECTED = METHODS


def inputs(run: Run, settings: Settings) -> str:
    """What a person re-admits."""
    return decisions.identity(run, "select")


def choose_pairs(work: Work) -> Iterator[Batch]:
    """At most one pair a prompt; prompts without a clear pair are dropped with the reason."""
    completions = {completion.id: completion for completion in work.run.records("completion")}
    judgments = judgments_of(work.run)
    seen, batch, spared = work.run.done(work.stage), Batch(), decisions.readmitted(work.run, "select")
    for prompt, found in judgments.items():
        if prompt in seen:
            continue
        chosen = choose(found, completions, work.settings.select, prompt in spared)
        if isinstance(chosen, Pair):
            batch.records.append(chosen)
        else:
            batch.drops.append(Dropped(prompt, "prompt", "select", chosen))
        batch.done.append(prompt)
    work.progress(None, len(judgments), "pairs chosen")
    yield batch


def judgments_of(run: Run) -> dict[str, list[Judgment]]:
    """The judgments of each prompt, in order."""
    judgments: defaultdict[str, list[Judgment]] = defaultdict(list)
    for judgment in run.records("judgment"):
        judgments[judgment.parent].append(judgment)
    return judgments


def choose(
    judgments: Sequence[Judgment], completions: dict[str, Completion], settings: Select, readmitted: bool = False
) -> Pair | str:
    """The best pair of one prompt, or why there is none. readmitted: floors do not count, a person wants it."""
    scores = weighted_scores(judgments, settings)
    if not scores:
        return "not every judge scored it"
    methods = {completions[completion].method: completion for completion in scores}
    best = max(scores, key=lambda key: (scores[key], key))
    if readmitted:
        best = methods.get(GIVEN_CHOSEN, best)
    if scores[best] < settings.chosen_floor and not readmitted:
        return f"best answer scores under {settings.chosen_floor:g}"
    length = token_count(completions[best].text)
    offers = []
    for other in scores:
        votes = [j.vote() for j in judgments if {j.first, j.second} == {best, other}]
        gap = scores[best] - scores[other]
        if other == best or len(votes) < len(JUDGES) or (gap < settings.minimum_gap and not readmitted):
            continue
        won = sum(vote == best for vote in votes) / len(votes)
        apart = abs(token_count(completions[other].text) - length)
        offers.append((-won, apart > 0.25 * length, gap, other))
    if not offers:
        return f"gap below {settings.minimum_gap:g}"
    if completions[best].method == GIVEN_REJECTED:
        return "the judges prefer the answer given as rejected"
    lost, _, _, other = min(offers)
    if -lost <= 0.5 and not readmitted:
        return "the judges do not agree on a winner"
    identity = make_id("pair", best, other)
    return Pair(identity, judgments[0].parent, best, other, scores[best], scores[other], -lost)


def weighted_scores(judgments: Sequence[Judgment], settings: Select) -> dict[str, float]:
    """Each completion's score in 0..1: the mean over its comparisons and orders, weighted over the judges.

    Completions that some judge never scored are left out.
    """
    given: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for judgment in judgments:
        for place, completion in enumerate((judgment.first, judgment.second)):
            given[completion][judgment.judge] += [judgment.straight[place], judgment.swapped[place]]
    return {
        completion: sum(
            getattr(settings, f"weight_{judge}") * sum(values) / len(values) for judge, values in by_judge.items()
        )
        for completion, by_judge in given.items()
        if set(JUDGES) <= by_judge.keys()
    }
