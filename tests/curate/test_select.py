"""Selection pairs the best answer with a hard negative, and drops a prompt without a clear winner."""

import itertools

from realign.curate.select import choose
from realign.records import Completion, Judgment, Pair
from realign.settings import Select

SETTINGS = Select()
JUDGES = ("expert", "user", "safety")
Scores = dict[str, tuple[float, float, float]]


def completions(scores: Scores, **texts: str) -> dict[str, Completion]:
    return {name: Completion(name, "p", texts.get(name, "six words are in this text"), "a", "m", 0) for name in scores}


def judgments(scores: Scores, flipping: str = "") -> list[Judgment]:
    """Every judge on every two answers; a judge that flips always prefers what it sees first."""
    found = []
    for (a, mine), (b, theirs) in itertools.combinations(scores.items(), 2):
        for judge, one, other in zip(JUDGES, mine, theirs, strict=True):
            straight = (0.9, 0.1) if judge == flipping else (one, other)
            swapped = (0.1, 0.9) if judge == flipping else (one, other)
            found.append(Judgment(f"{a}{b}{judge}", "p", a, b, judge, straight, swapped))
    return found


def chosen(scores: Scores, flipping: str = "", **texts: str) -> Pair | str:
    return choose(judgments(scores, flipping), completions(scores, **texts), SETTINGS)


def test_the_best_answer_is_chosen_over_one_that_every_judge_puts_behind_it() -> None:
    pair = chosen({"good": (0.9, 0.9, 0.9), "bad": (0.2, 0.3, 0.4)})
    assert isinstance(pair, Pair)
    assert (pair.chosen, pair.rejected, pair.agreement) == ("good", "bad", 1.0)
    assert abs(pair.gap - (0.35 * 0.7 + 0.35 * 0.6 + 0.3 * 0.5)) < 1e-9


def test_of_two_negatives_the_one_with_the_clearer_verdict_wins_then_the_harder_one() -> None:
    pair = chosen({"good": (0.9, 0.9, 0.9), "hard": (0.6, 0.6, 0.6), "easy": (0.1, 0.1, 0.1), "odd": (0.1, 0.9, 0.1)})
    assert isinstance(pair, Pair)
    assert pair.rejected == "hard"


def test_a_negative_of_very_different_length_is_the_last_choice() -> None:
    scores: Scores = {"good": (0.9, 0.9, 0.9), "long": (0.6, 0.6, 0.6), "even": (0.3, 0.3, 0.3)}
    pair = chosen(scores, long="word " * 40)
    assert isinstance(pair, Pair)
    assert pair.rejected == "even"


def test_answers_that_score_alike_make_no_pair() -> None:
    assert chosen({"one": (0.9, 0.9, 0.9), "two": (0.85, 0.85, 0.85)}) == "gap below 0.15"


def test_no_pair_is_made_of_two_bad_answers() -> None:
    assert chosen({"bad": (0.5, 0.5, 0.5), "worse": (0.1, 0.1, 0.1)}) == "best answer scores under 0.6"


def test_a_vote_that_flips_with_the_order_does_not_count() -> None:
    pair = chosen({"good": (0.9, 0.9, 0.9), "bad": (0.2, 0.2, 0.2)}, flipping="safety")
    assert isinstance(pair, Pair)
    assert abs(pair.agreement - 2 / 3) < 1e-9


def test_one_judge_against_two_makes_no_pair() -> None:
    said = chosen({"good": (0.9, 0.9, 1.0), "bad": (0.9, 0.9, 0.1)})
    assert said == "the judges do not agree on a winner"


def test_an_answer_that_a_judge_never_scored_is_left_out() -> None:
    found = [j for j in judgments({"good": (0.9,) * 3, "bad": (0.1,) * 3}) if j.judge != "user"]
    assert choose(found, completions({"good": (0.9,) * 3, "bad": (0.1,) * 3}), SETTINGS) == "not every judge scored it"


def test_an_existing_pair_is_never_turned_round_but_dropped_or_readmitted_as_it_came() -> None:
    scores: Scores = {"worse": (0.5, 0.5, 0.5), "better": (0.9, 0.9, 0.9)}
    made = {"worse": "given as chosen", "better": "given as rejected"}
    texts = {name: Completion(name, "p", f"an answer that is {name}", "given", made[name], 0) for name in scores}
    assert choose(judgments(scores), texts, SETTINGS) == "the judges prefer the answer given as rejected"
    pair = choose(judgments(scores), texts, SETTINGS, readmitted=True)
    assert isinstance(pair, Pair)
    assert (pair.chosen, pair.rejected) == ("worse", "better") and pair.gap < 0
