"""Measured speeds of machines on models, kept in the user's data folder; plans use them in place of shipped figures.

    keep(calibration)                          after `realign calibrate` (engine/sweep.py measures)
    find_calibration("M4 Max", size)           the fitting one, or None; stale ones are not found

Standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Point:
    """One batch size, measured: examples/s, tokens/s (read in scoring, written in generation), peak memory in GB."""

    batch_size: int
    examples_per_second: float
    tokens_per_second: float
    peak_gb: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """What one machine did with one model. when: seconds since the epoch.

    machine: a catalogue name or the CPU's; memory_gb as the machine has it; identity: the model folder's hash.
    precision: bits a weight as it ran (32 on a CPU). tokens: of one example. best is the knee of each sweep.
    """

    machine: str
    chip: str
    memory_gb: float
    mlx: str
    model: str
    identity: str
    parameters: float
    active: float
    precision: int
    tokens: int
    scoring: tuple[Point, ...]
    generation: tuple[Point, ...]
    best_scoring: int
    best_generation: int
    when: float
