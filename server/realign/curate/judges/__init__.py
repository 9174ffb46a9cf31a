"""Judges score two completions of a prompt: the embedded ones by computation, or any model through an engine."""

from __future__ import annotations

from dataclasses import dataclass

from realign.records import Completion, Passage, Prompt


@dataclass(frozen=True, slots=True)
class Case:
    """Two completions of one prompt, and the passage that the prompt is about."""

    prompt: Prompt
    passage: Passage
    first: Completion
    second: Completion
