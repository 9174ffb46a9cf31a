"""What a person needs to judge one row: its texts with differences marked, its scores, and its place in the source.

    item = make_item(run, settings, entry, documents)

Only the records of this row are read, so that a run of any size shows a row in milliseconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from realign.curate.export import pair_scores
from realign.quality.evidence import Evidence
from realign.quality.selected import Selected, select
from realign.records import Difficulty, Document, Example, Grounding, Pair, Rating, Task, Trial, decode
from realign.report.samples import Sample, make_sample
from realign.review.rows import Entry
from realign.run import Run
from realign.settings import Settings

EVIDENCE = ("judgment", "rating", "difficulty", "trial", "grounding", "claim")  # what hangs on a prompt or a passage
Documents = dict[str, Document]


@dataclass(frozen=True, slots=True)
class Table:
    """Scores or verdicts as words, a line each."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One row on the page. The passage is before + sample.quote + after, verbatim; place is its page, or its line."""

    entry: Entry
    sample: Sample
    place: str
    before: str
    after: str
    tables: tuple[Table, ...]


def make_item(run: Run, settings: Settings, entry: Entry, documents: Documents) -> Item:
    """Gather one row. documents: those that were read already, filled as needed. Raises KeyError for a lost record."""
    evidence, each = read_row(run, settings, entry, documents)
    passage = evidence.passages[each.prompt.parent]
    text, sample = evidence.documents[0].text, make_sample(evidence, each, entry.split)
    return Item(
        entry, sample, f"{'line' if passage.role == 'given' else 'page'} {sample.page}",
        text[passage.start : each.prompt.start], text[each.prompt.end : passage.end], tuple(tables_of(each, evidence)),
    )  # fmt: skip


def read_row(run: Run, settings: Settings, entry: Entry, documents: Documents) -> tuple[Evidence, Selected]:
    """The records of one row as evidence: the row, its answers, whatever was measured on them, and where it is from."""
    record = next((found for kind in ("pair", "example") if (found := find(run, kind, entry.id))), None)
    if record is None:
        raise KeyError(entry.id)
    prompt = find(run, "prompt", record.parent)
    passage = find(run, "passage", prompt.parent)
    if passage.parent not in documents:
        documents[passage.parent] = find(run, "document", passage.parent)
    ids = (record.chosen, record.rejected) if isinstance(record, Pair) else (record.completion,)
    completions = {each: find(run, "completion", each) for each in ids if each}
    task = find(run, "task", record.task) if isinstance(record, Example) and record.task else None
    tasks, measured = {task.id: task} if task else {}, children(run, prompt.id, passage.id)
    evidence = Evidence(settings)
    vars(evidence).update(  # what Evidence would read of the whole run
        documents=[documents[passage.parent]], passages={passage.id: passage}, prompts={prompt.id: prompt},
        completions=completions, tasks=tasks, judgments=measured["judgment"], ratings=measured["rating"],
        difficulties={each.completion: each for each in measured["difficulty"]}, trials=measured["trial"],
        groundings=measured["grounding"], claims={each.id: each for each in measured["claim"]},
    )  # fmt: skip
    return evidence, select([record], evidence.prompts, completions, tasks)[0]


def find(run: Run, kind: str, identity: str) -> Any:
    """A record by its id, None where there is none."""
    row = run.db.execute("SELECT body FROM records WHERE id = ? AND kind = ?", (identity, kind)).fetchone()
    return decode(kind, row[0]) if row else None


def children(run: Run, *parents: str) -> dict[str, list[Any]]:
    """By kind, what was measured or claimed about these parents, in order."""
    marks = ", ".join("?" * len(EVIDENCE))
    query = f"SELECT kind, body FROM records WHERE kind IN ({marks}) AND parent IN (?, ?) ORDER BY seq"
    found: dict[str, list[Any]] = {kind: [] for kind in EVIDENCE}
    for kind, body in run.db.execute(query, (*EVIDENCE, *parents)):
        found[kind].append(decode(kind, body))
    return found


# -- scores in words ----------------------------------------------------------------------------------------------


def tables_of(each: Selected, evidence: Evidence) -> Iterator[Table]:
    """What was measured on this row, a table a kind; nothing for what was not."""
    record = each.record
    if isinstance(record, Pair):
        yield of_judges(record, evidence)
    elif record.task:
        yield of_task(evidence.tasks[record.task])
    taught = record.chosen if isinstance(record, Pair) else record.completion
    tables = (
        Table("Tools that may be called", ("",), tuple((_plain(tool),) for tool in each.prompt.tools)),
        of_ratings(evidence.ratings, evidence), of_difficulty(evidence.difficulties.get(taught)),
        of_groundings(evidence.groundings, taught, evidence), of_trials(evidence.trials, record),
    )  # fmt: skip
    yield from (table for table in tables if table.rows)


def of_judges(pair: Pair, evidence: Evidence) -> Table:
    """Each judge's scores of both answers, in both orders."""
    judges = pair_scores(pair, evidence).get("judges", {}).items()
    rows = (
        (judge, *(f"{both['straight'][n]:.2f} · {both['swapped'][n]:.2f}" for n in (0, 1))) for judge, both in judges
    )
    shown = f"Scores in both orders, gap {pair.gap:.2f}"
    return Table(shown, ("judge", "chosen", "rejected"), tuple(rows))


def of_task(task: Task) -> Table:
    """What the verifier is given."""
    spec = [(name, _plain(value)) for name, value in task.spec.items()]
    return Table("Verifier", ("", ""), (("name", task.verifier), ("answer", task.answer), *spec))


def of_ratings(ratings: list[Rating], evidence: Evidence) -> Table:
    """Each judge's rating of each answer that is shown, and what it was put together from."""
    rows = (
        (each.judge, f"{each.score:.2f}", ", ".join(f"{name} {value:.2f}" for name, value in each.criteria.items()))
        for each in ratings
        if each.completion in evidence.completions
    )
    return Table("Ratings", ("judge", "score", "criteria"), tuple(rows))


def of_difficulty(found: Difficulty | None) -> Table:
    """Losses with and without the prompt, and both forms of IFD."""
    if found is None:
        return Table("", (), ())
    losses = f"{found.given:.3f}", f"{found.alone:.3f}", f"{found.ifd_loss:.3f}", f"{found.ifd_ppl:.3f}"
    columns = ("model", "tokens", "loss given prompt", "loss alone", "IFD of losses", "IFD of perplexities")
    return Table("Difficulty", columns, ((found.model.rpartition("/")[2], f"{found.tokens:,}", *losses),))


def of_groundings(groundings: list[Grounding], taught: str, evidence: Evidence) -> Table:
    """Each claim of the answer, how far it is supported, and the words it cites."""
    text = evidence.documents[0].text
    rows = (
        (
            evidence.claims[each.claim].text if each.claim in evidence.claims else each.claim, f"{each.support:.2f}",
            text[each.start : each.end] or "nothing cited", each.judge,
            "none stated" if each.confidence is None else f"{each.confidence:.0%}",
        )
        for each in groundings if each.completion == taught
    )  # fmt: skip
    return Table("Claims", ("claim", "support", "cited", "judge", "confidence"), tuple(rows))


def of_trials(trials: list[Trial], record: Pair | Example) -> Table:
    """The verifier's verdicts on answers to this task, each run twice."""
    rows = (
        (each.subject, each.text, each.verdict, each.again, each.detail)
        for each in trials
        if isinstance(record, Example) and each.task == record.task
    )
    return Table("Trials of the verifier", ("what", "answer", "verdict", "again", "detail"), tuple(rows))


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
