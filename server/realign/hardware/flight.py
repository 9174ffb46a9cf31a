"""The pre-flight of a distributed launch: every machine is asked at the same time, and the eight checks are made.

    checks = fly(read_hosts(path), settings, say=print)

First each machine looks at itself, which takes a second; models are loaded and measured only when nothing is wrong so
far. All of it ends within LOOK_SECONDS + MEASURE_SECONDS, whatever a machine does.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from realign.hardware.facts import Answered, Facts, Measured
from realign.hardware.hosts import Host, Hosts
from realign.hardware.plan import TOKENS
from realign.hardware.preflight import Check, blocking, judge
from realign.hardware.probe import Said, Seen
from realign.hardware.remote import Reply, ask_all
from realign.settings import Settings

LOOK, MEASURE = "realign.hardware.probe", "realign.job.vitals"
LOOK_SECONDS = 30.0  # a slow network, Python's start, and a Mac that lists its graphics card
MEASURE_SECONDS = 600.0  # a large model is read from its disk
SILENCE = 30.0  # seconds without a sign of life, one of which is due every second
T = TypeVar("T", bound=Said)
Say = Callable[[str], None]


def fly(
    hosts: Hosts, settings: Settings, say: Say = lambda line: None, stopping: Callable[[], bool] = lambda: False,
    seconds: float = LOOK_SECONDS, silence: float = SILENCE, task: str = "curate",
) -> list[Check]:  # fmt: skip
    """The eight checks. seconds: for a machine's first answer; task: one of memory.TASKS. Raises Interrupted."""
    models = model_folders(settings, task)
    changed = settings.model_dump(mode="json", exclude_defaults=True, exclude={"hardware", "cost"})
    machines = _ask(hosts, [LOOK, json.dumps({"settings": changed, "models": models})], seconds, seconds, say, stopping)
    facts = Facts(machines, models, hosts.backend, settings.hardware.sharded, *_sizes(settings, task, len(machines)))
    reason = _no_measuring(facts)
    if reason:
        machines = tuple(dataclasses.replace(machine, unmeasured=reason) for machine in machines)
    else:
        request = [MEASURE, json.dumps({"models": models})]
        machines = _measure(hosts, machines, request, silence, say, stopping)
    return judge(dataclasses.replace(facts, machines=machines))


def _sizes(settings: Settings, task: str, machines: int) -> tuple[int, str, int, bool]:
    """(batch size of one machine, task, tokens of a sequence, whether all weights are trained)."""
    if task == "curate":
        return max(settings.candidates.batch_size, settings.judge.batch_size), task, TOKENS, False
    training = settings.training
    return -(-training.rows // machines), task, training.longest, settings.adapter.kind == "full"


def model_folders(settings: Settings, task: str = "curate") -> tuple[str, ...]:
    """The model folders that will write and judge, or be trained; addresses and the extractive author are none."""
    if task != "curate":
        return (settings.model,) if settings.model else ()
    specs = (settings.source.author, settings.candidates.author, settings.judge.judge)
    return tuple(dict.fromkeys(spec for spec in specs if spec != "extractive" and "://" not in spec))


def names_of(hosts: Sequence[Host]) -> list[str]:
    """What each machine is called; a name that stands in the file more than once gets its rank."""
    counts = Counter(host.ssh for host in hosts)
    return [
        "this machine" if not rank else f"rank {rank} on {host.ssh}" if counts[host.ssh] > 1 else host.ssh
        for rank, host in enumerate(hosts)
    ]


def _no_measuring(facts: Facts) -> str:
    """Why no model is loaded now, or ""."""
    if not facts.models:
        return "no model folder works in this run"
    if facts.sharded:
        return "the model is spread over all machines, none holds it alone"
    failed = [check.name for check in blocking(judge(facts))]
    return f"first mend {', '.join(failed)}" if failed else ""


def _ask(
    hosts: Hosts, words: Sequence[str], seconds: float, silence: float, say: Say, stopping: Callable[[], bool]
) -> tuple[Answered, ...]:
    """Every machine's look at itself."""
    names = names_of(hosts.hosts)
    replies = ask_all(hosts.hosts, words, seconds, silence, _counting(names, "answered", say), stopping)
    return tuple(
        _seen(Answered(name, host.ssh, host.machine), reply)
        for name, host, reply in zip(names, hosts.hosts, replies, strict=True)
    )


def _seen(machine: Answered, reply: Reply) -> Answered:
    seen, problem, fix = _read(Seen, reply)
    skew = max(0.0, reply.begun - seen.time, seen.time - reply.ended) if seen else 0.0
    return dataclasses.replace(machine, seen=seen, problem=problem, fix=fix, seconds=reply.seconds, skew=skew)


def _measure(
    hosts: Hosts, machines: Sequence[Answered], words: Sequence[str], silence: float, say: Say,
    stopping: Callable[[], bool],
) -> tuple[Answered, ...]:  # fmt: skip
    """Every machine with what its models did; one that could not measure them is broken."""
    names = [machine.name for machine in machines]
    say(f"pre-flight: loading models on {len(names)} machines")
    heard = _counting(names, "measured", say)
    replies = ask_all(hosts.hosts, words, MEASURE_SECONDS, silence, heard, stopping)
    found = []
    for machine, reply in zip(machines, replies, strict=True):
        measured, problem, fix = _read(Measured, reply)
        machine = dataclasses.replace(machine, measured=measured, problem=problem, fix=fix)
        found.append(machine if measured else dataclasses.replace(machine, unmeasured=problem, broke=True))
    return tuple(found)


def _read(kind: type[T], reply: Reply) -> tuple[T | None, str, str]:
    """(the answer, "", "") or (None, problem, fix): an answer of another shape comes from another version."""
    if reply.told is None:
        return None, reply.problem, reply.fix
    try:
        return kind.model_validate(reply.told), "", ""
    except ValidationError as error:
        wrong = ", ".join(dict.fromkeys(str(problem["loc"][0]) for problem in error.errors()))
        return None, f"it answered in another form ({wrong})", "install the same version of ReAlign there"


def _counting(names: Sequence[str], did: str, say: Say) -> Callable[[int, Reply], None]:
    """Says of each machine, as it comes, what it did, and how many have."""
    ended: list[Any] = []

    def heard(place: int, reply: Reply) -> None:
        ended.append(place)
        what = f"{did} in {reply.seconds:.1f} s" if reply.told else reply.problem
        say(f"pre-flight: {names[place]}: {what} ({len(ended)} of {len(names)})")

    return heard
