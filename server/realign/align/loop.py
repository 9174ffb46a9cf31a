"""The one training loop: gradients of a few batches, added up, clipped, and one AdamW update; then the next step.

    trained = train(model, objective, feed, settings, checkpoints=..., evaluate=..., progress=..., stopping=...)

A stage brings an objective (model and arrays to the sum of its losses, their number, and sums to report) and a feed
(which rows a step takes, and how they become arrays). Sums are divided once a step, so a step means the same however it
is cut into batches, into halves when memory runs out, or over the ranks of a launch. The step is compiled once a shape.
Killed and started again, it goes on from its last checkpoint to the same weights, bit for bit on a CPU.
"""

from __future__ import annotations

import math
import re
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx import nn, optimizers
from mlx.utils import tree_flatten, tree_map, tree_unflatten

from realign.align.batches import Batches, Rows
from realign.align.checkpoints import Checkpoints
from realign.align.schedule import parse_schedule, rate_at
from realign.align.steps import (
    Objective,
    added,
    compiled_gradients,
    compiled_update,
    number,
    random_key,
    recommended_memory,
    restore_random,
    size_of,
)
from realign.align.together import add_up, begin_alike
from realign.engine.group import joined
from realign.errors import Diverged, Interrupted, OutOfMemory, PeersLost
from realign.settings import Training

MEMORY = re.compile(r"alloc|out of memory|insufficient memory", re.IGNORECASE)
GUESS = 0.1  # bytes a token of a batch for each byte of the weights: more than any width above 64 takes
RECENT = 50  # steps that the rate and the time left are taken from


@dataclass(frozen=True, slots=True)
class Feed:
    """What a loop trains on. batches: a step, from 0, to the rows of each of its batches; the same whenever it is
    asked. collate: rows to the objective's arrays. tokens: how many real tokens rows have."""

    batches: Callable[[int], Sequence[Rows]]
    collate: Callable[[Rows], tuple[Any, ...]]
    tokens: Callable[[Rows], int]


