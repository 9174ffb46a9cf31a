"""The report of an alignment: one HTML page, a model card, and the same as data.

    texts = render(run, summary)        {"card": README.md, "report": report.html, "evaluation": evaluation.json}

Before and after stand side by side, each with its interval; every attempt that a gate rejected is shown with its
remedy.
"""

from __future__ import annotations

import dataclasses
import json

from realign import workflow
from realign.quality.gates import as_dict
from realign.report import charts
from realign.report.conditions import cost_in_words, cost_rows, in_force_rows, machine_rows
from realign.report.drawings import Figure, times
from realign.report.evaluation import Evaluation, evaluate
from realign.report.manifest import sources, versions
from realign.report.page import MEANING, environment, plain
from realign.report.summary import Summary, figures, public
from realign.run import Run

TIER_OF = {"DEPLOY": "HIGH", "REJECT": "REJECT", "not decided": "not measured"}
SHOWN = ("loss", "margin", "kl", "accuracy", "reward", "entropy")  # curves, in this order; the rest is in the data


def render_page(run: Run, summary: Summary, found: Evaluation) -> str:
    """The page."""
    return environment().get_template("alignment.html").render(
        summary=summary, found=found, tier=TIER_OF[found.decision], drawings=draw(found), meaning=MEANING[summary.tier],
        facts=[fact for fact in figures(summary) if fact[0] not in ("Card", "Report")],
        settings={name: value for name, value in public(workflow.settings_of(run)).items() if name != "model"},
        changed={each.name: each.default for each in summary.changed if each.name != "model"}, versions=versions(),
        times=times([run.stage(state.name) for state in summary.stages]), cost=cost_in_words(summary.cost),
        cost_rows=cost_rows(summary.cost), in_force=in_force_rows(summary.in_force),
        machines=machine_rows(run),
    )  # fmt: skip


def render_card(run: Run, summary: Summary, found: Evaluation) -> str:
    """The model card."""
    return environment().get_template("model_card.md").render(
        summary=summary, found=found, meaning=MEANING[summary.tier], title=json.dumps(run.id),
        base=plain(public(workflow.settings_of(run))["model"] or "a tiny model made on the spot"),
        sources=[{name: plain(value) for name, value in source.items()} for source in sources(run)],
    )  # fmt: skip


def render_data(summary: Summary, found: Evaluation) -> str:
    """The evaluation as indented JSON."""
    values = dataclasses.asdict(found)
    return (
        json.dumps({"run": summary.run, **values, "verdicts": [as_dict(v) for v in summary.verdicts]}, indent=1) + "\n"
    )


def draw(found: Evaluation) -> list[Figure]:
    """A chart for each curve of each stage that people look at."""
    drawings = []
    for stage, named in found.curves.items():
        for name in SHOWN:
            series = [
                (part, named[key]) for part, key in (("train", name), ("held-out", f"held-out {name}")) if key in named
            ]
            if series:
                title = f"{stage}: {name}"
                drawings.append(
                    (title, charts.curves(title, series), f"{name} by optimizer step, {len(series[0][1])} points.")
                )
    return drawings


def render(run: Run, summary: Summary) -> dict[str, str]:
    """The texts of the three files by their name in the summary's paths."""
    found = evaluate(run, summary)
    return {
        "card": render_card(run, summary, found),
        "report": render_page(run, summary, found),
        "evaluation": render_data(summary, found),
    }
