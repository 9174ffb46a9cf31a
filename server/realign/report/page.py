"""The report as one HTML file that needs nothing else: gates, charts, samples, what was dropped, how it was made.

    html = render_page(run)

It can be made at any moment of a run; a run that stopped early gives the page of what is there. Everything that comes
from a document is escaped by the template engine, and charts escape their own words.
"""

from __future__ import annotations

import re
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from realign import workflow
from realign.quality.decisions import in_words
from realign.quality.evidence import Evidence
from realign.quality.gates import Verdict
from realign.quality.ledger import Step, ledger
from realign.report import drawings
from realign.report.conditions import cost_in_words, cost_rows, in_force_rows, machine_rows
from realign.report.kinds import KINDS
from realign.report.manifest import versions
from realign.report.samples import pick_samples
from realign.report.summary import Summary, duration, figures, public, summarize
from realign.run import Run

SAMPLES = 12
MEANING = {
    "HIGH": "Every gate holds at its highest level.",
    "MEDIUM": "Usable with a warning: at least one gate is below its highest level.",
    "REJECT": "Do not train on this: at least one gate failed, and the next stage refuses to start.",
    "not measured": "No stage has ended yet, so no gate was measured.",
}


@cache
def environment() -> Environment:
    """The templates: escaping is on for pages, a missing name is an error."""
    found = Environment(
        loader=PackageLoader("realign.report"),
        autoescape=lambda name: bool(name and name.endswith(".html")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(measured=measured, plural=plural, shown=shown, plain=plain, reviewed=in_words)
    return found


def render_page(run: Run, summary: Summary | None = None) -> str:
    """The whole page. Pass the summary when it is at hand: it saves measuring the gates again."""
    summary = summary or summarize(run)
    evidence, steps = Evidence.of_run(run, workflow.settings_of(run)), ledger(run)
    splits = {row.parent: row.split for row in run.records("row")}
    page = environment().get_template("report.html")
    return page.render(
        summary=summary,
        meaning=MEANING[summary.tier],
        facts=[fact for fact in figures(summary) if fact[0] not in ("Card", "Report")],
        highlights=highlights(summary, steps),
        drawings=drawings.draw(evidence, steps),
        pages=drawings.pages(evidence),
        samples=pick_samples(evidence, splits, SAMPLES),
        ledger=steps,
        settings={name: value for name, value in public(evidence.settings).items() if name != "model"},
        changed={each.name: each.default for each in summary.changed if each.name != "model"},
        versions=versions(),
        in_force=in_force_rows(summary.in_force),
        times=drawings.times([run.stage(state.name) for state in summary.stages]),
        cost=cost_in_words(summary.cost),
        cost_rows=cost_rows(summary.cost),
        machines=machine_rows(run),
    )


def measured(verdict: Verdict) -> str:
    """The value of a verdict with its 95 % interval, or that there is none."""
    if verdict.value is None:
        return "not measured"
    digits = 0 if verdict.unit == "records" else 3
    shown = f"{verdict.value:,.{digits}f}"
    if verdict.low is None or verdict.high is None or verdict.low == verdict.high:
        return shown
    return f"{shown} ({verdict.low:,.{digits}f} to {verdict.high:,.{digits}f})"


def plural(n: int, noun: str) -> str:
    """1 row, 2 rows."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def shown(value: object) -> str:
    """A setting's value in words: "none" for nothing, a list with commas."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value in (None, "") else str(value)


def plain(text: str) -> str:
    """Words that fit into a line or a table cell of Markdown whatever they hold: no marks, no line breaks.

    Signs of comparison stay: a "<" before a space or "=" begins no tag.
    """
    return " ".join(re.sub(r"[`|\[\]]|<(?![\s=])|(?<!\s)>", " ", text).split()) or "unnamed"


def highlights(summary: Summary, steps: list[Step]) -> list[tuple[str, str]]:
    """The few numbers that are read first, as (name, value)."""
    by_gate = {verdict.gate: verdict.value for verdict in summary.verdicts}
    found = [("examples", f"{summary.examples:,}")]
    for gate in KINDS[summary.data_type].highlights:
        value = by_gate.get(gate)
        found.append((gate, "–" if value is None else f"{value:.2f}"))
    dropped = sum(step.dropped for step in steps if step.unit in drawings.LINEAGE)
    return [*found, ("dropped on the way", f"{dropped:,}"), ("time", duration(summary.seconds))]
