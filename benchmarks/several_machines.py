"""Two machines on one stage: how far apart they finish, each at full speed and one held back to about half.

    PYTHONPATH=tests python benchmarks/several_machines.py

Both are ranks under mlx.launch on this machine, judging the example textbook's answers with a tiny random model. The
second one is held back by stopping and continuing its process. Finished: seconds from the first round to the end of a
machine's last portion; the gap is the difference over the longer. Waiting: the share of their time in which one
waited for the other at the end of a round.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from contextlib import closing
from pathlib import Path

from ranks import at_half_speed
from realign import workflow
from realign.engine.tiny import make_tiny_model
from realign.hardware.hosts import LOCAL, Host, Hosts
from realign.intake.request import Request
from realign.intake.start import start_run
from realign.job.ranks import share_among

ROOT = Path(__file__).parents[1]
TWO = Hosts("hosts.json", "ring", (Host(LOCAL, (LOCAL,)), Host(LOCAL, (LOCAL,))))


def main() -> None:
    os.environ["REALIGN_HOME"] = tempfile.mkdtemp()
    text = (ROOT / "examples" / "tides.md").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        judge = make_tiny_model(Path(folder) / "tiny", text, width=32, layers=1, vocabulary=800)
        print("| second machine | items of each | finished | gap | waiting |\n| --- | --- | --- | --- | --- |")
        for held_back in (False, True):
            print(measure(Path(folder) / str(held_back), judge, held_back), flush=True)


def measure(folder: Path, judge: Path, held_back: bool) -> str:
    """One line of the table."""
    request = Request((str(ROOT / "examples" / "tides.pdf"),), judge=str(judge), output=str(folder))
    with closing(start_run(request)) as run:
        for stage in ("source", "candidates"):
            workflow.run_stage(run, stage)
        with at_half_speed(os.getpid(), 1) if held_back else contextlib.nullcontext():
            workflow.run_stage(run, "judge", share=share_among(TWO))
        first, second = run.noted("machines of judge")
    ends = [first["finished"], second["finished"]]
    gap, waiting = abs(ends[0] - ends[1]) / max(ends), 1 - (first["seconds"] + second["seconds"]) / (2 * max(ends))
    how, times = "held back" if held_back else "full speed", f"{ends[0]:.1f} s, {ends[1]:.1f} s"
    return f"| {how} | {first['examples']}, {second['examples']} | {times} | {gap:.1%} | {waiting:.1%} |"


if __name__ == "__main__":
    main()
