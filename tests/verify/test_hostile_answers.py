"""Answers that attack: each is contained, none is accepted, and what it did is said."""

import os
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from realign.verify import VERIFIERS, Check, sandbox

SECRET = "secret-41-7f"
KINDS = {
    part.splitlines()[0]: dict(re.findall(r"^### ([^\n]+)\n+```python\n(.*?)\n```$", part, re.MULTILINE | re.DOTALL))
    for part in Path(__file__).with_name("hostile.md").read_text(encoding="utf-8").split("\n## ")[1:]
}
SLOW = KINDS.pop("never ends")
CONTAINED = {name: source for kind in KINDS.values() for name, source in kind.items()}
pytestmark = pytest.mark.skipif(bool(sandbox.why_not()), reason=f"no sandbox here: {sandbox.why_not()}")


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, object]]:
    """A home with the secret in it, a server that tells it, an abstract socket and an environment variable too."""
    home = tmp_path_factory.mktemp("home")
    (home / "secret").write_text(SECRET)
    os.environ["SECRET"] = SECRET
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind(f"\0secret{os.getpid()}")
        local.listen()
        asked: list[str] = []
        for listener in (server, local):
            threading.Thread(target=tell, args=(listener, asked), daemon=True).start()
        yield {"HOME": home, "PORT": server.getsockname()[1], "PID": os.getpid(), "asked": asked}
        for listener in (server, local):
            listener.shutdown(socket.SHUT_RDWR)
    del os.environ["SECRET"]


def tell(listener: socket.socket, asked: list[str]) -> None:
    """Give the secret to whoever connects, and note it."""
    while True:
        try:
            caller, _ = listener.accept()
        except OSError:
            return
        with caller:
            asked.append("connected")
            caller.sendall(SECRET.encode())


def judged(source: str, surroundings: dict[str, object], seconds: int = 5) -> tuple[str, str]:
    """The verdict on an answer by a test that expects the secret: as it is, in a list, or among what it gives."""
    for word, value in surroundings.items():
        source = source.replace(word, str(value))
    test = f"assert solve(1) == {SECRET!r} or solve(1) == [{SECRET!r}] or {SECRET!r} in list(solve(1))"
    return VERIFIERS["code"](Check("code", "", {"tests": [test], "seconds": seconds}), source)


def test_there_are_more_than_sixty_hostile_answers() -> None:
    assert len(CONTAINED) + len(SLOW) >= 60


def test_the_right_answer_to_these_tests_is_accepted(surroundings: dict[str, object]) -> None:
    assert judged(f"def solve(n): return {SECRET!r}", surroundings)[0] == "accept"


@pytest.mark.parametrize("name", CONTAINED)
def test_a_hostile_answer_is_rejected(name: str, surroundings: dict[str, object]) -> None:
    verdict, detail = judged(CONTAINED[name], surroundings)
    assert verdict == "reject", detail
    assert len(detail) > 10
    assert surroundings["asked"] == []
    assert [path.name for path in Path(str(surroundings["HOME"])).iterdir()] == ["secret"]


def test_answers_that_never_end_are_ended_and_never_accepted(surroundings: dict[str, object]) -> None:
    with ThreadPoolExecutor(len(SLOW)) as pool:
        found = dict(zip(SLOW, pool.map(lambda source: judged(source, surroundings, 1), SLOW.values()), strict=True))
    assert {name for name, (verdict, _) in found.items() if verdict == "accept"} == set()
    assert found["sleeps"] == ("unknown", "not decided in 1.8 s")
    assert {name for name, (_, detail) in found.items() if not detail} == set()
