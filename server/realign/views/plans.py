"""A hardware plan in words: lines for a tool's answer, and the page that `realign plan` prints.

plan_lines(make_plan("Qwen 7B"), width=100)     first what to do, then the work, memory, time, cost, and why
"""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from realign.hardware.here import Here
    from realign.hardware.planned import Part, Plan

LABEL = 15  # characters before the text of a line
USES = {
    "weights": "weights", "scales": "scales", "kv_cache": "key-value cache", "adapters": "adapters",
    "gradients": "gradients", "optimizer": "Adam's moments", "activations": "activations",
    "reference": "reference model", "overhead": "overhead",
}  # fmt: skip
RATE_IS = {
    "measured": "",
    "floor": " (a floor: measured on a larger model)",
    "estimate": " (an estimate: in proportion to a smaller model)",
}


def plan_lines(plan: Plan, width: int = 100) -> list[str]:
    """The plan for reading, the decision first and on one line; the rest is folded at `width` characters."""
    environment = " ".join(f"{name}={value}" for name, value in plan.environment.items())
    rows: list[tuple[str, str]] = [("why", plan.why)] if plan.why else []
    if len(plan.work) > 1 or plan.rate is not None:
        rows += [("work", part_in_words(part)) for part in plan.work]
    if plan.machine:
        rows += [("memory", line) for line in _memory(plan)]
        rows += [("time", time_of_plan(plan)), ("cost", cost_of_plan(plan))]
        rows += [("ceiling", line) for line in ceilings(plan)]
        rows += [("environment", f"{environment}, nice {plan.nice}")]
    if plan.question:
        rows += [("give", "--parameters 70B --bits 4, or a folder with the model's config.json")]
    rows += [("refused", f"{name}: {reason}") for name, reason in plan.refused]
    rows += [("beware", warning) for warning in plan.warnings if plan.machine or warning != plan.warnings[-1]]
    rows += [("rests on", line) for line in plan.basis]
    rows += [("here", here_in_words(plan.here))]
    folded = [line for label, text in _labelled(rows) for line in _fold(label, text, width)]
    return [plan.summary, "", *folded]


def part_in_words(part: Part) -> str:
    """One machine's part of the work."""
    rate = "rate not measured" if part.rate is None else f"{part.rate:.3g} examples/s"
    return f"{part.machine}: {part.share:.1%}, {part.examples:,} examples, batch size {part.batch_size}, {rate}"


def memory_uses(plan: Plan) -> list[str]:
    """GB by use, those that take any, and the limits; nothing where no machine was found."""
    if plan.memory is None:
        return []
    amounts = asdict(plan.memory)
    always = ("weights", "kv_cache", "overhead", "total", "default_limit", "limit")
    return [f"{name}: {amount:.1f} GB" for name, amount in amounts.items() if amount or name in always]


def ceilings(plan: Plan) -> list[str]:
    """What generation can't pass on each machine."""
    known = [(part.machine, part.ceiling) for part in plan.work if part.ceiling is not None]
    return [f"{machine}: {ceiling:,.3g} tokens/s for one sequence" for machine, ceiling in known]


def time_of_plan(plan: Plan) -> str:
    """How long it takes, or that nobody has measured it."""
    from realign.hardware.explain import ABOUT, duration

    if plan.seconds is None or plan.rate is None:
        return "not measured"
    return f"{ABOUT[plan.rate_is]} {duration(plan.seconds)} at {plan.rate:.3g} examples/s{RATE_IS[plan.rate_is]}"


def cost_of_plan(plan: Plan) -> str:
    """The expected cost and the prices behind it, or that nobody has measured it, and why."""
    if isinstance(plan.cost, float | int):
        return f"{plan.cost:.4g} {plan.costs[0].currency}, at {plan.costs[0].basis}"
    unknown = [cost.watts_basis for cost in plan.costs if isinstance(cost.total, str)]
    return f"{plan.cost}: {'; '.join(unknown) or 'the time is not known'}"


def here_in_words(here: Here) -> str:
    """What this machine can do itself."""
    size = "" if here.batch_size is None else f", batch size {here.batch_size}"
    return f"{here.machine} ({here.system}, {here.memory_gb:.0f} GB){size}: {here.note}"


def _memory(plan: Plan) -> list[str]:
    memory = plan.memory
    if memory is None:
        return []
    amounts = asdict(memory)
    uses = ", ".join(f"{word} {_gb(amounts[name])}" for name, word in USES.items() if amounts[name])
    raised = f" once raised, {memory.default_limit:.0f} as macOS stands" if memory.limit > memory.default_limit else ""
    return [
        f"{memory.total:.1f} GB of the {memory.limit:.0f} GB the GPU may use on {plan.machine}{raised}",
        f"{uses} GB, at batch size {plan.batch_size} and {plan.tokens:,} tokens",
    ]


def _gb(amount: float) -> str:
    return f"{amount:.1f}" if amount >= 0.1 else f"{amount:.2g}"


def _labelled(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The rows, each label said once."""
    return [("" if i and rows[i - 1][0] == label else label, text) for i, (label, text) in enumerate(rows)]


def _fold(label: str, text: str, width: int) -> list[str]:
    first = f"  {label:<{LABEL - 2}}"
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=" " * (LABEL + 2), break_on_hyphens=False
    ) or [first.rstrip()]
