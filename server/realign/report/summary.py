"""What a run came to, as plain values: the same account for the terminal, the tools, the card and the page.

    summary = summarize(run)
    print(as_text(summary))

Every gate is measured again from the records; a stored verdict is never believed. A run that stopped early, or is
still going, is summarized as far as it came: the tier is that of the stages that have ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realign import workflow
from realign.curate.export import SPLITS, plain_name
from realign.quality import decisions
from realign.quality.gates import TIERS, Verdict, worst
from realign.quality.metrics import Measure
from realign.quality.selected import MAIN_FORM
from realign.report.conditions import NOT_MEASURED, cost_in_words, gather_in_force, in_force_lines, power_in_words
from realign.run import Run, StageState
from realign.settings import Settings

READER = "rolled out by the overlap reader, a weak reader by rules, no language model"
VERIFIERS = "verifiers"
EXTRACTIVE = "made from the document's own sentences by rules, no language model"
ENDED = ("passed", "warned", "blocked")
FILES = {
    "train": "train.jsonl", "valid": "valid.jsonl", "test": "test.jsonl", "preferences": "preferences/train.jsonl",
    "card": "README.md", "report": "report.html", "manifest": "manifest.json", "quarantine": "quarantine.jsonl",
    "evaluation": "evaluation.json", "model": "model",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Drop:
    """How many records of a kind a step of a stage dropped for one reason."""

    stage: str
    step: str
    kind: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Changed:
    """A setting that differs from its default."""

    name: str
    used: Any
    default: Any


@dataclass(frozen=True, slots=True)
class Summary:
    """The account of a run. text says it in one line; seconds are of work; None is what was not measured.

    tier: the worst gate of the stages that have ended, or "not measured" before the first has. examples counts
    exported rows. measured names the stages whose gates stand in verdicts. plan, cost and preflight are as the run
    noted them, in_force as its worker measured it; reviewed: the share of rows that a person overturned; readmitted:
    how many rows are there although a rule had dropped them; notes say what could not be found out.
    """

    text: str
    run: str
    folder: str
    data_type: str
    workflow: str
    model: str
    tier: str
    status: str
    next_stage: str
    stages: tuple[StageState, ...]
    measured: tuple[str, ...]
    examples: int
    splits: dict[str, int]
    machine: str
    batch_size: int | None
    seconds: float
    examples_per_second: float | None
    author: str
    judge: str
    origin: str
    verdicts: tuple[Verdict, ...]
    reviewed: Measure
    readmitted: int
    dropped: tuple[Drop, ...]
    changed: tuple[Changed, ...]
    plan: dict[str, Any]
    cost: dict[str, Any]
    in_force: dict[str, Any]
    preflight: list[dict[str, str]]
    paths: dict[str, str]
    notes: tuple[str, ...]


def summarize(run: Run) -> Summary:
    """Measure the gates again and gather what the run knows about itself. Reads only."""
    settings = workflow.settings_of(run)
    states = tuple(workflow.states(run))
    measured = tuple(state.name for state in states if has_ended(run, state.name))
    verdicts = measure_again(run, settings, measured)
    splits, plan, cost = count_splits(run), run.noted("plan", {}), run.noted("cost", {})
    seconds, examples = sum(run.stage(state.name).seconds for state in states), sum(splits.values())
    status, authors = overall(states), authors_of(run, settings)
    next_stage = next((state.name for state in states if state.status not in ("passed", "warned")), "")
    tier, judge = worst(verdicts) if measured else NOT_MEASURED, judge_of(run, settings)
    return Summary(
        text=one_line(run, tier, status, next_stage, examples, verdicts),
        run=run.id, folder=str(run.folder), data_type=run.noted("data_type", "dpo"),
        workflow=run.noted("workflow", "curate"), model=settings.model, tier=tier, status=status,
        next_stage=next_stage, stages=states, measured=measured, examples=examples, splits=splits,
        machine=str(cost.get("machine") or plan.get("machine") or NOT_MEASURED),
        batch_size=cost.get("batch_size") or plan.get("batch_size"), seconds=round(seconds, 3),
        examples_per_second=round(examples / seconds, 3) if examples and seconds else None,
        author=" and ".join(authors), judge=judge, origin=origin_of(run, authors, judge), verdicts=verdicts,
        reviewed=decisions.overturned(run), readmitted=decisions.count_readmitted(run), dropped=count_drops(run),
        changed=changes(settings), plan=plan, cost=cost,
        in_force=gather_in_force(run), preflight=run.noted("preflight", []), paths=paths_of(run),
        notes=workflow.what_is_gone(run),
    )  # fmt: skip


def has_ended(run: Run, name: str) -> bool:
    """True when a stage's records are all there; export commits its rows at once, before it has ended."""
    return run.stage(name).status in ENDED or (name == "export" and run.count("row") > 0)


