"""Sentences: where they end and where they only seem to."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realign.sources.sentences import sentence_spans


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text)]


@pytest.mark.parametrize(
    "text",
    [
        "The value, e.g. 3.14, is close to pi.",
        "This holds for many sets, i.e. for all finite ones.",
        "Dr. Smith and Prof. Jones met Mrs. Brown in St. Louis.",
        "As Fig. 3.2 shows, the curve rises.",
        "See p. 12 and pp. 13 to 15 of vol. 2 for details.",
        "The U.S. Census counts people every ten years.",
        "Miller et al. 2010 report the same.",
        "It was cats vs. dogs all along.",
        "J. R. R. Tolkien and C. S. Lewis were friends.",
        "The mean of 3.5 and 4.25 is 3.875 in this case.",
        "He earned 5 a.m. pay at 3 p.m. every day.",
        "Section 2.1 Introduces nothing new.",
        "The ratio is as follows: a is to b as c is to d.",
        "Das gilt z.B. für alle Mengen, d.h. auch für leere.",
        "Die Summe ist π, d. h. sie ist fest, z. B. hier.",
        "Acme Inc. and Sons Ltd. were merged.",
        "1. The first step is to count.",
        "a. The letter is part of the item.",
        "Yahoo! is a company that was founded early.",
        'The word "statistics." is quoted in lower case here.',
        "It rose (see Fig. 2) by No. 5 on the list.",
        "Wait… there is more of the same sentence.",
        "The file is named report.pdf and lies at www.example.org.",
    ],
)
def test_a_full_stop_inside_a_sentence_does_not_end_it(text: str) -> None:
    assert split(text) == [text]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One ends. Two starts.", ["One ends.", "Two starts."]),
        ("Is it? It is! Good.", ["Is it?", "It is!", "Good."]),
        ('He said "stop." Then he left.', ['He said "stop."', "Then he left."]),
        ("It is so (we think). Others differ.", ["It is so (we think).", "Others differ."]),
        ("(This is whole.) So is this.", ["(This is whole.)", "So is this."]),
        ("He lives in the U.S. The weather is fine.", ["He lives in the U.S.", "The weather is fine."]),
        ("The value is 3. Then it is 4.", ["The value is 3.", "Then it is 4."]),
        ("Pens, books, etc. The list goes on.", ["Pens, books, etc.", "The list goes on."]),
        ("„Er kam.“ Dann ging er.", ["„Er kam.“", "Dann ging er."]),
        ("It grew.[3] Many noticed.", ["It grew.[3]", "Many noticed."]),
        ("It grew.² Many noticed.", ["It grew.²", "Many noticed."]),
        ("We chose plan B. The others left.", ["We chose plan B.", "The others left."]),
        ("It began in 1990. 24 people came.", ["It began in 1990.", "24 people came."]),
        ("Who? What?! Never...", ["Who?", "What?!", "Never..."]),
        ("No mark at the end", ["No mark at the end"]),
        ("  Outer space.  Is dropped.  ", ["Outer space.", "Is dropped."]),
        ("", []),
        (" \t ", []),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text: str, sentences: list[str]) -> None:
    assert split(text) == sentences


@given(st.text(max_size=300))
def test_spans_are_in_order_and_lose_nothing_but_white_space(text: str) -> None:
    spans = sentence_spans(text)
    assert all(a < b for a, b in spans)
    assert all(first[1] <= second[0] for first, second in itertools.pairwise(spans))
    assert "".join("".join(text[a:b] for a, b in spans).split()) == "".join(text.split())
