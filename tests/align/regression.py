"""A small real training: a two-layer net with dropout learns a line. Also a program, so that a test can kill it.

python regression.py FOLDER STEPS       trains with checkpoints in FOLDER and prints a line a step
"""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
from mlx import nn
from mlx.utils import tree_flatten

from realign.align.batches import Rows, make_batches
from realign.align.checkpoints import Checkpoints
from realign.align.loop import Feed, Trained, feed_of, train
from realign.settings import Training

random = np.random.default_rng(0)
INPUTS = random.normal(size=(200, 8)).astype(np.float32)
SIZES = [(0, n % 40 + 1) for n in range(200)]
SETTINGS: dict[str, Any] = {"schedule": "30:1e-2,10:1e-3", "rows": 8, "tokens": 256, "save_every": 5}


class Net(nn.Module):
    """Dropout makes the random state matter."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.dropout, self.out = nn.Linear(8, 16), nn.Dropout(0.1), nn.Linear(16, 1)

    def __call__(self, x: mx.array) -> mx.array:
        return self.out(self.dropout(nn.relu(self.hidden(x))))  # type: ignore[no-any-return]


def make_net() -> Net:
    mx.random.seed(7)
    net = Net()
    mx.eval(net.parameters())
    return net


def objective(net: nn.Module, inputs: mx.array, targets: mx.array) -> Any:
    errors = ((net(inputs) - targets) ** 2).sum()
    return errors, mx.array(float(len(inputs))), {"error": errors}


def make_feed(inputs: np.ndarray = INPUTS, accumulate: int = 1, rows: int = 8) -> Feed:
    batches = make_batches(SIZES, rows=rows, tokens=10_000)

    def collate(rows: Rows) -> tuple[mx.array, ...]:
        return mx.array(inputs[list(rows)]), mx.array(2 * INPUTS[list(rows), :1])

    return feed_of(batches, SIZES, collate, accumulate)


def weights(net: nn.Module) -> dict[str, np.ndarray]:
    return {name: np.array(array) for name, array in tree_flatten(net.trainable_parameters())}


def learn(net: Net, folder: Path | None = None, feed: Feed | None = None, **options: Any) -> Trained:
    settings = Training(**SETTINGS | options.pop("settings", {}))
    if folder is None:
        return train(net, objective, feed or make_feed(), settings, **options)
    with closing(Checkpoints(folder, "line")) as checkpoints:
        return train(net, objective, feed or make_feed(), settings, checkpoints=checkpoints, **options)


if __name__ == "__main__":
    trained_net = make_net()
    if sys.argv[3:] == ["plain"]:
        trained_net.dropout = lambda x: x
    learn(
        trained_net,
        Path(sys.argv[1]),
        settings={"schedule": f"{sys.argv[2]}:1e-2"},
        progress=lambda report: print(report.step, flush=True),
    )
    if mx.distributed.init().rank() == 0:
        np.savez(Path(sys.argv[1]) / "weights.npz", **weights(trained_net))
