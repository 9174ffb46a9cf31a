"""Rules a prompt must meet to be clear and answerable, whoever wrote it, and the check on existing rows.

unclear("What is it?") -> "points at something that is not there"
"""

from __future__ import annotations

import re

QUESTION = re.compile(r"(?:^|\n)Question: (?P<question>.+)$", re.DOTALL)
LONGEST_QUESTION = 80
POINTING = re.compile(
    r"^(?:what|who|why|how|when|where|which|is|are|does|do|did|was|were)\b(?: (?:is|are|was|were|does|do|did))?"
    r" (?:it|this|that|these|those|they|he|she|him|her|there)\b"
    r"(?: (?:mean|about|like|called|for|do|work|important|true))?\?",
    re.IGNORECASE,
)
PAGE_BOUND = re.compile(
    r"\b(?:figure|table|example|exercise|chapter|section|page|equation)s? \d|\b(?:above|below|as follows|shown here)\b",
    re.IGNORECASE,
)


def question_of(prompt: str) -> str:
    """The question itself, where a prompt brings its passage along; else the whole prompt."""
    match = QUESTION.search(prompt)
    return match["question"].strip() if match else prompt.strip()


def unclear(prompt: str) -> str:
    """Why a prompt is not clear or can't be answered, or "" when it is fine."""
    question = question_of(prompt)
    found = re.findall(r"\w+", question)
    if len(found) < 3:
        return "too short to ask anything"
    if len(found) > LONGEST_QUESTION:
        return "too long to be one question"
    if not re.search(r"[?.:!]$|____", question):
        return "does not end as a question or instruction"
    if POINTING.search(question):
        return "points at something that is not there"
    if PAGE_BOUND.search(question):
        return "points at a place on the page"
    if sum(c.isalpha() or c.isspace() for c in question) < 0.6 * len(question):
        return "mostly symbols"
    if len({word.lower() for word in found}) < len(found) / 3:
        return "repeats itself"
    return ""
