"""What is trained on: rows in their splits, as pairs, chats and tasks, whatever form they came in (reading.py).

    pairs_of(rows, "train"), chats_of(rows, "valid"), tasks_of(rows, "train")
    asked = prompt_of(row.data)         all turns before the answer; str(asked) is their text

A chat is made of what there is: messages, a prompt with its completion, or a pair's chosen answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from realign.records import Row, Split
from realign.sources.chat import Turn

Kind = Literal["pair", "chat", "task"]
NEEDED: dict[str, tuple[Kind, str]] = {  # what a data type can't be trained without
    "dpo": ("pair", "rows with prompt, chosen and rejected"),
    "srf": ("pair", "rows with prompt, chosen and rejected, by themselves or in preferences/ beside chats"),
    "rlvr": ("task", "rows with prompt, answer and verifier, or GSM8K's form"),
    "anti_hallucination": ("chat", "rows with messages whose prompt shows a passage, or with context and question"),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """Everything that was said before an answer, system first, and the tools that may be called there."""

    turns: tuple[Turn, ...]
    tools: tuple[Turn, ...] = ()

    def __str__(self) -> str:
        """What every turn says, a blank line between two."""
        return "\n\n".join(turn["content"] for turn in self.turns if turn["content"])


def kind_of(data: Mapping[str, Any]) -> Kind:
    """What a row is."""
    return "pair" if "rejected" in data else "task" if "verifier" in data else "chat"


# -- what a row says ------------------------------------------------------------------------------------------------


def prompt_of(data: Mapping[str, Any]) -> Asked:
    """All turns before the answer."""
    said = data["messages"][:-1] if "messages" in data else data["prompt"]
    turns = said if isinstance(said, list) else [{"role": "user", "content": said}]
    return Asked(tuple(turns), tuple(data.get("tools") or ()))


def answer_of(data: Mapping[str, Any]) -> str:
    """The answer that is right in this row."""
    if "messages" in data:
        return str(data["messages"][-1]["content"])
    return str(next(data[name] for name in ("chosen", "completion", "answer") if name in data))


def messages_of(row: Row) -> list[Turn]:
    """A row as a whole conversation."""
    return [*prompt_of(row.data).turns, {"role": "assistant", "content": answer_of(row.data)}]


# -- what a stage asks for ------------------------------------------------------------------------------------------


def pairs_of(rows: Sequence[Row], *splits: Split) -> list[Row]:
    """The preference pairs of some splits."""
    return [row for row in rows if row.split in splits and "rejected" in row.data]


def tasks_of(rows: Sequence[Row], *splits: Split) -> list[Row]:
    """The tasks of some splits: rows with a verifier."""
    return [row for row in rows if row.split in splits and "verifier" in row.data]


def chats_of(rows: Sequence[Row], *splits: Split) -> list[Row]:
    """What SFT is done on in some splits: the dataset's own rows, without tasks that bring a bare answer.

    Where there are only such tasks, the chosen answers of the pairs beside them, and without any of these the tasks.
    """
    mine = [row for row in rows if row.split in splits]
    own = [row for row in mine if row.part == "rows"]
    said = [row for row in own if "verifier" not in row.data or "completion" in row.data]
    return said or [row for row in mine if row.part == "preferences"] or own
