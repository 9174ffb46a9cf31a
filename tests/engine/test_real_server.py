"""The endpoint engine against a real mlx_lm.server on loopback: a taught model is heard, a random one ends in drops."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from realign.curate.judges import Case
from realign.curate.judges.model import judge_pairs
from realign.engine import Answer, Engine, Request, open_engine
from realign.engine.tiny import make_tiny_model, train_tiny
from realign.errors import ModelError
from realign.records import Completion, Passage, Prompt
from realign.settings import Judge

pytestmark = pytest.mark.slow

PASSAGE = Passage("s1", "d1", (), 0, 10, 1, "Sand settles first because it is heavy.")
PROMPT = Prompt("p1", "s1", "Why does sand settle first?", "t", "", 0, 10, "a")
CASE = Case(
    PROMPT,
    PASSAGE,
    Completion("c1", "p1", "It is heavy.", "a", "sample", 1),
    Completion("c2", "p1", "It is light.", "a", "sample", 2),
)
VERDICT = '{"first": 4, "second": 2}'


@contextmanager
def served(folder: Path, home: Path) -> Iterator[str]:
    """The address of a server for `folder`, up within 60 seconds; it is ended by its process id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (home / "hub").mkdir(parents=True)
    command = [
        sys.executable,
        "-m",
        "mlx_lm.server",
        "--model",
        str(folder),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    environment = os.environ | {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    with open(home / "server.log", "wb") as log:
        server = subprocess.Popen([*command, "--log-level", "WARNING"], stdout=log, stderr=log, env=environment)
        try:
            wait_until_healthy(f"http://127.0.0.1:{port}/health", server, home / "server.log")
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()
            server.wait(10)


def wait_until_healthy(address: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(httpx2.TransportError):
            if httpx2.get(address, timeout=1.0, trust_env=False).status_code == 200:
                return
        time.sleep(0.05)  # between two polls of a bounded wait
    raise AssertionError(log.read_text()[-2000:])


def judges_prompts() -> list[str]:
    """What a judge behind an endpoint is asked about the case."""
    asked: list[Request] = []

    def generate(requests: Sequence[Request], batch_size: int) -> list[Answer]:
        asked.extend(requests)
        return [Answer(VERDICT, "stop") for _ in requests]

    judge_pairs(Engine("recorder", "", generate), [CASE], Judge(scale=5))
    return [request.prompt for request in asked]


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    prompts = judges_prompts()
    folder = make_tiny_model(
        tmp_path_factory.mktemp("models") / "taught", prompts[0] + VERDICT, vocabulary=800, width=32, layers=1
    )
    train_tiny(folder, [(prompt, VERDICT) for prompt in prompts], steps=40, batch=2, window=1024, learning_rate=1e-2)
    return folder


def test_a_taught_model_behind_a_real_server_judges_in_json(taught: Path, tmp_path: Path) -> None:
    with served(taught, tmp_path / "home") as address:
        judgments, dropped = judge_pairs(open_engine(address), [CASE], Judge(scale=5))
    assert dropped == []
    assert [judgment.straight for judgment in judgments] == [(0.75, 0.25)] * 3
    assert [judgment.swapped for judgment in judgments] == [(0.25, 0.75)] * 3  # it always prefers what is shown first
    assert {judgment.vote() for judgment in judgments} == {""}


def test_the_server_and_the_process_write_the_same_greedy_text(taught: Path, tmp_path: Path) -> None:
    requests = [Request(text, max_tokens=12) for text in ("Why does sand settle?", "Rate both answers.", "x")]
    with served(taught, tmp_path / "home") as address:
        remote = open_engine(address).generate(requests, 8)
    assert remote == open_engine(str(taught)).generate(requests, 8)


def test_a_random_model_behind_a_real_server_ends_in_drops_and_no_score(tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path / "random", "sand and silt", width=32, layers=1)
    with served(folder, tmp_path / "home") as address:
        judgments, dropped = judge_pairs(open_engine(address), [CASE], Judge())
    assert judgments == []
    assert len(dropped) == 3
    assert {drop.reason for drop in dropped} == {"no JSON in the answer"}


def test_a_wrong_model_name_is_refused_before_the_server_could_fetch_it(taught: Path, tmp_path: Path) -> None:
    with served(taught, tmp_path / "home") as address, pytest.raises(ModelError, match="does not serve some/model"):
        open_engine(f"{address}#some/model")
