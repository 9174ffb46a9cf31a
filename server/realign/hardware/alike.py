"""Are the machines alike: checkpoint, gradients, code, and all that shapes the records. Four of the eight checks.

Each takes `Facts` and gives findings; preflight.py puts them in order. The coordinator is what the others are compared
with, until most of them differ from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from realign.hardware.facts import FAIL, PASS, WARNING, Answered, Facts, Finding, Vitals, listed, no_model, unmeasured
from realign.hardware.probe import PARTS, Seen

MEND = "copy the model there again, and look at its precision and the MLX version"
OUTLIER = 10.0  # times the median norm of a gradient
EQUAL = 0.95  # of the other machines must be like the coordinator in all five parts
# Mean difference a token, in nats, on the worst planted item. Measured against float32 on a trained 8-layer model:
# float16 0.003, bfloat16 0.018; other weights differ by 0.5 and more. The widest type of the team counts.
ALONE: Finding = (WARNING, "", "not measured: no other machine to compare with", "")
TOLERANCES = {"float32": 0.001, "float16": 0.02, "bfloat16": 0.1}


def find_checkpoint(facts: Facts) -> Iterator[Finding]:
    """The same weights, tokenizer and config everywhere, and every file whole."""
    if not facts.models:
        yield no_model("there is no checkpoint")
    for model in facts.models:
        name, coordinator = Path(model).name, facts.machines[0]
        first = coordinator.seen.models.get(model) if coordinator.seen else None
        for machine, seen in facts.seen:
            found = seen.models.get(model)
            loaded = machine.measured.models.get(model) if machine.measured else None
            problem = found.damage if found else "its answer leaves it out"
            problem = problem or (loaded.problem if loaded else "")
            if not problem and found and first and found.identity != first.identity:
                problem = f"it is {found.identity}, {coordinator.name} has {first.identity}"
            if problem:
                yield FAIL, machine.name, f"{name}: {problem}", _copy(machine, coordinator, model)
            elif found:
                yield PASS, machine.name, f"{name} is {found.identity}, every file whole", ""


def _copy(machine: Answered, coordinator: Answered, model: str) -> str:
    if machine is coordinator:
        return f"fetch or convert {model} again"
    there = f"{machine.ssh}:" if machine.ssh != coordinator.ssh else ""
    return f"copy it there again: `rsync -a --checksum {model}/ {there}{model}/`"


def find_gradients(facts: Facts) -> Iterator[Finding]:
    """A real backward pass over the planted items is finite, and no norm is above ten times the median of all."""
    if not facts.models:
        yield no_model("there are no gradients")
    for model in facts.models:
        found, name = facts.vitals(model), Path(model).name
        yield from unmeasured(facts, model)
        norms = [norm for _, vitals in found for norm in vitals.gradients if norm is not None]
        middle = median(norms) if norms else 0.0
        for machine, vitals in found:
            finite = [norm for norm in vitals.gradients if norm is not None]
            if not vitals.gradients:
                yield WARNING, machine.name, f"{name}: not measured: {vitals.no_gradients}", ""
            elif len(finite) < len(vitals.gradients):
                lost = len(vitals.gradients) - len(finite)
                what = f"{name}: {lost} of {len(vitals.gradients)} gradients are not finite"
                yield FAIL, machine.name, what, MEND
            elif not max(finite):
                yield FAIL, machine.name, f"{name}: no gradient reaches the last block", MEND
            elif max(finite) > OUTLIER * middle:
                what = f"{name}: a gradient norm of {max(finite):.3g}, more than 10 times the median {middle:.3g}"
                yield FAIL, machine.name, what, MEND
            else:
                what = f"{name}: {len(finite)} gradients, the largest {max(finite) / middle:.1f} x the median"
                yield PASS, machine.name, what, ""


def find_sync(facts: Facts) -> Iterator[Finding]:
    """The same code everywhere, the same MLX under it, and before RDMA nothing that was never committed."""
    strict = facts.backend != "ring"
    for machine, seen in facts.seen:
        if seen.uncommitted:
            what = f"{len(seen.uncommitted)} files uncommitted ({', '.join(seen.uncommitted[:3])})"
            yield FAIL if strict else WARNING, machine.name, what, "commit, and bring every machine to that commit"
    if not facts.compared:
        yield ALONE
        return
    first, others = facts.compared
    for machine, seen in others:
        for what, mine, theirs in (
            ("code", first.program[:12], seen.program[:12]),
            ("templates", first.prompts[:12], seen.prompts[:12]),
            ("mlx", first.mlx, seen.mlx),
            ("mlx-lm", first.mlx_lm, seen.mlx_lm),
        ):
            if mine != theirs:
                found = f"{what} is {theirs or 'not installed'}, {mine or 'not installed'} here"
                yield FAIL, machine.name, found, f"install there what is installed here (ReAlign {first.realign})"
    yield PASS, "", f"code {first.program[:12]} and mlx {first.mlx} on {len(facts.seen)} machines", ""


def find_consistency(facts: Facts) -> Iterator[Finding]:
    """All that shapes the records is equal on every machine, by SHA-256 and by the answers to planted items."""
    if not facts.compared:
        yield ALONE
        return
    first, others = facts.compared
    divergent = {machine.name: parts for machine, seen in others if (parts := differing(facts, first, seen))}
    equal = 1 - len(divergent) / len(others)
    if divergent:
        named = listed([f"{name} ({listed(parts)})" for name, parts in divergent.items()])
        found = f"{equal:.0%} of the other machines are like {facts.machines[0].name}, {EQUAL:.0%} needed: {named}"
        fix = _suspect(len(divergent), len(others), facts.machines[0].name)
        yield FAIL if equal < EQUAL else WARNING, "", found, fix
    for machine, seen in facts.seen:
        if seen.refused:
            fix = "the same version of ReAlign everywhere"
            yield FAIL, machine.name, f"its code refuses the settings: {seen.refused}", fix
    yield PASS, "", f"{', '.join(PARTS)} equal on {len(others) + 1} machines", ""
    if not facts.models:
        yield no_model("there are no answers to compare")
    for model in facts.models:
        yield from _answers(facts, model)


def differing(facts: Facts, first: Seen, seen: Seen) -> list[str]:
    """Which of the five parts are not as on the coordinator."""
    checkpoints = [[s.models[m].identity if m in s.models else "" for m in facts.models] for s in (first, seen)]
    same = {part: getattr(first, part) == getattr(seen, part) for part in PARTS if part != "checkpoint"}
    same["checkpoint"] = checkpoints[0] == checkpoints[1]
    return [part for part in PARTS if not same[part]]


def _suspect(divergent: int, others: int, coordinator: str) -> str:
    """Who has to be mended: the few, or the one that most others differ from."""
    if others == 1:
        return "bring both machines to the same version: with two nobody can say which is behind"
    if divergent * 2 > others:
        return f"look at {coordinator} first: more than half differ from it, so it is the suspect"
    return "bring the machines named to the coordinator's version, or leave them out"


def _answers(facts: Facts, model: str) -> Iterator[Finding]:
    """Every machine's log-probabilities of the planted answers lie within the tolerance of the others' median."""
    found, name = facts.vitals(model), Path(model).name
    yield from unmeasured(facts, model)
    if len(found) < 2:
        return
    tolerance = max(TOLERANCES.get(vitals.type, TOLERANCES["bfloat16"]) for _, vitals in found)
    distances = {machine.name: distance for (machine, _), distance in zip(found, _distances(found), strict=True)}
    far = [who for who, distance in distances.items() if not distance <= tolerance]
    if not far:
        what = f"{name}: answers within {max(distances.values()):.2g} nats a token ({tolerance:g} allowed)"
        yield PASS, "", what, ""
    elif len(found) == 2:
        what = f"{name}: {listed(list(distances))} answer differently, by {distances[far[0]]:.2g} nats a token"
        fix = "copy the model again; a third machine would tell which one is wrong"
        yield FAIL, "", f"{what} ({tolerance:g} allowed)", fix
    else:
        shown = listed([f"{who} by {distances[who]:.2g} nats a token" for who in far])
        what = f"{name}: other answers than the rest: {shown} ({tolerance:g} allowed)"
        yield FAIL, "", what, "copy the model there again, or leave that machine out"


def _distances(found: Sequence[tuple[Answered, Vitals]]) -> list[float]:
    """Each machine's distance from the median of all (of two, from the other): nats a token on its worst item.

    Infinite where the answers have another shape or hold what is no number.
    """
    rows = [_numbers(vitals) for _, vitals in found]
    shapes = [[len(item) for item in row] for row in rows]
    usual = max(shapes, key=shapes.count)
    good = [row for row, shape in zip(rows, shapes, strict=True) if row and shape == usual]
    distances = []
    for row, shape in zip(rows, shapes, strict=True):
        against = [other for other in good if other is not row] if len(rows) == 2 else good
        distances.append(_distance(row, against) if row and against and shape == usual else float("inf"))
    return distances


def _numbers(vitals: Vitals) -> list[list[float]]:
    """The answers of a machine, or nothing at all where one of the numbers is none."""
    rows = [[value for value in item if value is not None] for item in vitals.answers]
    whole = all(len(row) == len(item) for row, item in zip(rows, vitals.answers, strict=True))
    return rows if whole else []


def _distance(row: Sequence[Sequence[float]], good: Sequence[Sequence[Sequence[float]]]) -> float:
    """Mean difference a token from the median of `good`, of the item where it is largest."""
    worst = 0.0
    for place, item in enumerate(row):
        middle = [median(values) for values in zip(*(other[place] for other in good), strict=True)]
        gaps = [abs(mine - usual) for mine, usual in zip(item, middle, strict=True)]
        worst = max(worst, sum(gaps) / max(len(gaps), 1))
    return worst
