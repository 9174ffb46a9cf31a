"""The command `realign`: one thin function a subcommand.

    realign curate book.pdf --type dpo -o out
    realign --help

Progress goes to stderr, the answer to stdout. Exit codes: 0 passed, 1 failed, 2 usage, 3 blocked by a gate, 130
interrupted. Whatever is heavy is imported inside the functions, so that --help is quick.
"""

from __future__ import annotations

import argparse
import json
import signal
import sqlite3
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realign import __version__
from realign.errors import RealignError, UsageError
from realign.intake.runs import find_run, known_runs
from realign.job.process import carry_on
from realign.run import DATABASE, Run, is_file, storage_error

if TYPE_CHECKING:
    from realign.report.summary import Summary
    from realign.views.check import Checked

EPILOG = "exit codes: 0 passed, 1 failed, 2 usage, 3 blocked by a gate, 130 interrupted"
CODE_OF_STATUS = {"passed": 0, "warned": 0, "blocked": 3, "cancelled": 130}


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the words say; gives the exit code."""
    words = parser().parse_args(arguments)
    try:
        code: int = words.act(words)
        sys.stdout.flush()
    except RealignError as error:
        return complain(error, words)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `realign show ... | head`
        sys.stderr.close()
        return 0
    except (OSError, sqlite3.Error) as error:
        return complain(storage_error(error), words)
    return code


def complain(error: RealignError, words: argparse.Namespace) -> int:
    """Say an error in words, or as JSON where that was asked for; gives its exit code."""
    print(f"realign: {error}", file=sys.stderr)
    if getattr(words, "json", False):
        say_json({"error": str(error), "kind": type(error).__name__, "exit_code": error.exit_code})
    return error.exit_code


def say_json(value: Any) -> None:
    """Print one JSON object."""
    print(json.dumps(value, ensure_ascii=False, indent=1, default=str))


# -- the subcommands ----------------------------------------------------------------------------------------------


def curate(words: argparse.Namespace) -> int:
    """Documents become a gated dataset."""
    from dataclasses import asdict

    from realign.intake.request import Request
    from realign.intake.roles import overrides
    from realign.intake.start import start_run, wanted_stage
    from realign.report.summary import as_text, summarize
    from realign.views.terminal import showing

    request = Request(
        tuple(words.source), words.type or guess_type(words), words.model, words.author, words.judge,
        overrides(words.set), words.output, words.download,
    )  # fmt: skip
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with closing(start_run(request)) as run:
        stage = wanted_stage(run, words.stage)
        print(f"realign: working in {run.folder}", file=sys.stderr)
        with showing(words.quiet) as show:
            carry_on(run.folder, stage, show)
        summary = summarize(run)
    say_json(asdict(summary)) if words.json else print(as_text(summary))
    return code_of(summary, stage)


def guess_type(words: argparse.Namespace) -> str:
    """The data type that the words themselves say; asks, with the candidates, where they don't."""
    from realign.intake.detect import detect, detect_file

    rows = [Path(name) for name in words.source if name.lower().endswith((".jsonl", ".ndjson"))]
    found = detect_file(rows[0]) if rows else detect(" ".join(words.source))
    if found.data_type:
        return found.data_type
    raise UsageError("No data type was named", ", ".join(found.candidates), "--type dpo")


def code_of(summary: Summary, stage: str) -> int:
    """The exit code of a run, or of the one stage that was asked for."""
    states = {state.name: state.status for state in summary.stages}
    status = summary.status if stage == "all" else states.get(stage, "passed")
    return CODE_OF_STATUS.get(status, 1)


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


def plan(words: argparse.Namespace) -> int:
    """Which machine, what batch size, how long, at what cost."""
    from dataclasses import asdict

    from realign.hardware.plan import make_plan
    from realign.views.results import hardware_plan

    found = make_plan(
        words.model, parameters=words.parameters, bits=words.bits, data_type=words.type, task=words.task,
        examples=words.examples, machine=words.machine, batch_size=words.batch_size, split=words.split,
        transport=words.transport,
    )  # fmt: skip
    if words.json:
        say_json({**asdict(found), "split": dict(found.split)})
        return 0
    answer = hardware_plan(found)
    lines = [answer.summary]
    for name in ("work", "memory", "refused", "warnings", "basis"):
        lines += [f"  {name:<12}{line}" for line in getattr(answer, name)]
    lines += [f"  {'cost':<12}{answer.cost}", f"  {'here':<12}{answer.here}"]
    print("\n".join(lines))
    return 0


