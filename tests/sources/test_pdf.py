"""PDFs: what a reader sees comes out repaired, what nobody sees stays out, and bad files end in named errors."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pdfs import PROSE, blank, book, heading, paragraph, saved

import realign.sources.pdf as pdf_module
from realign.errors import DamagedSource, EmptySource, EncryptedSource, SourceError, SourceLimit
from realign.records import Document, decode, encode
from realign.sources import Limits, find_sources, read_document
from realign.sources.kinds import Outline
from realign.sources.layout import Title


def blocks(document: Document, kind: str) -> list[str]:
    return [document.text[b.start : b.end] for b in document.blocks if b.kind == kind]


def read(path: Path) -> Document:
    return read_document(path, Limits())


def test_a_book_gives_its_text_without_its_frame(tmp_path: Path) -> None:
    document = read(book(tmp_path / "tides.pdf"))
    assert blocks(document, "heading") == [f"{n} Part {n} of the sea" for n in range(1, 7)]
    assert blocks(document, "paragraph")[0] == PROSE
    assert not any(words in document.text for words in ("Book of Tides", "Chapter One", "Free to read"))
    assert "Removed 12 running lines." in document.notes
    assert document.language == "en"


def test_pages_cover_the_text_without_gaps_and_round_trip(tmp_path: Path) -> None:
    document = read(book(tmp_path / "tides.pdf"))
    assert [page.number for page in document.pages] == [1, 2, 3, 4, 5, 6]
    assert document.pages[0].start == 0
    assert document.pages[-1].end == len(document.text)
    assert all(a.end == b.start for a, b in zip(document.pages, document.pages[1:], strict=False))
    third = document.pages[2]
    assert document.text[third.start : third.end].startswith("3 Part 3 of the sea")
    assert decode("document", encode(document)) == document


def test_a_paragraph_goes_on_over_a_page_break(tmp_path: Path) -> None:
    pdf = blank()
    pdf.set_y(260)
    paragraph(pdf, PROSE[:200].rsplit(" ", 1)[0])
    pdf.add_page()
    paragraph(pdf, PROSE[len(PROSE[:200].rsplit(" ", 1)[0]) + 1 :])
    document = read(saved(pdf, tmp_path / "over.pdf"))
    assert document.text == PROSE
    assert 0 < document.pages[1].start < len(PROSE)


def test_text_outside_the_page_in_white_or_tiny_type_stays_out_and_is_counted(tmp_path: Path) -> None:
    pdf = blank()
    paragraph(pdf, PROSE)
    pdf.text(20, 320, "below the page")
    pdf.text(-200, 50, "left of the page")
    pdf.set_text_color(255, 255, 255)
    pdf.text(20, 100, "white on white")
    pdf.set_text_color(0, 0, 0)
    pdf.set_font("helvetica", size=1)
    pdf.text(20, 120, "much too small")
    document = read(saved(pdf, tmp_path / "hidden.pdf"))
    assert document.text == PROSE
    assert any("no reader sees" in note for note in document.notes)


def test_text_outside_the_crop_box_stays_out(tmp_path: Path) -> None:
    from pypdf import PdfReader, PdfWriter
    from pypdf.generic import RectangleObject

    pdf = blank()
    paragraph(pdf, PROSE)
    pdf.text(20, 250, "printer's marks")
    writer = PdfWriter(clone_from=PdfReader(saved(pdf, tmp_path / "whole.pdf")))
    writer.pages[0].cropbox = RectangleObject((0, 400, 595, 842))
    writer.write(tmp_path / "cropped.pdf")
    assert read(tmp_path / "cropped.pdf").text == PROSE


def test_white_text_on_a_dark_box_is_read(tmp_path: Path) -> None:
    pdf = blank()
    paragraph(pdf, PROSE)
    pdf.set_fill_color(20, 20, 80)
    pdf.rect(15, 95, 150, 10, style="F")
    pdf.set_text_color(255, 255, 255)
    pdf.text(20, 101, "A remark in white is here.")
    assert "A remark in white is here." in read(saved(pdf, tmp_path / "box.pdf")).text


def test_raised_digits_are_not_made_into_other_numbers(tmp_path: Path) -> None:
    pdf = blank()
    pdf.write(6, "The area of a square with side 12 is 12")
    pdf.char_vpos = "SUP"
    pdf.write(6, "2")
    pdf.char_vpos = "LINE"
    pdf.write(6, " and the first of them is called A")
    pdf.char_vpos = "SUB"
    pdf.write(6, "1")
    pdf.char_vpos = "LINE"
    pdf.write(6, " here.")
    text = read(saved(pdf, tmp_path / "powers.pdf")).text
    assert text == "The area of a square with side 12 is 12² and the first of them is called A₁ here."


def test_lists_tables_and_captions_are_kept_apart_from_prose(tmp_path: Path) -> None:
    pdf = blank()
    heading(pdf, "Harbors")
    paragraph(pdf, PROSE)
    for mark in ("1. The harbor lies behind a wall.", "2. The wall keeps the waves out."):
        paragraph(pdf, mark)
    for row in (("Port", "Range", "Depth"), ("Brest", "6.9", "12"), ("Dover", "6.0", "10"), ("Riga", "0.2", "8")):
        for at, cell in enumerate(row):
            pdf.text(30 + 45 * at, pdf.get_y() + 5, cell)
        pdf.ln(6)
    pdf.ln(8)
    paragraph(pdf, "Table 1: Ranges in meters")
    document = read(saved(pdf, tmp_path / "kinds.pdf"))
    assert blocks(document, "item") == ["1. The harbor lies behind a wall.", "2. The wall keeps the waves out."]
    assert blocks(document, "table") == ["Port Range Depth\nBrest 6.9 12\nDover 6.0 10\nRiga 0.2 8"]
    assert blocks(document, "caption") == ["Table 1: Ranges in meters"]
    assert blocks(document, "paragraph") == [PROSE]


def test_a_title_is_found_by_the_outline_unless_its_number_differs() -> None:
    outline = Outline([Title(1, "2 Tides", 4), Title(2, "2.1 Range", 4), Title(2, "Waves", 5)])
    assert [outline.level(text, 4) for text in ("2 Tides", "2  TIDES", "Tides", "2.8 Tides", "2.1 Range")] == [
        1,
        1,
        1,
        0,
        2,
    ]
    assert outline.level("2.2 Waves", 5) == 2
    assert outline.level("2 Tides", 9) == 0


def test_a_scan_without_text_says_that_it_needs_ocr(tmp_path: Path) -> None:
    with pytest.raises(EmptySource, match="OCR"):
        read(saved(blank(), tmp_path / "scan.pdf"))


def test_a_locked_file_says_that_it_needs_a_password(tmp_path: Path) -> None:
    pdf = blank()
    paragraph(pdf, PROSE)
    pdf.set_encryption(owner_password="owner", user_password="user")
    with pytest.raises(EncryptedSource, match="password"):
        read(saved(pdf, tmp_path / "locked.pdf"))


def test_a_file_with_a_blank_password_is_read(tmp_path: Path) -> None:
    pdf = blank()
    paragraph(pdf, PROSE)
    pdf.set_encryption(owner_password="owner", user_password="")
    assert read(saved(pdf, tmp_path / "open.pdf")).text == PROSE


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (b"", EmptySource, "zero bytes"),
        (b"Dear reader, this is a letter.", DamagedSource, "does not begin as one"),
        (b"%PDF-1.7\n", DamagedSource, "end is missing"),
        (b"%PDF-1.7\n" + b"\x00\xff" * 500 + b"\n%%EOF", DamagedSource, "can't be read"),
    ],
)
def test_what_is_no_whole_pdf_is_named_as_what_it_is(
    tmp_path: Path, content: bytes, error: type[SourceError], words: str
) -> None:
    path = tmp_path / "bad.pdf"
    path.write_bytes(content)
    with pytest.raises(error, match=words):
        read(path)


@pytest.mark.parametrize(
    ("code", "limits", "broken"),
    [
        ("input()", Limits(seconds=0.2), "longer than"),
        ("swollen = bytearray(200 << 20); input()", Limits(megabytes=100), "more than 100 MB"),
        ("print('x' * 20_000_000, flush=True); input()", Limits(), "absurdly much text"),
        ("pass", Limits(), ""),
    ],
)
def test_a_child_that_hangs_swells_or_floods_is_noticed(tmp_path: Path, code: str, limits: Limits, broken: str) -> None:
    with open(tmp_path / "out", "w+b") as output:
        child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=output)
        try:
            assert broken in pdf_module.watch(child, output, 1000, limits)
            assert bool(broken) == (child.poll() is None)
        finally:
            child.communicate()


def test_a_file_that_breaks_a_limit_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SourceLimit, match=r"tides\.pdf is too much to read: it took longer than 0 s"):
        read_document(book(tmp_path / "tides.pdf"), Limits(seconds=0.0))


def test_a_reader_that_crashes_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(DamagedSource, match="ended with status 1"):
        read(book(tmp_path / "tides.pdf"))


def test_only_whole_lines_of_a_child_that_was_cut_off_are_believed(tmp_path: Path) -> None:
    with open(tmp_path / "out", "w+b") as output:
        output.write(b'{"pages":2}\n{"page":0,"rows":[["Seen.",0,0,0,0,0]],"hidden":0}\n{"page":1,"ro')
        raw = pdf_module.gathered("pypdfium2", output, "", -9)
    assert [page["page"] for page in raw.pages] == [0]
    assert not raw.whole
    assert raw.error == ("damaged", "the reader pypdfium2 ended with signal 9")


def test_the_second_reader_reads_where_the_first_can_not(tmp_path: Path) -> None:
    path = book(tmp_path / "tides.pdf")
    raw = pdf_module.run_child("pypdf", path, path.stat().st_size, Limits())
    document = pdf_module.repaired(path, "0" * 64, raw)
    assert "Free to read" not in document.text
    assert "A tide is the regular rise and fall of the sea that the Moon and the Sun cause." in document.text
    assert any("second reader" in note for note in document.notes)


def test_a_child_leaves_no_process_behind(tmp_path: Path) -> None:
    read(book(tmp_path / "tides.pdf", pages=1))
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.parametrize(
    "name", ["bomb_giant.pdf", "Pages-tree-refs.pdf", "made-huge-declared.pdf", "libreoffice-writer-password.pdf"]
)
def test_known_bad_files_give_text_or_a_named_error(shared: Path, name: str) -> None:
    try:
        assert read(shared / "data" / "malformed-pdfs" / name).text
    except SourceError as error:
        assert name in str(error)


@pytest.mark.slow
def test_a_folder_of_bad_files_still_yields_the_good_ones(shared: Path) -> None:
    paths = find_sources([shared / "data" / "malformed-pdfs"])
    read_names, refused = set(), {}
    for path in paths:
        try:
            read_names.add(read(path).name)
        except SourceError as error:
            refused[path.name] = type(error).__name__
    assert len(paths) == len(read_names) + len(refused) >= 60
    assert {"with-attachment.pdf", "helloworld-bad.pdf", "issue7665.pdf", "bad-PageLabels.pdf"} <= read_names
    assert refused["made-zero-byte.pdf"] == "EmptySource"
    assert refused["made-truncated-half.pdf"] == "DamagedSource"
    assert refused["bug1782186.pdf"] == "EncryptedSource"
    assert refused["grayscale-image.pdf"] == "EmptySource"
