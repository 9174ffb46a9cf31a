"""The example document: the committed PDF is what render.py makes of the Markdown, whole, outlined and numbered."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pypdfium2 as pdfium

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
MARKDOWN = (EXAMPLES / "tides.md").read_text(encoding="utf-8")
TITLE = MARKDOWN.splitlines()[0].removeprefix("# ")
SENTENCES = [line for line in MARKDOWN.splitlines() if re.match(r"(?!Table \d\.)[A-Z].*\.$", line)]


def renderer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("example_render", EXAMPLES / "render.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pages(pdf: bytes) -> list[str]:
    document = pdfium.PdfDocument(pdf)
    return [page.get_textpage().get_text_range() for page in document]


def body(pdf: bytes) -> str:
    """The words of all pages without running headers and page numbers, one space between two words."""
    texts = []
    for number, text in enumerate(pages(pdf), start=1):
        words = " ".join(text.split()).removesuffix(str(number)).strip()
        texts.append(words.removeprefix(TITLE).strip() if number > 1 else words)
    return " ".join(texts)


def committed() -> bytes:
    return (EXAMPLES / "tides.pdf").read_bytes()


def test_the_committed_pdf_reads_as_the_markdown_renders() -> None:
    # Text, not bytes: compression differs between builds of zlib, layout details between versions of fpdf2.
    assert body(committed()) == body(renderer().render(MARKDOWN))


def test_rendering_twice_gives_the_same_bytes() -> None:
    render = renderer().render
    assert render(MARKDOWN) == render(MARKDOWN)


def test_every_sentence_reaches_the_pdf() -> None:
    text = body(committed())
    assert [sentence for sentence in SENTENCES if sentence not in text] == []


def test_the_outline_lists_every_heading_in_order_with_its_level_and_page() -> None:
    document = pdfium.PdfDocument(committed())
    texts = pages(committed())
    outline = [(item.level, item.get_title(), item.get_dest().get_index()) for item in document.get_toc()]
    headings = [(len(mark) - 2, title) for mark, title in re.findall(r"^(#{2,3}) (.+)$", MARKDOWN, re.M)]
    assert [entry[:2] for entry in outline] == headings
    assert [title for _, title, page in outline if title not in texts[page]] == []


def test_every_page_carries_its_number_and_all_but_the_first_the_title_above_it() -> None:
    texts = pages(committed())
    assert [page.split()[-1] for page in texts] == [str(number + 1) for number in range(len(texts))]
    assert all(page.startswith(TITLE) for page in texts[1:])


def test_the_readme_states_the_true_size_of_the_document() -> None:
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    stated = re.search(r"(\d+) pages, (\d+) sentences and (\d+) glossary entries", readme)
    assert stated
    glossary = len(re.findall(r"^- \*\*.+?\*\*: ", MARKDOWN, re.M))
    assert [int(count) for count in stated.groups()] == [len(pages(committed())), len(SENTENCES), glossary]


def test_no_sentence_is_written_twice() -> None:
    assert len(set(SENTENCES)) == len(SENTENCES)


def test_the_script_refuses_a_wrong_number_of_arguments() -> None:
    assert renderer().main(["only.md"]) == 2
