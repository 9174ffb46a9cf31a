"""Rows of a dataset file measured by a model: judged as pairs, rated as answers, claims against what they cite, IFD.

    rows = scored_by("models/qwen", rows, "dpo", settings)

What the rows carried of it is replaced; what the model can't rate is left out, and then its gate is not measured.
Tasks are verified by programs, so no model has a say in them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from realign.curate.difficulty import Losses, token_losses
from realign.curate.judges import Case
from realign.engine import Engine, open_engine
from realign.quality.selected import as_text
from realign.records import Completion, Judgment, Passage, Prompt
from realign.settings import Settings

Row = dict[str, Any]
NO_PASSAGE = Passage("file", "file", (), 0, 0, 1, "", "given")


def scored_by(model: str, rows: Sequence[Row], data_type: str, settings: Settings) -> list[Row]:
    """The rows with the model's scores. Raises ModelError where the model can't be used."""
    if data_type == "rlvr":
        return list(rows)
    engine = open_engine(model)
    if data_type == "anti_hallucination":
        return grounded_by(engine, rows, settings)
    pairs = judged_by(engine, [row for row in rows if "chosen" in row], settings)
    chats = [row for row in rows if "chosen" not in row]
    return [*with_ifd(engine, rated_by(engine, chats, settings), settings), *pairs]


def judged_by(engine: Engine, rows: Sequence[Row], settings: Settings) -> list[Row]:
    """Pairs scored by three judges in both orders; a judge that could not read an answer is left out."""
    from realign.curate.judges.model import judge_pairs

    cases = [
        Case(_prompt(row["prompt"], n), NO_PASSAGE, *(_answer(row[name], n, name) for name in ("chosen", "rejected")))
        for n, row in enumerate(rows)
    ]
    judgments, _ = judge_pairs(engine, cases, settings.judge)
    found: defaultdict[str, dict[str, Judgment]] = defaultdict(dict)
    for judgment in judgments:
        found[judgment.parent][judgment.judge] = judgment
    return [
        _with(row, judges={
            judge: {"straight": list(each.straight), "swapped": list(each.swapped)}
            for judge, each in sorted(found[str(n)].items())
        })
        for n, row in enumerate(rows)
    ]  # fmt: skip


def rated_by(engine: Engine, rows: Sequence[Row], settings: Settings) -> list[Row]:
    """Chats with the rubric judge's rating of their last answer, 1 to 10."""
    from realign.curate.judges.model_rubric import rate_by_model
    from realign.curate.judges.rubric import Answered

    cases = [
        Answered(_prompt(row["messages"][:-1], n), NO_PASSAGE, [_answer(row["messages"][-1:], n, "answer")])
        for n, row in enumerate(rows)
    ]
    ratings, _ = rate_by_model(engine, cases, settings.judge)
    found = {rating.parent: 1 + 9 * rating.score for rating in ratings}
    return [_with(row, quality=found.get(str(n))) for n, row in enumerate(rows)]


def with_ifd(engine: Engine, rows: Sequence[Row], settings: Settings) -> list[Row]:
    """Chats with both ratios of a language model's losses on their last answer; an endpoint gives no losses."""
    losses = losses_of(engine, rows, settings.sft.fewest_tokens)
    good = [each if isinstance(each, Losses) else None for each in losses]
    return [_with(row, ifd_loss=each and each.ifd_loss, ifd_ppl=each and each.ifd_ppl)
            for row, each in zip(rows, good, strict=True)]  # fmt: skip


def losses_of(engine: Engine, rows: Sequence[Row], fewest: int) -> list[Losses | str]:
    """The losses of each chat's last answer after its prompt and without it, or why there are none."""
    if engine.token_logprobs is None:
        return [f"{engine.name} gives no probabilities of tokens" for _ in rows]
    pairs = [(_prompt(row["messages"][:-1], 0).asked, as_text(row["messages"][-1:])) for row in rows]
    return token_losses(engine, pairs, fewest)


def grounded_by(engine: Engine, rows: Sequence[Row], settings: Settings) -> list[Row]:
    """Chats with the support of each claim of their last answer, by what it cites of the passage in the prompt."""
    from realign.curate.grounding.judge import cases_of
    from realign.curate.grounding.model import rate_claims

    cases = [cases_of(as_text(row["messages"][:-1]), as_text(row["messages"][-1:])) for row in rows]
    flat = [case for each in cases for case in each]
    supports = iter(rate_claims(engine, flat, settings.judge.scale, settings.judge.batch_size))
    return [
        _with(row, claims=[
            {"claim": case.said.text, "support": support} for case in each
            if (support := next(supports)) is not None
        ])
        for row, each in zip(rows, cases, strict=True)
    ]  # fmt: skip


def _with(row: Row, **measured: Any) -> Row:
    """The row with other scores; what is None could not be measured, and is left out."""
    kept = {name: value for name, value in (row.get("scores") or {}).items() if name not in measured}
    return {**row, "scores": {**kept, **{name: value for name, value in measured.items() if value is not None}}}


def _prompt(asked: Any, place: int) -> Prompt:
    """A text, or messages, as a prompt."""
    turns = tuple(asked) if isinstance(asked, list) else ()
    text = as_text(list(turns[-1:])) if turns else asked
    return Prompt(str(place), "file", text, "file", "", 0, 0, "given", turns=turns if len(turns) > 1 else ())


def _answer(said: Any, place: int, name: str) -> Completion:
    return Completion(f"{place} {name}", str(place), as_text(said), "given", "given", 0)
