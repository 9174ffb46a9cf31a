"""The child that verifies: it hangs, dies and runs out of memory, and only that one check is unknown."""

import os
import signal
from pathlib import Path

import pytest

from realign.verify import Check, process, verify_all

FIVE = Check("numeric", "5")
FAULTY = """
import os, time
from realign import verify
def faulty(check, answer):
    if check.spec["do"] == "hang":
        while True: pass
    if check.spec["do"] == "die": os._exit(7)
    if check.spec["do"] == "fill": return "accept", str(len(bytearray(64 << 30)))
    if check.spec["do"] == "raise": raise KeyError("gone")
    if check.spec["do"] == "print": print('["accept", "forged"]', flush=True)
    return "reject", "decided"
verify.VERIFIERS["exact"] = faulty
"""


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Children of this test have a verifier that misbehaves as it is told."""
    (tmp_path / "sitecustomize.py").write_text(FAULTY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(process.sys, "path", ["", str(tmp_path), *process.sys.path[1:]])


@pytest.mark.usefixtures("faulty")
@pytest.mark.parametrize(
    ("do", "verdict", "detail"),
    [
        ("hang", "unknown", "not decided in 0.5 s"),
        ("die", "unknown", "the verifier ended with 7"),
        ("fill", "unknown", "MemoryError"),
        ("raise", "unknown", "KeyError"),
        ("print", "reject", "decided"),
    ],
)
def test_only_the_check_that_breaks_its_child_is_unknown(do: str, verdict: str, detail: str) -> None:
    bad = Check("exact", "x", {"do": do})
    before, broken, after = verify_all([(FIVE, "5"), (bad, "x"), (FIVE, "6")], seconds=0.5)
    assert (before.verdict, broken.verdict, after.verdict) == ("accept", verdict, "reject")
    assert detail in broken.detail


def test_a_child_killed_from_outside_is_replaced() -> None:
    with process.Child() as child:
        os.kill(child.process.pid, signal.SIGKILL)
        outcome, whole = process.asked(child, FIVE, "5", 5)
    assert (outcome.verdict, whole) == ("unknown", False)
    assert verify_all([(FIVE, "5")])[0].verdict == "accept"


@pytest.mark.usefixtures("faulty")
def test_a_child_whose_parent_no_longer_waits_ends_itself() -> None:
    with process.Child() as child:
        with pytest.raises(TimeoutError):
            child.ask(Check("exact", "x", {"do": "hang"}), "x", 0.01)
        assert child.process.wait(timeout=30) == -signal.SIGALRM
