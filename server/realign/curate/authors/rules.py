"""Rules a prompt must meet to be clear and answerable, whoever wrote it, and the check on existing rows.

unclear("What is it?") -> "points at something that is not there"
"""

from __future__ import annotations

import re

# How a passage stands in a prompt with its question. A passage holds no empty line, and neither does a question.
PASSAGE_FORMS = (
    "Passage: {passage}\n\nQuestion: {question}",
    "{question}\n\nAnswer from this passage: {passage}",
    "Read the passage and answer the question.\n\n{passage}\n\n{question}",
    "Text: {passage}\n\nQ: {question}",
    "Use the excerpt to answer.\n\nExcerpt: {passage}\n\nQuestion: {question}",
    "Context: {passage}\n\n{question}",
)
_BLOCK = r"(?:(?!\n\n).)+"
_FORMS = tuple(
    re.compile(
        re.escape(form)
        .replace(re.escape("{passage}"), f"(?P<passage>{_BLOCK})")
        .replace(re.escape("{question}"), f"(?P<question>{_BLOCK})"),
        re.DOTALL,
    )
    for form in PASSAGE_FORMS
)
QUESTION = re.compile(r"(?:^|\n)Question: (?P<question>.+)$", re.DOTALL)
TRUE_OR_FALSE = re.compile(r"^True or false\b", re.IGNORECASE)
YES_OR_NO = re.compile(
    r"^(?:is|are|was|were|do|does|did|can|could|will|would|should|must|may|has|have|had)\b"
    r"|[.”] Is (?:that|this) \w+\?$",
    re.IGNORECASE,
)
LONGEST_QUESTION = 80
POINTING = re.compile(
    r"^(?:what|who|why|how|when|where|which|is|are|does|do|did|was|were)\b(?: (?:is|are|was|were|does|do|did))?"
    r" (?:it|this|that|these|those|they|he|she|him|her|there)\b"
    r"(?: (?:mean|about|like|called|for|do|work|important|true))?\?",
    re.IGNORECASE,
)
PAGE_BOUND = re.compile(
    r"\b(?:figure|table|example|exercise|chapter|section|page|equation)s? \d"
    r"|\b(?:above|below)(?=[?.,:;”]|$)|\b(?:as follows|shown here)\b",
    re.IGNORECASE,
)


def question_of(prompt: str) -> str:
    """The question itself, where a prompt brings its passage along; else the whole prompt."""
    match = _with_passage(prompt) or QUESTION.search(prompt)
    return match["question"].strip() if match else prompt.strip()


def passage_of(prompt: str) -> str:
    """The passage that a prompt brings along, or ""."""
    match = _with_passage(prompt)
    return match["passage"].strip() if match else ""


def _with_passage(prompt: str) -> re.Match[str] | None:
    return next((found for form in _FORMS if (found := form.fullmatch(prompt.strip()))), None)


def verdicts_of(question: str) -> tuple[str, str] | None:
    """The two words that an answer may start with where a verdict is asked for, the accepting one first, or None."""
    if TRUE_OR_FALSE.match(question):
        return ("True", "False")
    return ("Yes", "No") if YES_OR_NO.search(question) else None


def blank_frame(question: str) -> list[str]:
    """What stands around the blank of a sentence to complete, after the words that ask for it; [] without a blank."""
    if "____" not in question:
        return []
    return re.split(r"\W*____\W*", re.split(r"[:?] ", question, maxsplit=1)[-1].strip())


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
