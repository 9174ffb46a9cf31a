"""Which machine, what batch size, split or not, over what transport, with which environment, how long, at what cost.

    make_plan("Qwen 7B", examples=1500).summary
    make_plan("", parameters=70e9, bits=4, task="dpo", machines=read_machines("M4 Max 128GB, M2 Ultra 192GB"))

Machines are chosen by bytes (memory.py), then by rate (fit.py), a calibration's before the shipped one. What must not
be done is refused by name (refusals.py) and the plan goes on with the right value. Every figure says what it rests on.
Time counts one scored example a row; generating the candidates comes on top and is not in the shipped rates.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from realign import settings
from realign.errors import UsageError
from realign.hardware import explain
from realign.hardware.calibration import calibrated, why_not
from realign.hardware.cost import NOT_MEASURED, Figure, measure_cost
from realign.hardware.environment import worker_environment
from realign.hardware.fit import Fit, ceiling_of, deal, fit_machine, rate_is, speed, throughput_shares
from realign.hardware.here import look_here
from realign.hardware.machines import Machine, known_machines, this_machine
from realign.hardware.memory import GENERATES, TASKS, Memory, estimate_memory, estimate_together
from realign.hardware.models import ModelSize, measure_model
from realign.hardware.planned import EXO, NONE, SEPARATE, SHARDED, Part, Plan
from realign.hardware.refusals import SHARDINGS, Asked, refuse
from realign.hardware.wishes import read_wishes

TOKENS = 1024  # the longest sequence: a passage, a prompt and an answer
MOST = {"examples": 10**12, "batch_size": 10**6, "tokens": 10**8}
LOWER = (16, 8, 6, 5, 4, 3, 2)  # precisions to fall back to


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be planned. tokens: of the longest sequence. full: train every weight instead of adapters."""

    size: ModelSize
    task: str
    examples: int
    tokens: int
    full: bool = False
    prices: settings.Cost = field(default_factory=settings.Cost)

    def fit(self, machine: Machine, batch_size: int | None = None, bits: float | None = None) -> Fit | None:
        """The model on a machine, or None."""
        return fit_machine(self.size, machine, self.tokens, self.task, batch_size, bits, self.full)

    def together(self, machines: Sequence[Machine], bits: float | None = None) -> Memory:
        """Memory of the model spread over machines."""
        return estimate_together(self.size, machines, self.tokens, self.task, bits, self.full)


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
    full: bool = False,
    fast_synch: bool = True,
    prices: settings.Cost | None = None,
) -> Plan:
    """The plan for a model, by name or folder. machines: None takes this one and the shipped ones.

    machine, batch_size, split ("none" for one machine, "half", "cores", "2:1" in the machines' order, or shares by
    name), transport ("separate batches", "rdma", "exo") and words (the request as said) are what was asked for: honored
    where sound, else refused by name. Raises UsageError for impossible values, ModelError for a bad folder.
    """
    _check(data_type, task, {"examples": examples, "batch_size": batch_size, "tokens": tokens})
    size = measure_model(model, parameters, bits)
    if full and size.bits < 16:
        raise UsageError(f"Full fine-tuning at {size.bits:g} bit", "16-bit weights", "adapters, or --bits 16")
    job = Job(size, task, examples, tokens, full and task != "curate", prices or settings.Cost())
    fleet = _ready(machines if machines is not None else known_machines(), size)
    asked = read_wishes(machine, batch_size, split, transport, words, fleet)
    plan = Plan(
        model,
        data_type,
        task,
        examples,
        tokens,
        size,
        look_here(size, tokens, task, calibrated(this_machine(), size), job.full),
        worker_environment({}, fast_synch=fast_synch),
        basis=size.basis,
    )
    if size.parameters is None:
        question = f"How many parameters does {model or 'the model'} have, and at how many bits a weight?"
        return dataclasses.replace(plan, question=question, summary=f"The model's size is unknown. {question}")
    fitted = sorted(filter(None, map(job.fit, fleet)), key=lambda fit: speed(fit, size), reverse=True)
    asked, refused = refuse(asked, fitted, fleet, task)
    plan = dataclasses.replace(plan, refused=refused, warnings=explain.environment_warnings(fast_synch))
    plan = _on_one(plan, job, fitted, fleet, asked) if fitted else _on_all(plan, job, fleet, asked)
    old = tuple(filter(None, (why_not(each, size) for each in fleet)))
    plan = dataclasses.replace(plan, basis=(*plan.basis, *old))
    return dataclasses.replace(plan, summary=explain.summarize(plan))


