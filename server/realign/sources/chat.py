"""Chat messages of existing rows: OpenAI's, TRL's and mlx-lm's (role, content) and ShareGPT's (from, value).

    read_messages(row["messages"], "messages")      -> ({"role": "user", "content": "..."}, ...)

Roles become system, user, assistant and tool; content of several text parts becomes one text. Whatever can't be taught
as a conversation is an error that names the field: a turn without text, a picture, two turns of one side in a row.
"""

from __future__ import annotations

from typing import Any

Turn = dict[str, Any]
ROLES = {
    "system": "system", "developer": "system", "user": "user", "human": "user", "assistant": "assistant",
    "gpt": "assistant", "chatgpt": "assistant", "model": "assistant", "bot": "assistant", "function_call": "assistant",
    "tool": "tool", "function": "tool", "observation": "tool", "function_response": "tool",
}  # fmt: skip
KEPT = ("name", "tool_calls", "tool_call_id")
MAY_FOLLOW = {
    "": ("system", "user"),
    "system": ("user",),
    "user": ("assistant",),
    "assistant": ("user", "tool"),
    "tool": ("assistant", "tool"),
}


class FieldError(ValueError):
    """What is wrong with one field of a row: found, and what was expected."""

    def __init__(self, field: str, problem: str) -> None:
        self.field = field
        super().__init__(f"field {field!r}: {problem}" if field else problem)


def read_text(value: Any, field: str, *, code: bool = False) -> str:
    """A field that must be text with something in it, without space around it; code keeps its first line's."""
    if value is None:
        raise FieldError(field, "missing, expected text")
    if not isinstance(value, str):
        raise FieldError(field, f"{type(value).__name__}, expected text")
    if not value.strip():
        raise FieldError(field, "empty, expected text")
    return value.strip("\n").rstrip() if code else value.strip()


def read_messages(value: Any, field: str, after: str = "") -> tuple[Turn, ...]:
    """The messages in order, their roles in turn. after: the role that comes before the first ("" for none)."""
    if not isinstance(value, list):
        raise FieldError(field, f"{type(value).__name__}, expected a list of messages")
    if not value:
        raise FieldError(field, "empty, expected messages")
    turns = []
    for place, message in enumerate(value):
        here = f"{field}[{place}]"
        turn = _message(message, here)
        if turn["role"] not in MAY_FOLLOW[after]:
            found = f"{turn['role']} after {after}" if after else f"begins with {turn['role']}"
            raise FieldError(here, f"{found}, expected {' or '.join(MAY_FOLLOW[after])}")
        after = turn["role"]
        turns.append(turn)
    return tuple(turns)


def _message(message: Any, field: str) -> Turn:
    if not isinstance(message, dict):
        raise FieldError(field, f"{type(message).__name__}, expected a message with role and content")
    role_key, text_key = ("from", "value") if "from" in message else ("role", "content")
    role = message.get(role_key)
    if not isinstance(role, str) or role.lower() not in ROLES:
        raise FieldError(f"{field}.{role_key}", f"{role!r}, expected one of system, user, assistant, tool")
    turn: Turn = {"role": ROLES[role.lower()]}
    content = message.get(text_key)
    if content in (None, "") and message.get("tool_calls"):
        turn["content"] = ""
    else:
        turn["content"] = _content(content, f"{field}.{text_key}")
    return {**turn, **{name: message[name] for name in KEPT if message.get(name)}}


def _content(value: Any, field: str) -> str:
    """Text, or several parts that are all text."""
    if not isinstance(value, list):
        return read_text(value, field)
    parts = []
    for place, part in enumerate(value):
        kind = part.get("type", "text") if isinstance(part, dict) else "text"
        if kind not in ("text", "input_text", "output_text"):
            raise FieldError(f"{field}[{place}]", f"a part of type {kind!r}, expected text")
        parts.append(read_text(part.get("text") if isinstance(part, dict) else part, f"{field}[{place}].text"))
    if not parts:
        raise FieldError(field, "empty, expected text")
    return "\n".join(parts)


def read_tools(value: Any, field: str = "tools") -> tuple[Turn, ...]:
    """The tools that a model may call, as JSON objects; none where the field is missing."""
    if value is None or value == "" or value == []:
        return ()
    if not isinstance(value, list) or not all(isinstance(tool, dict) for tool in value):
        raise FieldError(field, f"{type(value).__name__}, expected a list of objects")
    return tuple(value)
