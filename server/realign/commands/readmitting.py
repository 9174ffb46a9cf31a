"""The subcommand that brings dropped rows back: readmit."""

from __future__ import annotations

import argparse
from contextlib import closing
from dataclasses import asdict

from realign.commands.words import Add, place_of, say_json
from realign.run import Run


def add_to(add: Add) -> None:
    """Add it to the command."""
    command = add("readmit", readmit, "bring back rows that selection or a filter dropped, by hand and with a reason")
    command.add_argument("run", metavar="RUN")
    command.add_argument("records", nargs="+", metavar="ID", help="ids from quarantine.jsonl")
    command.add_argument("--reason", required=True, help="why, kept with the decision")
    command.add_argument("--by", default="", metavar="NAME", help="who decides (the user)")


def readmit(words: argparse.Namespace) -> int:
    """Keep a decision on each record; the stages that follow from them are run by `curate`."""
    from realign.quality.decisions import decide, what_it_overrides

    with closing(Run.open(place_of(words.run))) as run, run.writing("realign readmit"):
        for record in words.records:  # all or none
            what_it_overrides(run, record, keep=True)
        found = [decide(run, record, True, words.reason, words.by) for record in words.records]
        name = run.id
    if words.json:
        say_json({"run": name, "decisions": [asdict(decision) for decision in found]})
    else:
        rows = f"{len(found)} row" + "s" * (len(found) != 1)
        print(f"{rows} of {name} re-admitted. The same `realign curate` words measure them and write the dataset anew.")
    return 0
