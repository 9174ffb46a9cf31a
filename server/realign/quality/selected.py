"""What selection kept, whatever its kind, as filters, gates, the export and the report see it: texts by their role.

    for each in evidence.selected: each.form, each.prompt.text, each.answers

A pair is (chosen, rejected); a chat teaches one completion; a task asks for what its verifier accepts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from realign.records import Completion, Example, Pair, Part, Prompt, Task

Form = Literal["pair", "chat", "task"]
FIELDS: dict[Form, tuple[str, ...]] = {
    "pair": ("prompt", "chosen", "rejected"),
    "chat": ("messages",),
    "task": ("prompt", "answer", "verifier"),
}
MAIN_FORM: dict[str, Form] = {
    "dpo": "pair", "sft": "chat", "srf": "chat", "rlvr": "task", "anti_hallucination": "chat",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Selected:
    """A selected record with its texts. answers: chosen and rejected of a pair, else the one that is taught.

    checked: its prompt is a task, so a verifier decides on its answers: one word may be a whole answer.
    """

    record: Pair | Example
    prompt: Prompt
    answers: tuple[str, ...]
    form: Form
    checked: bool = False

    @property
    def id(self) -> str:
        """The record's id, which drops, decisions and rows name."""
        return self.record.id

    @property
    def taught(self) -> str:
        """The answer that a model trained on it learns to give."""
        return self.answers[0]

    @property
    def text(self) -> str:
        """Everything of it that must not come from an evaluation."""
        return "\n".join((self.prompt.asked, *self.answers))

    def part(self, data_type: str) -> Part:
        """Which files its row belongs to: pairs beside rows of another form have their own."""
        return "preferences" if self.form == "pair" != MAIN_FORM[data_type] else "rows"


def select(
    records: Iterable[Pair | Example],
    prompts: Mapping[str, Prompt],
    completions: Mapping[str, Completion],
    tasks: Mapping[str, Task],
) -> list[Selected]:
    """The records with the texts they point at, in their order."""
    found, posed = [], {task.parent for task in tasks.values()}
    for record in records:
        prompt = prompts[record.parent]
        if isinstance(record, Pair):
            both = completions[record.chosen].text, completions[record.rejected].text
            found.append(Selected(record, prompt, both, "pair", prompt.id in posed))
        elif record.task:
            found.append(Selected(record, prompt, (tasks[record.task].answer,), "task", True))
        else:
            found.append(Selected(record, prompt, (completions[record.completion].text,), "chat"))
    return found


def text_of_row(row: Mapping[str, Any]) -> str:
    """Prompt and answers of a dataset row of any form, a line each."""
    names = ("prompt", "completion", "chosen", "rejected", "answer", "text", "messages")
    return "\n".join(text for text in (as_text(row.get(name)) for name in names) if text)


def as_text(value: Any) -> str:
    """A field of a row as text: itself, or what each of its chat messages says, a line each; "" for anything else."""
    if isinstance(value, list):
        value = "\n".join(as_text(turn.get("content")) for turn in value if isinstance(turn, dict))
    return value if isinstance(value, str) else ""
