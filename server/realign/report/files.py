"""Writing the card, the page and the manifest of a run into its folder, each whole or not at all.

    paths = write_reports(run)      {"card": ..., "report": ..., "manifest": ...}

Works for a run in any state, so that one that a gate stopped also explains itself. The caller holds `run.writing`, or
is the stage that does.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from realign.report.card import render_card
from realign.report.manifest import render_manifest
from realign.report.page import render_page
from realign.report.summary import FILES, paths_of, summarize
from realign.run import Run, write_atomically


def write_reports(run: Run) -> dict[str, Path]:
    """Measure the gates once and write the three files; the manifest last, because it lists the card's hash."""
    summary = summarize(run)
    paths = {name: run.folder / FILES[name] for name in ("card", "report", "manifest")}
    write_atomically(paths["card"], [render_card(run, summary)])
    write_atomically(paths["report"], [render_page(run, summary)])
    write_atomically(paths["manifest"], [render_manifest(run, dataclasses.replace(summary, paths=paths_of(run)))])
    return paths
