"""Which machine, what batch size, split or not, over what transport, with which environment, how long, at what cost.

    make_plan("Qwen 7B", examples=1500).summary

Machines are chosen by bytes (fit.py), then by rate. What must not be done is refused by name (refusals.py) and the plan
goes on with the right value. Every figure says what it rests on. Time counts one scored example a row; generating the
candidates comes on top and is unknown until calibration measures it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from realign import settings
from realign.errors import UsageError
from realign.hardware import explain
from realign.hardware.cost import NOT_MEASURED, Cost, Figure, measure_cost
from realign.hardware.environment import NICE, worker_environment
from realign.hardware.fit import (
    Fit,
    Memory,
    deal,
    estimate_together,
    fit_machine,
    fits,
    throughput_shares,
)
from realign.hardware.here import Here, look_here
from realign.hardware.machines import SHARDED_30B_RATE, Machine, known_machines
from realign.hardware.models import ModelSize, measure_model
from realign.hardware.refusals import Asked, Refusal, refuse

SEPARATE, SHARDED, EXO, NONE = "separate batches", "sharded over RDMA", "EXO", "none"
PRECISIONS = (8, 6, 5, 4, 3, 2)
TASKS = ("curate", "align")
TOKENS = 1024  # the longest sequence: a passage, a prompt and an answer


@dataclass(frozen=True, slots=True)
class Part:
    """One machine's part: its share in 0..1, whole examples, examples/s and seconds (None: not measured)."""

    machine: str
    share: float
    batch_size: int
    examples: int
    rate: float | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer. machine is where the run runs ("" for nowhere); rates in examples/s; None is not measured.

    refused: (anti-pattern, reason) of what was asked for. question: set when the model's size is unknown.
    """

    model: str
    data_type: str
    task: str
    examples: int
    size: ModelSize
    here: Here
    environment: dict[str, str]
    summary: str = ""
    machine: str = ""
    batch_size: int | None = None
    transport: str = NONE
    work: tuple[Part, ...] = ()
    memory: Memory | None = None
    rate: float | None = None
    seconds: float | None = None
    costs: tuple[Cost, ...] = ()
    cost: Figure = NOT_MEASURED
    nice: int = NICE
    refused: tuple[Refusal, ...] = ()
    basis: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    question: str = ""

    @property
    def split(self) -> tuple[tuple[str, float], ...]:
        """(machine, share) of the work; the shares sum to one, or there are none."""
        return tuple((part.machine, part.share) for part in self.work)


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be planned: the model's size, the task, how many examples, how long sequences are, and the prices."""

    size: ModelSize
    task: str
    examples: int
    tokens: int
    prices: settings.Cost = field(default_factory=settings.Cost)

    def fit(self, machine: Machine, batch_size: int | None = None, bits: int | None = None) -> Fit | None:
        """The model on a machine, or None."""
        return fit_machine(self.size, machine, self.tokens, self.task, batch_size, bits)


def make_plan(
    model: str,
    *,
    parameters: float | None = None,
    bits: int | None = None,
    data_type: str = "dpo",
    task: str = "curate",
    examples: int = 1000,
    machines: Sequence[Machine] | None = None,
    machine: str | None = None,
    batch_size: int | None = None,
    split: str | Mapping[str, float] | None = None,
    transport: str | None = None,
    words: str = "",
    tokens: int = TOKENS,
    fast_synch: bool = True,
    prices: settings.Cost | None = None,
) -> Plan:
    """The plan for a model, by name or folder. machines: None takes this one and the shipped ones.

    machine, batch_size, split ("none" for one machine, "half", "cores", or shares by name), transport (a word of
    SEPARATE, SHARDED, EXO) and words (the request as said) are what was asked for: honored where sound, else refused
    by name. tokens: of the longest sequence. Raises UsageError for impossible values, ModelError for a bad folder.
    """
    numbers = {"examples": examples, "batch_size": batch_size, "tokens": tokens, "bits": bits, "parameters": parameters}
    _check(data_type, task, numbers)
    job = Task(measure_model(model, parameters, bits), task, examples, tokens, prices or settings.Cost())
    fleet = tuple(machines) if machines is not None else known_machines()
    _check_fleet(fleet, machine)
    environment = worker_environment({}, fast_synch=fast_synch)
    plan = Plan(
        model, data_type, task, examples, job.size, look_here(job.size, tokens, task), environment, basis=job.size.basis
    )
    if job.size.parameters is None:
        question = f"How many parameters does {model or 'the model'} have, and at how many bits a weight?"
        return dataclasses.replace(plan, question=question, summary=f"The model's size is unknown. {question}")
    fitted = sorted(filter(None, map(job.fit, fleet)), key=lambda f: (-(f.rate or 0.0), -f.machine.memory_gb))
    asked = Asked(machine, batch_size, split, transport, words)
    asked, refused = refuse(asked, fitted, fleet, task)
    plan = dataclasses.replace(plan, refused=refused, warnings=explain.environment_warnings(fast_synch))
    plan = _on_one(plan, job, fitted, asked) if fitted else _on_all(plan, job, fleet, asked)
    return dataclasses.replace(plan, summary=explain.summarize(plan))


