"""Rows are fitted to the model that learns them, once, before anything is trained: its chat template and its length.

    rows, drops, folded = fit_rows(loaded, rows, longest=2048)

A template without a place for a system's text gets it before the first question, so that nothing of a row is lost;
whoever asks the trained model writes it there too. A conversation that the template refuses (most often one with
tools) is dropped with the template's own words, and so is a row that is too long: what is counted is what is trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from realign.align.data import messages_of, prompt_of
from realign.align.examples import Unusable, render_chat, render_text
from realign.align.pairs import encode_pairs
from realign.engine.mlx import Loaded
from realign.records import Dropped, Row

PROBE = ({"role": "system", "content": "Answer in rhyme."}, {"role": "user", "content": "Why?"})


def fit_rows(loaded: Loaded, rows: Sequence[Row], longest: int) -> tuple[list[Row], list[Dropped], int]:
    """(the rows that can be trained on, a drop for each of the others, how many system texts stand elsewhere now).

    longest: tokens of a prompt with one of its answers.
    """
    folds = not takes_system(loaded)
    fitted = [with_system_asked(row) if folds and has_system(row) else row for row in rows]
    folded = sum(one is not other for one, other in zip(rows, fitted, strict=True))
    why = {place: words for place, row in enumerate(fitted) if (words := refusal(loaded, row, longest))}
    places = [place for place, row in enumerate(fitted) if "rejected" in row.data and place not in why]
    _, faults = encode_pairs(loaded, [fitted[place].data for place in places], longest)
    why |= {places[fault.line - 1]: f"field {fault.field!r}: {fault.reason}" for fault in faults}
    drops = [
        Dropped(rows[place].parent, "line", "read", "can't be trained on", f"{rows[place].parent}: {words}")
        for place, words in sorted(why.items())
    ]
    return [row for place, row in enumerate(fitted) if place not in why], drops, folded


def has_system(row: Row) -> bool:
    """Whether the conversation begins with a system's text, and goes on."""
    turns = prompt_of(row.data).turns
    return len(turns) > 1 and turns[0]["role"] == "system"


def takes_system(loaded: Loaded) -> bool:
    """Whether what a system says comes out of the template."""
    try:
        return PROBE[0]["content"] in render_text(loaded, PROBE, prompting=True)
    except Unusable:
        return False


def with_system_asked(row: Row) -> Row:
    """The row with its system's text before the first question. A prompt of one turn becomes a text."""
    name = "messages" if "messages" in row.data else "prompt"
    system, first, *rest = row.data[name]
    turns = [{**first, "content": f"{system['content']}\n\n{first['content']}"}, *rest]
    value: Any = turns[0]["content"] if name == "prompt" and len(turns) == 1 else turns
    return replace(row, data={**row.data, name: value})


def refusal(loaded: Loaded, row: Row, longest: int) -> str:
    """Why a row can't be learned as a conversation, or "": its template refuses it, or it is too long."""
    asked, most = prompt_of(row.data), min(longest, loaded.context)
    try:
        render_text(loaded, asked.turns, asked.tools, prompting=True)
        tokens = len(render_chat(loaded, messages_of(row), asked.tools))
    except Unusable as error:
        return f"field {error.args[0]!r}: {error.args[1]}"
    return f"it is {tokens} tokens long, {most} fit" if tokens > most else ""
