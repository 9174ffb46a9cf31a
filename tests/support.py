"""A small but complete DPO run, made of records that a test can read, and filled the way a run is: by Run.commit.

    run = build_run(tmp_path)                            40 pairs, all six stages
    run = build_run(tmp_path, until="filter")            nothing exported yet
    run = build_run(tmp_path, change=plant_a_fault)      change(batches) edits the batches before they are committed

Every number in it is made up, and so is what happened to each record: some are dropped at every stage, so that the
ledger has something to account for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

from realign import workflow
from realign.curate import export
from realign.quality.gates import worst
from realign.records import Completion, Document, Dropped, Judgment, Page, Pair, Passage, Prompt, Row, make_id
from realign.report.files import write_reports
from realign.run import Batch, Run
from realign.settings import Settings, parse_settings
from realign.work import Work

Batches = dict[str, Batch]
STAGES = ("source", "candidates", "judge", "select", "filter", "export")
SETTINGS: dict[str, Any] = {"gates": {"pairs_high": 100, "pairs_medium": 10}, "filter": {"benchmarks": []}}
KINDS = ("ferry", "fishing", "naval", "yacht", "river", "grain", "timber", "salt")
PROMPTS_A_PASSAGE = 2
DROPPED = {"candidates": 0, "select": 1, "filter": 2}  # stage -> the prompt that is lost there, by place


def build_run(
    folder: Path,
    pairs: int = 40,
    until: str = "export",
    settings: dict[str, Any] | None = None,
    change: Callable[[Batches], object] = lambda batches: None,
    **facts: Any,
) -> Run:
    """A run in a new folder of `folder`, with `pairs` pairs left after filtering and every stage up to `until` done."""
    run = Run.create(folder, "dpo", "harbors")
    start(run, SETTINGS if settings is None else settings)
    batches = make_batches(pairs, **facts)
    change(batches)
    for name in STAGES[: STAGES.index(until) + 1]:
        run_by_hand(run, name, [batches[name]] if name in batches else export.write_dataset(work_on(run, name)))
    if until == "export":
        write_reports(run)
    return run


def start(run: Run, settings: dict[str, Any]) -> None:
    """Note what a run is before its first stage."""
    run.note("workflow", "curate")
    run.note("data_type", "dpo")
    run.note("settings", settings)
    run.note("sources", [{"name": "harbors.md", "path": "harbors.md", "sha256": make_id("harbors.md") * 4}])


def work_on(run: Run, stage: str = "export") -> Work:
    """What a stage is given."""
    return Work(run, workflow.settings_of(run), stage)


def run_by_hand(run: Run, name: str, batches: Any) -> None:
    """Begin a stage, commit its batches, and end it with the status that its gates give."""
    stages, settings = workflow.stages_of(run), workflow.settings_of(run)
    place = STAGES.index(name)
    run.begin(name, place, workflow.fingerprints(run, settings)[name])
    for batch in batches:
        run.commit(name, batch)
    verdicts = workflow.judge_stage(run, stages[place], settings)
    run.end(name, workflow.STATUS_OF_TIER[worst(verdicts)])


def export_changed(run: Run, change: Callable[[list[Row]], list[Row]]) -> None:
    """Export with rows that were tampered with on their way into the run."""
    batch = next(export.write_dataset(work_on(run)))
    rows: list[Row] = list(batch.records)  # type: ignore[arg-type]
    run_by_hand(run, "export", [dataclasses.replace(batch, records=change(rows))])


def settings_of(values: dict[str, Any] | None = None) -> Settings:
    """The settings of a built run."""
    return parse_settings(SETTINGS if values is None else values)


# -- the records --------------------------------------------------------------------------------------------------


def make_batches(pairs: int, **facts: Any) -> Batches:
    """One batch for each of the five stages before export; pairs + 3 prompts, of which each later stage loses one."""
    prompts_wanted = pairs + len(DROPPED)
    document, passages = make_document(-(-prompts_wanted // PROMPTS_A_PASSAGE) + 1, **facts)
    prompts = [make_prompt(document, passage, n) for passage in passages[:-1] for n in range(PROMPTS_A_PASSAGE)]
    prompts = prompts[:prompts_wanted]
    answered = _without(prompts, "candidates")
    judged = _without(prompts, "candidates", "select")
    completions = [completion for prompt in answered for completion in make_completions(prompt)]
    chosen = [make_pair(prompt) for prompt in judged]
    return {
        "source": Batch(
            ["harbors.md"],
            [document, *passages, *prompts],
            [
                Dropped(passages[-1].id, "passage", "asking", "no sentence to ask about", passages[-1].text[:60]),
                *(Dropped(make_id("unclear", n), "prompt", "clarity", "points outside its passage") for n in range(3)),
            ],
            {"prompts asked": len(prompts) + 3},
        ),
        "candidates": _batch("candidates", prompts, completions, "prompt", "fewer than two different answers"),
        "judge": Batch([p.id for p in answered], [j for prompt in answered for j in make_judgments(prompt)]),
        "select": _batch("select", prompts, chosen, "prompt", "no gap of 0.15"),
        "filter": Batch(
            [pair.id for pair in chosen],
            drops=[Dropped(make_pair(prompts[DROPPED["filter"]]).id, "pair", "duplicates", "near duplicate", "0.91")],
        ),
    }


def _without(prompts: list[Prompt], *stages: str) -> list[Prompt]:
    lost = {DROPPED[stage] for stage in stages}
    return [prompt for place, prompt in enumerate(prompts) if place not in lost]


def _batch(stage: str, prompts: list[Prompt], records: list[Any], kind: str, reason: str) -> Batch:
    lost = prompts[DROPPED[stage]]
    return Batch([prompt.id for prompt in prompts], records, [Dropped(lost.id, kind, stage, reason)])


def sentences(place: int) -> tuple[str, str]:
    """Two sentences that are different for every place."""
    kind, name = KINDS[place % len(KINDS)], f"H{place}"
    return (
        f"The {kind} harbor {name} has a quay of {110 + 7 * place} meters that stands on {40 + 3 * place} oak piles.",
        f"A pilot of {name} waits {5 + place % 23} minutes after low water before the gates of lock {place + 2} open.",
    )


def make_document(passages: int, name: str = "harbors.md", title: str = "Harbors") -> tuple[Document, list[Passage]]:
    """A document of `passages` passages, two to a page, under two headings; labels of pages differ from numbers."""
    sha256, text, found, pages = make_id(name) * 4, "", [], []
    identity = make_id("document", sha256)
    for place in range(passages):
        body = " ".join(sentences(place))
        headings = (title, f"Quays and locks {place // 6 + 1}")
        start, end = len(text), len(text) + len(body)
        found.append(Passage(make_id(identity, place), identity, headings, start, end, place // 2 + 1, body))
        text += body + "\n\n"
        if place % 2 or place == passages - 1:
            begins = pages[-1].end if pages else 0
            pages.append(Page(len(pages) + 1, f"{len(pages) + 11}", begins, len(text), "read"))
    document = Document(identity, "", name, sha256, "text/markdown", title, "en", text, tuple(pages))
    return document, found


def make_prompt(document: Document, passage: Passage, n: int) -> Prompt:
    """A question about the nth sentence of a passage."""
    place, begins = _place(document, passage), 0 if n == 0 else len(sentences(_place(document, passage))[0]) + 1
    start = passage.start + begins
    end = start + len(sentences(place)[n])
    asked = (f"How long is the quay of H{place}?", f"When do the gates open for a pilot of H{place}?")[n]
    return Prompt(
        make_id(passage.id, n), passage.id, asked, "which-number/1", document.text[start:end], start, end, "extractive"
    )


def _place(document: Document, passage: Passage) -> int:
    return document.text[: passage.start].count("\n\n")


def make_completions(prompt: Prompt) -> list[Completion]:
    """The grounded answer, and two of the same length that are wrong by a number and by a denial."""
    right = prompt.focus
    wrong = right.replace("meters", "feet").replace("minutes", "hours")
    denied = right.replace(" has ", " lacks ").replace(" waits ", " leaves ")
    made = (("grounded", right), ("number", wrong), ("negation", denied))
    return [Completion(make_id(prompt.id, how), prompt.id, text, "extractive", how, 7) for how, text in made]


def make_judgments(prompt: Prompt) -> list[Judgment]:
    """Three judges on every two answers; all prefer the right one in both orders, by a varying margin."""
    found, spread = [], int(prompt.id[:4], 16) % 30 / 100
    penalties = {"grounded": 0.0, "number": 0.25 + spread, "negation": 0.2 + spread}
    for one, other in combinations(penalties, 2):
        first, second = make_id(prompt.id, one), make_id(prompt.id, other)
        for judge, best in (("expert", 0.95), ("user", 0.9), ("safety", 1.0)):
            scores = (round(best - penalties[one], 4), round(best - penalties[other], 4))
            found.append(Judgment(make_id(first, second, judge), prompt.id, first, second, judge, scores, scores))
    return found


def make_pair(prompt: Prompt) -> Pair:
    """The grounded answer over the one with the wrong number."""
    chosen, rejected = make_id(prompt.id, "grounded"), make_id(prompt.id, "number")
    score = {"expert": 0.95, "user": 0.9, "safety": 1.0}
    best = 0.35 * score["expert"] + 0.35 * score["user"] + 0.3 * score["safety"]
    gap = 0.25 + int(prompt.id[:4], 16) % 30 / 100
    return Pair(make_id(chosen, rejected), prompt.id, chosen, rejected, round(best, 4), round(best - gap, 4), 1.0)
