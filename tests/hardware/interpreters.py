"""Interpreters that something is wrong with: scripts that a host file names as a machine's `python`."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from realign.hardware.hosts import LOCAL, Host
from realign.hardware.probe import PACKAGE

REAL = shlex.quote(sys.executable)
VITALS = "realign.job.vitals"


def script(folder: Path, name: str, body: str) -> str:
    """An executable shell script; "$@" are the words that an interpreter would get."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def host(python: str = "") -> Host:
    """This machine, with an interpreter of its own."""
    return Host(LOCAL, ("127.0.0.1",), python=python)


def other_code(folder: Path, file: str, old: str, new: str) -> str:
    """An interpreter with a copy of the package, one file of which is changed."""
    copy = folder / "server" / "realign"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    text = (copy / file).read_text(encoding="utf-8")
    assert old in text
    (copy / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    path = shlex.quote(str(copy.parent))
    return script(folder, "other-code", f'PYTHONPATH={path} PYTHONDONTWRITEBYTECODE=1 exec {REAL} "$@"')


def other_weights(folder: Path, model: Path) -> str:
    """An interpreter with the same code that gets the weights of `model` whatever folder it is told to load."""
    patch = (
        "import runpy, sys; from pathlib import Path; from realign.engine import mlx; load = mlx.load;"
        f"mlx.load = lambda folder: load(Path({str(model)!r}));"
        f"sys.argv = sys.argv[3:]; runpy.run_module({VITALS!r}, run_name='__main__', alter_sys=True)"
    )
    changed = f'if [ "$3" = {VITALS} ]; then exec {REAL} -c {shlex.quote(patch)} "$@"; fi'
    return script(folder, "other-weights", f'{changed}\nexec {REAL} "$@"')
