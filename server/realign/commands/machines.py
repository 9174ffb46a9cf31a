"""The subcommands about machines: plan, calibrate."""

from __future__ import annotations

import argparse

from realign.commands.words import Add, say_json


def add_to(add: Add) -> None:
    """Add them to the command."""
    add_plan(add("plan", plan, "which machine, what batch size, how long, at what cost"))
    add_calibrate(add("calibrate", calibrate, "measure a model on this machine by batch size, for every later plan"))


def add_plan(command: argparse.ArgumentParser) -> None:
    """The words of `plan`."""
    command.add_argument(
        "model", metavar="MODEL", nargs="?", default="",
        help="a name with its size (Qwen2.5-7B-Instruct-4bit), or a folder",
    )  # fmt: skip
    command.add_argument(
        "--parameters", default="", help="70B or 7e9, where there is no model or its name does not say"
    )
    command.add_argument("--bits", type=int, help="bits a weight (16 unless the model says)")
    command.add_argument("--type", default="dpo", help="data type (dpo)")
    command.add_argument(
        "--task", default="curate", help="curate, or training, which takes more memory: sft, dpo, rl (curate)"
    )
    command.add_argument("--full", action="store_true", help="training: every weight, not LoRA adapters")
    command.add_argument("--examples", type=int, default=1000, help="how many (1000)")
    command.add_argument("--tokens", type=int, default=1024, help="of the longest sequence (1024)")
    command.add_argument(
        "--machines", help='what there is: "M4 Max 128GB, M2 Ultra 192GB" (this one, M4 Max and M3 Ultra)'
    )
    command.add_argument("--machine", help="the one of them you would like")
    command.add_argument("--batch-size", type=int, dest="batch_size", help="the one you would like")
    command.add_argument("--split", help="none, half, cores, or a ratio such as 2:1")
    command.add_argument("--transport", help="separate batches, rdma, exo")
    command.add_argument("--words", default="", help="the request as it was said, for what must not be done")


def plan(words: argparse.Namespace) -> int:
    """Which machine, what batch size, how long, at what cost."""
    from dataclasses import asdict
    from shutil import get_terminal_size

    from realign.errors import UsageError
    from realign.hardware.models import read_parameters
    from realign.hardware.plan import make_plan
    from realign.hardware.wishes import read_machines
    from realign.views.plans import plan_lines

    if not (words.model or words.parameters):
        raise UsageError("Neither a model nor its size", "one of them", "realign plan --parameters 70B --bits 4")
    found = make_plan(
        words.model, parameters=read_parameters(words.parameters) if words.parameters else None, bits=words.bits,
        data_type=words.type, task=words.task, examples=words.examples, tokens=words.tokens, full=words.full,
        machines=None if words.machines is None else read_machines(words.machines), machine=words.machine,
        batch_size=words.batch_size, split=words.split, transport=words.transport, words=words.words,
    )  # fmt: skip
    if words.json:
        say_json({**asdict(found), "split": dict(found.split)})
    else:
        print("\n".join(plan_lines(found, min(110, max(60, get_terminal_size((110, 24)).columns)))))
    return 2 if found.question else 0


def add_calibrate(command: argparse.ArgumentParser) -> None:
    """The words of `calibrate`."""
    command.add_argument("model", metavar="MODEL", help="a model folder")
    command.add_argument(
        "--seconds", type=float, default=600.0, help="of measuring, at most about (600); small models take less"
    )
    command.add_argument("--quiet", action="store_true", help="no progress")


def calibrate(words: argparse.Namespace) -> int:
    """Scoring and generation at batch sizes 1 to 64, the knee of each, kept for plans."""
    import signal
    from dataclasses import asdict

    from realign.hardware.calibration import write_whole
    from realign.job.calibrate import calibrate as measure
    from realign.report.calibration import as_page, as_text
    from realign.views.terminal import showing

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with showing(words.quiet) as show:
        found, path = measure(words.model, words.seconds, show)
    chart = path.with_suffix(".html")
    write_whole(chart, as_page(found))
    if words.json:
        say_json({**asdict(found), "file": str(path), "chart": str(chart)})
    else:
        print(f"{as_text(found)}\nKept for plans: {path}\nChart: {chart}")
    return 0
