"""A scripted stand-in for the model's HTTP API on loopback: it makes the real client issue chosen tool calls.

    python tests/plugin/model_api.py SCRIPT.json LOG.jsonl COMMAND [WORD...]

SCRIPT holds a list of turns, each a list of [tool name, tool input]; when they are used up the answer is plain text and
the conversation ends. LOG gets one line for each request that offered tools: what the model was told. COMMAND runs with
ANTHROPIC_BASE_URL set to the stand-in, and its exit code is this program's. In a network namespace of its own
(`unshare -n`) the loopback device is brought up first. Another program may give `serve` a decision of its own.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1
Call = tuple[str, dict[str, Any]]
Decision = Callable[[dict[str, Any]], "list[Call] | str"]  # a request that offers tools -> calls, or a text that ends


def loopback_up() -> None:
    """Switch the device `lo` on, which a new network namespace has switched off; Linux only."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        asked = struct.pack("16sh14x", b"lo", 0)
        _, flags = struct.unpack("16sh14x", fcntl.ioctl(control, SIOCGIFFLAGS, asked))
        if not flags & IFF_UP:
            fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def blocks(decided: list[Call] | str, turn: str) -> list[dict[str, Any]]:
    """The content of an answer: the turn's tool calls, or a text that ends the conversation."""
    if isinstance(decided, str) or not decided:
        return [{"type": "text", "text": decided or "done"}]
    return [
        {"type": "tool_use", "id": f"toolu_{turn}_{place}", "name": name, "input": given}
        for place, (name, given) in enumerate(decided)
    ]


def scripted(script: list[list[Call]]) -> Decision:
    """The turns of a script, one after the other. A turn is spent only by a request that offers the Bash tool."""
    turns = iter(script)

    def decide(asked: dict[str, Any]) -> list[Call]:
        return next(turns, []) if any(tool.get("name") == "Bash" for tool in asked["tools"]) else []

    return decide


def events(content: list[dict[str, Any]], turn: str) -> Iterator[dict[str, Any]]:
    """The answer as the stream of events that the API sends. The client takes messages of one id for one message."""
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {"id": f"msg_{turn}", "type": "message", "role": "assistant", "model": "stand-in", "content": [],
               "stop_reason": None, "stop_sequence": None, "usage": usage}  # fmt: skip
    yield {"type": "message_start", "message": message}
    for index, block in enumerate(content):
        called = block["type"] == "tool_use"
        empty = {**block, "input": {}} if called else {**block, "text": ""}
        told = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])} if called else {
            "type": "text_delta", "text": block["text"]}  # fmt: skip
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        yield {"type": "content_block_delta", "index": index, "delta": told}
        yield {"type": "content_block_stop", "index": index}
    reason = "tool_use" if content[0]["type"] == "tool_use" else "end_turn"
    yield {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage}
    yield {"type": "message_stop"}


def handler(decide: Decision, log: Path) -> type[BaseHTTPRequestHandler]:
    """The request handler of one conversation."""
    turns = (f"{os.getpid()}_{turn}" for turn in itertools.count())  # a conversation may go on in another process
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
            if "count_tokens" in self.path:
                return self.answer("application/json", b'{"input_tokens": 1}')
            with lock:
                decided = decide(asked) if asked.get("tools") else ""
                turn = next(turns)
                if asked.get("tools"):
                    with open(log, "a", encoding="utf-8") as lines:
                        lines.write(json.dumps({"system": asked.get("system"), "messages": asked["messages"]}) + "\n")
            stream = events(blocks(decided, turn), turn)
            body = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in stream)
            return self.answer("text/event-stream", body.encode())

        def do_GET(self) -> None:
            self.answer("application/json", b"{}")

        do_HEAD = do_GET  # noqa: N815

        def answer(self, kind: str, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            """Nothing: the log file is the log."""

    return Handler


def serve(decide: Decision, log: str, *command: str) -> int:
    """Answer by `decide` until the command ends; gives its exit code."""
    loopback_up()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(decide, Path(log))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        code = subprocess.run(command, env={**os.environ, "ANTHROPIC_BASE_URL": address}, check=False).returncode
        server.shutdown()
    return code


if __name__ == "__main__":
    turns = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    sys.exit(serve(scripted(turns), *sys.argv[2:]))