# -- a model that one machine holds ------------------------------------------------------------------------------


def _on_one(plan: Plan, job: Job, fitted: list[Fit], fleet: Sequence[Machine], asked: Asked) -> Plan:
    """The fastest machine leads; the others that hold the model take their share of independent batches."""
    lead = next((fit for fit in fitted if fit.machine.name == asked.machine), fitted[0])
    if asked.batch_size:
        lead = job.fit(lead.machine, asked.batch_size) or lead
    team, lockstep = _team(job, lead, fitted, asked)
    if lockstep:
        smallest = min(fit.batch_size for fit in team)  # every machine waits for all at every step
        team = [job.fit(fit.machine, smallest) or fit for fit in team]
        lead = team[0]
    work = _share_out(job, team, _shares(team, asked, lockstep))
    asked_shares = isinstance(asked.split, Mapping) and not lockstep
    warnings = (
        *explain.wishes_not_met(asked, lead),
        *((explain.LOCKSTEP,) if lockstep else ()),
        *explain.left_out(fitted, team, job.task, asked),
        *(line for fit in team for line in explain.memory_warnings(fit.machine.name, fit.memory)),
    )
    plan = dataclasses.replace(
        plan,
        machine=lead.machine.name,
        why=explain.why_this(lead, fitted, [m for m in fleet if not job.fit(m)], job.task),
        batch_size=lead.batch_size,
        transport=SHARDED if lockstep else SEPARATE if job.task == "curate" else NONE,
        work=work,
        memory=lead.memory,
        warnings=(*plan.warnings, *warnings),
        basis=(*plan.basis, *explain.basis_of(team, job.size, job.task, job.full, shares_asked=asked_shares)),
    )
    return _with_time_and_cost(plan, team, job)


def _team(job: Job, lead: Fit, fitted: Sequence[Fit], asked: Asked) -> tuple[list[Fit], bool]:
    """(the machines that work, the lead first; whether in lockstep). Training takes several only when asked to."""
    others = [fit for fit in fitted if fit.machine.name != lead.machine.name]
    alone = asked.machine is not None or asked.split == "none"
    if job.task == "curate":
        return ([lead] if alone or not lead.rate else [lead, *(fit for fit in others if fit.rate)]), False
    wanted = asked.split is not None or asked.transport in SHARDINGS
    lockstep = wanted and not alone and bool(others)
    return ([lead, *others] if lockstep else [lead]), lockstep


def _shares(team: Sequence[Fit], asked: Asked, lockstep: bool) -> tuple[float, ...]:
    """Shares of the work in the order of `team`. Raises UsageError for asked shares that are not of these machines."""
    if lockstep:
        return (1 / len(team),) * len(team)
    if not isinstance(asked.split, Mapping) or len(team) == 1:
        return throughput_shares(team)
    names = [fit.machine.name for fit in team]
    if set(asked.split) != set(names) or abs(sum(asked.split.values()) - 1) > 1e-6 or min(asked.split.values()) < 0:
        raise UsageError(
            f"The split {dict(asked.split)}", f"shares of {', '.join(names)} that sum to 1", "leave it out"
        )
    return tuple(asked.split[name] for name in names)


def _share_out(job: Job, team: Sequence[Fit], shares: Sequence[float]) -> tuple[Part, ...]:
    return tuple(
        Part(
            fit.machine.name,
            share,
            fit.batch_size,
            count,
            fit.rate,
            count / fit.rate if fit.rate else None,
            ceiling_of(fit.machine, job.size, job.tokens) if job.task in GENERATES else None,
        )
        for fit, share, count in zip(team, shares, deal(job.examples, shares), strict=True)
    )


def _with_time_and_cost(plan: Plan, team: Sequence[Fit], job: Job) -> Plan:
    """The plan with the time of the last machine to finish and the price of all; untouched where a rate is missing."""
    if any(part.seconds is None for part in plan.work):
        return plan
    seconds = max(part.seconds or 0.0 for part in plan.work)
    costs = tuple(
        measure_cost(part.seconds or 0.0, part.examples, fit.machine, job.prices, part.batch_size)
        for part, fit in zip(plan.work, team, strict=True)
    )
    known = [cost.total for cost in costs if cost.total != NOT_MEASURED]
    total: Figure = sum(known) if len(known) == len(costs) else NOT_MEASURED
    kind = rate_is([fit.machine for fit in team], job.size)
    return dataclasses.replace(
        plan, rate=job.examples / seconds, rate_is=kind, seconds=seconds, costs=costs, cost=total
    )


