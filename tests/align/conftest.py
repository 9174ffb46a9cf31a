"""One tiny model for all tests of training, and graphs that are not compiled."""

from collections.abc import Iterator
from pathlib import Path

import mlx.core as mx
import pytest

from realign.align.models import open_model
from realign.engine.mlx import Loaded
from realign.engine.tiny import make_tiny_model

TEXT = (
    "What settles in the bay? Sand settles in the bay. The river carries silt and clay to the sea. 1 2 3 4 5. " * 4
    + "Box? It is mud. " * 4
)


@pytest.fixture(autouse=True)
def uncompiled() -> Iterator[None]:
    """On a machine that has never compiled these graphs, g++ takes half a second for each; results are the same, which
    test_loop.py shows."""
    mx.disable_compile()
    yield
    mx.enable_compile()


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny", TEXT)


@pytest.fixture
def loaded(base: Path) -> Loaded:
    return open_model(base)
