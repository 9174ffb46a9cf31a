"""The dataset card: README.md as dataset hubs read it, with front matter, and as a person reads it, without.

    markdown = render_card(run)

It says who made the data, how each number was measured, what the rows hold, how to load them and what they are not
good for. It holds no times: the same records give the same card.
"""

from __future__ import annotations

import json
import re
from typing import Any

from realign import workflow
from realign.curate.export import ORDER
from realign.quality.evidence import Evidence
from realign.quality.ledger import ledger
from realign.quality.selected import MAIN_FORM
from realign.records import Document
from realign.report.kinds import KINDS
from realign.report.manifest import sources
from realign.report.page import MEANING, environment, plain
from realign.report.summary import Summary, summarize
from realign.run import Run

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
HUB_SPLITS = {"train": "train", "valid": "validation", "test": "test"}
LANGUAGE = re.compile(r"[a-z]{2,3}")


def render_card(run: Run, summary: Summary | None = None) -> str:
    """The whole card. Pass the summary when it is at hand: it saves measuring the gates again."""
    summary = summary or summarize(run)
    evidence = Evidence.of_run(run, workflow.settings_of(run))
    return environment().get_template("card.md").render(
        summary=summary,
        meaning=MEANING[summary.tier],
        kind=KINDS[summary.data_type],
        form=MAIN_FORM[summary.data_type],
        title=json.dumps(f"{run.id}: {KINDS[summary.data_type].noun}s"),
        meanings={gate.name: gate.meaning for stage in workflow.stages_of(run) for gate in stage.gates if gate.meaning},
        preferences=sum(row.part == "preferences" for row in run.records("row")),
        languages=languages(evidence.documents),
        size=size_category(summary.examples),
        splits=[(HUB_SPLITS[split], f"{split}.jsonl", n) for split, n in summary.splits.items() if n],
        documents=[plain(source["name"]) for source in sources(run)],
        sources=[{name: plain(value) for name, value in source.items()} for source in sources(run)],
        ledger=ledger(run),
        sample=sample_row(evidence.rows),
        extractive_author="extractive" in summary.author.split(" and "),
        extractive_judge=summary.judge == "extractive",
        benchmarks=benchmarks(summary),
        settings=evidence.settings,
    )  # fmt: skip


def languages(documents: list[Document]) -> list[str]:
    """Language codes of the sources, sorted; what is not a code is left out."""
    found = {document.language for document in documents if LANGUAGE.fullmatch(document.language)}
    return sorted(found - {"und"})


def size_category(examples: int) -> str:
    """The hub's word for a number of rows."""
    return next((word for limit, word in SIZES if examples < limit), "n>1M")


def benchmarks(summary: Summary) -> list[str]:
    """The evaluation sets that rows were checked against, as the gate named them."""
    found = [verdict.details.get("benchmarks", []) for verdict in summary.verdicts if verdict.gate == "decontamination"]
    return [plain(name) for names in found for name in names]


def sample_row(rows: list[dict[str, Any]]) -> str:
    """The first row as JSON, a line a value; text never starts a line, so none can end the block it stands in."""
    first = next((row for row in rows if row["part"] == "rows"), None)
    if first is None:
        return ""
    return "{\n" + ",\n".join(f'  "{name}": {_value(first[name])}' for name in ORDER if name in first) + "\n}"


def _value(value: Any) -> str:
    """One value, an object with a line an entry."""
    if not isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    lines = (f"    {json.dumps(name)}: {json.dumps(each, ensure_ascii=False)}" for name, each in value.items())
    return "{\n" + ",\n".join(lines) + "\n  }"
