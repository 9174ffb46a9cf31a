"""Citations and claims measured again: at the filter, and on the rows of any dataset file.

judged_again(row) -> the row with the support of each of its claims, by the embedded judge, from its texts alone
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from realign.curate import filter
from realign.curate.grounding.judge import cases_of, embedded
from realign.quality.evidence import Evidence
from realign.quality.grounded import grounded_rows
from realign.quality.selected import as_text
from realign.records import Dropped
from realign.run import Batch
from realign.work import Work

NOT_THERE = "a citation that is not in its passage"


def drop_unfit(work: Work) -> Iterator[Batch]:
    """What every data type's filter drops, and then the answers with a citation that does not stand where it says."""
    for batch in filter.drop_unfit(work):
        evidence = Evidence.of_run(work.run, work.settings)
        gone = {drop.record for drop in batch.drops}
        lost = [row.id for row in grounded_rows(evidence) if not all(there for there, _ in row.citations)]
        drops = [Dropped(name, "example", "citations", NOT_THERE) for name in lost if name not in gone]
        yield dataclasses.replace(batch, drops=[*batch.drops, *drops])


def judged_again(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its claims judged again. A row without a passage that can be found stays as it is: not judged."""
    messages = row.get("messages")
    if not isinstance(messages, list) or len(messages) < 2:
        return row
    cases = cases_of(as_text(messages[:-1]), as_text(messages[-1:]))
    scores = {name: value for name, value in (row.get("scores") or {}).items() if name != "claims"}
    if not cases or not cases[0].shown:
        return {**row, "scores": scores}
    claims = [{"claim": c.said.text, "support": s} for c, s in zip(cases, embedded(cases), strict=True)]
    return {**row, "scores": {**scores, "claims": claims}}
