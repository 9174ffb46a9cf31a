"""Rows that belong together are kept in one split: the same prompt, or the same source passage, is never in two.

    splits = divide([keys_of(data) for data in rows], {"test": 0.1, "valid": 0.1})      the rest is "train"

What a row belongs with is said by its keys; rows that share one, even through a third row, are a group. Groups are
taken in the order of a hash, so the same rows are divided in the same way, wherever and whenever.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from realign.align.data import prompt_of
from realign.records import Row, Split, make_id

CONTEXT = "Context: "  # how a prompt shows the passage that its row brought (sources/shapes.py)
COMMON, FEW = 0.05, 20  # a key of more rows than this share, and than this many, is a habit and parts nothing


def keys_of(data: Mapping[str, Any]) -> list[str]:
    """What a row belongs with: its whole prompt first, then each earlier part of the conversation up to a question, the
    passage that it shows, and the one it was made from. Case and spaces do not count."""
    turns = prompt_of(data).turns
    said = [turn for turn in turns if turn["role"] != "system"]
    texts = [" ".join(turn["content"].split()).casefold() for turn in said]
    asked = [place for place, turn in enumerate(said) if turn["role"] == "user"]
    keys = [make_id("prompt", *texts[: place + 1]) for place in reversed(asked)]
    passage = next((turn["content"].partition("\n\n") for turn in turns if turn["content"].startswith(CONTEXT)), None)
    if passage and passage[2]:
        keys.append(make_id("context", passage[0]))
    source = data.get("provenance") or {}
    if source.get("passage"):
        keys.append(make_id("passage", source.get("sha256"), source["passage"]))
    return keys


def asked_twice(rows: Sequence[Row]) -> int:
    """How many held-out rows have the prompt of a training row, where the dataset came in splits."""
    trained = {keys_of(row.data)[0] for row in rows if row.split == "train"}
    return sum(row.split != "train" and keys_of(row.data)[0] in trained for row in rows)


def divide(
    keys: Sequence[Sequence[str]], shares: Mapping[Split, float], rest: Split = "train", seed: int = 0
) -> list[Split]:
    """The split of each row: a group goes to the first split of `shares` (in 0..1) that has room, else to `rest`.

    So none gets more rows, or more groups, than its share, and a group that is larger than every share is for `rest`.
    What very many rows share (a greeting before the question) makes no group of them, unless it is their whole prompt.
    """
    count = Counter(key for mine in keys for key in set(mine))
    habit = {key for key, times in count.items() if times > max(FEW, COMMON * len(keys))}
    telling = [[mine[0], *(key for key in mine[1:] if key not in habit)] for mine in keys]
    groups: dict[int, list[int]] = {}
    for row, group in enumerate(together(telling)):
        groups.setdefault(group, []).append(row)
    room = {split: [share * len(keys) + 1e-9, share * len(groups) + 1e-9] for split, share in shares.items()}
    found: list[Split] = [rest] * len(keys)
    for rows in sorted(groups.values(), key=lambda rows: make_id("split", seed, min(keys[row][0] for row in rows))):
        fits = (split for split, (left, few) in room.items() if left >= len(rows) and few >= 1)
        split = next(fits, None)
        if split:
            room[split] = [room[split][0] - len(rows), room[split][1] - 1]
            for row in rows:
                found[row] = split
    return found


def together(keys: Sequence[Sequence[str]]) -> list[int]:
    """The group of each row, named by the first row in it."""
    first: dict[str, int] = {}
    leader = list(range(len(keys)))

    def find(row: int) -> int:
        while leader[row] != row:
            leader[row] = leader[leader[row]]
            row = leader[row]
        return row

    for row, mine in enumerate(keys):
        for key in mine:
            one, other = sorted((find(row), find(first.setdefault(key, row))))
            leader[other] = one
    return [find(row) for row in range(len(keys))]
