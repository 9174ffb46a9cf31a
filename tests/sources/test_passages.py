"""Passages: whole sentences of one section in one role, exact slices of the document, and nothing unfit as prose."""

from pathlib import Path

import pytest

from realign.records import Document, Page, Passage
from realign.sources import Limits, read_document
from realign.sources.passages import split_passages
from realign.sources.roles import block_role
from realign.sources.sentences import sentence_spans


def read(path: Path, text: str) -> Document:
    path.write_text(text)
    return read_document(path, Limits())


def sentences(count: int, topic: str) -> str:
    return " ".join(f"The {topic} number {n} is described in this short sentence." for n in range(count))


def roles(passages: list[Passage]) -> list[tuple[str, str]]:
    return [(passage.role, passage.text) for passage in passages]


def test_passages_are_whole_sentences_of_about_the_words_asked_for(tmp_path: Path) -> None:
    document = read(tmp_path / "a.md", f"# Sea\n\n{sentences(40, 'tide')}\n")
    passages = split_passages(document, 50)
    assert [len(p.text.split()) for p in passages] == [50] * 8
    assert all(p.text == document.text[p.start : p.end] and p.text.endswith("sentence.") for p in passages)
    assert {p.headings for p in passages} == {("Sea",)}
    assert len({p.id for p in passages}) == len(passages)


def test_a_small_rest_joins_the_passage_before_it(tmp_path: Path) -> None:
    document = read(tmp_path / "a.md", sentences(11, "wave"))
    assert [len(p.text.split()) for p in split_passages(document, 50)] == [50, 60]


def test_no_passage_crosses_a_heading_and_each_carries_its_path(tmp_path: Path) -> None:
    parts = [
        "# Sea",
        "## Tides",
        sentences(2, "tide"),
        "## Waves",
        sentences(2, "wave"),
        "# Sky",
        sentences(2, "cloud"),
    ]
    text = "\n\n".join(parts)
    passages = split_passages(read(tmp_path / "a.md", text), 500)
    assert [p.headings for p in passages] == [("Sea", "Tides"), ("Sea", "Waves"), ("Sky",)]


def test_a_document_without_blocks_is_split_at_empty_lines() -> None:
    text = f"{sentences(3, 'tide')}\n\n{sentences(3, 'wave')}"
    page = Page(1, "1", 0, len(text), "read")
    document = Document("d", "", "a", "0", "text/plain", "a", "en", text, (page,))
    assert "\n\n".join(p.text for p in split_passages(document, 30)) == text


def test_a_document_without_text_has_no_passages() -> None:
    assert split_passages(Document("d", "", "a", "0", "text/plain", "a", "en", "", ()), 100) == []


def test_a_paragraph_that_breaks_off_is_not_prose(tmp_path: Path) -> None:
    text = """The tide rises twice a day in most places. It then falls to the level that

| a | b |
|---|---|
| 1 | 2 |

was seen before on the same day. The next one follows in twelve hours.
"""
    assert roles(split_passages(read(tmp_path / "a.md", text), 100)) == [
        ("prose", "The tide rises twice a day in most places."),
        ("other", "It then falls to the level that"),
        ("table", "a | b\n1 | 2"),
        ("other", "was seen before on the same day."),
        ("prose", "The next one follows in twelve hours."),
    ]


PROSE = "The range of the tide is the difference between high water and low water."


