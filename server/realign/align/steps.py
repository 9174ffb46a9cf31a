"""The compiled halves of a training step, and what a process's state needs to be put back exactly.

gradients = compiled_gradients(model, objective)     arrays -> (gradient of the summed loss, sums)
update = compiled_update(model, optimizer, clip)     (summed gradient, weight) -> norm; moves the model
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any, cast

import mlx.core as mx
import numpy as np
from mlx import nn, optimizers
from mlx.utils import tree_flatten, tree_map

from realign.hardware.system import cgroup_limits

GRAPHS = 32  # compiled shapes kept at once

# (model, *arrays) -> (sum of losses, how many losses, sums to report beside them)
Objective = Callable[..., tuple[mx.array, mx.array, dict[str, mx.array]]]


def number(array: mx.array) -> float:
    """A scalar array's value."""
    value: Any = array.item()
    return float(value)


def added(one: Any, other: Any) -> Any:
    """The sum of two (gradient, sums)."""
    total = tree_map(mx.add, one, other)
    mx.eval(total)
    return total


def compiled_gradients(model: nn.Module, objective: Objective) -> Callable[..., Any]:
    """Arrays to (gradient of the summed loss, sums): one graph a shape. Leaves the parameters as they are.

    MLX keeps every graph with its buffers; beyond GRAPHS shapes all are dropped, so that memory does not grow with the
    rows. A graph that comes again is made again, of the same operations.
    """

    def loss(*arrays: Any) -> tuple[mx.array, dict[str, mx.array]]:
        total, weight, sums = objective(model, *arrays)
        return total, {"loss": total, "weight": weight, **sums}

    differentiated = nn.value_and_grad(model, loss)
    state = [model.state, mx.random.state]

    def gradients(*arrays: Any) -> Any:
        (_, sums), gradient = differentiated(*arrays)
        return gradient, sums

    compiled: dict[Any, Any] = {}

    def run(*arrays: Any) -> Any:
        shapes = tuple(part.shape for _, part in tree_flatten(arrays))
        if shapes not in compiled and len(compiled) == GRAPHS:
            compiled.clear()
        if shapes not in compiled:
            compiled[shapes] = mx.compile(functools.partial(gradients), inputs=state, outputs=state)
        return compiled[shapes](*arrays)

    return run


def compiled_update(model: nn.Module, optimizer: Any, clip: float) -> Callable[..., mx.array]:
    """Summed gradient and weight to an update in place; returns the mean gradient's norm before clipping."""
    state = [model.state, optimizer.state]

    @functools.partial(mx.compile, inputs=state, outputs=state)
    def update(gradient: Any, weight: mx.array) -> mx.array:
        mean = tree_map(lambda part: part / weight, gradient)
        clipped, norm = optimizers.clip_grad_norm(mean, clip)
        optimizer.update(model, clipped)
        return cast(mx.array, norm)

    return update


def random_key() -> mx.array:
    """A copy of MLX's global random state."""
    state: Any = mx.random.state
    return mx.array(state[0].tolist(), dtype=mx.uint32)


def restore_random(key: mx.array) -> None:
    """Set MLX's global random state; it can't be assigned, but a seed of its two halves gives the same."""
    high, low = np.array(key).tolist()
    mx.random.seed((high << 32) | low)


def recommended_memory() -> float:
    """Bytes that training should stay under: what Metal recommends, or four fifths of this machine's memory, or of what
    its container allows."""
    recommended = mx.device_info().get("max_recommended_working_set_size")
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return float(recommended or 0.8 * min(there, cgroup_limits().memory or there))


def size_of(tree: Any) -> float:
    """Bytes of all arrays of a tree."""
    return float(sum(array.nbytes for _, array in tree_flatten(tree)))