def measure_again(run: Run, settings: Settings, names: tuple[str, ...]) -> tuple[Verdict, ...]:
    """The verdicts of the stages named, in order, from the records as they are now."""
    stages = [stage for stage in workflow.stages_of(run) if stage.name in names]
    return tuple(verdict for stage in stages for verdict in workflow.judge_stage(run, stage, settings))


def count_splits(run: Run) -> dict[str, int]:
    """Rows of the dataset itself in each split, as recorded."""
    query = (
        "SELECT json_extract(body, '$.split'), COUNT(*) FROM records"
        " WHERE kind = 'row' AND json_extract(body, '$.part') = 'rows' GROUP BY 1"
    )
    found = dict(run.db.execute(query))
    return {split: int(found.get(split, 0)) for split in SPLITS}


def count_drops(run: Run) -> tuple[Drop, ...]:
    """Every reason of every step, stages in the order of the workflow, the most frequent reason of a stage first."""
    order = [stage.name for stage in workflow.stages_of(run)]
    drops = [Drop(stage, step, kind, reason, n) for stage, step, kind, reason, n in run.drop_counts()]
    return tuple(sorted(drops, key=lambda d: (order.index(d.stage), -d.count, d.step, d.kind, d.reason)))


def changes(settings: Settings) -> tuple[Changed, ...]:
    """The settings that differ from their defaults, as section.name."""
    used, default = public(settings), public(Settings())
    found = [Changed("model", used["model"], default["model"])] if used["model"] != default["model"] else []
    for section, values in used.items():
        if isinstance(values, dict):
            pairs = ((name, value, default[section][name]) for name, value in values.items())
            found += [Changed(f"{section}.{name}", value, usual) for name, value, usual in pairs if value != usual]
    return tuple(found)


def public(settings: Settings) -> dict[str, Any]:
    """The settings as plain values that may leave this machine: models and files by name, without their folders."""
    values = settings.model_dump(mode="json")
    if values["model"].startswith(("/", "~", ".")):
        values["model"] = plain_name(values["model"])
    for section, name in (("source", "author"), ("candidates", "author"), ("judge", "judge"), ("sft", "ifd_model")):
        values[section][name] = plain_name(values[section][name])
    values["hardware"]["hosts"] = plain_name(values["hardware"]["hosts"])
    for section, name in (("filter", "evaluation_files"), ("evaluating", "benchmarks")):
        values[section][name] = [plain_name(file) for file in values[section][name]]
    return values


def authors_of(run: Run, settings: Settings) -> list[str]:
    """Who wrote the completions, as they say themselves, sorted; before there are any, who is going to."""
    query = "SELECT DISTINCT json_extract(body, '$.author') FROM records WHERE kind = 'completion'"
    return sorted({plain_name(author) for (author,) in run.db.execute(query)}) or [
        plain_name(settings.candidates.author)
    ]


def judge_of(run: Run, settings: Settings) -> str:
    """Who judges: verifiers where there are tasks, else the judge that the settings name."""
    return VERIFIERS if MAIN_FORM[run.noted("data_type", "dpo")] == "task" else plain_name(settings.judge.judge)


def origin_of(run: Run, authors: list[str], judge: str) -> str:
    """Who wrote and judged a dataset, or what a model was trained from."""
    if run.noted("workflow", "curate") == "curate":
        return (posed_by(run) if judge == VERIFIERS else "") + origin(authors, judge)
    model = plain_name(workflow.settings_of(run).model) or "a tiny model made on the spot"
    return f"{model}, trained on {', '.join(source['name'] for source in run.noted('sources', []))}"


def posed_by(run: Run) -> str:
    """Who posed the tasks, before there is a word about who answered them."""
    known = {"extractive": "posed by rules from the document's own sentences", "given": "posed by the dataset"}
    query = "SELECT DISTINCT json_extract(body, '$.author') FROM records WHERE kind = 'prompt'"
    posed = sorted({plain_name(author) for (author,) in run.db.execute(query)})
    return "".join(f"{known.get(author, f'posed by {author}')}; " for author in posed)


def origin(authors: list[str], judge: str) -> str:
    """Who wrote and who judged, in one honest sentence."""
    known = {"extractive": EXTRACTIVE, "given": "answers that the source brought along", "overlap reader": READER}
    written = " and ".join(known.get(author, f"written by {author}") for author in authors)
    judged = "judged by rules against the source" if judge == "extractive" else f"judged by {judge}"
    return f"{written}; {judged}"


def overall(states: tuple[StageState, ...]) -> str:
    """One word for the run: the first trouble in order, else running, waiting, warned or passed."""
    found = [state.status for state in states]
    for status in ("running", "blocked", "failed", "cancelled", "stale"):
        if status in found:
            return status
    return "waiting" if "waiting" in found else "warned" if "warned" in found else "passed"