@pytest.mark.parametrize(
    ("kind", "text", "headings", "role"),
    [
        ("paragraph", PROSE, ("1 Tides",), "prose"),
        ("paragraph", PROSE, ("Introduction",), "prose"),
        ("paragraph", PROSE, ("1 Tides", "Homework", "1.1 Range"), "exercise"),
        ("paragraph", PROSE, ("1 Tides", "Example 1.2"), "exercise"),
        ("paragraph", PROSE, ("Solutions",), "exercise"),
        ("paragraph", PROSE, ("Übungsaufgaben",), "exercise"),
        ("paragraph", PROSE, ("Problems with Samples",), "prose"),
        ("paragraph", PROSE, ("The Solution of the Longitude Question by Harrison",), "prose"),
        ("paragraph", PROSE, ("Stats Lab: Tides at the Pier",), "exercise"),
        ("paragraph", PROSE, ("Bringing It Together: Practice",), "exercise"),
        ("paragraph", PROSE, ("Chapter 3 Review Questions",), "exercise"),
        ("paragraph", PROSE, ("Lösungen der Übungsaufgaben",), "exercise"),
        ("paragraph", PROSE, ("Try It 2.3",), "exercise"),
        ("paragraph", PROSE, ("Salt Solutions",), "prose"),
        ("paragraph", PROSE, ("The Milgram Experiment",), "prose"),
        ("paragraph", PROSE, ("Volcanic Activity",), "prose"),
        ("paragraph", PROSE, ("References",), "other"),
        ("paragraph", PROSE, ("Index",), "other"),
        ("paragraph", PROSE, ("The Index of Prices",), "prose"),
        ("paragraph", PROSE, ("Inhaltsverzeichnis",), "other"),
        ("paragraph", "Tide: the regular rise and fall of the sea", ("Key Terms",), "glossary"),
        ("paragraph", PROSE, ("Key Terms",), "prose"),
        ("paragraph", "What is the range of the tide? Why does it change?", ("1 Tides",), "exercise"),
        ("paragraph", "Find the range of the tide at Brest for the following days.", ("1 Tides",), "exercise"),
        ("paragraph", "Use the following information to answer the next two exercises.", ("1 Tides",), "exercise"),
        ("paragraph", "Copyright 2020 by the authors. All rights reserved.", ("1 Tides",), "other"),
        ("paragraph", "Smith, A. “Tides.” Available online at http://x.org (accessed May 1, 2013).", (), "other"),
        ("paragraph", "h = a cos(2πt/T) + b sin(2πt/T)", ("1 Tides",), "other"),
        ("paragraph", "High water", ("1 Tides",), "other"),
        ("item", "1. The harbor lies behind a wall.", ("1 Tides",), "list"),
        ("caption", "Figure 1: The range of the tide is large here.", ("1 Tides",), "other"),
        ("table", "Brest 6.9\nDover 6.0", ("1 Tides",), "table"),
        ("code", "print(1)", ("1 Tides",), "other"),
    ],
)
def test_each_block_has_the_role_that_its_headings_and_its_look_give_it(
    kind: str, text: str, headings: tuple[str, ...], role: str
) -> None:
    assert block_role(kind, text, headings) == role


@pytest.fixture(scope="module")
def textbook() -> Document:
    path = Path(__file__).parents[3] / "shared" / "data" / "books" / "openstax-statistics-ch1-5.pdf"
    if not path.exists():
        pytest.skip(f"no textbook at {path}")
    return read_document(path, Limits())


def test_no_running_line_of_the_textbook_reaches_a_passage(textbook: Document) -> None:
    text = "\n".join(p.text for p in split_passages(textbook, 160))
    assert "Introductory Statistics 2e, Chapters 1–5 " not in text
    assert "Access for free at openstax.org\n" not in text
    assert " • Sampling and Data" not in text


def test_prose_of_the_textbook_ends_at_sentence_ends_under_headings_on_its_page(textbook: Document) -> None:
    prose = [p for p in split_passages(textbook, 160) if p.role == "prose"]
    assert len(prose) > 200
    assert all(p.headings and p.text == textbook.text[p.start : p.end] for p in prose)
    assert all(p.text.rstrip('"”’)]').endswith((".", "!", "?")) for p in prose)
    assert all(textbook.pages[p.page - 1].start <= p.start < textbook.pages[p.page - 1].end for p in prose)


def test_prose_of_the_textbook_has_the_words_of_its_markdown_twin(textbook: Document) -> None:
    twin = read_document(Path(__file__).parents[3] / "shared/data/books/openstax-statistics-ch1-5.md", Limits())
    words = "".join(c for c in twin.text if c.isalnum())
    found = [
        part[start:end]
        for p in split_passages(textbook, 160)
        if p.role in ("prose", "glossary")
        for part in p.text.split("\n\n")
        for start, end in sentence_spans(part)
    ]
    missing = [sentence for sentence in found if "".join(c for c in sentence if c.isalnum()) not in words]
    assert len(found) > 1200
    assert len(missing) < 0.02 * len(found), missing
