"""A room without network, home, writable files or other processes, in which code that nobody trusts runs.

    with Room("answer", seconds=5) as room:
        reply = room.ask({"do": "load", "source": source}, deadline)

On Linux it is bubblewrap: every namespace its own, the system read-only, no /proc, nothing writable, no capability, and
a system-call filter that refuses new processes, threads, sockets and tracing. On macOS it is sandbox-exec with a
profile (written from its documentation, and not run on a Mac by us). Time, memory, files and processes are limited by
rlimits from within before anything untrusted is read. `why_not` tries the room first and says what is missing; without
a working room no code is run.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

from realign.errors import UsageError
from realign.verify import calls

MEGABYTES = 512  # address space of a room
SECONDS = 5  # processor time of a room
LONGEST = 4 << 20  # bytes of a message from a room
PROBE_SECONDS = 20.0
INSIDE = Path(__file__).with_name("inside")
INSTALL = "install bubblewrap (apt install bubblewrap, dnf install bubblewrap) and allow unprivileged user namespaces"


class Broken(Exception):
    """A room that ended, said something unreadable, or too much."""


class Room:
    """One sandboxed process of inside/ and the line to it. Use as a context: nothing of it is left at the end."""

    def __init__(self, role: str, seconds: int = SECONDS, megabytes: int = MEGABYTES) -> None:
        with contextlib.ExitStack() as stack:
            files = [stack.enter_context(filter_file())] if calls.program() else []
            words = [role, str(seconds), str(megabytes)]
            self.process = subprocess.Popen(
                command(words, [file.fileno() for file in files]), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, cwd="/", env={}, pass_fds=[file.fileno() for file in files],
                start_new_session=True,
            )  # fmt: skip
        self.unread = b""

    def __enter__(self) -> Room:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                pipe.close() if pipe else None

    def ask(self, message: dict[str, Any], deadline: float) -> dict[str, Any]:
        """Send a message and wait for what comes back until `deadline` (time.monotonic).

        Raises TimeoutError, and Broken when the room ended or said anything but one JSON object.
        """
        self.send(json.dumps(message).encode() + b"\n", deadline)
        try:
            reply = json.loads(self.line(deadline), parse_constant=str)
        except (ValueError, RecursionError) as error:
            raise Broken(f"said something unreadable ({type(error).__name__})") from error
        if not isinstance(reply, dict):
            raise Broken("said something that is no message")
        return reply

    def send(self, data: bytes, deadline: float) -> None:
        """Write all of it. A room that does not read can't hold us up; one that ended is noticed by its silence."""
        assert self.process.stdin
        file = self.process.stdin.fileno()
        os.set_blocking(file, False)
        with selectors.DefaultSelector() as waiting, contextlib.suppress(BrokenPipeError):
            waiting.register(file, selectors.EVENT_WRITE)
            while data:
                if not waiting.select(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError("the time ran out")
                data = data[os.write(file, data[: 1 << 16]) :]

    def line(self, deadline: float) -> bytes:
        """The next line from the room."""
        assert self.process.stdout
        file = self.process.stdout.fileno()
        with selectors.DefaultSelector() as waiting:
            waiting.register(file, selectors.EVENT_READ)
            while b"\n" not in self.unread:
                if not waiting.select(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError("the time ran out")
                part = os.read(file, 1 << 16)
                if not part:
                    raise Broken(self.ending())
                self.unread += part
                if len(self.unread) > LONGEST:
                    raise Broken(f"said more than {LONGEST >> 20} MB")
        line, _, self.unread = self.unread.partition(b"\n")
        return line

    def ending(self) -> str:
        """How the room ended, once it has closed its line."""
        try:
            code = self.process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return "closed its line and went on"
        if code in (-9, 137):
            return "was killed at its limit of processor time or memory"
        return f"ended by itself with {code}" if 0 <= code < 128 else f"was ended by signal {abs(code) % 128}"


def why_not() -> str:
    """ "" when code can be run in a sandbox here, else what is missing. Tried once a process."""
    return _tried(os.environ.get("PATH", ""))


def require() -> None:
    """Raises UsageError where no sandbox works: code is not run without one."""
    if reason := why_not():
        raise UsageError(f"Code answers are not run here: {reason}", "a sandbox that works", INSTALL)


@lru_cache(maxsize=1)
def _tried(path: str) -> str:
    """Start a room and let it try what it must not be able to do."""
    tool = {"linux": "bwrap", "darwin": "sandbox-exec"}.get(sys.platform)
    if tool is None or shutil.which(tool, path=path) is None:
        return f"{tool or 'a sandbox'} was not found on this system"
    try:
        with socket.create_server(("127.0.0.1", 0)) as server, Room("probe") as room:
            place = {**home(), "port": server.getsockname()[1]}
            can = room.ask(place, time.monotonic() + PROBE_SECONDS).get("can")
    except (Broken, OSError, TimeoutError) as error:
        return f"{tool} is there and does not work: its room {error}"
    return f"the room of {tool} can {' and '.join(can)}" if can else ""


def home() -> dict[str, str]:
    """The home folder, and the one name in it that a room may see: the way to a Python that lies there."""
    folder, python = Path.home().resolve(), Path(sys.base_prefix).resolve()
    way = python.relative_to(folder).parts if python.is_relative_to(folder) else ()
    return {"home": str(folder), "python": way[0] if way else ""}


def command(words: list[str], files: list[int]) -> list[str]:
    """The command line of a room: the sandbox, then Python, then the room's words. files: descriptors of filters."""
    python = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    base = Path(sys.base_prefix).resolve()
    if sys.platform == "darwin":
        return ["sandbox-exec", "-p", profile(python, base), str(python), *flags(INSIDE.parent), *words]
    tool = shutil.which("bwrap") or "bwrap"
    return [
        tool, "--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", "--cap-drop", "ALL",
        "--uid", "65534", "--gid", "65534", "--hostname", "room", *system(), *places(base, Path(sys.base_prefix)),
        "--ro-bind", str(INSIDE), "/rooms/inside", "--dev", "/dev", "--remount-ro", "/dev", "--remount-ro", "/",
        "--chdir", "/", "--clearenv", *(word for file in files for word in ("--seccomp", str(file))),
        "--", str(python), *flags(Path("/rooms")), *words,
    ]  # fmt: skip


def flags(folder: Path) -> list[str]:
    """Python's own words: isolated, without site-packages, and the room's code behind the standard library."""
    start = f"import sys; sys.path.append({str(folder)!r}); from inside.room import main; main()"
    return ["-I", "-S", "-B", "-X", "utf8", "-c", start]


def system() -> list[str]:
    """The parts of the system that Python's libraries lie in, read-only; /etc and the home are not among them."""
    words = ["--ro-bind", "/usr", "/usr"]
    for name in ("/lib", "/lib64", "/lib32", "/bin"):
        if Path(name).is_symlink():
            words += ["--symlink", str(Path(name).readlink()), name]
        elif Path(name).is_dir():
            words += ["--ro-bind", name, name]
    return words


def places(*folders: Path) -> list[str]:
    """Folders outside /usr, read-only, where Python itself lies."""
    wanted = dict.fromkeys(str(folder) for folder in folders if not folder.is_relative_to("/usr"))
    return [word for folder in wanted for word in ("--ro-bind", folder, folder)]


@contextlib.contextmanager
def filter_file() -> Any:
    """The system-call filter as an open file at its start, for bubblewrap to read."""
    with tempfile.TemporaryFile() as file:
        file.write(calls.program())
        file.seek(0)
        yield file


def profile(python: Path, base: Path) -> str:
    """macOS: everything refused but running this Python and reading it and the system's libraries."""
    readable = " ".join(
        f'(subpath "{place}")' for place in (base, "/usr/lib", "/System/Library", "/Library/Frameworks")
    )
    return (
        f'(version 1)(deny default)(deny network*)(deny process-fork)(allow process-exec (literal "{python}"))'
        f'(allow file-read* {readable} (subpath "{INSIDE}") (literal "/dev/null") (literal "/dev/urandom"))'
        '(allow file-read-metadata)(allow file-write-data (literal "/dev/null"))(allow sysctl-read)'
    )
