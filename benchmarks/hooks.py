"""A hook's whole process on a Bash command, against an interpreter that does nothing.

    python benchmarks/hooks.py [ROUNDS] [PYTHON]                 100 python3

Every round runs each once, in alternation, with the start that hooks.json uses: `python3 -S -E -I`. Bars: 1.3x the bare
interpreter before and after a command that is not ours, also one that mentions our words; 3x for one that is.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HOOKS = Path(__file__).parents[1] / "hooks"
BARS = {"not ours": 1.3, "mentions": 1.3, "ours": 3.0, "refused": 3.0}
COMMANDS = {
    "not ours": "git status && npm test",
    "mentions": "grep -rn realign docs | head -20",
    "ours": "cd /tmp && nohup uv run mlx_lm.lora --train --batch-size 4 > log 2>&1 &",
    "refused": "sudo nice -n -10 realign curate book.pdf",
}


def event(command: str) -> bytes:
    told = {
        "session_id": "s", "transcript_path": "/home/me/t.jsonl", "cwd": "/tmp", "hook_event_name": "PreToolUse",
        "tool_name": "Bash", "tool_input": {"command": command, "description": "runs it"}, "tool_use_id": "toolu_1",
        "tool_response": {"stdout": "a line\n" * 50, "stderr": ""}, "duration_ms": 12,
    }  # fmt: skip
    return json.dumps(told).encode()


def milliseconds(words: list[str], told: bytes, environment: dict[str, str]) -> float:
    begun = time.perf_counter()
    subprocess.run(words, input=told, stdout=subprocess.DEVNULL, check=True, env=environment)
    return (time.perf_counter() - begun) * 1000


def main() -> None:
    rounds, python = int((sys.argv[1:] or ["100"])[0]), (sys.argv[2:] or ["python3"])[0]
    start = [python, "-S", "-E", "-I"]
    runs = {("bare", ""): ([*start, "-c", "pass"], event("ls"))}
    for name, command in COMMANDS.items():
        for hook in ("pre_tool_use", "post_tool_use"):
            runs[name, hook] = ([*start, str(HOOKS / f"{hook}.py")], event(command))
    times: dict[tuple[str, str], list[float]] = {key: [] for key in runs}
    with tempfile.TemporaryDirectory() as data:
        (Path(data) / "priority").mkdir()
        environment = {**os.environ, "CLAUDE_PLUGIN_DATA": data}
        for turn in range(rounds + 3):  # the first three compile and warm up, and do not count
            for key, (words, told) in runs.items():
                taken = milliseconds(words, told, environment)
                times[key] += [taken] if turn >= 3 else []
    bare = statistics.median(times["bare", ""])
    for (name, hook), taken in times.items():
        middle = statistics.median(taken)
        bar = BARS.get(name)
        verdict = f", bar {bar}: {'met' if middle <= bar * bare else 'MISSED'}" if bar else ""
        print(f"{name:<9}{hook:<15}median {middle:6.2f} ms   least {min(taken):6.2f}   {middle / bare:.2f}x{verdict}")


if __name__ == "__main__":
    main()
