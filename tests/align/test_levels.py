"""Answers cut into levels: every token is read, what is shared is read once, and little is padded."""

from itertools import pairwise

import numpy as np
import pytest

from realign.align.levels import LEVELS, choose_columns, collate_answers

PROMPTS = [[1] * 30, [2] * 41, [3] * 9]
ANSWERS = [[[5] * 6, [5, 6, 7], [8] * 60], [[5, 5, 9], [5, 6, 8], [9] * 20]]
COMMON = [2, 2, 0]


@pytest.mark.parametrize("share", [True, False])
def test_each_answer_has_its_own_tokens_each_after_the_one_that_predicts_it(share: bool) -> None:
    levels, ends, places, targets, which, owners, weights = collate_answers(PROMPTS, ANSWERS, COMMON, share=share)
    read = np.concatenate([np.array(tokens).reshape(-1) for tokens, _ in levels])
    said = np.array(weights) > 0
    for row, (prompt, answer) in enumerate((p, a) for column in ANSWERS for p, a in zip(PROMPTS, column, strict=True)):
        mine = np.array(which)[said & (np.array(owners) == row)]
        assert np.array(targets)[mine].tolist() == answer
        assert read[np.array(places)[mine]].tolist() == [prompt[-1], *answer[:-1]]
        assert read[np.array(ends)[row]] == answer[-1]


def test_no_index_points_beyond_what_it_counts_through() -> None:
    levels, ends, places, _, which, owners, _ = collate_answers(PROMPTS, ANSWERS, COMMON)
    read = sum(tokens.size for tokens, _ in levels)
    for part, count in ((ends, read), (places, read), (which, len(places)), (owners, len(ends))):
        assert 0 <= np.array(part).min() <= np.array(part).max() < count
    for (before, _), (tokens, parents) in pairwise(levels):
        assert len(parents) == len(tokens)
        assert np.array(parents).max() < len(before)


def test_a_prompt_and_a_common_beginning_are_read_once() -> None:
    levels, *_, which, _, weights = collate_answers([[1] * 64] * 4, [[[2] * 40] * 4, [[2] * 39 + [3]] * 4], [39] * 4)
    assert [tokens.shape for tokens, _ in levels] == [(4, 96), (8, 8)]
    assert len(np.unique(np.array(which)[np.array(weights) > 0])) == 4 * 41  # the 39 common tokens, and one of each


def test_levels_spare_padding_where_lengths_differ_and_none_is_added_where_they_do_not() -> None:
    rng = np.random.default_rng(0)
    shared = rng.integers(10, 300, 8)
    lengths = shared + rng.integers(5, 200, (2, 8))
    columns = choose_columns(lengths, shared)
    spent = sum(
        np.where(shared >= end, 1, (lengths > begin).sum(0)).sum() * (end - begin) for begin, end in pairwise(columns)
    )
    assert len(columns) - 1 == LEVELS
    assert spent < 0.7 * 16 * lengths.max()
    assert choose_columns(np.full((2, 8), 24), np.full(8, 6)) == (0, 24)
