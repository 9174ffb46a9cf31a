"""One question to every machine of a launch at the same time: over ssh to others, as a child process here.

    replies = ask_all(hosts, ["realign.hardware.probe", request], seconds=30, silence=15)

ssh never asks for anything: no password, no host key, no terminal, nothing on its input. A machine that hangs, freezes,
chatters or answers in another form is a reply with a problem and its fix, within the time given; nothing outlives it.
Standard library only.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from realign.errors import Interrupted
from realign.hardware.environment import worker_environment
from realign.hardware.hosts import Host
from realign.hardware.probe import lines_of, said

CONNECT_SECONDS = 10
SSH = (
    "ssh", "-T", "-x", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT_SECONDS}", "-o", "ConnectionAttempts=1",
    "-o", "ControlMaster=no", "-o", "ForwardAgent=no", "-o", "ClearAllForwardings=yes", "-o", "LogLevel=ERROR",
    "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3",
)  # fmt: skip
MOST_BYTES = 1 << 20  # of an answer; a longer one is none
LOOK_EVERY = 0.2  # seconds between looks at the clock
AFTERWARDS = 1.0  # seconds to read what is left once a process has ended: a child of it may hold its pipes
# (what it complained of, what that means, what to do); {host} and {python} are filled in
MEANINGS = (
    ("Permission denied \\(|Too many authentication failures", "it lets this user in by password only, or not at all",
     "ssh-copy-id {host}, until `ssh -o BatchMode=yes {host} true` works"),
    ("Host key verification failed", "its host key is not known here, or is another than before",
     "`ssh {host}` once in a terminal, and compare the key it shows"),
    ("Could not resolve|Name or service not known|nodename nor servname", "its name is not known to this machine",
     'correct "ssh" in the host file'),
    ("Connection refused|timed out|No route to host|Connection closed|unreachable", "it can't be reached by ssh",
     "wake it, look at its network, and turn on Remote Login there"),
    ("No module named '?realign", "ReAlign is not installed for {python} there",
     'install ReAlign there, or name its interpreter as "python" in the host file'),
    ("No module named", "{python} there lacks a package that ReAlign needs", "install ReAlign there with all it needs"),
    ("[Uu]nknown option:? -P|SyntaxError", "{python} there is older than Python 3.11",
     'name a newer interpreter as "python" in the host file'),
    ("No such file or directory|not found|[Cc]annot execute|Is a directory|Permission denied|Exec format error",
     "{python} can't be run there", 'name the interpreter that has ReAlign as "python" in the host file'),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reply:
    """What one machine answered. told: its answer, None with a problem and its fix. seconds: until the end.

    begun, ended: this machine's clock, in seconds since the epoch. alive: it gave at least one sign of life.
    """

    told: dict[str, Any] | None
    problem: str
    fix: str
    seconds: float
    begun: float
    ended: float
    alive: bool


@dataclass(slots=True)
class Call:
    """A question under way. heard and complaint: bytes of its output and its errors so far."""

    host: Host
    process: subprocess.Popen[bytes]
    begun: float = field(default_factory=time.time)
    started: float = field(default_factory=time.monotonic)
    last: float = field(default_factory=time.monotonic)
    heard: bytearray = field(default_factory=bytearray)
    complaint: bytearray = field(default_factory=bytearray)
    gone: float | None = None


def command(host: Host, words: Sequence[str]) -> list[str]:
    """The words that run module words[0] with the rest on a machine. ssh joins them for a shell, so they are quoted."""
    run = [host.python or sys.executable, "-P", "-m", *words]
    return run if host.local else [*SSH, "--", host.ssh, shlex.join(run)]


def ask_all(
    hosts: Sequence[Host], words: Sequence[str], seconds: float, silence: float,
    say: Callable[[int, Reply], None] = lambda place, reply: None, stopping: Callable[[], bool] = lambda: False,
) -> list[Reply]:  # fmt: skip
    """Every machine's reply, in order, after `seconds` at most; say hears of each as it comes.

    A machine that gives no sign of life for `silence` seconds is given up sooner. Raises Interrupted when stopped.
    """
    calls: dict[int, Call] = {}
    replies: dict[int, Reply] = {}

    def end(place: int, reply: Reply) -> None:
        replies[place] = reply
        say(place, reply)

    with selectors.DefaultSelector() as pipes:
        try:
            for place, host in enumerate(hosts):
                try:
                    calls[place] = _start(host, words)
                except OSError as error:
                    end(place, _never_started(host, error))
                    continue
                _listen(pipes, place, calls[place])
            while calls:
                for key, _ in pipes.select(LOOK_EVERY):
                    _read(pipes, key, calls)
                if stopping():
                    raise Interrupted("The machines were being asked when it was stopped", fix="the same command again")
                for place in [place for place, call in calls.items() if _is_over(pipes, place, call, seconds, silence)]:
                    call = calls.pop(place)
                    _hang_up(pipes, place, call)
                    end(place, _reply(call, seconds, silence))
        finally:
            for call in calls.values():
                _kill(call)
    return [replies[place] for place in range(len(hosts))]


def _start(host: Host, words: Sequence[str]) -> Call:
    """In a session of its own: it has no terminal to ask for a password on, and its whole group can be ended."""
    process = subprocess.Popen(
        command(host, words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True, env=worker_environment(os.environ),
    )  # fmt: skip
    return Call(host, process)


def _listen(pipes: selectors.BaseSelector, place: int, call: Call) -> None:
    for pipe in (call.process.stdout, call.process.stderr):
        assert pipe is not None
        os.set_blocking(pipe.fileno(), False)
        pipes.register(pipe, selectors.EVENT_READ, (place, pipe is call.process.stderr))


def _read(pipes: selectors.BaseSelector, key: selectors.SelectorKey, calls: dict[int, Call]) -> None:
    """What one pipe holds. Only what a probe says is a sign of life, not a shell's chatter."""
    place, complains = key.data
    call = calls[place]
    data = b""
    with contextlib.suppress(BlockingIOError):
        data = os.read(key.fd, 1 << 16)
        if not data:
            pipes.unregister(key.fileobj)
    if complains:
        call.complaint = (call.complaint + data)[-(1 << 16) :]
        return
    call.heard += data
    if b"\n" in data and any(map(said, bytes(call.heard[-len(data) - 4096 :]).splitlines())):
        call.last = time.monotonic()


