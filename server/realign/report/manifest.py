"""What a run was made of, as one JSON object: sources, settings, versions, files with their hashes, verdicts, counts.

    text = render_manifest(run)

Nothing in it depends on the clock, so a run that was killed and resumed has the same manifest as an unbroken one. The
report is not listed, because it shows times.
"""

from __future__ import annotations

import dataclasses
import json
import platform
from importlib import metadata
from typing import Any

import realign
from realign import workflow
from realign.curate.export import SPLITS
from realign.quality.gates import as_dict
from realign.quality.ledger import ledger
from realign.report.summary import FILES, Summary, public, summarize
from realign.run import Run, file_sha256

PACKAGES = ("jinja2", "mcp", "mlx", "mlx-lm", "numpy", "pydantic", "pypdf", "pypdfium2", "rapidfuzz")
LISTED = ("train", "valid", "test", "card")
PREFERENCES = tuple(f"preferences/{split}.jsonl" for split in SPLITS)


def render_manifest(run: Run, summary: Summary | None = None) -> str:
    """The manifest as indented JSON. Pass the summary when it is at hand: it saves measuring the gates again."""
    return json.dumps(manifest(run, summary or summarize(run)), ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def manifest(run: Run, summary: Summary) -> dict[str, Any]:
    """The manifest's values."""
    return {
        "realign": realign.__version__,
        "run": run.id,
        "data_type": summary.data_type,
        "workflow": summary.workflow,
        "tier": summary.tier,
        "made": summary.origin,
        "settings": public(workflow.settings_of(run)),
        "sources": sources(run),
        "files": files(run, summary),
        "verdicts": [as_dict(verdict) for verdict in summary.verdicts],
        "reviewed": dataclasses.asdict(summary.reviewed),
        "readmitted": summary.readmitted,
        "ledger": [{**dataclasses.asdict(step), "dropped": step.dropped} for step in ledger(run)],
        "fingerprints": {state.name: run.stage(state.name).fingerprint for state in summary.stages},
        "in_force": run.noted("in_force", {}),
        "mlx": run.noted("mlx", {}),
        "versions": versions(),
    }


def sources(run: Run) -> list[dict[str, str]]:
    """Every source by name and SHA-256; one that could not be read has the reason under "not_read"."""
    unread = {drop.record: drop.reason for _, drop in run.drops("source") if drop.kind == "document"}
    found = []
    for source in run.noted("sources", []):
        reason = unread.get(source["name"])
        found.append({"name": source["name"], "sha256": source["sha256"], **({"not_read": reason} if reason else {})})
    return found


def files(run: Run, summary: Summary) -> dict[str, dict[str, Any]]:
    """SHA-256 of each file that is there, and its rows where it has any."""
    found: dict[str, dict[str, Any]] = {}
    for name in LISTED:
        path = run.folder / FILES[name]
        if name in summary.paths or (name == "card" and path.is_file()):
            found[path.name] = {"sha256": file_sha256(path)}
            if name in SPLITS:
                found[path.name]["rows"] = summary.splits[name]
    beside = (run.folder / name for name in PREFERENCES if "preferences" in summary.paths)
    return found | {path.relative_to(run.folder).as_posix(): {"sha256": file_sha256(path)} for path in beside}


def versions() -> dict[str, str]:
    """The version of every package that can change a result, and of Python; "not installed" where one is absent."""
    found = {"realign": realign.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found
