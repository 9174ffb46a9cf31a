import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realign.quality.text import hash_ngrams, hash_words, in_batches, normalize, words


@given(st.text())
def test_normalizing_twice_changes_nothing_more(text: str):
    assert normalize(normalize(text)) == normalize(text)


@given(st.lists(st.text(alphabet="aé’ \u0301\u00ad日ß.'", max_size=12)))
def test_a_text_hashes_to_the_hashes_of_its_words_whatever_stands_beside_it(texts: list[str]):
    together = hash_words(texts)
    for text, start, end in zip(texts, together.offsets[:-1], together.offsets[1:], strict=True):
        alone = [hash_words([word]).hashes[0] for word in words(text)]
        assert together.hashes[start:end].tolist() == alone


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don’t STOP; it's 3.5%!", ["don", "t", "stop", "it", "s", "3", "5"]),
        ("ﬁne ½ x²", ["fine", "1", "2", "x2"]),
        ("so\u00adft zero\u200bwidth", ["soft", "zerowidth"]),
        ("e\u0301t\u00e9", ["été"]),
        ("Straße_STRASSE", ["strasse", "strasse"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("日本語x第1章", ["日", "本", "語", "x", "第", "1", "章"]),
        ("Привет, МИР", ["привет", "мир"]),
        ("\ud800 lone", ["lone"]),
        ("∑ > 3 — !", ["3"]),
        ("", []),
    ],
)
def test_words_are_folded_and_parted_by_everything_else(text: str, expected: list[str]):
    assert words(text) == expected


def test_different_words_have_different_hashes():
    made = [f"{a}{b}{c}" for a in "abcdefghij0123456789" for b in "abcdefghij" for c in ("", "a", "ab", "ba", "zzz")]
    assert len(np.unique(hash_words(made).hashes)) == len(set(made))


def test_an_ngram_never_runs_over_the_end_of_a_text():
    grams, offsets = hash_ngrams(hash_words(["a b c", "d", "", "b c d"]), 2)
    assert np.diff(offsets).tolist() == [2, 0, 0, 2]
    assert grams[1] == grams[2]
    assert np.diff(hash_ngrams(hash_words(["a b c", "d", ""]), 2, short=True)[1]).tolist() == [2, 1, 0]


def test_batches_keep_every_text_and_its_place():
    texts = ["x" * size for size in (5, 0, 30, 2, 2, 9)]
    batches = list(in_batches(iter(texts), characters=10))
    assert [text for _, batch in batches for text in batch] == texts
    assert [first for first, _ in batches] == [0, 3]
