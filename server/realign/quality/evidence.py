"""What gates look at: the records of a run, or the rows of a dataset file, each read once and only when asked for.

    Evidence.of_run(run, settings)      everything a run's stages left in run.db
    Evidence.of_rows(rows, settings)    a dataset file: the rows alone, each with the scores it carries

A row is scored when it carries every judge's scores in both orders (`scores.judges`), as ReAlign's export writes them;
gaps and agreement are computed from those, never taken from the numbers beside them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from realign.quality.selected import Selected, as_text, select, text_of_row
from realign.records import (
    Claim,
    Completion,
    Difficulty,
    Document,
    Dropped,
    Example,
    Grounding,
    Judgment,
    Pair,
    Passage,
    Prompt,
    Rating,
    Reading,
    Task,
    Trial,
)
from realign.run import Run
from realign.settings import Select, Settings

JUDGES = ("expert", "user", "safety")
TOKEN = re.compile(r"\w+|[^\w\s]")


def token_count(text: str) -> int:
    """Words and punctuation marks: a tokenizer-free count for comparing lengths, the same for every model."""
    return len(TOKEN.findall(text))


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """A preference row with its judges' scores: {judge: ((chosen, rejected) straight, (chosen, rejected) swapped)}."""

    prompt: str
    chosen: str
    rejected: str
    judges: dict[str, tuple[tuple[float, float], tuple[float, float]]]

    def votes(self) -> list[int]:
        """One number a judge: 1 for chosen, -1 for rejected, 0 for a tie or a vote that flips with the order."""
        return [_vote(straight, swapped) for straight, swapped in self.judges.values()]

    def gap(self, weights: Select) -> float:
        """Weighted score of chosen minus that of rejected, in -1..1."""
        return sum(
            float(getattr(weights, f"weight_{judge}")) * (straight[0] + swapped[0] - straight[1] - swapped[1]) / 2
            for judge, (straight, swapped) in self.judges.items()
        )

    def is_scored(self) -> bool:
        """Every judge has scored both answers in both orders, with scores that are in 0..1."""
        scores = [score for both in self.judges.values() for order in both for score in order]
        return all(judge in self.judges for judge in JUDGES) and all(0.0 <= score <= 1.0 for score in scores)


def _vote(straight: tuple[float, float], swapped: tuple[float, float]) -> int:
    ahead = straight[0] - straight[1], swapped[0] - swapped[1]
    return 1 if min(ahead) > 0 else -1 if max(ahead) < 0 else 0


