"""The subcommand with which a person looks through a run's rows: review."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
import webbrowser
from contextlib import closing, suppress
from dataclasses import asdict

from realign.commands.making import code_of
from realign.commands.words import Add, place_of, say_json
from realign.job.process import carry_on
from realign.run import Run


def add_to(add: Add) -> None:
    """Add it to the command."""
    command = add("review", review, "look through a run's rows in the browser; keep or reject each by a key")
    command.add_argument("run", metavar="RUN")
    command.add_argument("--port", type=int, default=0, metavar="N", help="port on 127.0.0.1 (any that is free)")
    command.add_argument("--no-browser", action="store_true", help="print the address, open nothing")
    command.add_argument("--apply", action="store_true", help="write the dataset again with what was decided, and end")


def review(words: argparse.Namespace) -> int:
    """Decisions by eye, on a page; with --apply the dataset that follows from them."""
    with closing(Run.open(place_of(words.run))) as run:
        return apply(run, words) if words.apply else look_through(run, words)


def look_through(run: Run, words: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C, then say what was decided and how to write it."""
    from realign.quality.decisions import in_words, overturned
    from realign.review.app import serve

    def opened(address: str) -> None:
        print(f"Review {run.id}: {address}\nCtrl-C ends it. Decisions are kept as you take them.", file=sys.stderr)
        if not words.no_browser and has_screen():
            webbrowser.open(address)

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        serve(run, words.port, opened)
    measure, command = overturned(run), f"realign review {shlex.quote(words.run)} --apply"
    if words.json:
        say_json({"run": run.id, "reviewed": asdict(measure), "write_the_dataset": command})
    else:
        print(f"\n{in_words(measure).capitalize()}\nTo write the dataset with your decisions: {command}")
    return 0


def apply(run: Run, words: argparse.Namespace) -> int:
    """Run what the decisions made stale, which writes the dataset, its card and its report."""
    from realign.report.summary import as_text, summarize
    from realign.views.terminal import showing

    with showing(words.json) as show:
        carry_on(run.folder, "all", show)
    summary = summarize(run)
    say_json(asdict(summary)) if words.json else print(as_text(summary))
    return code_of(summary, "all")


def has_screen() -> bool:
    """Whether a browser can open a window: elsewhere Python would start one inside this terminal."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
