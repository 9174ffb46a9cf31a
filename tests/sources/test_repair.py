"""Repairing characters and words: what is folded, what is kept, what is joined, and what a page is worth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realign.sources.repair import Hyphens, clean_text, language, verdict, vocabulary
from realign.sources.scripts import shift


@pytest.mark.parametrize(
    ("raw", "repaired"),
    [
        ("of\ufb01ce \ufb02ow e\ufb03cient", "office flow efficient"),
        ("ｆｕｌｌ　ｗｉｄｔｈ", "full width"),
        ("x² + y³ = H₂O", "x² + y³ = H₂O"),
        ("1½ cups, 5 µm, Acme™", "1½ cups, 5 μm, Acme™"),
        ("non\u00a0breaking\u202fspace", "non breaking space"),
        ("well\u2010known and well\u2011known", "well-known and well-known"),
        ("Cafe\u0301", "Café"),
        ("line one\r\nline two\rline three", "line one\nline two\nline three"),
        ("tab\there\x0bthere\u2028done", "tab here there done"),
    ],
)
def test_characters_are_folded_without_changing_what_they_mean(raw: str, repaired: str) -> None:
    assert clean_text(raw).text == repaired


@pytest.mark.parametrize(
    "hidden", ["\u200b", "\u202e", "\u2066", "\ufeff", "\U000e0041", "\ue000", "\x00", "\ud800", "\ufe0f", "\u034f"]
)
def test_characters_that_no_reader_sees_are_removed_and_counted(hidden: str) -> None:
    cleaned = clean_text(f"plain {hidden}text{hidden}")
    assert cleaned.text == "plain text"
    assert cleaned.invisible == 2


@given(st.text(max_size=200))
def test_repair_is_done_once_and_gives_text_that_any_file_can_hold(text: str) -> None:
    once = clean_text(text).text
    assert clean_text(once).text == once
    assert once.encode("utf-8").decode("utf-8") == once


def test_a_word_cut_at_a_line_end_is_joined_where_the_document_shows_it_whole() -> None:
    hyphens = Hyphens(vocabulary("the probability of rain and a well-known fact"))
    assert hyphens.join("the proba\x02", "bility is") == "the probability is"
    assert hyphens.join("a well-", "known fact") == "a well-known fact"


def test_without_evidence_a_cut_word_follows_the_habit_of_the_document() -> None:
    words = vocabulary("geometry topology stem-and-leaf side-by-side")
    joining = Hyphens(words, [("geo-", "metry"), ("topo-", "logy")])
    keeping = Hyphens(words, [("stem-and-", "leaf"), ("side-by-", "side")])
    assert joining.join("mani-", "fold") == "manifold"
    assert keeping.join("part-", "time") == "part-time"


def test_a_hyphen_before_a_capital_a_number_or_a_second_half_stays() -> None:
    hyphens = Hyphens(frozenset())
    assert hyphens.join("Kolmogorov-", "Smirnov test") == "Kolmogorov-Smirnov test"
    assert hyphens.join("short-", "and long-term") == "short- and long-term"
    assert hyphens.join("pages 1-", "introduction") == "pages 1-introduction"


@pytest.mark.parametrize(
    ("text", "up", "shown"),
    [
        ("2", True, "²"),
        ("−1", True, "⁻¹"),
        ("n+1", True, "ⁿ⁺¹"),
        ("1", False, "₁"),
        ("th", True, "th"),
        ("x", True, "^x"),
        ("0.5x", True, "^(0.5x)"),
        ("[3]", True, "[3]"),
        ("max", False, "max"),
        (" 2 ", True, " ² "),
    ],
)
def test_raised_and_lowered_text_keeps_its_meaning(text: str, up: bool, shown: str) -> None:
    assert shift(text, up) == shown


def test_a_page_is_read_empty_or_garbled() -> None:
    prose = "The median is the middle value of the ordered data, and half of the values lie below it. "
    shifted = "".join(chr(ord(c) + 3) if c.isalpha() else c for c in prose)
    assert verdict(prose) == "read"
    assert verdict("Ein Rechteck hat vier rechte Winkel, und gegenüberliegende Seiten sind gleich lang.") == "read"
    assert (
        verdict("この文章は日本語で書かれているので、母音のある英単語を含んでいないけれども読むことができる文である。")
        == "read"
    )
    assert verdict(shifted) == "garbled"
    assert verdict("\ufffd" * 30 + " a b c") == "garbled"
    assert verdict(" ... \n --- ") == "empty"
    assert verdict("f(x) = 2x") == "read"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("The mean of the data is the sum of the values and it is divided by the number of them.", "en"),
        ("Der Mittelwert ist die Summe der Werte, und das ist nicht die Mitte von allen.", "de"),
        ("La moyenne est la somme des valeurs dans une série et pas plus que le reste.", "fr"),
        ("La media es la suma de los valores que se divide por el número de ellos.", "es"),
        ("x y z 1 2 3", "und"),
        ("", "und"),
    ],
)
def test_the_language_is_told_by_its_frequent_words(text: str, code: str) -> None:
    assert language(text) == code
