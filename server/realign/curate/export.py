"""Stage 6, export: the pairs that every filter kept become rows, split by source passage, in files.

    pairs -> rows -> train.jsonl, valid.jsonl, test.jsonl

All rows are committed in one batch; the files are then written from the records alone, each beside its place and
renamed, so a killed export leaves whole files or none and the same command writes the same bytes. Rows keep the order
of their pairs. TRL and mlx-lm-lora read `prompt`, `chosen` and `rejected`; the rest of a row says where it comes from.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from realign.errors import EmptyInput, UsageError
from realign.quality.evidence import Evidence, ScoredRow
from realign.records import Document, Pair, Passage, Row, make_id
from realign.run import Batch, Run, write_atomically
from realign.settings import Export
from realign.work import Work

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")
FIELDS = ("prompt", "chosen", "rejected", "id", "scores", "provenance")
FEWEST_TO_FILL_ALL = 10  # with this many groups of passages no split is left empty


def write_dataset(work: Work) -> Iterator[Batch]:
    """Commit the rows of every pair that was kept, then write the files. Raises EmptyInput when no pair was kept."""
    if not work.run.done(work.stage):
        evidence = Evidence.of_run(work.run, work.settings)
        rows = make_rows(evidence)
        if not rows:
            raise EmptyInput("No pair was kept", "at least one pair to export", "look at what the filters dropped")
        work.progress(None, len(rows), "writing files")
        yield Batch(done=[row.parent for row in rows], records=list(rows))
    write_splits(work.run)


def write_splits(run: Run) -> dict[Split, Path]:
    """Write the file of each split from the rows in the run; a split without rows is an empty file."""
    paths = {split: run.folder / f"{split}.jsonl" for split in SPLITS}
    for split, path in paths.items():
        write_atomically(path, (as_line(row) for row in run.records("row") if row.split == split))
    return paths


def is_written(run: Run) -> bool:
    """Whether the file of every split is there."""
    return all((run.folder / f"{split}.jsonl").is_file() for split in SPLITS)


def set_aside(folder: Path) -> None:
    """Rename dataset files whose rows are being made anew: nobody should train on what no record stands behind."""
    for split in SPLITS:
        path = folder / f"{split}.jsonl"
        if path.exists():
            path.replace(path.with_name(path.name + ".stale"))


def as_line(row: Row) -> str:
    """The row as one line of JSON, in the order of FIELDS."""
    return json.dumps({name: row.data[name] for name in FIELDS}, ensure_ascii=False) + "\n"


# -- rows ---------------------------------------------------------------------------------------------------------


def make_rows(evidence: Evidence) -> list[Row]:
    """A row for every pair that no filter dropped, in the order of the pairs."""
    dropped = {drop.record for stage, drop in evidence.drops if stage == "filter"}
    kept = [(p, s) for p, s in zip(evidence.pairs, evidence.scored_pairs, strict=True) if p.id not in dropped]
    passages = {evidence.prompts[pair.parent].parent for pair, _ in kept}
    documents = {document.id: document for document in evidence.documents}
    used = [evidence.passages[passage] for passage in sorted(passages)]
    splits = assign_splits(used, documents, evidence.settings.export)
    return [
        Row(
            make_id("row", pair.id), pair.id, splits[evidence.prompts[pair.parent].parent],
            {
                "prompt": scored.prompt, "chosen": scored.chosen, "rejected": scored.rejected,
                "id": make_id("row", pair.id), "scores": scores(pair, scored),
                "provenance": provenance(pair, evidence, documents),
            },
        )
        for pair, scored in kept
    ]  # fmt: skip


def scores(pair: Pair, scored: ScoredRow) -> dict[str, Any]:
    """The pair's weighted scores in 0..1, and what each judge gave (chosen, rejected) in each order."""
    judges = {
        judge: {"straight": list(straight), "swapped": list(swapped)}
        for judge, (straight, swapped) in scored.judges.items()
    }
    return {
        "chosen": round(pair.chosen_score, 6), "rejected": round(pair.rejected_score, 6), "gap": round(pair.gap, 6),
        "agreement": pair.agreement, "judges": judges,
    }  # fmt: skip


def provenance(pair: Pair, evidence: Evidence, documents: dict[str, Document]) -> dict[str, Any]:
    """Where a row comes from: file, page, characters and sentence; who wrote and judged it, and with which seed."""
    prompt = evidence.prompts[pair.parent]
    passage = evidence.passages[prompt.parent]
    document = documents[passage.parent]
    chosen, rejected = evidence.completions[pair.chosen], evidence.completions[pair.rejected]
    page = document.page_at(prompt.start)
    return {
        "source": document.name, "sha256": document.sha256, "page": page.number, "page_label": page.label,
        "span": [prompt.start, prompt.end], "quote": document.text[prompt.start : prompt.end],
        "headings": list(passage.headings), "passage": passage.id, "prompt_id": prompt.id,
        "chosen_id": chosen.id, "rejected_id": rejected.id, "author": plain_name(chosen.author),
        "rejected_method": rejected.method, "judge": plain_name(evidence.settings.judge.judge),
        "template": prompt.template, "seed": chosen.seed,
    }  # fmt: skip


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
