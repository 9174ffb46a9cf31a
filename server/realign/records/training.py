"""What an alignment leaves of a model: weights, curves, measurements, and answers for people to compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal


@dataclass(frozen=True, slots=True)
class Reading:
    """One measurement of a model on one item (its parent: a row or a prompt), during alignment.

    stage and attempt say when; metric names what ("kl", "reward", "loss", "capability"); part says on which items
    ("train", "held-out", a benchmark's name). values are the measured numbers by name, such as chosen and rejected.
    """

    kind: ClassVar[str] = "reading"
    id: str
    parent: str
    stage: str
    attempt: int
    metric: str
    part: str
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class Step:
    """A point of a training curve: what the loop measured at one optimizer step. parent is the checkpoint it began at.

    values: loss, learning_rate, grad_norm and what else the stage's loss tells, all means since the point before.
    """

    kind: ClassVar[str] = "step"
    id: str
    parent: str
    stage: str
    attempt: int
    number: int
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Weights that a training stage left. parent is the checkpoint it began at, "" for the base model.

    folder is relative to the run's; sha256 is of the weights; knobs are the hyper-parameters of this attempt.
    """

    kind: ClassVar[str] = "checkpoint"
    id: str
    parent: str
    stage: str
    attempt: int
    folder: str
    sha256: str
    knobs: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered to a held-out prompt, for people to compare. parent is the prompt's or row's id.

    when is "before" or "after" alignment; right is a checker's verdict, None where nothing checks it.
    """

    kind: ClassVar[str] = "reply"
    id: str
    parent: str
    when: Literal["before", "after"]
    prompt: str
    text: str
    right: bool | None = None