# -- a model that one machine holds ------------------------------------------------------------------------------


def _on_one(plan: Plan, job: Task, fitted: list[Fit], asked: Asked) -> Plan:
    """The fastest machine leads; the others that hold the model take their share of independent batches."""
    lead = next((f for f in fitted if f.machine.name == asked.machine), fitted[0])
    warnings = list(plan.warnings)
    if asked.machine not in (None, lead.machine.name):
        warnings.append(f"{asked.machine} was asked for and can't hold this model")
    if asked.batch_size:
        lead = job.fit(lead.machine, asked.batch_size) or lead
        if lead.batch_size != asked.batch_size:
            warnings.append(
                f"batch size {asked.batch_size} is too much for {lead.machine.name}: {lead.batch_size} it is"
            )
        elif lead.machine.batch_curve and lead.batch_size > lead.machine.batch_size:
            warnings.append(f"{lead.machine.name} is fastest at batch size {lead.machine.batch_size}")
    if asked.transport and asked.transport.lower() == "exo":
        warnings.append(f"EXO is for models that no machine holds alone; {lead.machine.name} holds this one")
    team = [lead, *(f for f in fitted if f.machine.name != lead.machine.name and f.rate)] if lead.rate else [lead]
    lockstep = job.task == "align" and len(team) > 1 and asked.split not in (None, "none")
    if asked.machine or asked.split == "none" or (job.task == "align" and not lockstep):
        team = [lead]
    if lockstep:
        warnings.append("training in lockstep has equal shares by construction: the slowest machine sets the pace")
    warnings += [line for f in team for line in explain.memory_warnings(f.machine.name, f.memory)]
    work = _share_out(team, _shares(team, asked, lockstep), job.examples)
    plan = dataclasses.replace(
        plan,
        machine=lead.machine.name,
        batch_size=lead.batch_size,
        transport=SHARDED if lockstep else SEPARATE if job.task == "curate" else NONE,
        work=work,
        memory=lead.memory,
        warnings=tuple(warnings),
        basis=(*plan.basis, *explain.basis_of(team, lockstep)),
    )
    return _with_time_and_cost(plan, team, job)


def _shares(team: Sequence[Fit], asked: Asked, lockstep: bool) -> tuple[float, ...]:
    """Shares of the work in the order of `team`. Raises UsageError for asked shares that are not of these machines."""
    if lockstep:
        return (1 / len(team),) * len(team)
    if not isinstance(asked.split, Mapping) or len(team) == 1:
        return throughput_shares(team)
    names = [f.machine.name for f in team]
    if set(asked.split) != set(names) or abs(sum(asked.split.values()) - 1) > 1e-6 or min(asked.split.values()) < 0:
        raise UsageError(
            f"The split {dict(asked.split)}", f"shares of {', '.join(names)} that sum to 1", "leave it out"
        )
    return tuple(asked.split[name] for name in names)


def _share_out(team: Sequence[Fit], shares: Sequence[float], examples: int) -> tuple[Part, ...]:
    parts = zip(team, shares, deal(examples, shares), strict=True)
    return tuple(
        Part(f.machine.name, share, f.batch_size, count, f.rate, count / f.rate if f.rate else None)
        for f, share, count in parts
    )


