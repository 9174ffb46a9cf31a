"""Markdown, plain text, HTML and EPUB: what a reader sees of them becomes pieces of text, and nothing else does."""

import zipfile
from pathlib import Path

import pytest

from realign.errors import DamagedSource, EmptySource, EncryptedSource, SourceError, SourceLimit, UsageError
from realign.records import Document
from realign.sources import Limits, find_sources, read_document
from realign.sources import epub as epub_module

CONTAINER = '<container><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>'
PACKAGE = """<package><metadata><dc:title>Tides &amp; Waves</dc:title></metadata><manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="a" href="a.xhtml" media-type="application/xhtml+xml"/>
<item id="b" href="text/b%20two.xhtml" media-type="application/xhtml+xml"/>
<item id="gone" href="gone.xhtml" media-type="application/xhtml+xml"/></manifest>
<spine><itemref idref="nav"/><itemref idref="b"/><itemref idref="a"/><itemref idref="gone"/></spine></package>"""


def read(path: Path, content: str | bytes) -> Document:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_document(path, Limits())


def kinds(document: Document) -> list[tuple[str, str]]:
    return [(b.kind, document.text[b.start : b.end]) for b in document.blocks]


def make_epub(path: Path, pages: dict[str, str], package: str = PACKAGE) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        archive.writestr("META-INF/container.xml", CONTAINER)
        archive.writestr("OPS/book.opf", package)
        for name, text in pages.items():
            archive.writestr(name, text)
    return path


def test_markdown_loses_its_marks_and_keeps_its_structure(tmp_path: Path) -> None:
    text = """---
author: nobody
---
# The *Sea*

A **tide** is a [rise](http://x.org "t") of the sea,
seen at `low` water. <b>Twice</b> a day.<!-- a note -->

> Quoted text is *unwrapped*
> here.

- one item
- another
  goes on

1. first
2. second

| Port | Range |
| ---- | ----: |
| Brest | 6.9 |

```python
x = "# no heading"
```

Old Style
---------

2 \\* 3 and snake_case_name stay.

**Example 1**

![A map](map.png)
"""
    assert kinds(read(tmp_path / "sea.md", text)) == [
        ("heading", "The Sea"),
        ("paragraph", "A tide is a rise of the sea, seen at low water. Twice a day."),
        ("paragraph", "Quoted text is unwrapped here."),
        ("item", "one item"),
        ("item", "another goes on"),
        ("item", "1. first"),
        ("item", "2. second"),
        ("table", "Port | Range\nBrest | 6.9"),
        ("code", 'x = "# no heading"'),
        ("heading", "Old Style"),
        ("paragraph", "2 * 3 and snake_case_name stay."),
        ("heading", "Example 1"),
        ("paragraph", "A map"),
    ]


def test_plain_text_has_paragraphs_and_careful_headings(tmp_path: Path) -> None:
    text = """THE SEA

The sea is salt, and its water is
heavier than the water of riv-
ers. Rivers run into it.

2.1 High Water

Yes.

Dear Reader,

Tides
=====

(a) They rise.
(b) They fall.

It rose at noon
"""
    assert kinds(read(tmp_path / "sea.txt", text)) == [
        ("heading", "THE SEA"),
        ("paragraph", "The sea is salt, and its water is heavier than the water of rivers. Rivers run into it."),
        ("heading", "2.1 High Water"),
        ("paragraph", "Yes."),
        ("paragraph", "Dear Reader,"),
        ("heading", "Tides"),
        ("item", "(a) They rise."),
        ("item", "(b) They fall."),
        ("paragraph", "It rose at noon"),
    ]


def test_html_shows_only_what_a_browser_would(tmp_path: Path) -> None:
    html = """<!doctype html><html><head><title>Sea &amp; Sky</title><style>p {color: red}</style></head><body>
<nav><a href="/">Home</a></nav><script>alert("x")</script>
<h1>Sea</h1><p>Water is H<sub>2</sub>O and 2<sup>10</sup> is big.<br>Next line.
<p>Open paragraph<div style="display: none">secret</div><p hidden>also secret</p>
<span aria-hidden="true">nor this</span>
<ul><li>one<li>two</ul>
<table><caption>Table 1</caption><tr><th>Port</th><th>Range</th></tr>
<tr><td>Brest</td><td>6.9 <b>m</b></td></tr></table>
<pre>a = 1
b = 2</pre>
<dl><dt>Tide</dt><dd>a rise of the sea</dd></dl>
<p><strong>Solution</strong></p></body></html>"""
    document = read(tmp_path / "sea.html", html)
    assert document.title == "Sea & Sky"
    assert kinds(document) == [
        ("heading", "Sea"),
        ("paragraph", "Water is H₂O and 2¹⁰ is big. Next line."),
        ("paragraph", "Open paragraph"),
        ("item", "one"),
        ("item", "two"),
        ("caption", "Table 1"),
        ("table", "Port | Range\nBrest | 6.9 m"),
        ("code", "a = 1\nb = 2"),
        ("paragraph", "Tide: a rise of the sea"),
        ("heading", "Solution"),
    ]
    assert "secret" not in document.text
    assert any("hidden" in note for note in document.notes)


