"""The subcommands that make something: curate a dataset, align a model."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from realign.commands.words import Add, say_json
from realign.errors import Blocked, Interrupted, UsageError
from realign.job.process import carry_on

if TYPE_CHECKING:
    from realign.intake.request import Request
    from realign.report.summary import Summary
    from realign.run import Run

CODE_OF_STATUS = {"passed": 0, "warned": 0, "blocked": 3, "cancelled": 130}


def add_to(add: Add) -> None:
    """Add them to the command."""
    add_curate(add("curate", curate, "make a gated dataset from documents; the same words resume it"))
    add_align(add("align", align, "train a model on a dataset through seven gated stages; the same words resume it"))


def add_curate(command: argparse.ArgumentParser) -> None:
    """The words of `curate`."""
    command.add_argument("source", nargs="+", metavar="SOURCE", help="documents, or folders of them")
    command.add_argument("--type", default="", help="data type: dpo, sft, srf, rlvr or anti_hallucination")
    command.add_argument("--model", default="", help="the model the data is for: a folder or a name")
    command.add_argument("--author", default="", help="who writes: extractive, a model folder, http://HOST:PORT/v1")
    command.add_argument("--judge", default="", help="who judges: the same choices")
    add_shared(command, "filter.duplicate_jaccard=0.9")


def add_align(command: argparse.ArgumentParser) -> None:
    """The words of `align`."""
    command.add_argument(
        "--data", required=True, metavar="RUN_OR_FILE", help="a curated run, or rows: a file or a folder"
    )
    command.add_argument("--type", default="dpo", help="data type (dpo)")
    command.add_argument("--model", default="", help="a model folder or name; none for a tiny one made on the spot")
    command.add_argument("--hosts", default="", metavar="HOSTFILE", help="JSON: machines that train, this one first")
    add_shared(command, "training.schedule=400:1e-5")


def add_shared(command: argparse.ArgumentParser, example: str) -> None:
    """What both take. example: a setting."""
    command.add_argument("-o", "--output", default="", metavar="DIR", help="folder for the run's folder (.)")
    command.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help=example)
    command.add_argument("--stage", default="all", help="a stage, next, or all (all)")
    command.add_argument("--download", action="store_true", help="fetch a named model that is not on this disk")
    command.add_argument("--quiet", action="store_true", help="no progress")


def curate(words: argparse.Namespace) -> int:
    """Documents become a gated dataset."""
    from realign.intake.request import Request
    from realign.intake.roles import overrides

    return carry_out(words, Request(
        tuple(words.source), words.type or guess_type(words), words.model, words.author, words.judge,
        overrides(words.set), words.output, words.download,
    ))  # fmt: skip


def align(words: argparse.Namespace) -> int:
    """A model is trained on a dataset, with a gate at every stage; by several machines where there is a host file."""
    from realign.intake.request import Request
    from realign.intake.roles import overrides

    hosts = [f"hardware.hosts={json.dumps(words.hosts)}"] if words.hosts else []
    return carry_out(words, Request(
        (words.data,), words.type, words.model, settings=overrides([*words.set, *hosts]), output=words.output,
        download=words.download, workflow="align",
    ))  # fmt: skip


def carry_out(words: argparse.Namespace, request: Request) -> int:
    """Start the run that is asked for, or go on with it, and say what it came to. Ctrl-C and SIGTERM stop it."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return start_and_end(words, request)
    except KeyboardInterrupt:  # before there is a worker, or after it
        raise Interrupted("It was stopped", fix="the same command goes on where it stopped") from None


def start_and_end(words: argparse.Namespace, request: Request) -> int:
    """The run, its worker, and the answer."""
    from realign.intake.start import start_run, wanted_stage
    from realign.report.summary import as_text, summarize
    from realign.views.terminal import showing

    with closing(start_run(request)) as run:
        stage = wanted_stage(run, words.stage)
        print(f"realign: working in {run.folder}", file=sys.stderr)
        try:
            with showing(words.quiet) as show:
                carry_on(run.folder, stage, show)
        except Blocked as error:
            return say_blocked(error, run, words)
        summary = summarize(run)
    say_json(asdict(summary)) if words.json else print(as_text(summary))
    return code_of(summary, stage)


def say_blocked(error: Blocked, run: Run, words: argparse.Namespace) -> int:
    """Show the eight checks when it was the pre-flight that failed. Raises the error again in every other case."""
    from realign.hardware.preflight import Check, blocking
    from realign.views.preflight import as_table
    from realign.workflow import settings_of

    checks = [Check(**check) for check in run.noted("preflight", [])]
    if not (settings_of(run).hardware.hosts and blocking(checks)):
        raise error
    if not words.json:
        print(as_table(checks))
        raise error
    print(f"realign: {error}", file=sys.stderr)
    say_json(
        {"error": str(error), "kind": "Blocked", "exit_code": error.exit_code, "preflight": list(map(asdict, checks))}
    )
    return error.exit_code


def guess_type(words: argparse.Namespace) -> str:
    """The data type that the words themselves say; asks, with the candidates, where they don't."""
    from realign.intake.detect import detect, detect_file
    from realign.sources.rows import is_data_file

    rows = [Path(name) for name in words.source if is_data_file(Path(name))]
    found = detect_file(rows[0]) if rows else detect(" ".join(words.source))
    if found.data_type:
        return found.data_type
    raise UsageError("No data type was named", ", ".join(found.candidates), "--type dpo")


def code_of(summary: Summary, stage: str) -> int:
    """The exit code of a run, or of the one stage that was asked for."""
    states = {state.name: state.status for state in summary.stages}
    status = summary.status if stage == "all" else states.get(stage, "passed")
    return CODE_OF_STATUS.get(status, 1)
