"""The reward model: it learns, it is written and read, and its baselines find what it should not be praised for."""

import math
from pathlib import Path

import mlx_lm
import numpy as np
import pytest
from boxes import pairs_of

from realign.align.models import open_model
from realign.align.pairs import PairTokens
from realign.align.reward import (
    blind_baseline,
    length_baseline,
    make_reward_model,
    open_reward_model,
    reward_report,
    score_answers,
    score_pairs,
    train_reward,
    write_reward_model,
)
from realign.engine.mlx import Loaded
from realign.errors import EmptyInput, ModelError
from realign.settings import Adapter, Training

TRAINING = Training(schedule="40:3e-3", rows=16, tokens=2048, evaluate_every=40)


def test_it_learns_to_rank_answers_it_never_saw_is_written_and_scores_the_same_again(
    loaded: Loaded, base: Path, tmp_path: Path
) -> None:
    pairs, held_out = pairs_of(loaded, 96), pairs_of(loaded, 48, start=120)
    reward = make_reward_model(loaded, Adapter(kind="full"))
    reports = train_reward(reward, pairs, held_out, TRAINING).reports
    assert reports[0].loss == pytest.approx(math.log(2), abs=0.02)
    held = score_pairs(reward, held_out)
    report = reward_report(score_pairs(reward, pairs), held, pairs, held_out)
    assert report.accuracy.value == reports[-1].held_out["accuracy"]
    assert report.accuracy.value is not None
    assert report.accuracy.value > 0.8
    assert report.blind.value is not None
    assert report.blind.value < 0.7
    folder = write_reward_model(reward, base, tmp_path / "reward")
    again = open_reward_model(folder)
    assert np.allclose(score_pairs(again, held_out), held, atol=1e-4)
    answers = [(pair.prompt, pair.chosen) for pair in held_out]
    assert np.allclose(score_answers(again, answers), held[:, 0], atol=1e-4)
    mlx_lm.load(str(folder))


def test_an_adapted_trunk_trains_its_adapter_and_its_head_alone(loaded: Loaded, base: Path, tmp_path: Path) -> None:
    reward = make_reward_model(loaded, Adapter(layers=1))
    before = np.array(loaded.model.model.embed_tokens.weight)
    train_reward(reward, pairs_of(loaded), [], TRAINING.model_copy(update={"schedule": "3:1e-2"}))
    assert np.array_equal(before, np.array(loaded.model.model.embed_tokens.weight))
    assert np.abs(np.array(loaded.model.layers[1].self_attn.q_proj.lora_b)).max() > 0
    expected = score_pairs(reward, pairs_of(loaded, 4))
    again = open_reward_model(write_reward_model(reward, base, tmp_path / "reward"))
    assert np.allclose(score_pairs(again, pairs_of(loaded, 4)), expected, atol=1e-4)


def test_a_plain_model_folder_is_no_reward_model(base: Path) -> None:
    with pytest.raises(ModelError, match="no reward model"):
        open_reward_model(base)


def make_pairs(answers: list[tuple[list[int], list[int]]]) -> list[PairTokens]:
    return [PairTokens((1, 2), tuple(chosen), tuple(rejected), n) for n, (chosen, rejected) in enumerate(answers)]


def test_a_set_that_length_gives_away_is_found_by_the_length_baseline() -> None:
    longer = make_pairs([([5] * (n % 5 + 4), [6] * 3) for n in range(40)])
    measure = length_baseline(longer, longer)
    assert (measure.value, measure.details) == (1.0, {"longer_is_better": True})
    shorter = make_pairs([([5] * 2, [6] * 3)] * 40)
    assert length_baseline(shorter, shorter).value == 1.0
    assert length_baseline(longer, shorter).value == 0.0


def test_a_set_that_words_give_away_is_found_by_the_prompt_blind_baseline() -> None:
    given_away = make_pairs([([7, 20 + n % 9], [8, 20 + n % 9]) for n in range(60)])
    assert blind_baseline(given_away[:40], given_away[40:]).value == 1.0
    fair = make_pairs([([7 + n % 2, 30], [8 - n % 2, 30]) for n in range(60)])
    assert blind_baseline(fair[:40], fair[40:]).value == pytest.approx(0.5, abs=0.5)


def test_the_report_has_the_gap_and_the_accuracy_where_the_chosen_is_shorter() -> None:
    pairs = make_pairs([([5], [6, 6]), ([5], [6, 6]), ([5, 5], [6]), ([5, 5], [6])])
    train_scores, held_scores = np.array([[1, 0]] * 4), np.array([[1, 0], [0, 1], [1, 0], [1, 0]])
    report = reward_report(train_scores, held_scores, pairs, pairs)
    assert (report.accuracy.value, report.gap, report.shorter.value, report.shorter.n) == (0.75, 0.25, 0.5, 2)
    with pytest.raises(EmptyInput):
        reward_report(np.zeros((0, 2)), held_scores, [], pairs)


def test_accuracy_where_none_is_shorter_is_not_measured(base: Path) -> None:
    pairs = pairs_of(open_model(base), 4)
    same = [PairTokens(pair.prompt, pair.chosen, pair.chosen, pair.line) for pair in pairs]
    scores = np.ones((4, 2))
    report = reward_report(scores, scores, same, same)
    assert report.shorter.value is None
    assert report.shorter.reason