class Evidence:
    """Records, read lazily and kept. A dataset file has rows only; the rest is empty."""

    def __init__(
        self, settings: Settings, run: Run | None = None, rows: Sequence[dict[str, Any]] | None = None
    ) -> None:
        self.settings, self.run, self._rows = settings, run, rows

    @classmethod
    def of_run(cls, run: Run, settings: Settings) -> Evidence:
        """The records of a run as they are on disk now."""
        return cls(settings, run=run)

    @classmethod
    def of_rows(cls, rows: Sequence[dict[str, Any]], settings: Settings) -> Evidence:
        """The rows of a dataset file."""
        return cls(settings, rows=rows)

    def _records(self, kind: str) -> list[Any]:
        return list(self.run.records(kind)) if self.run else []

    @cached_property
    def documents(self) -> list[Document]:
        """Documents that were read."""
        return self._records("document")

    @cached_property
    def passages(self) -> dict[str, Passage]:
        """Passages by id."""
        return {passage.id: passage for passage in self._records("passage")}

    @cached_property
    def prompts(self) -> dict[str, Prompt]:
        """Prompts by id."""
        return {prompt.id: prompt for prompt in self._records("prompt")}

    @cached_property
    def completions(self) -> dict[str, Completion]:
        """Completions by id."""
        return {completion.id: completion for completion in self._records("completion")}

    @cached_property
    def judgments(self) -> list[Judgment]:
        """Judgments in order."""
        return self._records("judgment")

    @cached_property
    def pairs(self) -> list[Pair]:
        """Selected pairs, before filtering."""
        return self._records("pair")

    @cached_property
    def examples(self) -> list[Example]:
        """Selected records that are no pairs, before filtering."""
        return self._records("example")

    @cached_property
    def ratings(self) -> list[Rating]:
        """Ratings of single completions, in order."""
        return self._records("rating")

    @cached_property
    def difficulties(self) -> dict[str, Difficulty]:
        """Difficulties by completion."""
        return {each.completion: each for each in self._records("difficulty")}

    @cached_property
    def tasks(self) -> dict[str, Task]:
        """Tasks by id."""
        return {task.id: task for task in self._records("task")}

    @cached_property
    def task_of(self) -> dict[str, Task]:
        """Tasks by the prompt that poses them."""
        return {task.parent: task for task in self.tasks.values()}

    @cached_property
    def trials(self) -> list[Trial]:
        """Verifiers' verdicts, in order; for a dataset file, of its rows, verified when they are asked for."""
        from realign.quality.soundness import try_rows

        return self._records("trial") if self.run else try_rows(self.rows, self.settings.rlvr.seconds)

    @cached_property
    def claims(self) -> dict[str, Claim]:
        """Claims by id."""
        return {claim.id: claim for claim in self._records("claim")}

    @cached_property
    def groundings(self) -> list[Grounding]:
        """Judges' readings of claims, in order."""
        return self._records("grounding")

    @cached_property
    def readings(self) -> list[Reading]:
        """Measurements of models made by training stages, in order."""
        return self._records("reading")

    def readings_of(self, stage: str, metric: str, part: str | None = None) -> list[Reading]:
        """The readings of a stage's last attempt; of one part, or of all."""
        mine = [each for each in self.readings if each.stage == stage]
        last = max((each.attempt for each in mine), default=0)
        return [r for r in mine if r.attempt == last and r.metric == metric and part in (None, r.part)]

    @cached_property
    def selected(self) -> list[Selected]:
        """Selected pairs and examples with their texts, before filtering: examples first."""
        return select([*self.examples, *self.pairs], self.prompts, self.completions, self.tasks)

    @cached_property
    def kept(self) -> list[Selected]:
        """What was selected and no filter dropped."""
        dropped = {drop.record for stage, drop in self.drops if stage == "filter"}
        return [each for each in self.selected if each.id not in dropped]

    @cached_property
    def conversational(self) -> bool:
        """Whether some kept prompt has earlier turns: then all rows hold messages, since a column has one type."""
        return any(each.prompt.turns for each in self.kept)

    @cached_property
    def drops(self) -> list[tuple[str, Dropped]]:
        """(stage, drop) of the whole run."""
        return list(self.run.drops()) if self.run else []

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """What was exported, or what the dataset file holds; each with its split under "split" when it is known."""
        if self._rows is not None:
            return list(self._rows)
        return [{**row.data, "split": row.split, "part": row.part} for row in self._records("row")]

    @cached_property
    def comparisons(self) -> dict[frozenset[str], list[Judgment]]:
        """Judgments by the two completions that they compare."""
        found: dict[frozenset[str], list[Judgment]] = {}
        for judgment in self.judgments:
            found.setdefault(frozenset((judgment.first, judgment.second)), []).append(judgment)
        return found

    @cached_property
    def scored_pairs(self) -> list[ScoredRow]:
        """Selected pairs with their judgments, before filtering."""
        return [
            ScoredRow(
                self.prompts[pair.parent].asked,
                self.completions[pair.chosen].text,
                self.completions[pair.rejected].text,
                judges_of(pair, self.comparisons.get(frozenset((pair.chosen, pair.rejected)), ())),
            )
            for pair in self.pairs
        ]

    @cached_property
    def scored_rows(self) -> list[ScoredRow]:
        """Exported preference rows with the judges' scores that they carry."""
        return [_scored(row) for row in self.rows if "chosen" in row]

    @cached_property
    def texts(self) -> list[str]:
        """Prompt and answers of all that was selected, before anything was removed; else of every row there is."""
        curated = self.run is not None and self.run.noted("workflow", "curate") == "curate"
        return [each.text for each in self.selected] if curated else [text_of_row(row) for row in self.rows]


def judges_of(pair: Pair, judgments: Iterable[Judgment]) -> dict[str, tuple[tuple[float, float], tuple[float, float]]]:
    """The judges' scores as (chosen, rejected), whichever of the two was called first."""
    found = {}
    for judgment in judgments:
        turn: Callable[[tuple[float, float]], tuple[float, float]] = (
            (lambda s: s) if judgment.first == pair.chosen else (lambda s: (s[1], s[0]))
        )
        found[judgment.judge] = (turn(judgment.straight), turn(judgment.swapped))
    return {judge: found[judge] for judge in sorted(found)}


def _scored(row: dict[str, Any]) -> ScoredRow:
    """The row with the judges that scored both answers in both orders; a judge that did not is left out."""
    judges = (row.get("scores") or {}).get("judges") or {}
    orders = {name: [both.get(order) or () for order in ("straight", "swapped")] for name, both in judges.items()}
    whole = {name: (tuple(a), tuple(b)) for name, (a, b) in orders.items() if len(a) == len(b) == 2}
    prompt, chosen, rejected = (as_text(row[name]) for name in ("prompt", "chosen", "rejected"))
    return ScoredRow(prompt, chosen, rejected, whole)
