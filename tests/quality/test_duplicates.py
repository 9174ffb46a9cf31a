import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realign.quality.duplicates import Duplicate, exact_duplicates, near_duplicates, rows_in_a_band
from realign.quality.text import words

WORDS = [f"word{number}" for number in range(400)]
phrases = st.lists(st.sampled_from("red green blue one two".split()), max_size=9).map(" ".join)


def make_text(seed: int, size: int = 120) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=size))


def change(text: str, *places: int) -> str:
    return " ".join(f"new{place}" if place in places else word for place, word in enumerate(text.split()))


def jaccard(one: str, other: str) -> float:
    sets = []
    for found in (words(one), words(other)):
        sets.append({tuple(found[i : i + 5]) for i in range(max(len(found) - 4, 1))})
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


@given(st.lists(st.text(max_size=8), min_size=1))
def test_every_text_repeats_itself_and_the_first_of_its_kind_is_kept(texts: list[str]):
    kept = exact_duplicates(texts)
    assert exact_duplicates(texts + texts)[len(texts) :] == kept
    assert all(first <= index and kept[first] == first for index, first in enumerate(kept))


def test_case_spacing_punctuation_and_ligatures_do_not_make_a_text_new():
    assert exact_duplicates(["The ﬁrst  one.", "the FIRST one", "the first one too"]) == [0, 0, 2]


def test_texts_without_words_are_equal_only_if_their_signs_are():
    assert exact_duplicates(["", " ", "∑", "∫", "∑\n"]) == [0, 0, 2, 3, 2]


@given(st.lists(phrases, max_size=12), st.sampled_from([0.3, 0.6, 0.85, 1.0]))
def test_what_is_removed_has_a_kept_twin_that_is_similar_enough(texts: list[str], threshold: float):
    found = near_duplicates(texts, threshold)
    removed = {duplicate.index for duplicate in found}
    for duplicate in found:
        assert duplicate.kept < duplicate.index
        assert duplicate.kept not in removed
        assert duplicate.similarity >= threshold
        assert duplicate.similarity == jaccard(texts[duplicate.index], texts[duplicate.kept])


def test_a_lightly_edited_copy_is_removed_and_its_twin_named():
    texts = [make_text(1), make_text(2), change(make_text(1), 60), make_text(3)]
    assert near_duplicates(texts) == [Duplicate(2, 0, jaccard(texts[0], texts[2]))]


def test_a_heavily_edited_copy_stays():
    texts = [make_text(1), change(make_text(1), 20, 60, 100)]
    assert jaccard(*texts) < 0.85
    assert near_duplicates(texts) == []


def test_nothing_goes_for_resembling_something_that_went():
    first = make_text(1)
    second = change(first, 20)
    third = change(first, 20, 60)
    assert jaccard(first, third) < 0.9 <= min(jaccard(first, second), jaccard(second, third))
    assert [(found.index, found.kept) for found in near_duplicates([first, second, third], 0.9)] == [(1, 0)]


def test_in_a_large_family_every_copy_still_finds_its_own_twin():
    shared = make_text(0, 80)
    texts = [f"{shared} {make_text(seed, 20)}" for seed in range(1, 61)]
    copies = [change(text, 3) for text in texts]
    found = near_duplicates(texts + copies)
    assert [(duplicate.index, duplicate.kept) for duplicate in found] == [(60 + i, i) for i in range(60)]


def test_most_planted_copies_at_the_threshold_are_found():
    texts = [make_text(seed, 180) for seed in range(300)]
    copies = [change(text, 30, 60, 90 + seed % 60) for seed, text in enumerate(texts)]
    due = {300 + i for i in range(300) if jaccard(texts[i], copies[i]) >= 0.80}
    found = {duplicate.index for duplicate in near_duplicates(texts + copies, 0.80)}
    assert len(due) > 250
    assert len(found & due) >= 0.99 * len(due)
    assert found <= due


def test_a_text_below_five_words_repeats_only_its_equal():
    assert [found.index for found in near_duplicates(["yes", "no", "Yes!", "so it is", "so it was"])] == [2]


@pytest.mark.parametrize("texts", [[], [""], ["", "", "?"], ["one"], ["日本"]])
def test_too_little_to_compare_removes_nothing(texts: list[str]):
    assert near_duplicates(texts) == []


def test_many_equal_texts_leave_the_first():
    assert [found.kept for found in near_duplicates(["the same few words again and again"] * 500)] == [0] * 499


def test_bands_are_chosen_so_that_pairs_at_the_threshold_meet():
    for threshold in (0.3, 0.5, 0.7, 0.85, 0.95):
        rows = rows_in_a_band(threshold)
        assert (1 - threshold**rows) ** (128 // rows) <= 1e-3
    assert rows_in_a_band(0.85) == 7
