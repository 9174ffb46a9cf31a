"""Machines are asked at the same time, and whatever one of them does ends in a reply, in time, with nothing left."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from interpreters import REAL, host, script

from processes import until
from realign.errors import Interrupted
from realign.hardware.hosts import Host
from realign.hardware.remote import MOST_BYTES, Reply, ask_all, command

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
PROBE = ["realign.hardware.probe", json.dumps({"settings": {}, "models": []})]
BEAT = """echo '{"probe": "beat"}'"""
STOP = "kill -STOP $$"


def ask(hosts: list[Host], seconds: float = 30.0, silence: float = 30.0) -> list[Reply]:
    return ask_all(hosts, PROBE, seconds, silence)


# -- this machine ---------------------------------------------------------------------------------------------------

ENDING = {
    "is not there": (None, "can't be run here", '"python" in the host file'),
    "says nothing": ("exit 0", "ended with code 0 and said nothing", "leave it out of the host file"),
    "complains": ("echo 'out of luck' >&2; exit 7", "ended with code 7: out of luck", "leave it out"),
    "answers rubbish": ("echo 'Hello!'; echo '[1, 2]'; echo '{}'", "answered something else: Hello!", '"python"'),
    "answers bytes": ("printf '\\377\\033\\000'", "answered something else:", '"python"'),
    "has no ReAlign": (f"exec {REAL} -I -S \"$@\"", "ReAlign is not installed for", "install ReAlign there"),
    "is too old": ("echo 'unknown option -P' >&2; exit 2", "older than Python 3.11", "a newer interpreter"),
    "leaves a child with its pipes": ("sleep 600 & echo mine", "answered something else: mine", '"python"'),
}  # fmt: skip


@pytest.mark.parametrize(("body", "problem", "fix"), ENDING.values(), ids=ENDING.keys())
def test_an_interpreter_that_gives_no_answer_is_a_problem_with_its_fix(
    tmp_path: Path, body: str | None, problem: str, fix: str
) -> None:
    python = script(tmp_path, "python", body) if body is not None else str(tmp_path / "none")
    (reply,) = ask([host(python)])
    assert reply.told is None
    assert problem in reply.problem and fix in reply.fix
    assert reply.problem.isprintable()


HANGING = {
    "freezes": (STOP, 0.4, 9.0, "did not answer", False),
    "freezes after a sign of life": (f"{BEAT}; {STOP}", 9.0, 0.4, "gave signs of life, then none", True),
    "gives signs of life for ever": (f"while {BEAT}; do sleep 0.1; done", 0.6, 0.5, "no result in", True),
    "chatters": ("while echo hi; do sleep 0.05; done", 9.0, 0.4, "did not answer", False),
    "writes without end": ("exec yes", 30.0, 30.0, f"wrote more than {MOST_BYTES >> 20} MiB and no answer: y", False),
    "writes one endless line": ("exec cat /dev/zero", 30.0, 30.0, "wrote more than", False),
}


@pytest.mark.parametrize(("body", "seconds", "silence", "problem", "alive"), HANGING.values(), ids=HANGING.keys())
def test_an_interpreter_that_never_ends_is_given_up_and_ended(
    tmp_path: Path, body: str, seconds: float, silence: float, problem: str, alive: bool
) -> None:
    marker = tmp_path / "process"
    (reply,) = ask(
        [host(script(tmp_path, "python", f"echo $$ > {shlex.quote(str(marker))}\n{body}"))], seconds, silence
    )
    assert problem in reply.problem and reply.fix and (reply.told, reply.alive) == (None, alive)
    with pytest.raises(ProcessLookupError):
        os.kill(int(marker.read_text()), 0)


def test_machines_answer_side_by_side_and_are_heard_as_they_come(tmp_path: Path) -> None:
    meet = tmp_path / "meet"
    os.mkfifo(meet)
    quoted = shlex.quote(str(meet))  # opening a pipe waits for its other end: asked in turn, both would wait for ever
    one = script(tmp_path, "one", f'read word < {quoted}; exec {REAL} "$@"')
    other = script(tmp_path, "other", f'echo word > {quoted}; exec {REAL} "$@"')
    heard: list[int] = []
    replies = ask_all([host(one), host(other), host("/none")], PROBE, 30, 30, lambda place, reply: heard.append(place))
    assert [reply.told is not None for reply in replies] == [True, True, False]
    assert heard[0] == 2 and sorted(heard) == [0, 1, 2]


def test_a_greeting_before_the_answer_and_a_warning_beside_it_are_passed_over(tmp_path: Path) -> None:
    noisy = script(tmp_path, "python", f'echo "Welcome!"; echo "deprecated" >&2; exec {REAL} "$@"')
    (reply,) = ask([host(noisy)])
    assert reply.told and reply.problem == ""


def test_being_stopped_ends_every_machine_that_was_asked(tmp_path: Path) -> None:
    marker = tmp_path / "process"
    frozen = script(tmp_path, "python", f"echo $$ > {shlex.quote(str(marker))}; {STOP}")
    with pytest.raises(Interrupted):
        ask_all([host(frozen)], PROBE, 60, 60, stopping=lambda: marker.exists() and bool(marker.read_text()))
    with pytest.raises(ProcessLookupError):
        os.kill(int(marker.read_text()), 0)


# -- over ssh -------------------------------------------------------------------------------------------------------


def test_ssh_can_ask_for_nothing_and_gets_its_words_quoted() -> None:
    words = command(Host("studio", ("10.0.0.2",), python="/opt/my venv/python"), ["module", '{"a": "$(reboot) \'"}'])
    assert words[0] == "ssh" and {"BatchMode=yes", "ConnectTimeout=10", "-T"} <= set(words)
    assert words[-3:-1] == ["--", "studio"]
    assert shlex.split(words[-1]) == ["/opt/my venv/python", "-P", "-m", "module", '{"a": "$(reboot) \'"}']


@pytest.fixture(scope="module")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder whose `ssh` knows these machines, all of them this one: worker, stranger, locked, closed."""
    if not (shutil.which("ssh") and shutil.which("ssh-keygen") and Path(SSHD).is_file()):
        pytest.skip("no OpenSSH client and server")
    folder = tmp_path_factory.mktemp("ssh")
    for key in ("host", "user", "nobody"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)]
        subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
    (folder / "allowed").write_text((folder / "user.pub").read_text())
    with socket.socket() as free, socket.socket() as silent:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        silent.bind(("127.0.0.1", 0))  # bound and never listening: refused
        closed = silent.getsockname()[1]
        (folder / "known").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
        free.close()
        with sshd(folder, port):
            write_client(folder, port, closed)
            yield folder


