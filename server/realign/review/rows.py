"""The rows to look through: every selected pair and example in a list that can be narrowed, ordered and walked.

    entries = read_entries(run)
    for entry in choose(entries, latest(run), View(show="dropped", order="weakest")): ...

The mixed order is by a hash of the ids, so that the first rows looked at are a fair sample of all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from realign.quality.evidence import Evidence
from realign.records import Decision, Dropped, Example, Pair, make_id
from realign.run import Run
from realign.settings import Settings

SPLITS = ("", "train", "valid", "test")
STRENGTHS = ("quality", "support", "pass_rate")  # an example's scores that say how good it is, the first it has


@dataclass(frozen=True, slots=True)
class Entry:
    """One pair or example. strength: its gap or quality, the lowest first in the order "weakest"; split: "" for none.

    mixed: its place in the mixed order. drop: why the filter dropped it, None for what was kept.
    """

    id: str
    mixed: str
    strength: float
    split: str
    drop: Dropped | None


Decisions = Mapping[str, Decision]
SHOWS: dict[str, tuple[str, ...]] = {  # choice -> the states it shows
    "undecided": ("undecided",),
    "kept": ("kept",),
    "rejected": ("rejected",),
    "all": ("undecided", "kept", "rejected"),
    "dropped": ("dropped",),
}
ORDERS: dict[str, Callable[[Entry], Any] | None] = {
    "mixed": lambda entry: entry.mixed,
    "weakest": lambda entry: entry.strength,
    "source": None,
}


def state_of(entry: Entry, decisions: Decisions) -> str:
    """dropped by the filter, else kept or rejected by a person, else undecided."""
    if entry.drop:
        return "dropped"
    decision = decisions.get(entry.id)
    return "undecided" if decision is None else "kept" if decision.keep else "rejected"


@dataclass(frozen=True, slots=True)
class View:
    """Which rows are looked through, and in which order. What is not in the tables means the default."""

    show: str = "undecided"
    split: str = ""
    order: str = "mixed"

    @classmethod
    def of(cls, words: Mapping[str, str]) -> View:
        """The view that the words of an address ask for."""
        allowed = {"show": SHOWS, "split": SPLITS, "order": ORDERS}
        return cls(**{name: words[name] for name, known in allowed.items() if words.get(name) in known})

    def address(self, at: str = "") -> str:
        """The page's address with this view, at one row."""
        return "/?" + urlencode({"show": self.show, "split": self.split, "order": self.order, "at": at})


def read_entries(run: Run) -> list[Entry]:
    """Every selected pair and example in the order of the records."""
    evidence = Evidence.of_run(run, Settings())
    drops = {drop.record: drop for stage, drop in evidence.drops if stage == "filter"}
    query = "SELECT parent, json_extract(body, '$.split') FROM records WHERE kind = 'row'"
    splits = dict(run.db.execute(query))
    records: list[Pair | Example] = [*evidence.examples, *evidence.pairs]
    return [
        Entry(each.id, make_id("review", each.id), strength_of(each), splits.get(each.id, ""), drops.get(each.id))
        for each in records
    ]


def strength_of(record: Pair | Example) -> float:
    """A pair's gap, or an example's quality; its first number where it has no score of a known name, else 1."""
    if isinstance(record, Pair):
        return record.gap
    scores = {name: float(value) for name, value in record.scores.items() if isinstance(value, int | float)}
    named = next((scores[name] for name in STRENGTHS if name in scores), None)
    return named if named is not None else next(iter(scores.values()), 1.0)


def choose(entries: Sequence[Entry], decisions: Decisions, view: View) -> list[Entry]:
    """The entries of a view, in its order."""
    states, order = SHOWS[view.show], ORDERS[view.order]
    found = [e for e in entries if state_of(e, decisions) in states and view.split in ("", e.split)]
    return sorted(found, key=order) if order else found


def count_shows(entries: Sequence[Entry], decisions: Decisions, split: str) -> dict[str, int]:
    """How many entries each choice of `show` has within a split."""
    counts = Counter(state_of(entry, decisions) for entry in entries if split in ("", entry.split))
    return {show: sum(counts[state] for state in states) for show, states in SHOWS.items()}


def neighbors(chosen: Sequence[Entry], at: str) -> tuple[int, str, str]:
    """(place from 1, id before, id after) of a row in a list; place 0 where it is not in it, "" where there is none."""
    ids = [entry.id for entry in chosen]
    if at not in ids:
        return 0, "", ids[0] if ids else ""
    place = ids.index(at)
    return place + 1, ids[place - 1] if place else "", ids[place + 1] if place + 1 < len(ids) else ""
