"""Running lines: headers, footers and page numbers are found, and the text's own lines are not."""

from realign.sources.running import Line, running_lines


def pages_with(header: list[str], body: list[list[str]], footer: list[str]) -> list[list[Line]]:
    return [
        [Line(text) for text in ([h] if h else []) + list(lines) + ([f] if f else [])]
        for h, lines, f in zip(header, body, footer, strict=True)
    ]


BODY = [[f"Sentence {n} of page {word}." for n in "abcdefgh"] for word in "one two three four five six seven".split()]
BLANK = [""] * 7


def kept(pages: list[list[Line]]) -> list[str]:
    frame = running_lines(pages)
    return [line.text for p, lines in enumerate(pages) for i, line in enumerate(lines) if (p, i) not in frame]


def flat(pages: list[list[str]]) -> list[str]:
    return [line for lines in pages for line in lines]


def test_left_and_right_headers_with_their_numbers_go() -> None:
    header = [f"{n} 1 • Waves" if n % 2 else f"A Book of Waves {n}" for n in range(1, 8)]
    assert kept(pages_with(header, BODY, BLANK)) == flat(BODY)


def test_a_footer_and_bare_page_numbers_go() -> None:
    assert kept(pages_with(BLANK, BODY, [str(n) for n in range(11, 18)])) == flat(BODY)
    assert kept(pages_with([f"- {n} -" for n in range(1, 8)], BODY, ["Free for all"] * 7)) == flat(BODY)


def test_headers_that_change_with_the_chapter_go() -> None:
    header = ["1 Tides"] * 3 + ["2 Currents in the open sea"] * 4
    assert kept(pages_with(header, BODY, BLANK)) == flat(BODY)


def test_a_header_that_stands_on_one_page_goes_by_its_height_and_number() -> None:
    heads = [Line(f"Part {'one' if n < 7 else 'two'} {n}", 60, 200, 750, 760) for n in range(1, 8)]
    texts = [[Line(text, 60, 300, 700 - 12 * i, 710 - 12 * i) for i, text in enumerate(lines)] for lines in BODY]
    pages = [[head, *lines] for head, lines in zip(heads, texts, strict=True)]
    assert kept(pages) == flat(BODY)


def test_lines_of_the_text_that_happen_to_recur_stay() -> None:
    body = [["Solution", *lines] if n in (0, 6) else lines for n, lines in enumerate(BODY)]
    assert kept(pages_with(BLANK, body, BLANK)) == flat(body)


def test_rows_of_figures_at_the_top_of_pages_stay() -> None:
    body = [[f"{n * 7} {n * 5} {n}", *lines] for n, lines in enumerate(BODY, 3)]
    assert kept(pages_with(BLANK, body, BLANK)) == flat(body)


def test_a_document_of_nothing_but_the_same_line_keeps_it() -> None:
    assert kept([[Line("Specimen")] for _ in range(4)]) == ["Specimen"] * 4


def test_large_headings_of_one_pattern_stay() -> None:
    heads = [Line(f"Lesson {n}", 60, 200, 750, 766) for n in range(1, 8)]
    texts = [[Line(text, 60, 300, 700 - 12 * i, 710 - 12 * i) for i, text in enumerate(lines)] for lines in BODY]
    pages = [[head, *lines] for head, lines in zip(heads, texts, strict=True)]
    assert running_lines(pages, body=10.0) == set()
    assert running_lines(pages, body=16.0) == {(page, 0) for page in range(7)}


def test_one_page_has_no_running_lines() -> None:
    assert kept([[Line("Title"), Line("Text."), Line("1")]]) == ["Title", "Text.", "1"]
    assert running_lines([]) == set()
