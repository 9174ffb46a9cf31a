"""A training stage tries, is measured, and where a gate rejects it goes back and tries again with the gate's remedy.

    for attempt in attempts(work, gates, knobs):
        yield train(attempt)          # one batch: checkpoint, readings, and done=[attempt.key]

Each attempt begins at the last passing checkpoint, never at the rejected one. There are three remedies at most; then
the stage's gates block. A killed stage goes on with the attempt that it was at: what the earlier ones were changed to
follows from their readings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from realign.quality.evidence import Evidence
from realign.quality.gates import Gate, Verdict, judge_gate
from realign.work import Work

MOST = 4  # the first attempt and three remedies
BONUS = 0.02  # the weight of a first entropy bonus
SFT_SHARE = 0.3
Knobs = Mapping[str, Any]  # hyper-parameters by name: what remedies turn


@dataclass(frozen=True, slots=True)
class Attempt:
    """One training from the last passing checkpoint. number counts from 1."""

    number: int
    knobs: Knobs

    @property
    def key(self) -> str:
        """What a batch says it has done."""
        return f"attempt {self.number}"


def attempts(work: Work, gates: Sequence[Gate], knobs: Knobs) -> Iterator[Attempt]:
    """Attempts to make, until the gates let one through or no remedy is left."""
    for number in range(1, MOST + 1):
        attempt = Attempt(number, knobs)
        if attempt.key not in work.run.done(work.stage):
            work.train_together(number)
            yield attempt
            work.say(f"measuring attempt {number}")
        rejected = [verdict for verdict in measure(work, gates) if verdict.tier == "REJECT"]
        changed, remedies = remedied(knobs, rejected)
        if not remedies or number == MOST:
            return
        if Attempt(number + 1, changed).key not in work.run.done(work.stage):
            tried = {"rejected": [str(verdict) for verdict in rejected], "remedies": remedies, "knobs": dict(changed)}
            work.run.event(work.stage, f"attempt {number} was rejected: {'; '.join(remedies)}", tried)
        knobs = changed


def measure(work: Work, gates: Sequence[Gate]) -> list[Verdict]:
    """The gates on what has been committed so far."""
    evidence = Evidence.of_run(work.run, work.settings)
    return [judge_gate(gate, evidence, work.stage) for gate in gates]


# -- remedies -------------------------------------------------------------------------------------------------------


def slower(knobs: Knobs) -> dict[str, Any]:
    """Half the learning rate, twice the beta."""
    return {"rate": knobs.get("rate", 1.0) / 2, "beta": knobs.get("beta", 0.1) * 2}


def fewer_epochs(knobs: Knobs) -> dict[str, Any]:
    """Half the steps."""
    return {"steps": knobs.get("steps", 1.0) / 2}


def longer(knobs: Knobs) -> dict[str, Any]:
    """Half as many steps more."""
    return {"steps": knobs.get("steps", 1.0) * 1.5}


def more_entropy(knobs: Knobs) -> dict[str, Any]:
    """Half the reward scale, twice the entropy bonus; a first bonus where there was none."""
    return {"reward_scale": knobs.get("reward_scale", 1.0) / 2, "entropy": max(BONUS, knobs.get("entropy", 0.0) * 2)}


def less_entropy(knobs: Knobs) -> dict[str, Any]:
    """Twice the reward scale, half the entropy bonus: there may be none to halve."""
    return {"reward_scale": knobs.get("reward_scale", 1.0) * 2, "entropy": knobs.get("entropy", 0.0) / 2}


def mix_in_sft(knobs: Knobs) -> dict[str, Any]:
    """30 % of SFT rows among the others, and half the learning rate."""
    return {"sft_share": max(SFT_SHARE, knobs.get("sft_share", 0.0)), "rate": knobs.get("rate", 1.0) / 2}


# In the order of danger: what is done about the first that was rejected. Training longer never answers a drift.
REMEDIES: tuple[tuple[str, str, Callable[[Knobs], dict[str, Any]]], ...] = (
    ("capability retention", "30 % SFT rows mixed in, half the learning rate", mix_in_sft),
    ("worst benchmark drop", "30 % SFT rows mixed in, half the learning rate", mix_in_sft),
    ("KL", "half the learning rate, twice the beta", slower),
    ("held-out loss falls", "half the learning rate", lambda knobs: {"rate": knobs.get("rate", 1.0) / 2}),
    ("entropy", "half the reward scale, twice the entropy bonus", more_entropy),
    ("entropy ceiling", "twice the reward scale, half the entropy bonus", less_entropy),
    ("overfitting", "half the steps", fewer_epochs),
    ("reward accuracy", "half as many steps more", longer),
    ("preference accuracy", "half as many steps more", longer),
    ("margin", "half as many steps more", longer),
)


def remedied(knobs: Knobs, rejected: Sequence[Verdict]) -> tuple[dict[str, Any], list[str]]:
    """(the knobs after the remedy of the most dangerous gate, what was done in words); unchanged where none is known.

    A gate that could not be decided has no remedy here: more training does not make records.
    """
    failed = {verdict.gate: verdict for verdict in rejected if verdict.decided}
    for gate, words, change in REMEDIES:
        if gate in failed:
            return {**knobs, **change(knobs)}, [f"{failed[gate]}: {words}"]
    rising = next((name for name in failed if name.endswith(" rises")), None)
    if rising:
        return {**knobs, **longer(knobs)}, [f"{failed[rising]}: half as many steps more"]
    return dict(knobs), []