def test_bold_terms_of_a_glossary_are_set_off_and_bold_words_of_prose_are_not(tmp_path: Path) -> None:
    terms = "**Tide** a rise of the sea\n\n**Tides** are caused by the Moon."
    text = f"## Key Terms\n\n{terms}\n\n## Sea\n\n**Salt** water is heavy.\n"
    assert [t for kind, t in kinds(read(tmp_path / "a.md", text)) if kind == "paragraph"] == [
        "Tide: a rise of the sea",
        "Tides are caused by the Moon.",
        "Salt water is heavy.",
    ]


def test_an_epub_is_read_in_the_order_of_its_spine(tmp_path: Path) -> None:
    pages = {
        "OPS/nav.xhtml": "<nav>Contents</nav>",
        "OPS/a.xhtml": "<html><body><h1>Last</h1><p>The end of it.</p></body></html>",
        "OPS/text/b two.xhtml": "<html><body><h1>First</h1><p>The start of it.</p></body></html>",
    }
    document = read_document(make_epub(tmp_path / "sea.epub", pages), Limits())
    assert document.title == "Tides & Waves"
    assert document.text == "First\n\nThe start of it.\n\nLast\n\nThe end of it."
    assert [document.text[p.start : p.end].strip() for p in document.pages] == [
        "First\n\nThe start of it.",
        "Last\n\nThe end of it.",
    ]
    assert document.notes == ("1 pages of its spine are missing.",)


def test_an_epub_that_grows_is_stopped(tmp_path: Path) -> None:
    pages = {"OPS/a.xhtml": "<p>" + "a " * (epub_module.LARGEST_ENTRY // 2 + 10) + "</p>"}
    with pytest.raises(SourceLimit, match="unpacks to more than"):
        read_document(make_epub(tmp_path / "bomb.epub", pages), Limits())


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("a.epub", b"PK\x03\x04 not really a zip", DamagedSource),
        ("a.txt", b"", EmptySource),
        ("a.txt", b" \n\n ", EmptySource),
        ("a.txt", b"\x00\x01\x02" * 400, DamagedSource),
        ("a.html", b"<html><script>only this</script></html>", EmptySource),
        ("a.md", b"\xff\xfeh\x00i", DamagedSource),
        ("a.docx", b"something", SourceError),
    ],
)
def test_unreadable_files_are_refused_by_name(
    tmp_path: Path, name: str, content: bytes, error: type[SourceError]
) -> None:
    with pytest.raises(error, match=name.replace(".", r"\.")):
        read(tmp_path / name, content)


def test_a_protected_epub_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EncryptedSource, match="protected"):
        read_document(make_epub(tmp_path / "a.epub", {"META-INF/rights.xml": "<r/>"}), Limits())


@pytest.mark.parametrize(
    ("data", "notes"),
    [
        ("Größe der Flut.".encode(), ()),
        ("Größe der Flut.".encode("utf-8-sig"), ()),
        ("Größe der Flut.".encode("utf-16"), ()),
        ("Größe der Flut.".encode("cp1252"), ("It is not UTF-8: read as Windows-1252.",)),
    ],
)
def test_the_usual_encodings_are_read(tmp_path: Path, data: bytes, notes: tuple[str, ...]) -> None:
    document = read(tmp_path / "a.txt", data)
    assert (document.text, document.notes) == ("Größe der Flut.", notes)


def test_a_pdf_under_another_name_is_read_as_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(DamagedSource, match="end is missing"):
        read(tmp_path / "a.txt", b"%PDF-1.4\n")


def test_sources_are_found_in_folders_sorted_and_without_the_hidden_ones(tmp_path: Path) -> None:
    for name in ("b.md", "a.txt", ".hidden.md", "data.csv", "deep/c.html", ".git/d.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert find_sources([tmp_path, tmp_path / "b.md"]) == [tmp_path / n for n in ("a.txt", "b.md", "deep/c.html")]


def test_a_missing_path_and_a_folder_without_documents_are_usage_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No file or folder"):
        find_sources([tmp_path / "nowhere"])
    (tmp_path / "data.csv").write_text("1,2")
    with pytest.raises(UsageError, match="Nothing readable"):
        find_sources([tmp_path])
