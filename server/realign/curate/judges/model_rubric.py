"""A model as rubric judge: rates one answer for accuracy, helpfulness, writing and harmlessness; the mean is its score.

    ratings, dropped = rate_by_model(engine, [Answered(prompt, passage, completions)], settings.judge)

As in judges/model.py, a model in process is not made to write: a rating is the expected digit under its own
probabilities. An endpoint is asked for JSON; what can't be read is dropped with the raw answer, never scored.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from realign.curate.judges.model import JSON_TOKENS, LEAD, unit_score
from realign.curate.judges.rubric import Answered, Rated
from realign.engine import Engine, Question, Rate, Request
from realign.engine.answers import Unreadable, ask_json
from realign.engine.prompts import fence, load_template
from realign.records import Completion, Dropped, Rating, make_id
from realign.settings import Judge

CRITERIA = ("grounded", "helpful", "readable", "safe")


def rate_by_model(engine: Engine, cases: Sequence[Answered], settings: Judge) -> Rated:
    """A rating of every completion in order, or a drop that says why there is none."""
    shown = [(case, completion) for case in cases for completion in case.completions]
    if engine.rate is not None:
        return _by_digits(engine.name, engine.rate, shown, settings)
    return _by_json(engine, shown, settings)


Shown = Sequence[tuple[Answered, Completion]]


def _shared(case: Answered, completion: Completion) -> str:
    return load_template("rubric_shared").fill(
        passage=fence(case.passage.shown, "SOURCE"),
        question=fence(case.prompt.asked, "QUESTION"),
        answer=fence(completion.text, "ANSWER"),
    )


def _rating(judge: str, completion: Completion, scores: Sequence[float], mass: float | None = None) -> Rating:
    criteria = {name: round(score, 6) for name, score in zip(CRITERIA, scores, strict=True)}
    score = round(sum(scores) / len(scores), 6)
    return Rating(
        make_id("rating", completion.id, judge), completion.parent, completion.id, judge, score, mass, criteria
    )


def _by_digits(judge: str, rate: Rate, shown: Shown, settings: Judge) -> Rated:
    asks = tuple(
        load_template("rubric_rating").fill(criterion=load_template(f"rubric_{name}").text, scale=settings.scale)
        for name in CRITERIA
    )
    questions = [Question(_shared(*each), asks, LEAD, settings.scale) for each in shown]
    ratings: list[Rating] = []
    dropped: list[Dropped] = []
    for (_, completion), found in zip(shown, rate(questions, settings.batch_size), strict=True):
        if found is None:
            dropped.append(_drop(judge, completion, "longer than the judge's context"))
        else:
            scores = [unit_score(each.expected, settings.scale) for each in found]
            ratings.append(_rating(judge, completion, scores, min(each.mass for each in found)))
    return ratings, dropped


def _drop(judge: str, completion: Completion, reason: str, raw: str = "") -> Dropped:
    return Dropped(make_id("rating", completion.id, judge), "rating", "judge", reason, raw)


def _by_json(engine: Engine, shown: Shown, settings: Judge) -> Rated:
    readings = ask_json(
        engine, [_request(*each, settings.scale) for each in shown], scores_reader(settings.scale), settings.batch_size
    )
    ratings: list[Rating] = []
    dropped: list[Dropped] = []
    for (_, completion), reading in zip(shown, readings, strict=True):
        if reading.value is None:
            dropped.append(_drop(engine.name, completion, reading.reason, reading.raw))
        else:
            ratings.append(_rating(engine.name, completion, reading.value))
    return ratings, dropped


def _request(case: Answered, completion: Completion, scale: int) -> Request:
    criteria = "\n".join(f'"{name}": {load_template(f"rubric_{name}").text}' for name in CRITERIA)
    form = json.dumps(dict.fromkeys(CRITERIA, "N")).replace('"N"', "N")
    ask = load_template("rubric_json").fill(criteria=criteria, scale=scale, form=form)
    return Request(f"{_shared(case, completion)}\n\n{ask}", max_tokens=JSON_TOKENS)


def scores_reader(scale: int) -> Callable[[Any], list[float]]:
    """Reads {"grounded": n, ...} as scores of 0..1; raises Unreadable for a missing or impossible rating."""

    def read(value: Any) -> list[float]:
        found = [value.get(name) for name in CRITERIA] if isinstance(value, dict) else []
        good = [n for n in found if isinstance(n, int | float) and not isinstance(n, bool) and 1 <= n <= scale]
        if len(good) != len(CRITERIA):
            raise Unreadable(f"JSON without ratings of 1 to {scale} under {', '.join(CRITERIA)}")
        return [unit_score(n, scale) for n in good]

    return read
