"""The real Claude Code as tests run it: an empty home, an empty environment, no network, no login, no model.

BINARY is $REALIGN_CLAUDE, a `claude` on the PATH, or what `make acceptance` has fetched; UNAVAILABLE says why it can't
be used here, "" when it can.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from processes import ROOT

FETCHED = sorted((ROOT / ".venv/claude-code/node_modules/@anthropic-ai").glob("claude-code-*/claude"))
BINARY = os.environ.get("REALIGN_CLAUDE") or shutil.which("claude") or (str(FETCHED[0]) if FETCHED else "")
ALONE = ["unshare", "-rn"]  # a network namespace with nothing in it


def why_not() -> str:
    """Why no client can be run here, or ""."""
    if not Path(BINARY).is_file():
        return "no Claude Code: `make acceptance` fetches one, and REALIGN_CLAUDE may name one"
    if not shutil.which("unshare") or subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode:
        return "no network namespace can be made to keep the client off the network"
    return ""


UNAVAILABLE = why_not()


def client(home: Path, *words: str, **variables: str) -> list[str]:
    """The command line of a client whose home is `home`. Its PATH has a plain Python and the system's tools."""
    path = f"{Path(sys.base_prefix, 'bin')}:/usr/bin:/bin"
    plain = {"HOME": str(home), "PATH": path, "TERM": "dumb", "LANG": "C.UTF-8", "SHELL": "/bin/bash", **variables}
    return [*ALONE, "env", "-i", *(f"{name}={value}" for name, value in plain.items()), BINARY, *words]


def said(home: Path, *words: str, **variables: str) -> str:
    """What a client prints that must succeed."""
    done = subprocess.run(
        client(home, *words, **variables), cwd=home, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Control:
    """A client in its streaming mode, to which control requests are sent and no message ever."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process, self.asked = process, 0
        self.ask("initialize")

    def ask(self, subtype: str, **request: Any) -> dict[str, Any]:
        """Send a request; gives its response, which holds "error" when it failed."""
        assert self.process.stdin and self.process.stdout
        self.asked += 1
        identity = str(self.asked)
        message = {"type": "control_request", "request_id": identity, "request": {"subtype": subtype, **request}}
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            answer = json.loads(line)
            if answer["type"] == "control_response" and answer["response"]["request_id"] == identity:
                return dict(answer["response"])
        raise AssertionError("the client ended")

    def server(self) -> dict[str, Any]:
        """What the client says of the server, {} while it is still connecting."""
        servers = self.ask("mcp_status")["response"]["mcpServers"]
        return dict(servers[0]) if servers and servers[0]["status"] != "pending" else {}


@contextmanager
def control(home: Path, *words: str) -> Iterator[Control]:
    """A client that takes control requests, ended when the block ends."""
    streams = ("-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose")
    with subprocess.Popen(
        client(home, *streams, *words), cwd=home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Control(process)
