"""The command `realign`: its words, its exit codes, and how every failure is said.

    realign curate book.pdf --type dpo -o out
    realign --help

Progress goes to stderr, the answer to stdout. Exit codes: 0 passed, 1 failed, 2 usage, 3 blocked by a gate, 130
interrupted. Whatever is heavy is imported inside the functions, so that --help is quick.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
from collections.abc import Callable, Sequence

from realign import __version__
from realign.commands import launching, looking, machines, making, models, readmitting, reviewing
from realign.commands.words import EPILOG, say_json
from realign.errors import RealignError
from realign.run import storage_error


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


def serve(words: argparse.Namespace) -> int:
    """The MCP server on stdin and stdout."""
    from realign.tools import serve as serve_tools

    serve_tools()
    return 0


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

    for subcommands in (making, models, launching, machines, looking, reviewing, readmitting):
        subcommands.add_to(add)
    add("serve", serve, "the MCP server on stdin and stdout", json=False)
    return top
