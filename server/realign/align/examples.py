"""Rows of text become tokens with a mask that says which of them are learned.

    examples, faults = encode_rows(loaded, rows, learn="assistant", longest=2048)

Rows as mlx-lm has them: {"messages": [...], "tools": [...]}, {"prompt", "completion"} or {"text"}; and preference rows
{"prompt", "chosen"}, of which the chosen answer is learned. What can't be used is named with its line and field, and
the rest goes on. A row that is too long is left out: cut, it would teach an answer without its end or its question.
Plain text is cut into pieces instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from realign.align.data import Asked
from realign.engine.mlx import Loaded, encode

Span = tuple[int, int]
Learn = Literal["assistant", "last", "all"]
ROLES = ("system", "user", "assistant", "tool", "developer")


@dataclass(frozen=True, slots=True)
class Example:
    """A row as tokens. mask: 1 for a token that is learned, as many as tokens. line counts the rows from 1."""

    tokens: tuple[int, ...]
    mask: tuple[int, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Fault:
    """A row that can't be used: its line, the field that is to blame, and why."""

    line: int
    field: str
    reason: str


class Unusable(Exception):
    """field, reason."""


def encode_rows(
    loaded: Loaded, rows: Sequence[Mapping[str, Any]], learn: Learn = "assistant", longest: int = 2048
) -> tuple[list[Example], list[Fault]]:
    """Every usable row as tokens, and a fault for each of the others. longest: tokens.

    learn: "assistant" for each of the assistant's turns, "last" for its last alone, "all" for every token.
    """
    examples: list[Example] = []
    faults: list[Fault] = []
    for line, row in enumerate(rows, 1):
        try:
            examples.extend(_examples(loaded, row, learn, min(longest, loaded.context), line))
        except Unusable as error:
            faults.append(Fault(line, *error.args))
    return examples, faults


def _examples(loaded: Loaded, row: Mapping[str, Any], learn: Learn, longest: int, line: int) -> Iterator[Example]:
    if not isinstance(row, Mapping):
        raise Unusable("row", f"is no object but {type(row).__name__}")
    if "text" in row and "messages" not in row and "prompt" not in row:
        tokens = _text_tokens(loaded, _string(row, "text"))
        pieces = [tokens[n : n + longest] for n in range(0, len(tokens), longest)]
        yield from (Example(tuple(piece), (0, *[1] * (len(piece) - 1)), line) for piece in pieces if len(piece) > 1)
        return
    messages = chat_of(row)
    tokens, mask = _chat_tokens(loaded, messages, row.get("tools"), learn)
    if len(tokens) > longest:
        raise Unusable("messages" if "messages" in row else "prompt", f"is {len(tokens)} tokens long, {longest} fit")
    if not any(mask):
        raise Unusable("messages", "has no turn of the assistant, nothing to learn")
    yield Example(tuple(tokens), tuple(mask), line)


