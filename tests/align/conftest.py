"""Tiny models and data for all tests of training."""

from collections.abc import Iterator

import mlx.core as mx
import pytest


@pytest.fixture(autouse=True)
def uncompiled() -> Iterator[None]:
    """On a machine that has never compiled these graphs, g++ takes half a second for each; results are the same, which
    test_loop.py shows."""
    mx.disable_compile()
    yield
    mx.enable_compile()
