"""Charts as inline SVG: each is a pure function from numbers to one <svg> element, colored by the page's CSS classes.

    histogram("Preference gap", gaps, 0, 1, marks=[(0.15, "HIGH from 0.15")]) -> Markup("<svg ...>")

Drawings are 480 units wide, so that their letters stay readable on a telephone. What a drawing shows is also said in
words, in its label, for those who can't see it. Empty input gives a drawing that says that there is nothing to show.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

from markupsafe import Markup, escape

WIDTH, LEFT, RIGHT, TOP = 480, 44, 12, 26
PLOT = 150  # height of a plot without its axis


def histogram(
    title: str,
    values: Sequence[float],
    low: float,
    high: float,
    bins: int = 20,
    marks: Sequence[tuple[float, str]] = (),
) -> Markup:
    """Counts of `values` in equal bins of low..high (what lies outside counts at the edge), with labelled marks.

    marks are (place, label): the label of the first stands left of its line, the others right of theirs.
    """
    if not values:
        return nothing(title)
    counts = binned(values, low, high, bins)
    top, width = nice_top(max(counts)), (WIDTH - LEFT - RIGHT) / bins
    parts = grid(top)
    for place, n in enumerate(counts):
        parts.append(rect(LEFT + place * width + 0.5, TOP + PLOT * (1 - n / top), width - 1, PLOT * n / top, "one"))
    parts += x_axis(low, high)
    for place, (at, label) in enumerate(marks):
        x = LEFT + (at - low) / (high - low) * (WIDTH - LEFT - RIGHT)
        parts.append(line(x, TOP - 8, x, TOP + PLOT, "mark"))
        parts.append(text(x + (4 if place else -4), TOP - 10, label, "start" if place else "end", "strong"))
    said = f"{len(values):,} values from {min(values):.2f} to {max(values):.2f}, mean {sum(values) / len(values):.2f}"
    return svg(TOP + PLOT + 34, f"{title}: {said}", parts)


def mirrored(title: str, above: Sequence[int], below: Sequence[int], names: tuple[str, str], bins: int = 24) -> Markup:
    """Two histograms of whole numbers on one axis, one growing up, one growing down: equal shapes mirror."""
    if not above or not below:
        return nothing(title)
    low, most = min(*above, *below), max(*above, *below)
    step = math.ceil((most + 1 - low) / bins)  # whole numbers to a bin: none is fuller only because it is wider
    low = max(0, low - max(0, (bins * step - most - 1 + low) // 2))
    high = low + bins * step
    tops, bottoms = binned(above, low, high, bins), binned(below, low, high, bins)
    most, half, width = max(*tops, *bottoms), PLOT / 2, (WIDTH - LEFT - RIGHT) / bins
    middle = TOP + half
    parts = legend([("chosen", f"{names[0]}, upward"), ("rejected", f"{names[1]}, downward")])
    for place, (up, down) in enumerate(zip(tops, bottoms, strict=True)):
        x, gap = LEFT + place * width, min(1.0, width / 4)
        parts.append(rect(x + gap / 2, middle - half * up / most, width - gap, half * up / most, "chosen"))
        parts.append(rect(x + gap / 2, middle, width - gap, half * down / most, "rejected"))
    parts += [line(LEFT, middle, WIDTH - RIGHT, middle, "axis"), *x_axis(low, high)]
    parts += [text(LEFT - 6, middle - half + 8, f"{most:,}", "end"), text(LEFT - 6, middle + half, f"{most:,}", "end")]
    means = f"{names[0]} {sum(above) / len(above):.1f}, {names[1]} {sum(below) / len(below):.1f}"
    return svg(TOP + PLOT + 34, f"{title}: means {means}", parts)


def bars(title: str, rows: Sequence[tuple[str, float, str]], left: int = 112) -> Markup:
    """Horizontal bars: (label, length, what is written at the bar's end), in the order given."""
    if not rows:
        return nothing(title)
    longest, room = max(length for _, length, _ in rows) or 1, WIDTH - left - 110
    parts = []
    for place, (label, length, shown) in enumerate(rows):
        y = 8 + place * 26
        parts.append(text(left - 8, y + 13, label, "end"))
        parts.append(rect(left, y, max(1.0, room * length / longest), 18, "one"))
        parts.append(text(left + max(1.0, room * length / longest) + 6, y + 13, shown, "start", "strong"))
    said = ", ".join(f"{label} {shown}" for label, _, shown in rows)
    return svg(12 + 26 * len(rows), f"{title}: {said}", parts)


def funnel(title: str, steps: Sequence[tuple[str, int, int]], left: int = 142) -> Markup:
    """What each step kept and dropped, as (label, kept, dropped); kept is solid, dropped is the open end of its bar."""
    if not steps:
        return nothing(title)
    longest, room = max(kept + dropped for _, kept, dropped in steps) or 1, WIDTH - left - 120
    parts = []
    for place, (label, kept, dropped) in enumerate(steps):
        y, solid, whole = 8 + place * 28, room * kept / longest, room * (kept + dropped) / longest
        parts.append(text(left - 8, y + 14, label, "end"))
        parts.append(rect(left, y, solid, 20, "one"))
        parts.append(rect(left + solid, y, max(0.0, whole - solid), 20, "lost"))
        shown = f"{kept:,}" + (f" (−{dropped:,})" if dropped else "")
        parts.append(text(left + whole + 6, y + 14, shown, "start", "strong"))
    said = ", ".join(f"{label} kept {kept:,} and dropped {dropped:,}" for label, kept, dropped in steps)
    return svg(12 + 28 * len(steps), f"{title}: {said}", parts)


def strip(title: str, verdicts: Sequence[str]) -> Markup:
    """Pages from first to last as one band, colored by verdict: "read", "empty", "garbled"."""
    if not verdicts:
        return nothing(title)
    parts, x, page = [], 0.0, WIDTH / len(verdicts)
    for verdict, run in groupby(verdicts):
        width = page * sum(1 for _ in run)
        parts.append(rect(x, 0, max(1.0, width), 14, f"page-{verdict}"))
        x += width
    said = ", ".join(f"{n:,} {verdict}" for verdict, n in Counter(verdicts).most_common())
    return svg(14, f"{title}: {len(verdicts):,} pages, {said}", parts)


# -- pieces -------------------------------------------------------------------------------------------------------


def curves(
    title: str, series: Sequence[tuple[str, Sequence[tuple[float, float]]]], bound: tuple[float, str] | None = None
) -> Markup:
    """Lines through (x, y) points on one pair of axes, at most two; bound is a value that they are held against."""
    kinds, drawn = ("one", "two"), [(name, points) for name, points in series if points]
    if not drawn:
        return nothing(title)
    every = [point for _, points in drawn for point in points]
    low, high = min(x for x, _ in every), max(x for x, _ in every)
    values = [y for _, y in every] + ([bound[0]] if bound else [])
    bottom, top = min(values), max(values)
    wide, tall = high - low or 1.0, top - bottom or 1.0

    def at(x: float, y: float) -> tuple[float, float]:
        return LEFT + (x - low) / wide * (WIDTH - LEFT - RIGHT), TOP + PLOT * (top - y) / tall

    parts = [line(LEFT, TOP + PLOT, WIDTH - RIGHT, TOP + PLOT, "axis")]
    parts += [text(LEFT - 6, at(low, y)[1] + 4, f"{y:.3g}", "end") for y in (bottom, top)]
    parts += x_axis(low, high) if high > low else []
    if len(drawn) > 1:
        parts += legend([(kind, name) for kind, (name, _) in zip(kinds, drawn, strict=False)])
    if bound:
        y = at(low, bound[0])[1]
        parts += [line(LEFT, y, WIDTH - RIGHT, y, "mark"), text(WIDTH - RIGHT, y - 5, bound[1], "end", "strong")]
    parts += [path([at(*point) for point in points], kind) for kind, (_, points) in zip(kinds, drawn, strict=False)]
    said = "; ".join(f"{name} from {points[0][1]:.3g} to {points[-1][1]:.3g}" for name, points in drawn)
    return svg(TOP + PLOT + 34, f"{title}: {said}", parts)


def binned(values: Iterable[float], low: float, high: float, bins: int) -> list[int]:
    """How many values fall in each of `bins` equal parts of low..high; the outer parts take what lies beyond."""
    counts = [0] * bins
    for value in values:
        place = math.floor((value - low) / (high - low) * bins + 1e-9)
        counts[min(max(place, 0), bins - 1)] += 1
    return counts


def nice_top(value: float) -> float:
    """The smallest of 1, 2, 4, 5 or 8 times a power of ten that is at least `value`, and at least 4."""
    power = 10.0 ** math.floor(math.log10(max(value, 1)))
    return max(4.0, next(step * power for step in (1, 2, 4, 5, 8, 10) if step * power >= value))


def grid(top: float) -> list[Markup]:
    """Five horizontal lines from 0 to `top` with their counts."""
    parts = []
    for step in range(5):
        y, count = TOP + PLOT * (1 - step / 4), top * step / 4
        parts.append(line(LEFT, y, WIDTH - RIGHT, y, "axis" if step == 0 else "grid"))
        if count == int(count):
            parts.append(text(LEFT - 6, y + 4, f"{count:,.0f}", "end"))
    return parts


def x_axis(low: float, high: float) -> list[Markup]:
    """Round numbers below the plot, at most seven, at their places between low and high."""
    raw = (high - low) / 6
    power = 10 ** math.floor(math.log10(raw))
    step = next(nice * power for nice in (1, 2, 5, 10) if nice * power >= raw * (1 - 1e-9))
    ticks = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    return [
        text(
            LEFT + (WIDTH - LEFT - RIGHT) * (tick * step - low) / (high - low),
            TOP + PLOT + 20,
            f"{round(tick * step, 9):g}",
            "middle",
        )
        for tick in ticks
    ]


def legend(entries: Sequence[tuple[str, str]]) -> list[Markup]:
    """Colored squares with their meaning, above the plot: (CSS class, words)."""
    parts = []
    for place, (kind, words) in enumerate(entries):
        x = LEFT + place * 170
        parts += [rect(x, 2, 11, 11, kind), text(x + 17, 12, words, "start", "strong")]
    return parts


def nothing(title: str) -> Markup:
    """A drawing that says that there is nothing to draw."""
    return svg(40, f"{title}: nothing to show", [text(WIDTH / 2, 24, "nothing to show yet", "middle")])


def svg(height: float, label: str, parts: Sequence[Markup]) -> Markup:
    """The drawing, with its words for readers that can't see it."""
    body = Markup("").join(parts)
    return Markup('<svg viewBox="0 0 {} {:.0f}" role="img" aria-label="{}">{}</svg>').format(WIDTH, height, label, body)


def rect(x: float, y: float, width: float, height: float, kind: str) -> Markup:
    """A filled rectangle."""
    shape = '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" class="{}"/>'
    return Markup(shape).format(x, y, max(0.0, width), max(0.0, height), kind)


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """A straight line."""
    shape = '<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" class="{}"/>'
    return Markup(shape).format(x1, y1, x2, y2, kind)


def path(points: Sequence[tuple[float, float]], kind: str) -> Markup:
    """A line through points; a single one is a dot."""
    if len(points) == 1:
        return Markup('<circle cx="{:.1f}" cy="{:.1f}" r="4" class="{}"/>').format(*points[0], kind)
    drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return Markup('<polyline points="{}" class="curve {}"/>').format(drawn, kind)


def text(x: float, y: float, words: str, anchor: str = "start", kind: str = "") -> Markup:
    """Words at a place; anchor is start, middle or end."""
    shape = '<text x="{:.1f}" y="{:.1f}" text-anchor="{}" class="{}">{}</text>'
    return Markup(shape).format(x, y, anchor, kind, escape(words))
