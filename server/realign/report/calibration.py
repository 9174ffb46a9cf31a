"""A calibration as it is shown, on a terminal and as one HTML page: table and bars of each sweep, the knee and why."""

from __future__ import annotations

import time
from collections.abc import Sequence

from realign.hardware.calibration import Calibration, Point, in_billions
from realign.hardware.knee import explain_knee

BAR = 30  # characters of the longest bar
EIGHTHS = " ▏▎▍▌▋▊▉█"
HEADINGS = ("batch size", "examples/s", "±", "tokens/s", "peak GB")


def as_text(found: Calibration) -> str:
    """The whole calibration for a terminal, with bars."""
    lines = [headline(found), ""]
    for name, points, best in sweeps(found):
        longest = max(point.examples_per_second for point in points)
        lines += [
            name,
            f"  {HEADINGS[0]:>10}  {HEADINGS[1]:>10}  {HEADINGS[2]:>6}  {HEADINGS[3]:>10}  {HEADINGS[4]:>8}",
        ]
        for point in points:
            size, rate, spread, tokens, peak = cells(point)
            mark = "  <- knee" if point.batch_size == best else ""
            shown = bar(point.examples_per_second / longest)
            lines.append(f"  {size:>10}  {rate:>10}  {spread:>6}  {tokens:>10}  {peak:>8}  {shown}{mark}")
        lines += [f"  {sentence(points)}", ""]
    return "\n".join([*lines, *(f"note: {note}" for note in found.notes)])


def as_page(found: Calibration) -> str:
    """The whole calibration as an HTML page that needs nothing else."""
    from realign.report import charts
    from realign.report.page import environment

    parts = []
    for name, points, best in sweeps(found):
        bars = [
            (
                f"batch size {point.batch_size}",
                point.examples_per_second,
                cells(point)[1] + (" (knee)" if point.batch_size == best else ""),
            )
            for point in points
        ]
        rows = [(point.batch_size == best, cells(point)) for point in points]
        parts.append((name, charts.bars(f"Examples/s, {name}", bars), sentence(points), rows))
    day = time.strftime("%Y-%m-%d %H:%M", time.localtime(found.when))
    page = environment().get_template("calibration.html")
    return page.render(found=found, headline=headline(found), sweeps=parts, headings=HEADINGS, day=day)


def headline(found: Calibration) -> str:
    """What was measured on what."""
    size = in_billions(found.parameters, found.active)
    machine = f"{found.chip}, {found.memory_gb:g} GB, mlx {found.mlx}"
    return f"{found.model} ({size}, run at {found.precision:g} bit) on {machine}"


def sweeps(found: Calibration) -> tuple[tuple[str, tuple[Point, ...], int], ...]:
    """(what was done, its points, its knee) of both sweeps."""
    return (
        (f"scoring: one order of one pair, {found.tokens:,} tokens read", found.scoring, found.best_scoring),
        (f"generation: answers of {written(found)} tokens", found.generation, found.best_generation),
    )


def written(found: Calibration) -> int:
    """Tokens of one written answer."""
    point = found.generation[0]
    return round(point.tokens_per_second / point.examples_per_second)


def cells(point: Point) -> tuple[str, str, str, str, str]:
    """A point in the words of HEADINGS."""
    spread = f"{point.spread:.1%}" if point.repetitions > 1 else "once"
    return (
        str(point.batch_size),
        f"{point.examples_per_second:.3g}",
        spread,
        f"{point.tokens_per_second:,.0f}",
        f"{point.peak_gb:.2f}",
    )


def sentence(points: Sequence[Point]) -> str:
    """How the knee was found, as a sentence of its own."""
    said = explain_knee(points)
    return f"{said[0].upper()}{said[1:]}."


def bar(share: float) -> str:
    """A bar of `share` (0..1) of BAR characters, to an eighth of a character."""
    whole, part = divmod(round(share * BAR * 8), 8)
    return ("█" * whole + EIGHTHS[part]).rstrip().ljust(1)