def check(words: argparse.Namespace) -> int:
    """Every gate, measured again."""
    from realign.views.check import check_file, check_run
    from realign.views.results import gates_result

    path = Path(words.what).expanduser()
    if is_file(path) and path.name != DATABASE:
        checked, what = check_file(path, words.type), path.name
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


def serve(words: argparse.Namespace) -> int:
    """The MCP server on stdin and stdout."""
    from realign.tools import serve as serve_tools

    serve_tools()
    return 0


def place_of(name: str) -> Path:
    """A run's folder from its id, or from a path as it is typed in a shell."""
    folder = Path(name).expanduser().absolute()
    return folder if is_file(folder / DATABASE) else find_run(name)


# -- the words ----------------------------------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    """Everything the command understands."""
    top = argparse.ArgumentParser(
        prog="realign", description="Documents become gated alignment data, on your own machine.", epilog=EPILOG
    )
    top.add_argument("--version", action="version", version=f"realign {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def add(
        name: str, act: Callable[[argparse.Namespace], int], help: str, *, json: bool = True
    ) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=help, description=help, epilog=EPILOG)
        command.set_defaults(act=act)
        if json:
            command.add_argument("--json", action="store_true", help="answer with one JSON object")
        return command

    add_curate(add("curate", curate, "make a gated dataset from documents; the same words resume it"))
    command = add("detect", detect, "what a request in your own words asks for")
    command.add_argument("text", nargs="+", help="the request, or the path of a data file")
    add_plan(add("plan", plan, "which machine, what batch size, how long, at what cost"))
    command = add("check", check, "measure every gate again, from the records on disk")
    command.add_argument("what", metavar="RUN_OR_FILE", help="a run's id or folder, or a dataset file (JSONL)")
    command.add_argument("--type", default="dpo", help="data type of the file (dpo)")
    command.add_argument("--stage", default="all", help="one stage of the run (all)")
    command = add("summarize", summarize, "the account of a run")
    command.add_argument("run", metavar="RUN")
    add("runs", runs, "the runs you have started, with their status")
    command = add("show", show, "one stage of a run: counts, gates, drops by reason, a few records")
    command.add_argument("run", metavar="RUN")
    command.add_argument("stage", metavar="STAGE")
    command.add_argument("--records", type=int, default=3, metavar="N", help="how many records of each kind (3)")
    add("serve", serve, "the MCP server on stdin and stdout", json=False)
    return top


def add_curate(command: argparse.ArgumentParser) -> None:
    """The words of `curate`."""
    command.add_argument("source", nargs="+", metavar="SOURCE", help="documents, or folders of them")
    command.add_argument("--type", default="", help="data type: dpo")
    command.add_argument("--model", default="", help="the model the data is for: a folder or a name")
    command.add_argument("--author", default="", help="who writes: extractive, a model folder, http://HOST:PORT/v1")
    command.add_argument("--judge", default="", help="who judges: the same choices")
    command.add_argument("-o", "--output", default="", metavar="DIR", help="folder for the run's folder (.)")
    command.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="filter.duplicate_jaccard=0.9"
    )
    command.add_argument("--stage", default="all", help="a stage, next, or all (all)")
    command.add_argument("--download", action="store_true", help="fetch a named model that is not on this disk")
    command.add_argument("--quiet", action="store_true", help="no progress")


def add_plan(command: argparse.ArgumentParser) -> None:
    """The words of `plan`."""
    command.add_argument("model", metavar="MODEL", help="a name with its size (Qwen2.5-7B-Instruct-4bit), or a folder")
    command.add_argument("--parameters", type=float, help="how many, such as 7e9, where the name does not say")
    command.add_argument("--bits", type=int, help="bits a weight (16 unless the name says)")
    command.add_argument("--type", default="dpo", help="data type (dpo)")
    command.add_argument("--task", default="curate", choices=("curate", "align"))
    command.add_argument("--examples", type=int, default=1000, help="how many (1000)")
    command.add_argument("--machine", help="the machine you would like")
    command.add_argument("--batch-size", type=int, dest="batch_size")
    command.add_argument("--split", help="none, half, cores")
    command.add_argument("--transport", help="separate batches, rdma, exo")
