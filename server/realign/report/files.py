"""Writing the card, the page, the manifest and the quarantined rows of a run into its folder, each whole or not at all.

    paths = write_reports(run)      {"card": ..., "report": ..., "manifest": ...}, and an alignment's "evaluation"

Works for a run in any state, so that one that a gate stopped also explains itself. The caller holds `run.writing`, or
is the stage that does.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from realign.report import alignment
from realign.report.card import render_card
from realign.report.manifest import render_manifest
from realign.report.page import render_page
from realign.report.quarantine import write_quarantine
from realign.report.summary import FILES, Summary, paths_of, summarize
from realign.run import Run, write_atomically


def write_reports(run: Run) -> dict[str, Path]:
    """Measure the gates once and write the files; the manifest last, because it lists the card's hash."""
    write_quarantine(run)
    summary = summarize(run)
    texts = alignment.render(run, summary) if summary.workflow == "align" else curation(run, summary)
    paths = {name: run.folder / FILES[name] for name in (*texts, "manifest")}
    for name, text in texts.items():
        write_atomically(paths[name], [text])
    write_atomically(paths["manifest"], [render_manifest(run, dataclasses.replace(summary, paths=paths_of(run)))])
    return paths


def curation(run: Run, summary: Summary) -> dict[str, str]:
    """The card and the page of a dataset."""
    return {"card": render_card(run, summary), "report": render_page(run, summary)}
