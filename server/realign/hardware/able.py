"""Can each machine do its part: memory and chip, an answer, its speed, its health. Four of the eight checks.

Each takes `Facts` and gives findings; preflight.py puts them in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from realign.hardware.facts import FAIL, PASS, WARNING, Answered, Facts, Finding, no_model
from realign.hardware.machines import Machine
from realign.hardware.memory import estimate_memory
from realign.hardware.models import measure_model
from realign.hardware.probe import Seen

MEMORY_USED = 0.90  # of a machine's memory, before anything is loaded
CLOCKS = 60.0  # seconds that clocks may differ: calibrations and logs are dated, nothing else depends on them
LESS = {
    True: "a smaller batch size, fewer bits a weight, or --set hardware.sharded=true",
    False: "a smaller training.rows or training.longest, fewer bits a weight, or the host file without it: every"
    " machine of a training holds the whole model",
}
SHARE_OFF = 0.20  # relative: what a machine's share now may differ from the share its calibration promises


def find_hardware(facts: Facts) -> Iterator[Finding]:
    """Every machine holds the model, and its chip is known."""
    for machine, seen in facts.seen:
        calibrated = any(model.rate for model in seen.models.values())
        if not (seen.charted or calibrated):
            what = f"{seen.machine} is in no table, its speed is not known"
            yield WARNING, machine.name, what, "`realign calibrate MODEL` there"
        if machine.claimed and machine.claimed != seen.machine:
            what = f"the host file calls it {machine.claimed}, it is {seen.machine}"
            yield WARNING, machine.name, what, 'correct "machine" in the host file'
        yield from (_holds(facts, machine, seen, model) for model in facts.models)
    if not facts.models:
        yield no_model("nothing has to fit into memory")


def _holds(facts: Facts, machine: Answered, seen: Seen, model: str) -> Finding:
    """One model on one machine, at the run's batch size; several ranks on one machine share its memory."""
    profile = Machine(seen.machine, seen.memory_gb, system=seen.system, gpu_gb=seen.gpu_gb)
    ranks = sum(other.host == seen.host for _, other in facts.seen)
    size, task = measure_model(model), facts.task
    memory = estimate_memory(size, profile, facts.batch_size, facts.tokens, task, None, facts.full)
    needed = memory.total * ranks / (len(facts.machines) if facts.sharded else 1)
    what = f"{Path(model).name} needs {needed:.1f} GB at batch size {facts.batch_size}"
    what += "" if task == "curate" else f" in {task.upper()} training"
    what += f" for {ranks} ranks" if ranks > 1 else ""
    if needed > memory.limit:
        what += f", {seen.machine} can give {memory.limit:.1f} of {seen.memory_gb:.1f} GB"
        return FAIL, machine.name, what, LESS[task == "curate"]
    if needed > memory.default_limit:
        what += f", the GPU may use {memory.default_limit:.1f} GB as the system stands"
        return WARNING, machine.name, what, f"`sudo sysctl iogpu.wired_limit_mb={needed * 1e9 / 2**20:.0f}` there"
    return PASS, machine.name, f"{what} of {memory.default_limit:.1f} GB", ""


def find_workers(facts: Facts) -> Iterator[Finding]:
    """Every machine of the host file answers."""
    for machine in facts.machines:
        if machine.seen:
            yield PASS, machine.name, f"answered in {machine.seconds:.1f} s", ""
        else:
            yield FAIL, machine.name, machine.problem, machine.fix


def find_performance(facts: Facts) -> Iterator[Finding]:
    """Every machine is calibrated, and its share of the work now is within a fifth of what its calibration promises."""
    if not facts.models:
        yield no_model("there is no speed to compare")
    for model in facts.models:
        found = []
        for machine, seen in facts.seen:
            promised = seen.models[model].rate if model in seen.models else None
            vitals = machine.measured.models.get(model) if machine.measured else None
            if promised is None:
                reason = seen.models[model].uncalibrated if model in seen.models else ""
                what = f"not measured: it is not calibrated for {Path(model).name}"
                what += f" ({reason})" if reason else ""
                yield WARNING, machine.name, what, f"`realign calibrate {model}` there"
            elif vitals is None or vitals.rate is None:
                yield WARNING, machine.name, f"not measured: {machine.unmeasured}", ""
            else:
                found.append((machine, promised, vitals.rate))
        if len(found) == len(facts.machines):
            yield from _shares(found)


def _shares(found: Sequence[tuple[Answered, float, float]]) -> Iterator[Finding]:
    """Each machine's share of the team's speed: as calibrated, and as timed a moment ago on the same work."""
    promised, now = sum(was for _, was, _ in found), sum(is_now for _, _, is_now in found)
    for machine, was, is_now in found:
        expected, share = was / promised, is_now / now
        what = f"{share:.1%} of the speed now ({is_now:.3g} examples/s), {expected:.1%} expected"
        if abs(share - expected) > SHARE_OFF * expected:
            yield FAIL, machine.name, what, "end what else runs there, let it cool, or calibrate it again"
        else:
            yield PASS, machine.name, what, ""


def find_health(facts: Facts) -> Iterator[Finding]:
    """Every machine goes on giving signs of life, has memory left, and knows what time it is."""
    for machine, seen in facts.seen:
        if machine.broke:
            yield FAIL, machine.name, machine.problem, machine.fix
        if seen.used is None:
            yield WARNING, machine.name, "memory in use: not measured, its system does not say", ""
        elif seen.used >= MEMORY_USED:
            what = f"{seen.used:.0%} of its memory is in use, below {MEMORY_USED:.0%} is needed"
            yield FAIL, machine.name, what, "close what holds memory there"
        if machine.skew > CLOCKS:
            what = f"its clock differs by {machine.skew:.0f} s or more"
            yield WARNING, machine.name, what, "set its clock by the network"
        if not machine.broke and seen.used is not None:
            yield PASS, machine.name, f"alive, {seen.used:.0%} of its memory in use", ""
