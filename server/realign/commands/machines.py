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
    command.add_argument("model", metavar="MODEL", help="a name with its size (Qwen2.5-7B-Instruct-4bit), or a folder")
    command.add_argument("--parameters", type=float, help="how many, such as 7e9, where the name does not say")
    command.add_argument("--bits", type=int, help="bits a weight (16 unless the name says)")
    command.add_argument("--type", default="dpo", help="data type (dpo)")
    command.add_argument("--task", default="curate", choices=("curate", "align"))
    command.add_argument("--examples", type=int, default=1000, help="how many (1000)")
    command.add_argument("--machine", help="the machine you would like")
    command.add_argument("--batch-size", type=int, dest="batch_size")
    command.add_argument("--split", help="none, half, cores")
    command.add_argument("--transport", help="separate batches, rdma, exo")


def plan(words: argparse.Namespace) -> int:
    """Which machine, what batch size, how long, at what cost."""
    from dataclasses import asdict

    from realign.hardware.plan import make_plan
    from realign.views.results import hardware_plan

    found = make_plan(
        words.model, parameters=words.parameters, bits=words.bits, data_type=words.type, task=words.task,
        examples=words.examples, machine=words.machine, batch_size=words.batch_size, split=words.split,
        transport=words.transport,
    )  # fmt: skip
    if words.json:
        say_json({**asdict(found), "split": dict(found.split)})
        return 0
    answer = hardware_plan(found)
    lines = [answer.summary]
    for name in ("work", "memory", "refused", "warnings", "basis"):
        lines += [f"  {name:<12}{line}" for line in getattr(answer, name)]
    lines += [f"  {'cost':<12}{answer.cost}", f"  {'here':<12}{answer.here}"]
    print("\n".join(lines))
    return 0


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
