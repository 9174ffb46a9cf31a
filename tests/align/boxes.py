"""Pairs that only who reads the prompt can rank: each box holds one thing, and the other answer names another."""

from __future__ import annotations

from typing import Any

from realign.align.pairs import PairTokens, encode_pairs
from realign.engine.mlx import Loaded

THINGS = ("sand", "silt", "clay", "mud")


def rows(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [
        {
            "prompt": f"Box {n % 4}?" + "!" * (n // 4 % 6),
            "chosen": f"It is {THINGS[n % 4]}.",
            "rejected": f"It is {THINGS[(n + 1 + n // 4 % 3) % 4]}.",
        }
        for n in range(start, start + count)
    ]


def pairs_of(loaded: Loaded, count: int = 48, start: int = 0) -> list[PairTokens]:
    pairs, faults = encode_pairs(loaded, rows(count, start))
    assert faults == []
    return pairs
