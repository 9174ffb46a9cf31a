"""The subcommands about several machines: preflight, launch."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
from dataclasses import asdict
from pathlib import Path

from realign.commands.making import add_curate, curate
from realign.commands.words import Add, say_json
from realign.errors import UsageError
from realign.hardware.memory import TASKS


def add_to(add: Add) -> None:
    """Add them to the command."""
    add_preflight(add("preflight", preflight, "the eight checks of every machine of a host file"))
    command = add("launch", launch, "the eight checks, then `curate` with its batches shared by the machines")
    command.add_argument("hosts", metavar="HOSTFILE", help="JSON: the machines, this one first")
    add_curate(command)


def add_preflight(command: argparse.ArgumentParser) -> None:
    """The words of `preflight`: the machines, and what would run on them."""
    command.add_argument("hosts", metavar="HOSTFILE", help="JSON: the machines, this one first")
    command.add_argument("--model", default="", help="the model that will work: a folder that is on every machine")
    command.add_argument("--author", default="", help="who writes, as for curate")
    command.add_argument("--judge", default="", help="who judges, as for curate")
    command.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="settings, as for curate")
    command.add_argument("--task", choices=TASKS, default="curate", help="what the model will do (curate)")
    command.add_argument("--seconds", type=float, default=30.0, help="time for a machine's first answer (30)")
    command.add_argument("--quiet", action="store_true", help="no progress")


def preflight(words: argparse.Namespace) -> int:
    """Ask every machine, make the eight checks, and say whether a launch may start."""
    from realign.hardware.flight import fly
    from realign.hardware.hosts import read_hosts
    from realign.hardware.preflight import blocking
    from realign.intake.request import Request
    from realign.intake.roles import overrides, settle
    from realign.views.preflight import as_table

    if not words.seconds > 0:
        raise UsageError(f"--seconds is {words.seconds:g}", "more than zero")
    hosts = read_hosts(Path(words.hosts).expanduser())
    settings = settle(Request((), "dpo", words.model, words.author, words.judge, overrides(words.set)))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    say = (lambda line: None) if words.quiet else lambda line: print(line, file=sys.stderr, flush=True)
    checks = fly(hosts, settings, say, seconds=words.seconds, task=words.task)
    if words.json:
        say_json({"ready": not blocking(checks), "checks": [asdict(check) for check in checks]})
    else:
        color = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        print(as_table(checks, color, shutil.get_terminal_size((100, 24)).columns))
    return 3 if blocking(checks) else 0


def launch(words: argparse.Namespace) -> int:
    """Curate with the machines of the host file; the worker makes the pre-flight before its first stage."""
    words.set = [*words.set, f"hardware.hosts={json.dumps(words.hosts)}"]
    return curate(words)
