"""Builds the environment that launch.py looks for: `python3 build.py DATA_FOLDER`, which launch.py calls.

A folder DATA_FOLDER/environments/<hash of the pins>-<Python's version>, its packages installed by uv where there is uv,
else by venv and pip. The marker that makes it count is written last, and what failed is removed: a venv's scripts name
their own folder, so it's built where it stays. Byte-compiling takes longer than the rest and goes on in the background:
Claude Code gives a server 30 seconds to start. One builder at a time; another waits for it. What it does goes to stderr
with the seconds since the start, every line of the installer to build.log, and why it failed to standard output.
Standard library, Python 3.9 will do.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

sys.path.insert(0, str(Path(__file__).parent))  # where an isolated Python does not look by itself
import launch

VERSIONS = ((3, 11), (3, 14))  # the oldest and the newest Python that the pins are for
NAMES = ("python3.13", "python3.12", "python3.11", "python3.14", "python3")
WAIT = 900.0  # seconds that a start waits for another one's build
STILL = 10.0  # seconds between signs of life
TAIL = 8  # of the installer's last lines shown when it failed
SHOWN = ("Collecting ", "Downloading ", "Building ", "Installing ", "Resolved ", "Prepared ", "Installed ", "Bytecode ")
PROBE = """
import importlib.util, os, sys
own = getattr(sys, "_base_executable", None) or sys.executable
print(sys.version_info[0], sys.version_info[1], importlib.util.find_spec("ensurepip") is not None, own)
"""
COMPILE = """
import compileall, os, sys
os.nice(10)
compileall.compile_dir(sys.argv[1], quiet=2, workers=0)
"""
ROOM = "free 1 GB there, or name a folder on another disk in REALIGN_HOME; then start again"
ONLINE = "go online once and start again, or name a mirror in PIP_INDEX_URL (UV_DEFAULT_INDEX for uv)"
WRITABLE = "make the folder writable, or name another one in REALIGN_HOME; then start again"
PLATFORM = "a Mac with Apple silicon or Linux, and Python 3.11 to 3.14: all packages are built for these"
VENV = "install the system's python3-venv package, or uv; then start again"
# (what the failure's words hold, what to try): the first that fits
FIXES = (
    ("no space left", ROOM), ("disk quota", ROOM),
    ("permission denied", WRITABLE), ("read-only file system", WRITABLE), ("not a directory", WRITABLE),
    ("name resolution", ONLINE), ("dns error", ONLINE), ("connect", ONLINE), ("unreachable", ONLINE),
    ("no matching distribution", PLATFORM), ("no solution found", PLATFORM), ("ensurepip", VENV),
)  # fmt: skip
BEGUN = time.monotonic()


class Failed(Exception):
    """No environment: what was found, what was expected, what to try."""


def main(data: Path) -> int:
    """Build, or wait until another has built; 0 when there is a complete environment."""
    environments = data / "environments"
    try:
        environments.mkdir(parents=True, exist_ok=True)
        with locked(environments / "lock"):
            if not launch.find():
                make(environments, data / "build.log")
                remove_unused(environments)
    except (Failed, OSError) as error:
        print(f"realign: {error if isinstance(error, Failed) else told(environments, str(error))}", flush=True)
        return 1
    return 0


def make(environments: Path, log: Path) -> None:
    """Build an environment and mark it complete, or leave nothing of it."""
    uv = shutil.which("uv")
    version, python = choose_python(uv)
    environment = environments / f"{launch.pins()}-{version}"
    say(f"first start with these packages: setting up in {environment}, once, some 400 MB")
    shutil.rmtree(environment, ignore_errors=True)  # what a killed builder left
    try:
        with open(log, "w", encoding="utf-8") as lines:
            for what, command in steps(uv, python, environment):
                say(f"{what} with {'uv' if uv else 'Python ' + version}")
                run(command, lines, environments)
        (environment / launch.COMPLETE).write_text(f"{python} {version}, {'uv' if uv else 'pip'}\n", encoding="utf-8")
    except BaseException:
        shutil.rmtree(environment, ignore_errors=True)
        raise
    say("set up; later starts skip all this. Byte-compiling in the background")
    byte_compile(environment)


def steps(uv: str | None, python: str, environment: Path) -> list[tuple[str, list[str]]]:
    """What is done and by which command, in order."""
    own, pins = str(environment / "bin" / "python"), ["-c", str(Path(launch.ROOT, "constraints.txt"))]
    asked = [*pins, *launch.requirements()]
    if uv:
        return [
            ("making a virtual environment", [uv, "venv", "--no-project", "--python", python, str(environment)]),
            ("installing the packages", [uv, "pip", "install", "--python", own, *asked]),
        ]
    quiet = ["--no-input", "--disable-pip-version-check", "--no-compile"]
    return [
        ("making a virtual environment", [python, "-I", "-m", "venv", str(environment)]),
        ("installing the packages", [own, "-I", "-m", "pip", "install", *quiet, *asked]),
    ]


def byte_compile(environment: Path) -> None:
    """Start compiling every package, on the cores that nobody else wants, and leave it to itself."""
    command = [str(environment / "bin" / "python"), "-I", "-c", COMPILE, str(environment / "lib")]
    nothing = subprocess.DEVNULL
    subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True)


# -- which Python -------------------------------------------------------------------------------------------------


def choose_python(uv: str | None) -> tuple[str, str]:
    """("3.12", its path): the first fit one on the PATH, else one that uv has or fetches."""
    seen = []
    for name in (sys.executable, *NAMES):
        version, python = probe(name, needs_ensurepip=uv is None)
        if python:
            return version, python
        seen.append(version)
    if uv:
        say("no Python 3.11 or later on the PATH: asking uv for one")
        subprocess.run([uv, "python", "install", "3.12"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
        asked = [uv, "python", "find", "--no-project", ">=3.11,<3.15"]
        answer = subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        version, python = probe(answer.stdout.strip(), needs_ensurepip=False)
        if python:
            return version, python
    found = ", ".join(sorted({name for name in seen if name})) or "none"
    raise Failed(
        f"Found Python: {found}. Expected: 3.11 to 3.14 with venv. Try: install Python 3.12 (with its venv package), or"
        " uv, by `brew install uv` or from your system's packages; then start again"
    )


def probe(python: str, *, needs_ensurepip: bool) -> tuple[str, str]:
    """(version, path) of a Python that can be used; ("3.9", "") says why another can't, ("", "") that there is none."""
    try:
        asked = [python, "-I", "-S", "-c", PROBE]
        answer = subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=True)
        major, minor, pip, path = answer.stdout.split(None, 3)
    except (OSError, ValueError, subprocess.SubprocessError):
        return "", ""
    version = f"{major}.{minor}"
    if not VERSIONS[0] <= (int(major), int(minor)) <= VERSIONS[1]:
        return version, ""
    if needs_ensurepip and pip != "True":
        return f"{version} without ensurepip", ""
    return version, path.strip()


