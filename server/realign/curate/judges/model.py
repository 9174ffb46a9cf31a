"""A model as three judges: an expert for accuracy, a user for helpfulness, a reviewer for safety.

    judgments, dropped = judge_pairs(engine, [Case(prompt, passage, first, second)], settings.judge)

Every judge sees both answers in both orders and rates each of them. A model in process is not made to write: its rating
is the expected digit under its own probabilities, and the passage, question and answers are read once for all six
ratings of an order. An endpoint can't do that, so it is asked for JSON. A rating s of 1..scale becomes
(s - 1) / (scale - 1). What can't be read is dropped with the raw answer, never scored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from realign.curate.judges import Case
from realign.engine import Engine, Question, Rate, Rating, Request
from realign.engine.answers import Reading, Unreadable, ask_json
from realign.engine.prompts import fence, load_template
from realign.records import Dropped, Judgment, make_id
from realign.settings import Judge

PERSONAS = ("expert", "user", "safety")
LEAD = "Rating:"
JSON_TOKENS = 128


def judge_pairs(engine: Engine, cases: Sequence[Case], settings: Judge) -> tuple[list[Judgment], list[Dropped]]:
    """One judgment a case and judge, in that order, or a drop in its place. Same ids in both kinds of engine."""
    if engine.rate is not None:
        return _by_digits(engine.rate, cases, settings)
    return _by_json(engine, cases, settings)


def _shared(case: Case, swapped: bool) -> str:
    """What all judges read: answers in their order, or swapped."""
    shown = (case.second, case.first) if swapped else (case.first, case.second)
    return load_template("judge_shared").fill(
        passage=fence(case.passage.shown, "SOURCE"),
        question=fence(case.prompt.asked, "QUESTION"),
        first=fence(shown[0].text, "ANSWER 1"),
        second=fence(shown[1].text, "ANSWER 2"),
    )


def _judgment_id(case: Case, persona: str) -> str:
    return make_id("judgment", case.prompt.id, case.first.id, case.second.id, persona)


def _judgment(
    case: Case, persona: str, straight: tuple[float, float], swapped: tuple[float, float], mass: float | None = None
) -> Judgment:
    """A judgment from scores by position: the swapped ones are turned round, so that they belong to the completions."""
    return Judgment(
        id=_judgment_id(case, persona), parent=case.prompt.id, first=case.first.id, second=case.second.id,
        judge=persona, straight=straight, swapped=(swapped[1], swapped[0]), mass=mass,
    )  # fmt: skip


def unit_score(rating: float, scale: int) -> float:
    """A rating of 1..scale as a score of 0..1."""
    return min(1.0, max(0.0, (rating - 1) / (scale - 1)))


# -- ratings read from digits ---------------------------------------------------------------------------------------


def rating_question(case: Case, swapped: bool, scale: int) -> Question:
    """All six ratings of one order: each judge in turn, of answer 1 and of answer 2."""
    asks = tuple(
        load_template("judge_rating").fill(persona=load_template(f"judge_{persona}").text, number=number, scale=scale)
        for persona in PERSONAS
        for number in (1, 2)
    )
    return Question(_shared(case, swapped), asks, LEAD, scale)


def _by_digits(rate: Rate, cases: Sequence[Case], settings: Judge) -> tuple[list[Judgment], list[Dropped]]:
    questions = [rating_question(case, order, settings.scale) for case in cases for order in (False, True)]
    ratings = rate(questions, settings.batch_size)
    judgments: list[Judgment] = []
    dropped: list[Dropped] = []
    for place, case in enumerate(cases):
        straight, swapped = ratings[2 * place], ratings[2 * place + 1]
        for number, persona in enumerate(PERSONAS):
            if straight is None or swapped is None:
                reason = "longer than the judge's context"
                dropped.append(Dropped(_judgment_id(case, persona), "judgment", "judge", reason))
            else:
                mine = slice(2 * number, 2 * number + 2)
                judgments.append(_rated(case, persona, straight[mine], swapped[mine], settings.scale))
    return judgments, dropped


def _rated(case: Case, persona: str, straight: tuple[Rating, ...], swapped: tuple[Rating, ...], scale: int) -> Judgment:
    one, two = (
        (unit_score(shown[0].expected, scale), unit_score(shown[1].expected, scale)) for shown in (straight, swapped)
    )
    return _judgment(case, persona, one, two, min(rating.mass for rating in (*straight, *swapped)))


# -- ratings asked for as JSON --------------------------------------------------------------------------------------


def _by_json(engine: Engine, cases: Sequence[Case], settings: Judge) -> tuple[list[Judgment], list[Dropped]]:
    keys = [(case, persona) for case in cases for persona in PERSONAS]
    requests = [
        _json_request(case, persona, order, settings.scale) for case, persona in keys for order in (False, True)
    ]
    readings = ask_json(engine, requests, ratings_reader(settings.scale), settings.batch_size)
    judgments: list[Judgment] = []
    dropped: list[Dropped] = []
    for place, (case, persona) in enumerate(keys):
        straight, swapped = readings[2 * place], readings[2 * place + 1]
        if straight.value is None or swapped.value is None:
            dropped.append(_unread(case, persona, straight if straight.value is None else swapped))
        else:
            judgments.append(_judgment(case, persona, straight.value, swapped.value))
    return judgments, dropped


def _json_request(case: Case, persona: str, swapped: bool, scale: int) -> Request:
    ask = load_template("judge_json").fill(persona=load_template(f"judge_{persona}").text, scale=scale)
    return Request(f"{_shared(case, swapped)}\n\n{ask}", max_tokens=JSON_TOKENS)


def ratings_reader(scale: int) -> Callable[[Any], tuple[float, float]]:
    """Reads {"first": n, "second": n} as two scores of 0..1; raises Unreadable for a missing or impossible rating."""

    def read(value: Any) -> tuple[float, float]:
        found = [value.get(name) for name in ("first", "second")] if isinstance(value, dict) else []
        good = [n for n in found if isinstance(n, int | float) and not isinstance(n, bool) and 1 <= n <= scale]
        if len(good) != 2:
            raise Unreadable(f'JSON without ratings of 1 to {scale} under "first" and "second"')
        return unit_score(good[0], scale), unit_score(good[1], scale)

    return read


def _unread(case: Case, persona: str, reading: Reading[tuple[float, float]]) -> Dropped:
    return Dropped(_judgment_id(case, persona), "judgment", "judge", reading.reason, reading.raw)
