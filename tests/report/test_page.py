import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from realign.report.files import write_reports
from realign.report.page import render_page
from realign.report.samples import mark_differences
from realign.run import Run
from support import SETTINGS, Batches, build_run, start

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)>'


class Outline(HTMLParser):
    """Collects the tags and headings of a page, and complains about tags that are closed out of order."""

    EMPTY = ("meta", "link", "rect", "line", "br", "wbr", "img")

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def outline(html: str) -> Outline:
    parser = Outline()
    parser.feed(html)
    assert parser.open == []
    return parser


def hostile(batches: Batches) -> None:
    """A document whose title, name, headings, text, questions and drop reasons all carry a script."""
    import dataclasses

    source = batches["source"]
    document, *rest = source.records
    broken = document.text[:20] + HOSTILE + document.text[20 + len(HOSTILE) :]
    source.records = [dataclasses.replace(document, text=broken, title=HOSTILE, name=f"{HOSTILE}.pdf")]
    for record in rest:
        changes = {"headings": (HOSTILE,)} if record.kind == "passage" else {"text": record.text + HOSTILE}
        source.records.append(dataclasses.replace(record, **changes))
    source.drops = [dataclasses.replace(drop, reason=HOSTILE, step=HOSTILE) for drop in source.drops]
    batches["candidates"].records = [
        dataclasses.replace(c, text=c.text + HOSTILE, method=HOSTILE) for c in batches["candidates"].records
    ]


def test_a_page_is_well_formed_and_its_headings_do_not_jump(tmp_path):
    tags = outline(render_page(build_run(tmp_path))).tags
    levels = [int(tag[1]) for tag, _ in tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_a_page_needs_nothing_outside_itself(tmp_path):
    html = render_page(build_run(tmp_path))
    targets = [value for _, attrs in outline(html).tags for name, value in attrs.items() if name in ("src", "href")]
    assert all(target.startswith(("#", "data:")) for target in targets)
    assert "@import" not in html and "url(" not in html and "http:" not in html and "https:" not in html


def test_every_drawing_has_words_for_those_who_cannot_see_it(tmp_path):
    drawings = [attrs for tag, attrs in outline(render_page(build_run(tmp_path))).tags if tag == "svg"]
    assert len(drawings) >= 6
    assert all(attrs["role"] == "img" and len(attrs["aria-label"]) > 10 for attrs in drawings)


def test_a_hostile_document_stays_text(tmp_path):
    html = render_page(build_run(tmp_path, change=hostile))
    tags = [tag for tag, _ in outline(html).tags]
    assert "script" not in tags and "img" not in tags
    assert "&lt;script&gt;" in html


def test_a_page_shows_every_gate_twelve_pairs_and_every_reason(tmp_path):
    run = build_run(tmp_path, pairs=40)
    html = render_page(run)
    assert html.count('<article class="sample">') == 12
    for expected in ("split isolation", "decontamination", "points outside its passage", "gates</th>", "numpy"):
        assert expected in html


def test_sample_pairs_are_the_same_each_time(tmp_path):
    run = build_run(tmp_path, pairs=40)
    first, again = (render_page(run).split('id="samples"')[1].split("</section>")[0] for _ in range(2))
    assert first == again


def test_only_the_words_that_differ_are_marked():
    chosen, rejected = mark_differences("It rose 12 meters at noon.", "It fell 12 meters at noon, twice.")
    assert "".join(text for text, _ in chosen) == "It rose 12 meters at noon."
    assert [text for text, differs in chosen if differs] == ["rose"]
    assert [text for text, differs in rejected if differs] == ["fell", ", twice"]


def test_a_number_differs_as_a_whole():
    chosen, _ = mark_differences("A total of 6,481 cars.", "A total of 5,185 cars.")
    assert [text for text, differs in chosen if differs] == ["6,481"]


def test_very_long_answers_come_unmarked_rather_than_late():
    long = "word " * 5000
    assert mark_differences(long, long + "x") == (((long, False),), ((long + "x", False),))


@pytest.mark.parametrize("until", ["source", "candidates", "judge", "select", "filter"])
def test_a_run_that_stopped_early_has_a_page_card_and_manifest(tmp_path, until):
    run = build_run(tmp_path, until=until)
    paths = write_reports(run)
    assert sorted(path.name for path in paths.values()) == ["README.md", "manifest.json", "report.html"]
    outline(paths["report"].read_text(encoding="utf-8"))
    assert "No dataset was written" in paths["card"].read_text(encoding="utf-8")


def test_a_run_that_never_started_has_a_page(tmp_path):
    run = Run.create(tmp_path, "dpo", "nothing")
    start(run, SETTINGS)
    assert "No stage has ended yet" in render_page(run)


def browse(page: Path, profile: Path) -> subprocess.CompletedProcess[str]:
    flags = (
        "--headless --no-sandbox --disable-gpu --enable-logging=stderr --dump-dom --disable-background-networking"
        " --disable-component-update --disable-sync --no-first-run"
    ).split()
    command = [str(CHROMIUM), *flags, f"--user-data-dir={profile}", page.as_uri()]
    home = {**os.environ, "HOME": str(profile)}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, env=home)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_a_real_browser_loads_the_page_without_an_error_or_a_request(tmp_path):
    run = build_run(tmp_path, change=hostile)
    found = browse(run.folder / "report.html", tmp_path / "profile")
    assert "CONSOLE" not in found.stderr
    assert "Samples</h2>" in found.stdout
    # The page forbids every request by its policy, so that one would show as an error: make sure that it would.
    leaky = tmp_path / "leaky.html"
    leaky.write_text(
        render_page(run).replace("<main>", '<main><img src="https://example.org/x.png">'), encoding="utf-8"
    )
    assert "violates the following Content Security Policy" in browse(leaky, tmp_path / "other").stderr
