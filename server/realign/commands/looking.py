"""The subcommands that look: detect, check, summarize, runs, show."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from realign.commands.words import Add, place_of, say_json
from realign.intake.runs import known_runs
from realign.run import DATABASE, Run, is_file

if TYPE_CHECKING:
    from realign.views.check import Checked


def add_to(add: Add) -> None:
    """Add them to the command."""
    command = add("detect", detect, "what a request in your own words asks for")
    command.add_argument("text", nargs="+", help="the request, or the path of a data file")
    command = add("check", check, "measure every gate again, from the records on disk")
    command.add_argument("what", metavar="RUN_OR_FILE", help="a run's id or folder, or a dataset file")
    kinds = "dpo, sft, srf, rlvr or anti_hallucination (dpo)"
    command.add_argument("--type", default="dpo", help=f"data type of the file: {kinds}")
    command.add_argument("--model", default="", help="judges and measures the rows of a file: a folder, or http://...")
    command.add_argument("--stage", default="all", help="one stage of the run (all)")
    command = add("summarize", summarize, "the account of a run")
    command.add_argument("run", metavar="RUN")
    add("runs", runs, "the runs you have started, with their status")
    command = add("show", show, "one stage of a run: counts, gates, drops by reason, a few records")
    command.add_argument("run", metavar="RUN")
    command.add_argument("stage", metavar="STAGE")
    command.add_argument("--records", type=int, default=3, metavar="N", help="how many records of each kind (3)")


def detect(words: argparse.Namespace) -> int:
    """What a request asks for."""
    from dataclasses import asdict

    from realign.intake.detect import detect as find
    from realign.intake.detect import detect_file

    text = " ".join(words.text)
    found = detect_file(Path(text)) if is_file(text) else find(text)
    if words.json:
        say_json(asdict(found))
        return 0
    print(found.question or f"{found.data_type} (confidence {found.confidence:.2f})")
    for name in ("model", "sources", "output", "examples", "workflow", "skill"):
        if value := getattr(found, name):
            print(f"  {name:<10}{', '.join(value) if isinstance(value, tuple) else value}")
    print(f"  {'evidence':<10}{', '.join(f'{word} ({kind})' for word, kind, _ in found.evidence) or 'none'}")
    return 0


def check(words: argparse.Namespace) -> int:
    """Every gate, measured again."""
    from realign.views.check import check_file, check_run
    from realign.views.results import gates_result

    path = Path(words.what).expanduser()
    if is_file(path) and path.name != DATABASE:
        checked, what = check_file(path, words.type, model=words.model), path.name
    else:
        with closing(Run.open(place_of(words.what))) as run:
            checked, what = check_run(run, words.stage), run.id
    if words.json:
        say_json(gates_result(checked, what).model_dump(mode="json"))
    else:
        print(checked_as_text(checked, what))
    return 3 if checked.tier == "REJECT" else 1 if checked.tier is None or checked.bad_rows else 0


def checked_as_text(checked: Checked, what: str) -> str:
    """A table of verdicts, then remedies, notes and the tier."""
    from realign.report.summary import gate_lines

    remedies = dict.fromkeys(verdict.remedy for verdict in checked.verdicts if verdict.remedy)
    lines = gate_lines(checked.verdicts) + [f"  remedy: {remedy}" for remedy in remedies]
    lines += [f"  note: {note}" for note in checked.notes]
    return "\n".join([*lines, "", f"Tier   {checked.tier or 'not measured'}   {what}"])


def summarize(words: argparse.Namespace) -> int:
    """The account of a run."""
    from dataclasses import asdict

    from realign.report.summary import as_text
    from realign.report.summary import summarize as sum_up

    with closing(Run.open(place_of(words.run))) as run:
        summary = sum_up(run)
    say_json(asdict(summary)) if words.json else print(as_text(summary))
    return 0


def runs(words: argparse.Namespace) -> int:
    """The runs that this user knows."""
    from realign.job.progress import Watch, run_lines

    if not words.json:
        print("\n".join(run_lines(known_runs())) or "No run yet: realign curate SOURCE --type dpo")
        return 0
    found = []
    for folder in known_runs():
        with Watch(folder) as watch:
            progress = watch.look()
            found.append(
                {"run": folder.name, "folder": str(folder), "stage": progress.stage, "status": progress.status}
            )
    say_json({"runs": found})
    return 0


def show(words: argparse.Namespace) -> int:
    """One stage of a run: counts, gates, drops by reason, and a few of its records."""
    from realign.views.look import look_as_text, look_at

    with closing(Run.open(place_of(words.run))) as run:
        seen = look_at(run, words.stage, words.records)
    say_json(seen) if words.json else print(look_as_text(seen))
    return 0