def _is_over(pipes: selectors.BaseSelector, place: int, call: Call, seconds: float, silence: float) -> bool:
    """Whether there is nothing more to wait for: its end and all it wrote, too much of it, or the time."""
    now = time.monotonic()
    if call.process.poll() is not None and call.gone is None:
        call.gone = now
    open_pipes = any(key.data[0] == place for key in pipes.get_map().values())
    if call.gone is not None and (not open_pipes or now - call.gone > AFTERWARDS):
        return True
    return len(call.heard) > MOST_BYTES or now - call.started > seconds or now - call.last > silence


def _hang_up(pipes: selectors.BaseSelector, place: int, call: Call) -> None:
    for key in [key for key in pipes.get_map().values() if key.data[0] == place]:
        pipes.unregister(key.fileobj)
    _kill(call)


def _kill(call: Call) -> None:
    """End the process and its whole group, frozen or not, and let its pipes go."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(call.process.pid, signal.SIGKILL)
    call.process.wait()
    for pipe in (call.process.stdout, call.process.stderr):
        assert pipe is not None
        pipe.close()


# -- what it means --------------------------------------------------------------------------------------------------


def _reply(call: Call, seconds: float, silence: float) -> Reply:
    found = list(lines_of(bytes(call.heard)))
    told = next((value for value in found if value["probe"] == "answer"), None)
    problem, fix = ("", "") if told else _problem(call, bool(found), seconds, silence)
    took = time.monotonic() - call.started
    return Reply(told, problem, fix, took, call.begun, time.time(), bool(found))


def _problem(call: Call, alive: bool, seconds: float, silence: float) -> tuple[str, str]:
    """(what went wrong, what to do) for a machine that gave no answer."""
    host = call.host
    try_it = f"`ssh {shlex.quote(host.ssh)} true` in a terminal, or leave it out of the host file"
    if call.gone is None and len(call.heard) > MOST_BYTES:
        return f"it wrote more than {MOST_BYTES >> 20} MiB and no answer: {_excerpt(call.heard)}", try_it
    if call.gone is None:
        waited = f"{min(seconds, time.monotonic() - call.started):.0f} s"
        if not alive:
            return f"it did not answer in {waited}: asleep, frozen or far too slow", try_it
        quiet = time.monotonic() - call.last > silence
        what = f"it gave signs of life, then none for {silence:.0f} s: frozen" if quiet else f"no result in {waited}"
        return what, "look what holds it up there, or leave it out of the host file"
    complaint = call.complaint.decode("utf-8", "replace").strip()
    for pattern, means, fix in MEANINGS:
        if re.search(pattern, complaint):
            return _filled(means, host), _filled(fix, host)
    if complaint:
        return f"it ended with code {call.process.returncode}: {_excerpt(call.complaint, last=True)}", try_it
    if call.heard.strip():
        return f"it answered something else: {_excerpt(call.heard)}", _filled(MEANINGS[4][2], host)
    return f"it ended with code {call.process.returncode} and said nothing", try_it


def _never_started(host: Host, error: OSError) -> Reply:
    """A program that is not there: the interpreter on this machine, or ssh itself."""
    now = time.time()
    if host.local:
        problem, fix = _filled(f"{{python}} can't be run here: {error.strerror}", host), _filled(MEANINGS[-1][2], host)
    else:
        problem, fix = f"ssh can't be run here: {error.strerror}", "install an ssh client"
    return Reply(None, problem, fix, 0.0, now, now, False)


def _filled(text: str, host: Host) -> str:
    return text.replace("{host}", host.ssh).replace("{python}", host.python or sys.executable)


def _excerpt(data: bytes | bytearray, last: bool = False) -> str:
    """The first or last line that is not empty, as printable text of 120 characters at most."""
    lines = [line.strip() for line in data.decode("utf-8", "replace").splitlines() if line.strip()] or [""]
    return "".join(letter if letter.isprintable() else "?" for letter in lines[-1 if last else 0][:120])
