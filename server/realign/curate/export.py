"""Stage 6, export: what every filter kept and no person rejected becomes rows, split by source passage, in files.

    pairs, examples -> rows -> train.jsonl, valid.jsonl, test.jsonl; pairs beside them -> preferences/train.jsonl ...

All rows are committed in one batch; the files are then written from the records alone, each beside its place and
renamed, so a killed export leaves whole files or none and the same command writes the same bytes. Rows keep the order
of their records. Trainers read the first fields of a row; the rest of it says where it comes from.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from realign.errors import EmptyInput, UsageError
from realign.quality import decisions
from realign.quality.evidence import Evidence, judges_of
from realign.quality.selected import FIELDS, Selected
from realign.records import Document, Dropped, Example, Pair, Part, Passage, Row, Split, make_id
from realign.run import Batch, Run, write_atomically
from realign.settings import Export, Settings
from realign.work import Work

SPLITS: tuple[Split, ...] = ("train", "valid", "test")
FOLDERS: dict[Part, str] = {"rows": ".", "preferences": "preferences"}
ORDER = (*dict.fromkeys(name for fields in FIELDS.values() for name in fields), "tools", "id", "scores", "provenance")
FEWEST_TO_FILL_ALL = 10  # with this many groups of passages no split is left empty


def inputs(run: Run, settings: Settings) -> str:
    """What a person rejected, and why."""
    return json.dumps(sorted(decisions.rejected(run).items()))


def write_dataset(work: Work) -> Iterator[Batch]:
    """Commit the rows of all that was kept, then write the files. Raises EmptyInput when nothing was kept."""
    if not work.run.done(work.stage):
        evidence = Evidence.of_run(work.run, work.settings)
        drops = list(rejected_by_hand(evidence, decisions.rejected(work.run)))
        rows = make_rows(evidence, work.run.noted("data_type", "dpo"), {drop.record for drop in drops})
        if not any(row.part == "rows" for row in rows):
            fix = "look at what the filters dropped" + (f"; a person rejected {len(drops):,}" if drops else "")
            raise EmptyInput("No row was kept", "at least one to export", fix)
        work.progress(None, len(rows), "writing files")
        yield Batch([*(row.parent for row in rows), *(drop.record for drop in drops)], list(rows), drops)
    write_splits(work.run)


def rejected_by_hand(evidence: Evidence, notes: dict[str, str]) -> Iterator[Dropped]:
    """A drop for each that the filters kept and a person rejected; notes maps its id to the person's note."""
    for each in evidence.kept:
        if each.id in notes:
            yield Dropped(each.id, each.record.kind, decisions.STAGE, decisions.REJECTED, notes[each.id])


def write_splits(run: Run) -> dict[tuple[Part, Split], Path]:
    """Write the files of each part from the rows in the run; a split without rows is an empty file.

    What was set aside before goes: the new files stand for the records.
    """
    rows: list[Row] = list(run.records("row"))
    written = {}
    for part in parts_of(rows):
        folder = run.folder / FOLDERS[part]
        folder.mkdir(exist_ok=True)
        for split in SPLITS:
            path = written[part, split] = folder / f"{split}.jsonl"
            write_atomically(path, (as_line(row) for row in rows if row.split == split and row.part == part))
    for part in FOLDERS:
        for split in SPLITS:
            stale_path(run.folder, part, split).unlink(missing_ok=True)
    return written


def parts_of(rows: Iterable[Row]) -> list[Part]:
    """The parts a dataset has, the rows themselves first."""
    found = {row.part for row in rows}
    return [part for part in FOLDERS if part in found or part == "rows"]


def is_written(run: Run) -> bool:
    """Whether the files of every split are there."""
    folders = [run.folder / FOLDERS[part] for part in parts_of(run.records("row"))]
    return all((folder / f"{split}.jsonl").is_file() for folder in folders for split in SPLITS)


def set_aside(folder: Path) -> None:
    """Rename dataset files whose rows are being made anew: nobody should train on what no record stands behind."""
    for part in FOLDERS:
        for split in SPLITS:
            path = folder / FOLDERS[part] / f"{split}.jsonl"
            if path.exists():
                path.replace(stale_path(folder, part, split))


def stale_path(folder: Path, part: Part, split: Split) -> Path:
    """Where a file is set aside."""
    return folder / FOLDERS[part] / f"{split}.jsonl.stale"


def as_line(row: Row) -> str:
    """The row as one line of JSON, what trainers read first."""
    return json.dumps({name: row.data[name] for name in ORDER if name in row.data}, ensure_ascii=False) + "\n"


# -- rows ---------------------------------------------------------------------------------------------------------


def make_rows(evidence: Evidence, data_type: str, without: Collection[str] = ()) -> list[Row]:
    """A row for everything that no filter dropped, in the order of the records, except the ids in `without`.

    These count when passages are split, so that a person's decision moves no other row to another split.
    """
    kept = evidence.kept
    documents = {document.id: document for document in evidence.documents}
    used = [evidence.passages[passage] for passage in sorted({each.prompt.parent for each in kept})]
    splits = assign_splits(used, documents, evidence.settings.export)
    return [
        Row(
            make_id("row", each.id), each.id, splits[each.prompt.parent], row_data(each, evidence, documents),
            each.part(data_type),
        )
        for each in kept if each.id not in without
    ]  # fmt: skip


def row_data(each: Selected, evidence: Evidence, documents: dict[str, Document]) -> dict[str, Any]:
    """What stands in the file: the fields of its form, and where they come from."""
    values = dict(zip(FIELDS[each.form], _fields(each, evidence), strict=True))
    if each.form == "chat" and each.prompt.tools:
        values["tools"] = list(each.prompt.tools)
    scores = pair_scores(each.record, evidence) if isinstance(each.record, Pair) else dict(each.record.scores)
    return {
        **values, "id": make_id("row", each.id), "scores": scores, "provenance": provenance(each, evidence, documents),
    }  # fmt: skip


