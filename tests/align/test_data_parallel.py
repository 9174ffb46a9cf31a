"""Training over two ranks of a ring on this machine, each with its part of every batch."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PROGRAM = Path(__file__).with_name("regression.py")


def hosts(folder: Path) -> Path:
    """A host file of two free ports."""
    with socket.socket() as one, socket.socket() as other:
        for bound in (one, other):
            bound.bind(("127.0.0.1", 0))
        ports = [bound.getsockname()[1] for bound in (one, other)]
    file = folder / "hosts.json"
    file.write_text(json.dumps([[f"127.0.0.1:{port}"] for port in ports]))
    return file


def start(folder: Path, hostfile: Path | None = None, rank: int = 0) -> "subprocess.Popen[str]":
    environment = os.environ | {"MLX_DISABLE_COMPILE": "1"}
    if hostfile is not None:
        environment |= {"MLX_RANK": str(rank), "MLX_HOSTFILE": str(hostfile)}
    words = [sys.executable, str(PROGRAM), str(folder), "60", "plain"]
    return subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, bufsize=1
    )


def weights_in(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "weights.npz") as found:
        return dict(found)


def assert_close(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    for name, array in one.items():
        assert np.allclose(array, other[name], atol=1e-4), name


@pytest.mark.slow
def test_two_ranks_train_what_one_process_trains(tmp_path: Path) -> None:
    alone, together = tmp_path / "alone", tmp_path / "together"
    start(alone).communicate(timeout=60)
    hostfile = hosts(tmp_path)
    ranks = [start(together, hostfile, rank) for rank in (0, 1)]
    outputs = [rank.communicate(timeout=60) for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], outputs
    assert_close(weights_in(alone), weights_in(together))


@pytest.mark.slow
def test_a_lost_rank_ends_in_an_error_and_a_checkpoint_that_is_gone_on_from(tmp_path: Path) -> None:
    alone, together = tmp_path / "alone", tmp_path / "together"
    start(alone).communicate(timeout=60)
    hostfile = hosts(tmp_path)
    first, second = (start(together, hostfile, rank) for rank in (0, 1))
    assert second.stdout is not None
    for line in second.stdout:
        if line.strip() == "23":
            second.kill()
    second.communicate()
    assert "Another machine of this training is gone after step" in first.communicate(timeout=60)[1]
    assert first.returncode == 1
    again = start(together)
    steps = again.communicate(timeout=60)[0].split()
    assert 23 < int(steps[0]) < 60
    assert_close(weights_in(alone), weights_in(together))
