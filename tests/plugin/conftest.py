"""The plugin as it is shipped, and a home in which the real client has it installed: made once for all that ask."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from client import said

from processes import ROOT

SKIPPED = shutil.ignore_patterns(
    ".git", ".*_cache", ".venv", ".hypothesis", "__pycache__", "node_modules", "demo", "out"
)


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This checkout without what only a workplace has."""
    return Path(shutil.copytree(ROOT, tmp_path_factory.mktemp("marketplace") / "realign", ignore=SKIPPED))


@pytest.fixture(scope="session")
def home(shipped: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home in which the plugin is installed and its environment built: for real, by the package index in use here."""
    folder = tmp_path_factory.mktemp("home")
    data = folder / ".claude/plugins/data/realign-realign"
    subprocess.run(
        [shipped / "bin/realign", "--version"], env={**os.environ, "CLAUDE_PLUGIN_DATA": str(data)}, check=True
    )
    assert "Successfully added marketplace: realign" in said(folder, "plugin", "marketplace", "add", str(shipped))
    assert "Successfully installed plugin: realign@realign" in said(folder, "plugin", "install", "realign@realign")
    yield folder
    assert "Success" in said(folder, "plugin", "uninstall", "realign@realign", "--yes")
    assert not data.exists()