def _fields(each: Selected, evidence: Evidence) -> tuple[Any, ...]:
    """Texts, or chat messages in the forms that TRL reads, where some prompt has earlier turns."""
    asked = each.prompt.messages if evidence.conversational else each.prompt.text
    said = [[{"role": "assistant", "content": text}] for text in each.answers]
    if each.form == "pair":
        return (asked, *said) if evidence.conversational else (asked, *each.answers)
    if isinstance(each.record, Example) and each.record.task:
        task = evidence.tasks[each.record.task]
        return asked, task.answer, {"name": task.verifier, **task.spec}
    return ([*each.prompt.messages, *said[0]],)


def pair_scores(pair: Pair, evidence: Evidence) -> dict[str, Any]:
    """The pair's weighted scores in 0..1, and what each judge gave (chosen, rejected) in each order.

    A pair of answers to a task has no judges but the task's verifier, which accepted one and rejected the other.
    """
    if task := evidence.task_of.get(pair.parent):
        return {"verifier": task.verifier, "chosen": "accept", "rejected": "reject"}
    both = frozenset((pair.chosen, pair.rejected))
    judges = {
        judge: {"straight": list(straight), "swapped": list(swapped)}
        for judge, (straight, swapped) in judges_of(pair, evidence.comparisons.get(both, ())).items()
    }
    return {
        "chosen": round(pair.chosen_score, 6), "rejected": round(pair.rejected_score, 6), "gap": round(pair.gap, 6),
        "agreement": pair.agreement, "judges": judges,
    }  # fmt: skip


def provenance(each: Selected, evidence: Evidence, documents: dict[str, Document]) -> dict[str, Any]:
    """Where a row comes from: file, page, characters and sentence; who wrote and judged it, and with which seed."""
    prompt = each.prompt
    passage = evidence.passages[prompt.parent]
    document = documents[passage.parent]
    page = document.page_at(prompt.start)
    return {
        "source": document.name, "sha256": document.sha256, "page": page.number, "page_label": page.label,
        "span": [prompt.start, prompt.end], "quote": document.text[prompt.start : prompt.end],
        "headings": list(passage.headings), "passage": passage.id, "prompt_id": prompt.id,
        **_answer_ids(each, evidence), "judge": judge_name(each, evidence), "template": prompt.template,
        **({"line": prompt.line} if prompt.line else {}),
    }  # fmt: skip


def judge_name(each: Selected, evidence: Evidence) -> str:
    """Who judged: the verifier of a task, else the settings' judge."""
    task = evidence.task_of.get(each.prompt.id)
    return f"verifier {task.verifier}" if task else plain_name(evidence.settings.judge.judge)


def _answer_ids(each: Selected, evidence: Evidence) -> dict[str, Any]:
    """Which records the answers are, and who wrote the one that is taught."""
    record = each.record
    if isinstance(record, Pair):
        taught, rejected = evidence.completions[record.chosen], evidence.completions[record.rejected]
        ids = {"chosen_id": record.chosen, "rejected_id": record.rejected, "rejected_method": rejected.method}
    elif record.task:
        return {"task_id": record.task, "category": record.category, "author": plain_name(each.prompt.author)}
    else:
        taught = evidence.completions[record.completion]
        ids = {"completion_id": record.completion, "method": taught.method, "category": record.category}
    return {**ids, "author": plain_name(taught.author), "seed": taught.seed}


def plain_name(author: str) -> str:
    """An author or judge without what is private in it: the last part of a path, an address without user or query."""
    if "://" in author:
        parts = urlsplit(author)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")
    return Path(author).name or author


# -- splits -------------------------------------------------------------------------------------------------------


def assign_splits(passages: Sequence[Passage], documents: dict[str, Document], settings: Export) -> dict[str, Split]:
    """The split of each passage by id; passages that share characters are always together.

    Groups of passages are put in the order of a hash of the seed, the document's SHA-256 and the passage's id; the
    first of them are for test, the next for valid, the rest for train. Raises UsageError for shares that exceed 1.
    """
    if settings.train < 0 or settings.valid < 0 or settings.train + settings.valid > 1:
        found = f"export.train is {settings.train:g} and export.valid is {settings.valid:g}"
        raise UsageError(found, "shares of 0 or more that add up to 1 at most; test is what they leave")
    groups = overlapping(passages)
    groups.sort(key=lambda group: make_id(settings.seed, documents[group[0].parent].sha256, group[0].id))
    test = _share_of(len(groups), 1 - settings.train - settings.valid)
    held_out = test + _share_of(len(groups), settings.valid)
    found_splits: dict[str, Split] = {}
    for place, group in enumerate(groups):
        split: Split = "test" if place < test else "valid" if place < held_out else "train"
        found_splits.update({passage.id: split for passage in group})
    return found_splits


def _share_of(groups: int, share: float) -> int:
    """How many of `groups` a split gets: the nearest whole number, and at least one where there are enough of them."""
    fewest = 1 if share > 1e-9 and groups >= FEWEST_TO_FILL_ALL else 0
    return max(fewest, round(groups * share))


def overlapping(passages: Iterable[Passage]) -> list[list[Passage]]:
    """Passages in groups: two whose characters overlap in the same document, even through a third, are in one."""
    groups: list[list[Passage]] = []
    document, end = "", 0
    for passage in sorted(passages, key=lambda p: (p.parent, p.start, p.end)):
        if passage.parent == document and passage.start < end:
            groups[-1].append(passage)
        else:
            groups.append([passage])
            end = 0
        document, end = passage.parent, max(end, passage.end)
    return groups
