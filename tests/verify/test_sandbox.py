"""The sandbox is tried before it is trusted: missing, broken and leaky ones are refused; nothing is left of a room."""

import os
import sys
import time
from pathlib import Path

import pytest

from realign.errors import UsageError
from realign.verify import VERIFIERS, Check, calls, sandbox, verify_all

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is Linux's")
CODE = Check("code", "def f(): return 1", {"tests": ["assert f() == 1"]})


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the whole PATH, and the place in it where bwrap would be."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "bwrap"


def put(tool: Path, script: str) -> None:
    tool.write_text(script)
    tool.chmod(0o755)


@LINUX
@pytest.mark.usefixtures("tool")
def test_without_a_sandbox_code_is_refused_and_what_to_install_is_said() -> None:
    with pytest.raises(UsageError, match=r"bwrap was not found.*install bubblewrap"):
        verify_all([(CODE, CODE.answer)])
    assert VERIFIERS["code"](CODE, CODE.answer)[0] == "unknown"


@LINUX
def test_a_sandbox_that_fails_is_refused(tool: Path) -> None:
    put(tool, "#!/bin/sh\necho 'No permissions to create new namespace' >&2\nexit 1\n")
    assert "does not work: its room ended by itself with 1" in sandbox.why_not()


@LINUX
def test_a_sandbox_that_does_not_contain_is_refused_and_its_holes_are_named(tool: Path) -> None:
    start = sandbox.flags(sandbox.INSIDE.parent)[-1]
    run = f'exec "$2" -I -S -c "{start}" "${{10}}" "${{11}}" "${{12}}"'
    put(tool, f'#!/bin/sh\nwhile [ "$1" != "--" ]; do shift; done\n{run}\n')
    reason = sandbox.why_not()
    for hole in ("reach a server", "see other processes", "see the home folder"):
        assert hole in reason


@pytest.mark.skipif(bool(sandbox.why_not()), reason=f"no sandbox here: {sandbox.why_not()}")
def test_nothing_is_left_of_a_room_that_was_left() -> None:
    with sandbox.Room("answer") as room:
        inner = children(room.process.pid)
        room.ask({"do": "load", "source": "import signal\nsignal.signal(15, signal.SIG_IGN)"}, time.monotonic() + 20)
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in inner):
        assert time.monotonic() < deadline, "a room's process outlives it"
        os.sched_yield()


def children(pid: int) -> list[int]:
    """A process's descendants, children first."""
    found = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return found + [below for child in found for below in children(child)]


@LINUX
def test_the_system_call_filter_refuses_each_call_once_and_jumps_nowhere_else() -> None:
    program = calls.program()
    steps = [program[place : place + 8] for place in range(0, len(program), 8)]
    assert len(program) % 8 == 0
    for place, step in enumerate(steps[5:-2], 5):
        assert place + 1 + step[2] == len(steps) - 1  # to the last step, which refuses
        assert step[3] == 0
