"""One tiny model for all tests of the engine, made on the spot."""

from pathlib import Path

import pytest

from realign.engine import Engine, open_engine
from realign.engine.mlx import Loaded, load
from realign.engine.tiny import make_tiny_model

TEXT = "The river carries sand and silt to the sea, where it settles in layers. Rating: 1 2 3 4 5 6 7 8 9. " * 4


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny", TEXT)


@pytest.fixture(scope="session")
def engine(tiny: Path) -> Engine:
    return open_engine(str(tiny))


@pytest.fixture(scope="session")
def loaded(tiny: Path) -> Loaded:
    return load(tiny)
