"""The hooks' modules, importable by their own names as a hook imports them, and a hook run as a real process."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HOOKS = Path(__file__).parents[2] / "hooks"
sys.path.insert(0, str(HOOKS))
Ran = tuple[int, str, str]


@pytest.fixture
def run_hook(tmp_path: Path) -> Callable[..., Ran]:
    """Run a hook with an event (a dict, or bytes as they are); gives (exit code, stdout, stderr)."""

    def run(name: str, event: dict[str, Any] | bytes, **environment: str) -> Ran:
        told = event if isinstance(event, bytes) else json.dumps(event).encode()
        plain = {"PATH": os.environ["PATH"], "CLAUDE_PLUGIN_DATA": str(tmp_path / "data"), **environment}
        words = [sys.executable, "-S", "-E", "-I", str(HOOKS / f"{name}.py")]
        done = subprocess.run(words, input=told, capture_output=True, env=plain, check=False)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    return run
