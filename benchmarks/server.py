"""The server's start and a trivial tool call, against a bare `mcp` server with one tool.

    python benchmarks/server.py [STARTS] [CALLS]                 20 1000

Both speak stdio as processes of their own, driven by the same lines of JSON, in alternation. Start is from spawning to
the answer to `initialize`. The trivial call of ours is detect_data_type with three words, a whole detection; the bare
one echoes. Bars: start at most 1.15x, call at most 2x the bare one. A first start, which compiles, does not count.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BARE = """
from mcp.server import MCPServer

server = MCPServer("bare")


@server.tool()
async def echo(text: str) -> str:
    "Give the text back."
    return text


server.run("stdio")
"""
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "benchmark", "version": "1"}}
BARS = {"start": 1.15, "call": 2.0}


class Peer:
    """A server process and the wire to it."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def ask(self, number: int, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Send a request and read its answer."""
        self.tell({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        assert self.process.stdout is not None
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        assert "result" in answer and not answer["result"].get("isError"), answer
        return answer

    def tell(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(10)


def time_start(command: list[str]) -> float:
    """Milliseconds from spawning to the answer to initialize."""
    begun = time.perf_counter()
    peer = Peer(command)
    peer.ask(0, "initialize", HELLO)
    taken = time.perf_counter() - begun
    peer.close()
    return taken * 1000


def time_calls(peer: Peer, first: int, count: int, tool: str, arguments: dict[str, Any]) -> list[float]:
    """Milliseconds of each of `count` calls, one after the other."""
    taken = []
    for number in range(first, first + count):
        begun = time.perf_counter()
        peer.ask(number, "tools/call", {"name": tool, "arguments": arguments})
        taken.append((time.perf_counter() - begun) * 1000)
    return taken


def ready(command: list[str]) -> Peer:
    peer = Peer(command)
    peer.ask(0, "initialize", HELLO)
    peer.tell({"jsonrpc": "2.0", "method": "notifications/initialized"})
    return peer


def show(what: str, ours: list[float], bare: list[float]) -> None:
    ratio = statistics.median(ours) / statistics.median(bare)
    for name, values in (("ours", ours), ("bare", bare)):
        ordered = sorted(values)
        middle, late = statistics.median(ordered), ordered[int(len(ordered) * 0.99)]
        print(
            f"{what:<6}{name:<6}median {middle:8.2f} ms   least {ordered[0]:8.2f}   p99 {late:8.2f}   n {len(values)}"
        )
    print(f"{what:<6}ratio {ratio:.3f}, bar {BARS[what]}: {'met' if ratio <= BARS[what] else 'MISSED'}")


def main() -> None:
    starts, calls = (int(word) for word in (sys.argv[1:] + ["20", "1000"][len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "bare.py"
        script.write_text(BARE)
        bare, ours = [sys.executable, str(script)], [sys.executable, "-m", "realign", "serve"]
        time_start(ours), time_start(bare)
        pairs = [(time_start(ours), time_start(bare)) for _ in range(starts)]
        show("start", [a for a, _ in pairs], [b for _, b in pairs])
        one, other = ready(ours), ready(bare)
        trivial = ("detect_data_type", {"request": "DPO pairs please"}), ("echo", {"text": "DPO pairs please"})
        times: tuple[list[float], list[float]] = ([], [])
        for first in range(1, calls + 1, 100):  # the first hundred of each import what they need and do not count
            for peer, (tool, arguments), kept in zip((one, other), trivial, times, strict=True):
                kept += time_calls(peer, first, 100, tool, arguments)
        one.close(), other.close()
        show("call", times[0][100:], times[1][100:])


if __name__ == "__main__":
    main()
