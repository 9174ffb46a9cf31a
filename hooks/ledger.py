"""What was run, on what, how long and at what cost: one line of JSON each, in the plugin's data folder.

    keep([{"tool": "Bash", "machine": "M4 Max", ...}])

A line is appended in one write. A file above 1 MB becomes activity.1.jsonl, in place of the one before, so two are all
there ever are. Figures of a run are those that its worker measured and kept in run.db; a command without a run gets the
machine, the batch size of its words and the time of the call. None is what was not measured.
"""

from __future__ import annotations

import json
import os

from machine import chip
from standard import CURRENCY, ELECTRICITY_PER_KWH, MACHINE_PER_HOUR, WATTS

FILE, LIMIT = "activity.jsonl", 1 << 20
WORKING_IN = "realign: working in "  # what the command says of its run, on standard error
MOST_RUNS = 5
FIGURES = ("run", "machine", "batch_size", "examples", "seconds", "cost", "currency")
TIERS = ("HIGH", "MEDIUM", "REJECT")
GATES = (
    "SELECT gates.body FROM gates JOIN stages ON stages.name = gates.stage AND stages.fingerprint = gates.fingerprint"
    " WHERE stages.status IN ('passed', 'warned', 'blocked') ORDER BY stages.place, gates.name"
)


def keep(lines: list[dict[str, object]]) -> None:
    """Append lines to the record; without a data folder nothing is kept."""
    data = os.environ.get("CLAUDE_PLUGIN_DATA", "")
    if not data or not lines:
        return
    import fcntl

    os.makedirs(data, exist_ok=True)
    path = os.path.join(data, FILE)
    text = "".join(json.dumps(line, ensure_ascii=True) + "\n" for line in lines)
    with open(os.path.join(data, FILE + ".lock"), "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(path) and os.path.getsize(path) + len(text) > LIMIT:
            os.replace(path, os.path.join(data, "activity.1.jsonl"))
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)


# -- runs -------------------------------------------------------------------------------------------------------------


def runs_named_in(output: str) -> list[str]:
    """The folders that the command said it worked in, each once."""
    lines = (line for line in output.splitlines() if line.startswith(WORKING_IN))
    return list(dict.fromkeys(line[len(WORKING_IN) :].strip() for line in lines))[:MOST_RUNS]


def look_at_run(folder: str) -> dict[str, object] | None:
    """A run's name, the cost that its worker kept, and the verdict of its gates; None where there is no run."""
    import sqlite3
    from urllib.parse import quote

    path = os.path.join(folder, "run.db")
    if not folder or not os.path.isfile(path):
        return None
    try:
        database = sqlite3.connect(f"file:{quote(os.path.abspath(path))}?mode=ro", uri=True, timeout=1.0)
        try:
            row = database.execute("SELECT value FROM meta WHERE key = 'cost'").fetchone()
            gates = [json.loads(body) for (body,) in database.execute(GATES)]
        finally:
            database.close()
    except (sqlite3.Error, ValueError):
        return None
    name = os.path.basename(folder.rstrip("/"))
    return {"run": name, "cost": json.loads(row[0]) if row else {}, "verdict": verdict(f"run {name}", gates)}


def of_run(run: dict[str, object]) -> dict[str, object]:
    """A run's figures, all its stages together so far."""
    cost = run["cost"]
    assert isinstance(cost, dict)
    return {name: cost.get(name) for name in FIGURES} | {"run": run["run"]}


def verdict(what: str, gates: list[dict[str, object]]) -> str:
    """The worst tier of what was measured, with each gate that is not HIGH and its remedy; "" without gates."""
    if not gates:
        return ""
    weak = [gate for gate in gates if gate.get("tier") != TIERS[0]]
    tiers = [str(gate.get("tier")) for gate in gates]
    worst = max(tiers, key=lambda tier: TIERS.index(tier) if tier in TIERS else 0)
    said = [f"ReAlign's gates of {what}: {worst}, {len(gates)} measured, {len(gates) - len(weak)} of them HIGH."]
    said += [_weakness(gate) for gate in weak]
    said += ["A REJECT blocks the next stage until the remedy is applied."] if worst == TIERS[-1] else []
    return " ".join(said)[:4000]


def _weakness(gate: dict[str, object]) -> str:
    value = gate.get("value")
    shown = f"{value:.4g}" if isinstance(value, (int, float)) else "not measured"
    line = f"{gate.get('stage')}, {gate.get('gate')}: {shown}, needed {gate.get('needed')}: {gate.get('tier')}"
    return line + (f" (remedy: {gate.get('remedy')})." if gate.get("remedy") else ".")


# -- commands without a run -------------------------------------------------------------------------------------------


def of_command(jobs) -> dict[str, object]:  # type: ignore[no-untyped-def]
    """Machine and batch size of a command, by its first job (a programs.Job); what it made is not known here."""
    from refused import batch_size

    sizes = [size for _, size in map(batch_size, jobs) if size]
    known = {"machine": chip(), "batch_size": sizes[0] if sizes else None, "job": jobs[0].name}
    return {**dict.fromkeys(FIGURES), **known}


def priced(line: dict[str, object], seconds: float | None) -> dict[str, object]:
    """The line, with the call's time and its cost where the line has no figures of a run and the watts are known."""
    if line.get("run") or seconds is None:
        return line
    watts = WATTS.get(str(line.get("machine")))
    cost = None if watts is None else seconds / 3600 * (watts / 1000 * ELECTRICITY_PER_KWH + MACHINE_PER_HOUR)
    return {**line, "seconds": seconds, "cost": cost, "currency": CURRENCY}
