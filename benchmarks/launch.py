"""What the plugin's launcher adds to a start, against starting the environment's own Python directly.

    python benchmarks/launch.py [STARTS]                         40

Both end in the same work, `realign --version`, in the same environment, from spawning to the end, in alternation. The
environment is built for real into a temporary folder first. Rows: bin/realign as the client starts it, and
server/launch.py by the `python3` of the PATH and by the system's. Bar: bin/realign adds at most 50 ms at the median.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
BAR = 50.0  # milliseconds
FLAGS = ["-S", "-E", "-I"]


def time_start(command: list[str], variables: dict[str, str]) -> float:
    """Milliseconds from spawning to the end of a start that must succeed."""
    begun = time.perf_counter()
    subprocess.run(command, env=variables, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - begun) * 1000


def main() -> None:
    starts = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    with tempfile.TemporaryDirectory() as folder:
        variables = {**os.environ, "CLAUDE_PLUGIN_DATA": folder}
        variables.pop("REALIGN_HOME", None)
        words, launch = ["--version"], str(ROOT / "server/launch.py")
        subprocess.run([ROOT / "bin/realign", *words], env=variables, check=True)
        environment = next(Path(folder, "environments").glob("*/complete")).parent
        direct = {**variables, "PYTHONPATH": str(ROOT / "server")}
        rows = {
            "direct": ([str(environment / "bin/python"), "-P", "-m", "realign", *words], direct),
            "bin/realign": ([str(ROOT / "bin/realign"), *words], variables),
            "python3 launch.py": (["python3", *FLAGS, launch, *words], variables),
            "/usr/bin/python3 launch.py": (["/usr/bin/python3", *FLAGS, launch, *words], variables),
        }
        times: dict[str, list[float]] = {name: [] for name in rows}
        for _ in range(starts + 1):  # the first round compiles what the environment has not compiled yet
            for name, (command, given) in rows.items():
                times[name].append(time_start(command, given))
    base = statistics.median(times["direct"][1:])
    for name, taken in times.items():
        middle, least = statistics.median(taken[1:]), min(taken[1:])
        print(f"{name:<28}median {middle:7.1f} ms   least {least:7.1f}   adds {middle - base:6.1f}   n {starts}")
    added = statistics.median(times["bin/realign"][1:]) - base
    print(f"bar {BAR:.0f} ms added by bin/realign: {'met' if added <= BAR else 'MISSED'}")


if __name__ == "__main__":
    main()