@contextlib.contextmanager
def sshd(folder: Path, port: int) -> Iterator[None]:
    """A server on the loopback with keys of its own; it greets, and lets in who has the user's key."""
    (folder / "greeting").write_text("Authorized use only!\n")
    lines = (
        f"ListenAddress 127.0.0.1:{port}", f"HostKey {folder}/host", f"AuthorizedKeysFile {folder}/allowed",
        f"PidFile {folder}/sshd.pid", f"Banner {folder}/greeting", "StrictModes no", "UsePAM no",
        "PasswordAuthentication no", "KbdInteractiveAuthentication no",
    )  # fmt: skip
    (folder / "sshd_config").write_text("\n".join(lines) + "\n")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    server = subprocess.Popen(
        [SSHD, "-D", "-e", "-f", str(folder / "sshd_config")], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until(lambda: answers(port), 10)
        yield
    finally:
        server.terminate()
        server.wait(10)


def answers(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def write_client(folder: Path, port: int, closed: int) -> None:
    """The client's config, and an `ssh` that reads it in place of the user's."""
    config = f"Host *\n HostName 127.0.0.1\n IdentitiesOnly yes\n UserKnownHostsFile {folder}/known\n"
    rows = {"worker": (port, "user", "known"), "stranger": (port, "user", "none"), "locked": (port, "nobody", "known")}
    hosts = "".join(
        f"Host {name}\n Port {where}\n IdentityFile {folder}/{key}\n UserKnownHostsFile {folder}/{known}\n"
        for name, (where, key, known) in {**rows, "closed": (closed, "user", "known")}.items()
    )
    (folder / "config").write_text(hosts + config)
    (folder / "bin").mkdir()
    script(folder / "bin", "ssh", f'exec {shutil.which("ssh")} -F {folder}/config "$@"')


@pytest.fixture
def on_path(ssh: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{ssh / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return ssh


def remote(name: str, python: str = sys.executable) -> Host:
    return Host(name, ("127.0.0.1",), python=python)


def test_a_machine_answers_over_ssh_whatever_its_interpreters_path_holds(on_path: Path, tmp_path: Path) -> None:
    odd = tmp_path / 'it\'s $HOME; echo "no"'
    odd.mkdir()
    noisy = script(odd, "py thon", f'echo "Last login: never"; exec {REAL} "$@"')
    words = ["realign.hardware.probe", json.dumps({"settings": {"model": "it's; $(reboot) \\ `x`"}, "models": []})]
    (reply,) = ask_all([remote("worker", noisy)], words, 30, 30)
    assert reply.told and reply.problem == ""
    assert reply.told["refused"] == "" and reply.told["host"] == os.uname().nodename


def test_what_ssh_meets_is_said_with_its_fix_and_nothing_is_asked(on_path: Path) -> None:
    python, none = sys.executable, "/nowhere/python"
    names = [
        ("stranger", python),
        ("locked", python),
        ("closed", python),
        ("worker", none),
        ("worker", sys.base_prefix),
    ]
    found = ask([remote(name, python) for name, python in names])
    said = [(reply.problem, reply.fix) for reply in found]
    assert "host key is not known" in said[0][0] and "`ssh stranger` once" in said[0][1]
    assert "by password only" in said[1][0] and "ssh-copy-id locked" in said[1][1]
    assert "can't be reached" in said[2][0] and "Remote Login" in said[2][1]
    assert "/nowhere/python can't be run there" in said[3][0] and '"python" in the host file' in said[3][1]
    assert "can't be run there" in said[4][0]  # a folder
    assert [reply.told for reply in found] == [None] * 5


def test_a_machine_that_freezes_over_ssh_is_given_up(on_path: Path, tmp_path: Path) -> None:
    marker = tmp_path / "process"
    frozen = script(tmp_path, "python", f"echo $$ > {shlex.quote(str(marker))}; {BEAT}; {STOP}")
    (reply,) = ask([remote("worker", frozen)], seconds=20, silence=2)
    os.kill(int(marker.read_text()), signal.SIGKILL)
    assert "gave signs of life, then none" in reply.problem and reply.alive


def test_a_probe_whose_asker_is_gone_ends_by_itself(on_path: Path, tmp_path: Path) -> None:
    marker = tmp_path / "process"
    words = f"import os; open({str(marker)!r}, 'w').write(str(os.getpid()))"
    slow = "from realign.hardware.probe import answer; answer(['{}'], lambda request: __import__('time').sleep(600))"
    python = script(tmp_path, "python", f"exec {REAL} -c {shlex.quote(f'{words}; {slow}')}")
    with pytest.raises(Interrupted):
        ask_all(
            [remote("worker", python)], PROBE, 30, 30, stopping=lambda: marker.exists() and bool(marker.read_text())
        )

    def gone() -> bool:
        try:
            os.kill(int(marker.read_text()), 0)
        except ProcessLookupError:
            return True
        return False

    until(gone, 10)


def test_no_ssh_on_the_path_is_a_problem_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (reply,) = ask([remote("worker")])
    assert "ssh can't be run here" in reply.problem and reply.fix == "install an ssh client"


def test_the_time_of_a_reply_is_that_of_this_machines_clock() -> None:
    before = time.time()
    (reply,) = ask([host()])
    assert reply.told and before <= reply.begun <= float(reply.told["time"]) <= reply.ended <= time.time()