# -- a model that no machine holds alone -------------------------------------------------------------------------


def _on_all(plan: Plan, job: Job, fleet: Sequence[Machine], asked: Asked) -> Plan:
    """EXO, or the sharded launch, over as few Macs as hold it; else nowhere, and the precision that would do."""
    macs = [machine for machine in fleet if machine.system == "macOS"]
    pool = _pool(job, macs)
    if not pool:
        return dataclasses.replace(plan, warnings=(*plan.warnings, _what_would_fit(job, fleet, macs)))
    # EXO serves a model to be asked; it trains none.
    sharded = job.task != "curate" or asked.transport in SHARDINGS
    memory = job.together(pool)
    return dataclasses.replace(
        plan,
        machine=" + ".join(machine.name for machine in pool),
        why=f"fits {'neither' if len(fleet) == 2 else 'none of them'} alone",
        batch_size=min(machine.batch_size for machine in pool),
        transport=SHARDED if sharded else EXO,
        memory=memory,
        warnings=(
            *plan.warnings,
            *explain.memory_warnings("the machines together", memory),
            *((explain.NOT_TRAINED,) if job.task != "curate" else ()),
        ),
        basis=(*plan.basis, *explain.basis_together(pool, sharded, job.task, job.full)),
    )


def _pool(job: Job, macs: Sequence[Machine], bits: float | None = None) -> list[Machine]:
    """The fewest machines, largest first, that hold the model together, in the order given; none where all do not."""
    by_memory = sorted(macs, key=lambda machine: machine.memory_gb, reverse=True)
    for count in range(2, len(macs) + 1):
        memory = job.together(by_memory[:count], bits)
        if memory.total <= memory.limit:
            return [machine for machine in macs if machine in by_memory[:count]]
    return []


def _what_would_fit(job: Job, fleet: Sequence[Machine], macs: Sequence[Machine]) -> str:
    """One sentence: the highest precision that fits one machine, and the highest that fits several together."""
    size, lower = job.size, [bits for bits in LOWER if bits < job.size.bits and not (job.full and bits < 16)]
    alone = next(((bits, fit.machine.name) for bits in lower for m in fleet if (fit := job.fit(m, bits=bits))), None)
    pooled = next((bits for bits in lower if _pool(job, macs, bits)), None)
    ways = [f"{pooled} bit fits all of them together ({EXO})"] if pooled else []
    ways += [f"{alone[0]} bit fits {alone[1]} alone"] if alone and (not pooled or alone[0] <= pooled) else []
    weights = (size.parameters or 0.0) * size.bits / 8e9
    rest = (
        ""
        if job.task == "curate"
        else f", {estimate_memory(size, fleet[0], 1, job.tokens, job.task, None, job.full).total:.0f} GB in training"
    )
    return f"fits nowhere ({weights:.0f} GB of weights{rest}): {'; '.join(ways) or 'nor does any lower precision'}"


# -- around it ---------------------------------------------------------------------------------------------------


def _check(data_type: str, task: str, numbers: Mapping[str, int | None]) -> None:
    """Raises UsageError for a data type, task or number that can't be."""
    if data_type not in settings.DATA_TYPES:
        raise UsageError(f"The data type {data_type!r}", f"one of {', '.join(settings.DATA_TYPES)}")
    if task not in TASKS:
        raise UsageError(f"The task {task!r}", f"one of {', '.join(TASKS)}")
    for name, value in numbers.items():
        if value is not None and not 1 <= value <= MOST[name]:
            raise UsageError(f"{name} is {value}", f"a number from 1 to {MOST[name]:,}", "leave it out for the default")


def _ready(machines: Iterable[Machine], size: ModelSize) -> tuple[Machine, ...]:
    """The machines with their calibrated figures, and names that tell them apart. Raises UsageError for none."""
    fleet = [calibrated(machine, size) for machine in machines]
    if not fleet:
        raise UsageError("No machine to plan for", "at least one")
    return tuple(_told_apart(fleet))


def _told_apart(fleet: Sequence[Machine]) -> Iterator[Machine]:
    """The machines, those of one name called by their memory too, or by number where that is the same."""
    for index, machine in enumerate(fleet):
        same = [other for other in fleet if other.name == machine.name]
        by_memory = len({other.memory_gb for other in same}) == len(same)
        number = 1 + sum(other.name == machine.name for other in fleet[:index])
        more = f"{machine.memory_gb:g} GB" if by_memory else f"#{number}"
        yield dataclasses.replace(machine, name=f"{machine.name} {more}") if len(same) > 1 else machine