def paths_of(run: Run) -> dict[str, str]:
    """The files that belong to the records: dataset files only while the run has rows."""
    known = {
        name: run.folder / file
        for name, file in FILES.items()
        if name not in (*SPLITS, "preferences") or run.count("row")
    }
    return {name: str(path) for name, path in known.items() if Path(path).exists()}


def one_line(run: Run, tier: str, status: str, next_stage: str, examples: int, verdicts: tuple[Verdict, ...]) -> str:
    """The run in one line: its tier with what decided it, how many examples, and what comes next."""
    aligned = run.noted("workflow", "curate") == "align"
    what = f"{run.noted('data_type', 'dpo')} {'alignment' if aligned else 'dataset'} {run.id}"
    weakest = [verdict for verdict in verdicts if verdict.tier == tier and tier != TIERS[0]]
    because = f" because of {', '.join(verdict.gate for verdict in weakest)}" if weakest else ""
    if aligned and not next_stage:
        return f"{what}: DEPLOY, every gate has let it through"
    if examples and not aligned:
        return f"{what}: tier {tier}{because}, {examples:,} examples"
    rest = f"; next is {next_stage}" if next_stage else ""
    so_far = f"tier {tier} so far{because}" if tier in TIERS else "no stage has ended"
    return f"{what}: {status}, {'not aligned' if aligned else 'no dataset'} yet, {so_far}{rest}"


# -- the terminal ---------------------------------------------------------------------------------------------------


def as_text(summary: Summary) -> str:
    """The summary for a terminal: aligned lines that end in the tier and the path of the training file."""
    lines = [summary.text, ""]
    lines += [f"  {name:<12}{value}" for name, value in figures(summary)]
    lines += ["", *gate_lines(summary.verdicts)]
    lines += [f"  remedy: {remedy}" for remedy in dict.fromkeys(v.remedy for v in summary.verdicts if v.remedy)]
    lines += [f"  note: {note}" for note in summary.notes]
    if summary.dropped:
        lines += ["", "Dropped"]
        lines += [f"  {drop.stage:<12}{drop.count:>7,} {drop.kind:<11}{drop.reason}" for drop in summary.dropped[:20]]
        lines += [f"  and {len(summary.dropped) - 20} more reasons, in the report"] * (len(summary.dropped) > 20)
    if summary.changed:
        lines += ["", "Settings changed"]
        lines += [f"  {each.name} = {each.used!r} (default {each.default!r})" for each in summary.changed]
    if summary.in_force:
        lines += ["", "In force in the worker", *(f"  {line}" for line in in_force_lines(summary.in_force))]
    lines += ["", f"Tier   {summary.tier}", "  ".join(result_of(summary))]
    return "\n".join(lines)


def result_of(summary: Summary) -> tuple[str, str]:
    """What the run was for, as (word, path)."""
    word, name = ("Model", "model") if summary.workflow == "align" else ("Train", "train")
    return word, summary.paths.get(name, "not written")


def figures(summary: Summary) -> list[tuple[str, str]]:
    """The facts of a run as (name, value in words), in the order in which they are shown."""
    splits = ", ".join(f"{split} {n:,}" for split, n in summary.splits.items())
    rate = "" if summary.examples_per_second is None else f", {summary.examples_per_second:,.1f} examples/s"
    shown = [
        ("Data type", summary.data_type),
        ("Workflow", f"{summary.workflow}, {summary.status}"),
        ("Model", summary.model or "none named"),
        ("Examples", f"{summary.examples:,} ({splits})" if summary.examples else "none"),
        ("Made", summary.origin),
        ("Reviewed", decisions.in_words(summary.reviewed)),
        ("Machine", summary.machine),
        ("Batch size", str(summary.batch_size or NOT_MEASURED)),
        ("Time", f"{duration(summary.seconds)}{rate}"),
        ("Cost", cost_in_words(summary.cost)),
    ]
    if summary.cost.get("watts") is not None:
        shown.append(("Power", power_in_words(summary.cost)))
    if summary.cost.get("basis"):
        shown.append(("Prices", str(summary.cost["basis"])))
    shown += [("Next", summary.next_stage)] if summary.next_stage else []
    return shown + [(name.capitalize(), path) for name, path in summary.paths.items() if name in ("card", "report")]


def gate_lines(verdicts: tuple[Verdict, ...]) -> list[str]:
    """One aligned line a gate: stage, gate, tier, and the measurement."""
    lines = []
    width = max([25, *(len(verdict.gate) + 1 for verdict in verdicts)])
    for verdict in verdicts:
        measurement = str(verdict).removeprefix(f"{verdict.gate}: ").replace(f": {verdict.tier}", "", 1)
        lines.append(f"  {verdict.stage:<12}{verdict.gate:<{width}}{verdict.tier:<8}{measurement}")
    return ["Gates", *lines] if lines else ["Gates", "  none measured yet"]


def duration(seconds: float) -> str:
    """Seconds as people say them: 0.8 s, 12 s, 3 min 20 s, 1 h 05 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
