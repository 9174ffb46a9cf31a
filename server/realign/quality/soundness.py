"""Whether a verifier can be trusted with a task, from its trials: on right answers, on planted wrong ones, twice.

    fault_of(trials of one task, without its rollouts) -> "" or "planted “18.0” was accepted"

A dataset file has no trials: its rows are verified here for real, each reference with other forms of it and planted
wrong answers made anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from realign.records import Trial, make_id
from realign.verify import Check, Outcome, equivalents, perturbed, verify_all
from realign.verify.spec import plain_spec

FEWEST_WRONG = 5
RIGHT = ("reference", "equivalent")


def fault_of(trials: Sequence[Trial]) -> str:
    """Why a task is not verifiable, "" where it is: right answers accepted, five planted ones rejected, twice alike."""
    counts = Counter(trial.subject for trial in trials)
    for trial in trials:
        wanted = "accept" if trial.subject in RIGHT else "reject"
        if trial.verdict != trial.again:
            return f"two verdicts on one {trial.subject} answer"
        if trial.verdict != wanted:
            done = {"accept": "was accepted", "reject": "was rejected", "unknown": "could not be decided"}
            return f"a {trial.subject} answer {done[trial.verdict]}"
    if counts["reference"] != 1 or not counts["equivalent"] or counts["planted"] < FEWEST_WRONG:
        return "its reference has no other form, or too few wrong ones can be planted"
    return ""


def try_rows(rows: Sequence[dict[str, Any]], seconds: float, seed: int = 0) -> list[Trial]:
    """Trials of the rows of a dataset file, two verifications an answer, all of them run now."""
    asked = [
        (n, check, *each) for n, row in enumerate(rows) for check in [check_of(row)] for each in answers(check, seed)
    ]
    checks = [(check, text) for _, check, _, text in asked]
    both = zip(verify_all(checks, seconds), verify_all(checks, seconds), strict=True)
    return [_trial(n, kind, text, *outcomes) for (n, _, kind, text), outcomes in zip(asked, both, strict=True)]


def check_of(row: dict[str, Any]) -> Check:
    """The check of a row as ReAlign writes it: `verifier` holds its name and what it needs besides the answer."""
    return Check(row["verifier"]["name"], row["answer"], plain_spec(row["verifier"]))


def answers(check: Check, seed: int) -> Iterator[tuple[str, str]]:
    """(subject, text) of every answer that a check is tried on."""
    yield "reference", check.answer
    yield from (("equivalent", text) for text in equivalents(check))
    yield from (("planted", text) for text in perturbed(check, seed))


def _trial(row: int, kind: Any, text: str, once: Outcome, again: Outcome) -> Trial:
    name = make_id("trial", row, kind, text)
    seconds = max(once.seconds, again.seconds)
    return Trial(name, str(row), str(row), "", kind, text, once.verdict, again.verdict, seconds, once.detail)