@dataclass(frozen=True, slots=True)
class Report:
    """A finished step, counted from 1. loss in nats an item; norm of the gradient before clipping; rate is the learning
    rate; memory_gb the most that was held. held_out: what `evaluate` gave after this step, else empty. idle: how many
    of the ranks have had no row in any batch so far."""

    step: int
    steps: int
    loss: float
    rate: float
    norm: float
    tokens_per_second: float
    seconds_left: float
    memory_gb: float
    metrics: dict[str, float]
    held_out: dict[str, float]
    idle: int = 0


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished training: its reports (from the resumed step on), the best held-out loss's step, the steps it resumed
    after, and whether a batch was halved for lack of memory."""

    reports: tuple[Report, ...]
    best_step: int | None
    resumed_at: int
    halved: bool


def feed_of(batches: Batches, sizes: Sequence[Sequence[int]], collate: Any, accumulate: int = 1) -> Feed:
    """Rows that are all there from the start, `accumulate` batches a step, epoch after epoch."""
    return Feed(
        lambda step: [batches.at(step * accumulate + n) for n in range(accumulate)],
        collate,
        lambda rows: sum(sum(sizes[row]) for row in rows),
    )


def train(
    model: nn.Module,
    objective: Objective,
    feed: Feed,
    settings: Training,
    *,
    checkpoints: Checkpoints | None = None,
    evaluate: Callable[[], dict[str, float]] | None = None,
    progress: Callable[[Report], None] = lambda report: None,
    stopping: Callable[[], bool] = lambda: False,
) -> Trained:
    """Train the model's trainable parameters in place, over all steps of the schedule.

    evaluate: measures on held-out rows; its "loss" decides which checkpoint is the best. Raises Interrupted when
    stopping() says so (or progress raises it), after a checkpoint; Diverged at a loss or gradient that is no number;
    OutOfMemory when one row alone does not fit; StorageError when a checkpoint can't be written; PeersLost.
    """
    loop = _Loop(model, objective, feed, settings)
    begun = loop.resume(checkpoints)
    reports: list[Report] = []
    model.train()
    try:
        for step in range(begun, loop.schedule.steps):
            if stopping():
                raise Interrupted("The training was stopped", fix="the same command goes on where it stopped")
            report = loop.step(step, evaluate)
            reports.append(report)
            loop.save_if_due(checkpoints, report)
            progress(report)
    except (Interrupted, PeersLost):
        loop.save(checkpoints)
        raise
    finally:
        if checkpoints is not None:
            checkpoints.flush()
        model.eval()
    best = checkpoints.best_step() if checkpoints is not None else None
    return Trained(tuple(reports), best, begun, loop.halved)


def restore(model: nn.Module, address: str | Path, step: int) -> None:
    """Put the weights of a kept checkpoint back into a model that was prepared as for its training: the best one's, or
    the last that passed its gates. Raises KeyError where that step is not kept."""
    with closing(Checkpoints(address, "")) as kept:
        _put_back(model, tree_unflatten(list(kept.read(step).arrays.items())))


def _put_back(model: nn.Module, tree: Any) -> None:
    model.update(tree["weights"])
    mx.eval(model.parameters())


@dataclass(slots=True)
class _Loop:
    """The state of a training between two steps."""

    model: nn.Module
    objective: Objective
    feed: Feed
    settings: Training
    done: int = 0
    saved: int = 0
    widest: int = 0  # rows of the largest batch so far
    largest: float = math.inf  # a batch of more real tokens than this has run out of memory
    per_token: float = 0.0  # bytes above weights and gradient; the most that any batch took
    fixed: float = 0.0  # bytes of a gradient
    guess: float = 0.0  # bytes a token before the first batch was measured
    halved: bool = False
    times: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=RECENT))
    optimizer: Any = None
    schedule: Any = None
    group: Any = None
    memory: float = 0.0
    gradients: Callable[..., Any] = tuple
    update: Callable[..., Any] = tuple

    def __post_init__(self) -> None:
        self.schedule = parse_schedule(self.settings.schedule, self.settings.warmup)
        self.group = joined()
        self.memory = self.settings.memory_gb * 1e9 if self.settings.memory_gb else recommended_memory()
        self.fixed = size_of(self.model.trainable_parameters())
        self.guess = GUESS * size_of(self.model.parameters())
        self.optimizer = optimizers.AdamW(0.0, weight_decay=self.settings.weight_decay, bias_correction=True)
        self.optimizer.init(self.model.trainable_parameters())
        mx.random.seed(self.settings.seed)

    # -- a step -----------------------------------------------------------------------------------------------------

    def step(self, step: int, evaluate: Callable[[], dict[str, float]] | None) -> Report:
        """One update. Raises Diverged before anything is measured with, or saved of, the broken weights."""
        begun, random = time.perf_counter(), random_key()
        try:
            gradient, sums, tokens, peak = self.accumulate(step)
        except PeersLost:
            restore_random(random)  # the checkpoint that is written now belongs before this step
            raise
        rate = rate_at(self.schedule, step)
        self.optimizer.learning_rate = rate
        norm = self.update(gradient, sums["weight"])
        mx.eval(self.model.state, self.optimizer.state, norm)
        weight = number(sums.pop("weight"))
        means = {name: number(value) / weight for name, value in sums.items()}
        self.check(step, means["loss"], number(norm), means.get("kl", 0.0))
        self.done = step + 1
        self.times.append((time.perf_counter() - begun, tokens))
        seconds, counted = (sum(column) for column in zip(*self.times, strict=True))
        return Report(
            step=self.done,
            steps=self.schedule.steps,
            loss=means.pop("loss"),
            rate=rate,
            norm=number(norm),
            tokens_per_second=counted / seconds,
            seconds_left=seconds / len(self.times) * (self.schedule.steps - self.done),
            memory_gb=peak / 1e9,
            metrics=means,
            held_out=self.held_out(evaluate),
            idle=max(0, self.group.size - self.widest),
        )

    def accumulate(self, step: int) -> tuple[Any, dict[str, mx.array], int, int]:
        """(summed gradient, sums, real tokens, peak memory in bytes) of a step's batches, over all ranks."""
        total: Any = None
        tokens = peak = 0
        rank, ranks = self.group.rank, self.group.size
        for rows in self.feed.batches(step):
            self.widest = max(self.widest, len(rows))
            found = self.collect(rows[rank::ranks] or rows[:1])
            if rank >= len(rows):  # fewer rows than ranks: this rank adds nothing
                found = tree_map(mx.zeros_like, found)
            total = found if total is None else added(total, found)
            tokens += self.feed.tokens(rows)
            peak = max(peak, mx.get_peak_memory())
        gradient, sums = add_up(self.group, total, self.done)
        return gradient, sums, tokens, peak

    def collect(self, rows: Rows) -> Any:
        """(gradient, sums) of some rows: in one pass, or in halves where one does not fit into memory."""
        tokens = self.feed.tokens(rows)
        held = mx.get_active_memory()
        if len(rows) > 1 and (tokens > self.largest or self.expected(held, tokens) > self.memory):
            half = len(rows) // 2
            self.halved = True
            return added(self.collect(rows[:half]), self.collect(rows[half:]))
        before = random_key()
        mx.reset_peak_memory()
        try:
            found = self.gradients(*self.feed.collate(rows))
            mx.eval(found)
        except (RuntimeError, MemoryError) as error:
            if not MEMORY.search(str(error)) and not isinstance(error, MemoryError):
                raise
            if len(rows) == 1:
                raise OutOfMemory(
                    f"One row of {tokens} tokens does not fit into memory ({str(error)[:200]})",
                    "room for the gradients of a single row",
                    "a smaller `longest`, gradient checkpointing, fewer layers, LoRA for full, or a smaller model",
                ) from error
            self.largest, self.halved = tokens - 1, True
            restore_random(before)
            mx.clear_cache()
            return self.collect(rows)
        self.per_token = max(self.per_token, (mx.get_peak_memory() - held - self.fixed) / tokens)
        return found

    def expected(self, held: float, tokens: int) -> float:
        """Bytes in use while a batch is computed. Until one was measured the guess is high, so that the first is tried
        with a few rows where it might not fit: a CPU's refused allocation ends the process, and can't be caught."""
        return held + self.fixed + (self.per_token or self.guess) * tokens

    def check(self, step: int, loss: float, norm: float, kl: float) -> None:
        """Raises Diverged unless loss and norm are numbers and the KL of an objective that reports it is bearable."""
        kept = f"the checkpoint of step {self.saved} is kept" if self.saved else "no checkpoint had been written"
        if kl > self.settings.kl_limit:
            raise Diverged(
                f"Step {step + 1} is {kl:.3g} nats a token away from the reference; {kept}",
                f"at most {self.settings.kl_limit:g}",
                "a lower learning rate, or a larger kl_weight",
            )
        if not math.isfinite(loss) and step == 0:
            raise Diverged(
                f"The loss is {loss} before a single step was taken: the model itself gives no numbers",
                "weights that are finite numbers",
                "the model as it was published, or `realign convert` of it anew",
            )
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise Diverged(
                f"Step {step + 1} gave a loss of {loss} and a gradient of norm {norm}; {kept}",
                "finite numbers",
                "a lower learning rate, a longer warm-up, or a smaller `clip`",
            )

    def held_out(self, evaluate: Callable[[], dict[str, float]] | None) -> dict[str, float]:
        """What is measured after this step, if anything is: by rank 0, which alone keeps checkpoints."""
        due = self.done % self.settings.evaluate_every == 0 or self.done == self.schedule.steps
        if evaluate is None or not due or self.group.rank:
            return {}
        self.model.eval()
        measured = evaluate()
        self.model.train()
        return measured

    # -- checkpoints ------------------------------------------------------------------------------------------------

    def save_if_due(self, checkpoints: Checkpoints | None, report: Report) -> None:
        """Save after measured steps, every `save_every` steps, and at the end."""
        if report.held_out or report.step % self.settings.save_every == 0 or report.step == report.steps:
            self.save(checkpoints, report.held_out.get("loss"))

    def save(self, checkpoints: Checkpoints | None, score: float | None = None) -> None:
        """Begin to write everything that the rest of the training depends on. Only rank 0 writes."""
        if checkpoints is None or self.group.rank > 0 or (self.saved == self.done and score is None):
            return
        checkpoints.save(self.done, self.arrays(), {"largest": self.largest, "per_token": self.per_token}, score)
        self.saved = self.done

    def arrays(self) -> dict[str, mx.array]:
        """Weights, optimizer and random state by name. The data's cursor is the step itself."""
        weights = tree_flatten(self.model.trainable_parameters(), prefix=".weights")
        return dict([*weights, *tree_flatten(self.optimizer.state, prefix=".optimizer"), ("random", random_key())])

    def resume(self, checkpoints: Checkpoints | None) -> int:
        """Take up the latest checkpoint, on all ranks; then compile. Returns the step to begin with."""
        saved = checkpoints.latest() if checkpoints is not None and not self.group.rank else None
        if saved is not None:
            self.largest, self.per_token = saved.facts["largest"], saved.facts["per_token"]
        if saved is not None or self.group.size > 1:
            arrays, step = (saved.arrays, saved.step) if saved is not None else (self.arrays(), 0)
            self.take_up(*begin_alike(self.group, arrays, step))
        self.gradients = compiled_gradients(self.model, self.objective)
        self.update = compiled_update(self.model, self.optimizer, self.settings.clip)
        return self.done

    def take_up(self, arrays: dict[str, mx.array], step: int) -> None:
        """Be where these arrays were saved: after `step` steps."""
        tree: Any = tree_unflatten(list(arrays.items()))
        _put_back(self.model, tree)
        self.optimizer.state = tree["optimizer"]
        restore_random(arrays["random"])
        self.done = self.saved = step
