"""A simulation, no measurement: two machines at the shipped rates, their work split in several ways, or in lockstep.

    python benchmarks/simulate_split.py            the table of docs/hardware.md, about 20 s

What work takes varies by a factor of the day (5 %, drawn anew for each machine every 24 hours) and by one of each
portion (10 %); every split meets the same days. 10,000 examples are the mean of 20 runs, 10,000,000 one run of weeks.
Measured shares are the program's own code (job/shares.py): rounds of portions, dealt by the speeds measured so far;
whoever is done with a round first waits.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from statistics import fmean

from realign.hardware.fit import deal as deal_all
from realign.hardware.machines import M3_ULTRA, M4_MAX, SHARDED_30B_RATE
from realign.job.shares import deal, measured, round_length

SEED, RUNS = 20261121, {10_000: 20, 10_000_000: 1}
OF_A_DAY, OF_A_PORTION, DAY = 0.05, 0.10, 86_400.0
PIECES = 1000  # of a machine's work where it is dealt once
PORTION = 8  # examples that a machine is dealt at least, as in the judge stage
PAIR = (M4_MAX, M3_ULTRA)
CURATION = "30B model, separate batches"
WORKLOADS = {
    CURATION: (M4_MAX.shared_rate or 0.0, M3_ULTRA.shared_rate or 0.0),
    "LLM scoring": (M4_MAX.scoring_rate or 0.0, M3_ULTRA.scoring_rate or 0.0),
}
SHIPPED = tuple(machine.share or 0.0 for machine in PAIR)
CORES = tuple((machine.gpu_cores or 0) / sum(m.gpu_cores or 0 for m in PAIR) for machine in PAIR)
Luck = Callable[[float, float], float]
Split = Callable[[int, Sequence[float], Sequence[Luck]], tuple[float, float]]


def luck_of(run: int, machine: int) -> Luck:
    """The factor on what so many portions take that a machine begins `seconds` after the start."""
    chance, days = random.Random(f"{SEED} {run} {machine}"), dict[int, float]()

    def factor(seconds: float, portions: float) -> float:
        day = int(seconds // DAY)
        if day not in days:
            days[day] = max(0.5, random.Random(f"{SEED} {run} {machine} {day}").gauss(1, OF_A_DAY))
        return days[day] * max(0.5, chance.gauss(1, OF_A_PORTION / portions**0.5))

    return factor


def dealt_once(*shares: float) -> Split:
    """All examples dealt by `shares` at the start: (seconds to the end, seconds of work of all machines)."""

    def split(examples: int, rates: Sequence[float], luck: Sequence[Luck]) -> tuple[float, float]:
        ends = []
        for count, rate, factor in zip(deal_all(examples, shares), rates, luck, strict=True):
            now = 0.0
            for _ in range(PIECES):
                now += count / PIECES / rate * factor(now, count / PIECES / PORTION)
            ends.append(now)
        return max(ends), sum(ends)

    return split


def rebalanced() -> Split:
    """Rounds dealt by measured speeds, as the program makes them."""

    def split(examples: int, rates: Sequence[float], luck: Sequence[Luck]) -> tuple[float, float]:
        left, now, work, first = examples // PORTION, 0.0, 0.0, True
        speeds = [sum(rates) / PORTION * share for share in SHIPPED]
        while left:
            owners = deal(round_length(left, speeds, first), speeds)
            counts = [owners.count(machine) for machine in range(len(rates))]
            seconds = [
                count * PORTION / rate * factor(now, max(1, count))
                for count, rate, factor in zip(counts, rates, luck, strict=True)
            ]
            speeds = measured(speeds, counts, seconds, first)
            left, now, work, first = left - len(owners), now + max(seconds), work + sum(seconds), False
        return now, work

    return split


SPLITS: dict[str, Split] = {
    "0.655 : 0.345, as shipped": dealt_once(*SHIPPED),
    "half and half": dealt_once(0.5, 0.5),
    "by GPU cores, 40 : 80": dealt_once(*CORES),
    "measured, balanced anew each round": rebalanced(),
}


def simulate(split: Split, examples: int, rates: Sequence[float]) -> tuple[float, float]:
    """(hours, share of the machines' time that is idle), means over the runs."""
    ends, idle = [], []
    for run in range(RUNS[examples]):
        end, work = split(examples, rates, [luck_of(run, machine) for machine in range(len(rates))])
        ends.append(end / 3600)
        idle.append(1 - work / (len(rates) * end))
    return fmean(ends), fmean(idle)


def plain(hours: float) -> str:
    """0.96, 1,350: three digits, and whole hours above a hundred."""
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.3g}"


def rows(examples: int) -> list[str]:
    """The table's rows for so many examples."""
    found = []
    for workload, rates in WORKLOADS.items():
        for name, split in SPLITS.items():
            hours, idle = simulate(split, examples, rates)
            rate = examples / hours / 3600
            found.append(f"| {examples:,} | {workload} | {name} | {plain(hours)} | {rate:.2f} | {idle:.0%} |")
        if workload == CURATION:
            found += in_lockstep(examples)
    return found


def in_lockstep(examples: int) -> list[str]:
    """Rows of one model spread over both machines: what was shipped, and what EXO's way implies where it is not known.

    Each layer costs a machine its part of what a whole example takes it. Placed by memory, one batch at a time passes
    both machines one after the other; with several under way the slower part sets the pace.
    """
    rates, memory = WORKLOADS[CURATION], [machine.memory_gb for machine in PAIR]
    parts = [gb / sum(memory) / rate for gb, rate in zip(memory, rates, strict=True)]  # seconds an example, on each
    unused = 1 - sum(parts) / (len(parts) * max(parts))

    def row(name: str, rate: float, idle: str) -> str:
        return f"| {examples:,} | {CURATION} | {name} | {plain(examples / rate / 3600)} | {rate:.2f} | {idle} |"

    return [
        row("sharded over RDMA, as shipped", SHARDED_30B_RATE, "not measured"),
        f"| {examples:,} | {CURATION} | EXO | not measured | not measured | not measured |",
        row("EXO, implied: layers by memory, one batch under way", 1 / sum(parts), "50%"),
        row("EXO, implied: layers by memory, several under way", 1 / max(parts), f"{unused:.0%}"),
    ]


def table() -> str:
    """The whole table, in Markdown."""
    head = ["| examples | workload | split | hours | examples/s | machine time idle |", "| --- " * 6 + "|"]
    return "\n".join([*head, *(row for examples in RUNS for row in rows(examples))])


if __name__ == "__main__":
    print(table())