# -- installers ---------------------------------------------------------------------------------------------------


def run(command: list[str], log: TextIO, place: Path) -> None:
    """Run an installer, showing its steps and a sign of life. Raises Failed with its last lines and the fix."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    lines: list[str] = []
    said = time.monotonic()
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=variables, cwd=place
    ) as process:  # there, because uv would obey the settings of the project it is called in
        for line in lines_of(process):
            if line:
                lines.append(line)
                log.write(line + "\n")
            if line.startswith(SHOWN) or time.monotonic() - said > STILL:
                say(line[:100] if line.startswith(SHOWN) else "still at it")
                said = time.monotonic()
    if process.returncode:
        raise Failed(told(place, "\n    ".join(["", *lines[-TAIL:]]), lines))


def lines_of(process: subprocess.Popen[bytes]) -> Iterator[str]:
    """What a process writes, line by line, and "" for every second in which it wrote none."""
    assert process.stdout
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            if not selector.select(1.0):
                yield ""
                continue
            read = os.read(process.stdout.fileno(), 65536)
            if not read:
                break
            *whole, rest = (rest + read).split(b"\n")
            yield from (line.decode("utf-8", "replace").rstrip() for line in whole)
    yield rest.decode("utf-8", "replace").rstrip()


def told(place: Path, found: str, lines: Sequence[str] = ()) -> str:
    """The failure in words: what was found, what was expected, and the fix that fits it, or else an earlier line."""
    fixes = (fix for text in (found, "\n".join(lines)) for sign, fix in FIXES if sign in text.lower())
    fix = next(fixes, f"read {place.parent / 'build.log'}, then start again")
    return f"The environment in {place} could not be built: {found}. Expected: the pinned packages. Try: {fix}"


# -- others -------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock that one builder at a time has; its process id is in the file. The system frees it at any death."""
    with open(path, "a+", encoding="utf-8") as file:
        said = BEGUN
        while not taken(file):
            file.seek(0)
            holder = file.read().strip() or "?"
            if time.monotonic() - BEGUN > WAIT:
                raise Failed(
                    f"Another start (process {holder}) has been setting up for {WAIT / 60:.0f} minutes. Expected: less."
                    f" Try: read {path.parent.parent / 'build.log'}, end that process, start again"
                )
            if said == BEGUN or time.monotonic() - said > STILL:
                say(f"another start (process {holder}) is setting up: waiting for it, at most {WAIT / 60:.0f} minutes")
                said = time.monotonic()
            time.sleep(0.2)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def taken(file: TextIO) -> bool:
    """Take a file's lock; False while another has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def remove_unused(environments: Path) -> None:
    """Remove environments for other pins, and halves, unless somebody runs in them: those hold a lock on the marker."""
    for path in environments.iterdir():
        if not path.is_dir() or path.name.startswith(launch.pins()):
            continue
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            marker = path / launch.COMPLETE
            if marker.exists():
                if not taken(stack.enter_context(open(marker, encoding="utf-8"))):
                    continue
                marker.unlink()  # from here on nobody starts in it
            shutil.rmtree(path, ignore_errors=True)
            say(f"removed {path.name}, the environment of an older version")


def say(words: str) -> None:
    """A line on stderr with the seconds since the start, even when nobody reads any more."""
    with contextlib.suppress(OSError):
        print(f"realign: {time.monotonic() - BEGUN:4.0f} s  {words}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
