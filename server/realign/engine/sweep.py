"""How fast a model is at each batch size, with how much memory: a sweep from one sequence side by side to 64.

    for found in sweep(timed(rating(loaded, questions)), seconds=300, limit_gb=96): ...   each Point, then why it ended

The engine's own functions are measured: `rate` as the judges call it, `generate` with a fixed number of tokens, for
which the model's end tokens are taken away (an answer that ends early would leave its place in the batch empty).
What a batch size costs is measured with one pass to warm up, then the median of several.
"""

from __future__ import annotations

import contextlib
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import mlx.core as mx

from realign.engine import Question, Request, mlx
from realign.hardware.calibration import Point
from realign.hardware.fit import BATCHES
from realign.hardware.knee import NEAR_BEST

REPETITIONS, MOST, ENOUGH = 3, 15, 0.5  # passes: at least, at most; seconds after which no more than the least are made
FULL = 0.9  # of the memory limit: a sweep ends there
Measure = Callable[[int, float], Point]


@dataclass(frozen=True, slots=True)
class Workload:
    """Something to repeat. run(n) does n examples side by side; tokens are what one of them reads, or writes.

    note: what bounds it besides the batch size.
    """

    run: Callable[[int], None]
    tokens: int
    note: str = ""


# -- what is measured ---------------------------------------------------------------------------------------------


def rating(loaded: mlx.Loaded, questions: Sequence[Question]) -> Workload:
    """Reading the ratings of questions: the shared part of each once, and its asks. Needs max(BATCHES) questions."""
    first = questions[0]
    texts = (first.shared, *(f"{ask}{first.lead}" for ask in first.asks))
    counts = [len(loaded.tokenizer.encode(text, add_special_tokens=False)) for text in texts]
    tokens, budget = sum(counts), loaded.scorer.tokens
    together = max(1, budget // max(counts))
    note = (
        f"scoring reads at most {budget:,} tokens in one pass: about {together} of these examples, however large the"
        " batch size is"
    )

    def run(batch_size: int) -> None:
        if None in mlx.rate(loaded, questions[:batch_size], batch_size):
            raise ValueError(f"an example of about {tokens} tokens does not fit into the model's context")

    return Workload(run, tokens, note)


def writing(loaded: mlx.Loaded, prompts: Sequence[str], tokens: int, temperature: float) -> Workload:
    """Writing exactly `tokens` tokens after each prompt, each with its own seed. Needs max(BATCHES) prompts."""
    loaded.tokenizer.eos_token_ids = set()  # so that nothing ends an answer before its last token
    requests = [Request(prompt, seed, tokens, temperature) for seed, prompt in enumerate(prompts)]

    def run(batch_size: int) -> None:
        answers = mlx.generate(loaded, requests[:batch_size], batch_size)
        if wrong := {answer.finish for answer in answers} - {"length"}:
            raise ValueError(f"answers of {tokens} tokens were wanted, and ended with {', '.join(sorted(wrong))}")

    return Workload(run, tokens)


# -- the sweep ----------------------------------------------------------------------------------------------------


def sweep(
    measure: Measure, seconds: float, limit_gb: float, clock: Callable[[], float] = time.monotonic
) -> Iterator[Point | str]:
    """A Point for each batch size from 1 up, then why it ended there: "" after the last one.

    It ends before a batch size for which time or memory would not do, and after two in a row that are slower than the
    best by more than the knee's margin and the noise. The first one is always measured. measure gets a batch size and
    the seconds left.
    """
    begun, points = clock(), list[Point]()
    for batch_size in BATCHES:
        left = seconds - (clock() - begun)
        if points and (reason := _enough(points, batch_size, left, limit_gb)):
            yield reason
            return
        points.append(measure(batch_size, left))
        yield points[-1]
    yield ""


def _enough(points: Sequence[Point], batch_size: int, left: float, limit_gb: float) -> str:
    """Why the next batch size is not to be measured, or ""."""
    last = points[-1]
    before = points[-2].peak_gb if len(points) > 1 else last.peak_gb
    expected = last.peak_gb + 2 * max(0.0, last.peak_gb - before)  # each step adds twice what the one before it added
    if last.peak_gb > FULL * limit_gb:
        return f"memory reached {last.peak_gb:.1f} of {limit_gb:.1f} GB at batch size {last.batch_size}"
    if expected > FULL * limit_gb:
        return f"batch size {batch_size} would take about {expected:.1f} GB, over {FULL:.0%} of {limit_gb:.1f} GB"
    if len(points) > 2 and all(_slower(point, points) for point in points[-2:]):
        return f"throughput fell at batch sizes {points[-2].batch_size} and {last.batch_size}"
    if left < 2 * batch_size / last.examples_per_second:  # a pass to warm up and one that counts
        return f"no time was left for batch size {batch_size}"
    return ""


def _slower(point: Point, points: Sequence[Point]) -> bool:
    """Whether a point lies below the best by more than the knee's margin and the noise of both."""
    best = max(points, key=lambda each: each.examples_per_second)
    at_most, at_least = point.examples_per_second * (1 + point.spread), best.examples_per_second * (1 - best.spread)
    return at_most < (1 - NEAR_BEST) * at_least


def timed(work: Workload, clock: Callable[[], float] = time.perf_counter) -> Measure:
    """Measures a workload at a batch size: REPETITIONS passes or more, fewer only where the time left is too short."""

    def measure(batch_size: int, seconds: float) -> Point:
        reset_peak()
        begun = clock()
        work.run(batch_size)
        passes: list[float] = []
        while len(passes) < REPETITIONS or (sum(passes) < ENOUGH and len(passes) < MOST):
            before = clock()
            work.run(batch_size)
            passes.append(clock() - before)
            if clock() - begun + passes[-1] > seconds:
                break
        rate, spread = batch_size / statistics.median(passes), (max(passes) - min(passes)) / 2
        return Point(
            batch_size, rate, rate * work.tokens, peak_gb(), spread / statistics.median(passes), len(passes)
        )  # fmt: skip

    return measure


def time_left(points: Sequence[Point], left: float) -> float:
    """Seconds until the sweep's end, at most `left`: what the remaining sizes take at the last one's rate."""
    if not points:
        return left
    remaining = sum(size for size in BATCHES if size > points[-1].batch_size)
    return min(left, (REPETITIONS + 1) * remaining / points[-1].examples_per_second)


# -- memory -------------------------------------------------------------------------------------------------------


def reset_peak() -> None:
    """Forget the highest memory so far, MLX's and, where Linux allows it, the process's."""
    mx.clear_cache()
    mx.reset_peak_memory()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_gb() -> float:
    """The highest memory since `reset_peak`: MLX's own count on Metal; of the whole process on a CPU, where its weights
    may be mapped from the file and are not counted by MLX."""
    if mlx.on_metal():
        return float(mx.get_peak_memory()) / 1e9
    with contextlib.suppress(OSError, StopIteration):
        with open("/proc/self/status", encoding="utf-8") as lines:
            line = next(line for line in lines if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / 1e9
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return highest * (1 if sys.platform == "darwin" else 1024) / 1e9