def chat_of(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The turns of a chat, completion or preference row. Raises Unusable."""
    if "messages" in row:
        return _turns(row["messages"], "messages")
    if "prompt" not in row:
        raise Unusable("row", f"has {', '.join(sorted(map(str, row))) or 'nothing'}, not messages, prompt or text")
    field = "completion" if "completion" in row else "chosen"
    prompt, answer = row["prompt"], row.get(field)
    asked = (
        _turns(prompt, "prompt") if isinstance(prompt, list) else [{"role": "user", "content": _string(row, "prompt")}]
    )
    if isinstance(answer, list):
        return [*asked, *_turns(answer, field)]
    return [*asked, {"role": "assistant", "content": _string(row, field)}]


def _turns(value: Any, field: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not value:
        raise Unusable(field, "is no list of turns")
    for place, turn in enumerate(value):
        if not isinstance(turn, Mapping) or turn.get("role") not in ROLES:
            raise Unusable(f"{field}[{place}].role", f"is none of {', '.join(ROLES)}")
        if not isinstance(turn.get("content"), str) and not turn.get("tool_calls"):
            raise Unusable(f"{field}[{place}].content", "is no text")
    return [dict(turn) for turn in value]


def _string(row: Mapping[str, Any], field: str) -> str:
    value = row.get(field)
    if not isinstance(value, str) or not value.strip():
        raise Unusable(field, "is missing" if value is None else "is empty" if value == "" else "is no text")
    return value


def _text_tokens(loaded: Loaded, text: str) -> list[int]:
    tokens = list(loaded.tokenizer.encode(text))
    end = loaded.tokenizer.eos_token_id
    return tokens if tokens and tokens[-1] == end else [*tokens, end]


def _chat_tokens(
    loaded: Loaded, messages: list[dict[str, Any]], tools: Any, learn: Learn
) -> tuple[list[int], list[int]]:
    """(tokens, mask) of a conversation. A turn's tokens are those that rendering it adds to what came before it."""
    whole = render_chat(loaded, messages, tools)
    if learn == "all":
        return whole, [0, *[1] * (len(whole) - 1)]
    turns = [place for place, turn in enumerate(messages) if turn["role"] == "assistant"]
    mask = [0] * len(whole)
    for place in turns[-1:] if learn == "last" else turns:
        before = render_chat(loaded, messages[:place], tools, prompting=True)
        after = whole if place == len(messages) - 1 else render_chat(loaded, messages[: place + 1], tools)
        if after == whole[: len(after)] and before == whole[: len(before)]:
            begin, end = len(before), len(after)
        else:
            begin, end = _spoken(loaded, messages, tools, place, whole)
        mask[begin:end] = [1] * (end - begin)
    return whole, mask


def _spoken(loaded: Loaded, messages: list[dict[str, Any]], tools: Any, place: int, whole: list[int]) -> Span:
    """Where the words of a turn stand, with the token that ends them; (0, 0) where they can't be found.

    For templates that write a turn otherwise when later ones follow, or when it is about to be written: they leave out
    the thinking of earlier turns, begin the next one with thinking, or put a mark at the end of a conversation.
    """
    text = render_text(loaded, messages, tools)
    heads = [render_text(loaded, messages[:place], tools, prompting) for prompting in (True, False)]
    before = next((head for head in heads if text.startswith(head)), None)
    said = str(messages[place]["content"]).rpartition("</think>")[2].strip()
    begin = text.find(said, len(before)) if said and before is not None else -1
    if begin < 0:
        return 0, 0
    head, upto = encode(loaded, text[:begin]), encode(loaded, text[: begin + len(said)])
    if head != whole[: len(head)] or upto != whole[: len(upto)]:
        return 0, 0
    ended = whole[len(upto) : len(upto) + 1]
    return len(head), len(upto) + bool(ended and ended[0] in loaded.tokenizer.eos_token_ids)


def render_chat(
    loaded: Loaded, messages: Sequence[dict[str, Any]], tools: Any = None, prompting: bool = False
) -> list[int]:
    """A conversation as tokens. prompting: up to where the assistant begins to speak. Raises Unusable, as render_text.

    Without a chat template the end token follows an answer.
    """
    if loaded.tokenizer.has_chat_template:
        return encode(loaded, render_text(loaded, messages, tools, prompting)) if messages else []
    end = [] if prompting or not messages or messages[-1]["role"] != "assistant" else [loaded.tokenizer.eos_token_id]
    return [*encode(loaded, render_text(loaded, messages, tools, prompting)), *end]


def render_text(loaded: Loaded, messages: Sequence[dict[str, Any]], tools: Any = None, prompting: bool = False) -> str:
    """A conversation in the model's chat format; without a chat template the contents, one a line.

    Control tokens in what was asked are broken up, as engine/mlx.py does, so that only the template opens a turn.
    Raises Unusable where the template refuses the conversation.
    """
    tokenizer = loaded.tokenizer
    safe = [turn if turn["role"] == "assistant" else _defused(loaded, turn) for turn in messages]
    if not tokenizer.has_chat_template:
        return "\n".join(str(turn["content"]) for turn in safe) + "\n" * prompting
    named = {"tools": tools or None, "add_generation_prompt": prompting, "enable_thinking": False, "tokenize": False}
    try:
        return str(tokenizer.apply_chat_template(safe, **named)) if safe else ""
    except Exception as error:  # jinja's own errors, and whatever a template raises
        raise Unusable("messages", f"is refused by the chat template: {str(error)[:200]}") from None


def _defused(loaded: Loaded, turn: dict[str, Any]) -> dict[str, Any]:
    if loaded.specials is None or not isinstance(turn["content"], str):
        return turn
    return turn | {"content": loaded.specials.sub(lambda found: found[0][0] + " " + found[0][1:], turn["content"])}


def prompt_tokens(loaded: Loaded, asked: Asked | str) -> list[int]:
    """What was asked, as tokens up to where the answer begins; a text is one user's turn. Raises Unusable."""
    if isinstance(asked, str):
        asked = Asked(({"role": "user", "content": asked},))
    return render_chat(loaded, asked.turns, asked.tools, prompting=True)
