import re
import xml.etree.ElementTree as ET

from realign.report import charts


def drawn(svg: str) -> ET.Element:
    return ET.fromstring(str(svg))


def widths(svg: str, kind: str) -> list[float]:
    return [float(each.get("width", "")) for each in drawn(svg).iter("rect") if each.get("class") == kind]


def heights(svg: str, kind: str) -> list[float]:
    return [float(each.get("height", "")) for each in drawn(svg).iter("rect") if each.get("class") == kind]


def test_bins_hold_every_value_once_and_the_outer_ones_what_lies_beyond():
    assert charts.binned([-5, 0.0, 0.1, 0.15, 0.3, 1.0, 9], 0.0, 1.0, 10) == [2, 2, 0, 1, 0, 0, 0, 0, 0, 2]


def test_a_histogram_draws_a_bar_a_bin_in_proportion():
    tall = heights(charts.histogram("gap", [0.1] * 8 + [0.9] * 4, 0, 1, 2), "one")
    assert tall == [charts.PLOT, charts.PLOT / 2]


def test_equal_lengths_mirror_each_other():
    svg = charts.mirrored("tokens", [5, 6, 6], [6, 5, 6], ("chosen", "rejected"))
    assert sorted(heights(svg, "chosen")) == sorted(heights(svg, "rejected"))


def test_a_funnel_bar_is_kept_and_dropped_in_proportion():
    svg = charts.funnel("steps", [("prompts", 75, 25), ("pairs", 50, 0)])
    kept, lost = widths(svg, "one"), widths(svg, "lost")
    assert round(kept[0] / lost[0], 1) == 3.0 and lost[1] == 0.0


def test_a_strip_joins_neighboring_pages_and_fills_the_width():
    svg = charts.strip("book.pdf", ["read"] * 90 + ["empty"] * 5 + ["read"] * 5)
    assert len(list(drawn(svg).iter("rect"))) == 3
    assert round(sum(widths(svg, "page-read"))) + round(sum(widths(svg, "page-empty"))) == charts.WIDTH


def test_every_drawing_says_in_words_what_it_shows():
    svg = charts.strip("book.pdf", ["read", "garbled"])
    assert drawn(svg).get("role") == "img"
    assert drawn(svg).get("aria-label") == "book.pdf: 2 pages, 1 read, 1 garbled"


def test_nothing_to_draw_is_said_and_not_an_error():
    for svg in (
        charts.histogram("a", [], 0, 1), charts.mirrored("b", [], [], ("c", "d")), charts.bars("e", []),
        charts.funnel("f", []), charts.strip("g", []),
    ):  # fmt: skip
        assert "nothing to show yet" in svg


def test_a_hostile_label_stays_text():
    svg = charts.bars('"><script>alert(1)</script>', [("<b>&", 1.0, "</svg>")])
    assert "<script>" not in svg and "<b>" not in svg
    assert next(drawn(svg).iter("text")).text == "<b>&"


def test_axis_numbers_are_round():
    labels = re.findall(r">([-\d.]+)</text>", str(charts.histogram("gap", [0.3], 0, 0.6)))
    assert labels[-7:] == ["0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6"]