def _with_time_and_cost(plan: Plan, team: Sequence[Fit], job: Task) -> Plan:
    """The plan with the time of the last machine to finish and the price of all; untouched where a rate is missing."""
    if any(part.seconds is None for part in plan.work):
        return plan
    seconds = max(part.seconds or 0.0 for part in plan.work)
    costs = tuple(
        measure_cost(part.seconds or 0.0, part.examples, f.machine, job.prices, part.batch_size)
        for part, f in zip(plan.work, team, strict=True)
    )
    known = [cost.total for cost in costs if cost.total != NOT_MEASURED]
    total: Figure = sum(known) if len(known) == len(costs) else NOT_MEASURED
    return dataclasses.replace(plan, rate=job.examples / seconds, seconds=seconds, costs=costs, cost=total)


# -- a model that no machine holds alone -------------------------------------------------------------------------


def _on_all(plan: Plan, job: Task, fleet: Sequence[Machine], asked: Asked) -> Plan:
    """EXO, or RDMA when asked for, over all Macs together; nowhere, with the precision that would do, failing that."""
    macs = [m for m in fleet if m.system == "macOS"]
    pooled = estimate_together(job.size, macs, job.tokens, job.task) if len(macs) > 1 else None
    if pooled is None or not fits(pooled, sum(m.memory_gb for m in macs)):
        return dataclasses.replace(plan, warnings=(*plan.warnings, _what_would_fit(job, fleet, macs)))
    sharded = asked.transport is not None and asked.transport.lower() in ("rdma", "jaccl", SHARDED.lower())
    active = job.size.active or 30e9
    rate = SHARDED_30B_RATE * min(1.0, 30e9 / active) if sharded and {m.share for m in macs} <= {0.655, 0.345} else None
    return dataclasses.replace(
        plan,
        machine=" + ".join(m.name for m in macs),
        batch_size=min(m.batch_size for m in macs),
        transport=SHARDED if sharded else EXO,
        memory=pooled,
        warnings=(*plan.warnings, *explain.memory_warnings("the machines together", pooled)),
        rate=rate,
        seconds=job.examples / rate if rate else None,
        basis=(
            *plan.basis,
            "layers are placed by EXO (endpoint on port 52415) or the sharded launch: examples are not split",
            f"rate: about {SHARDED_30B_RATE} ex/s of a 30B model sharded, slower in proportion"
            if rate
            else "rate: not measured",
        ),
    )


def _what_would_fit(job: Task, fleet: Sequence[Machine], macs: Sequence[Machine]) -> str:
    """One sentence: the highest precision that fits one machine, and the highest that fits all together."""
    lower = [bits for bits in PRECISIONS if bits < job.size.bits]
    alone = next(((b, f.machine.name) for b in lower for m in fleet if (f := job.fit(m, bits=b))), None)
    pool = sum(m.memory_gb for m in macs)
    pooled = next(
        (b for b in lower if len(macs) > 1 and fits(estimate_together(job.size, macs, job.tokens, job.task, b), pool)),
        None,
    )
    ways = [f"{pooled} bit fits all of them together (EXO)"] if pooled else []
    ways += [f"{alone[0]} bit fits {alone[1]} alone"] if alone and (not pooled or alone[0] <= pooled) else []
    weights = (job.size.parameters or 0.0) * job.size.bits / 8e9
    return f"fits nowhere ({weights:.0f} GB of weights): {'; '.join(ways) or 'nor does any precision down to 2 bit'}"


# -- around it ---------------------------------------------------------------------------------------------------


def _check(data_type: str, task: str, job_numbers: Mapping[str, float | None]) -> None:
    """Raises UsageError for a data type, task or number that can't be."""
    if data_type not in settings.DATA_TYPES:
        raise UsageError(f"The data type {data_type!r}", f"one of {', '.join(settings.DATA_TYPES)}")
    if task not in TASKS:
        raise UsageError(f"The task {task!r}", f"one of {', '.join(TASKS)}")
    for name, value in job_numbers.items():
        if value is not None and not value > 0:
            raise UsageError(f"{name} is {value}", "a number above zero", "leave it out for the default")


def _check_fleet(fleet: Sequence[Machine], asked: str | None) -> None:
    """Raises UsageError for no machine at all, or for a machine that is not among them."""
    names = [machine.name for machine in fleet]
    if not fleet or (asked is not None and asked not in names):
        raise UsageError(f"No machine {asked or 'to plan for'}", f"one of {', '.join(names) or 'at least one'}")
