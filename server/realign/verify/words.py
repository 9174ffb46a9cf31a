"""Answers that are words: exact (cloze, names, terms), choice (a letter or a choice's text), ordering (items in a row).

Each takes a check and a free completion. Upper and lower case, articles, quotation marks and final punctuation make no
difference; everything else does. A choice that names two labels, or a label beside another's text, is wrong.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from realign.verify.check import Check, Decision
from realign.verify.extract import Unreadable, judge_statements

MORE_WORDS = 4
QUOTES = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "‐": "-", "‑": "-", "–": "-", "\u00a0": " "})
LABEL = re.compile(
    r"^(?:(?:option|choice|answer|letter)\s+)?[(\[]?(?P<label>[A-Za-z]|\d{1,2})(?:[)\]]|[.:)](?=\s|$)|(?=\s*$)|(?=\s+-\s))"
    r"[\s:.-]*(?P<text>.*)$",
    re.IGNORECASE | re.DOTALL,
)
JOINTS = re.compile(
    r"(?:[\s,;:<>=→⟶|*()\[\].-]|\b(?:then|and|next|first|second|third|last|lastly|finally|followed|by|the)\b|"
    r"\b\d{1,2}(?=[.):]))*",
    re.IGNORECASE,
)


def exact(check: Check, answer: str) -> Decision:
    """Whether an answer is the reference, or one of spec["aliases"], word for word."""
    case = bool(check.spec.get("case"))
    right = {normal(text, case) for text in (check.answer, *check.spec.get("aliases", ()))} - {""}
    if not right:
        return "unknown", "the reference answer is empty"
    return judge_statements(answer, lambda said: other_words(said, right, case))


def other_words(said: str, right: set[str], case: bool) -> str:
    """What is wrong with a statement, or "". One of many more words than any right answer is talk, not an answer."""
    if normal(said, case) in right:
        return ""
    talk = len(said.split()) > MORE_WORDS + max(len(text.split()) for text in right)
    return Unreadable(f"it says {said[:80]!r}") if talk else f"it says {said[:80]!r}"


def normal(text: str, case: bool = False) -> str:
    """A text as it is compared: one form of each letter and quote, no article, no punctuation around it."""
    text = " ".join(unicodedata.normalize("NFC", text).translate(QUOTES).split())
    text = text.strip(" \"'`*_,;:!?").removesuffix(".").strip(" \"'")
    text = text if case else text.casefold()
    return re.sub(r"^(?:a|an|the)\s+(?=\S)", "", text, flags=re.IGNORECASE)


def choice(check: Check, answer: str) -> Decision:
    """Whether an answer names the right choice, by its label, its text, or both."""
    choices = labelled(check.spec.get("choices"))
    wanted = label_of(check.answer, choices)
    if len(choices) < 2 or wanted is None:
        return "unknown", "the check needs two or more choices, and the reference answer to be one of them"
    return judge_statements(answer, lambda said: unlike(label_of(said, choices), wanted))


def unlike(got: str | None, wanted: str) -> str:
    """What is wrong with the choice that was made, or ""."""
    if got is None:
        return Unreadable("it names no single choice")
    return "" if got == wanted else f"it chooses {got}, not {wanted}"


def labelled(choices: Any) -> dict[str, str]:
    """Choices by label: a list is labelled A, B, C ... Anything else than a list or a table of texts is no choices."""
    if isinstance(choices, Mapping):
        return {str(label).upper(): str(text) for label, text in choices.items()}
    return {chr(65 + place): str(text) for place, text in enumerate(choices or ()) if place < 26}


def label_of(said: str, choices: Mapping[str, str]) -> str | None:
    """The one label a statement names, or None: "B", "(b)", "B) Paris", "Paris"; a text two choices share is none."""
    if said.strip().upper() in choices:
        return said.strip().upper()
    by_text = [label for label, text in choices.items() if normal(text) == normal(said)]
    if by_text:
        return by_text[0] if len(by_text) == 1 else None
    match = LABEL.match(said.strip())
    if match is None or match["label"].upper() not in choices:
        return None
    label, text = match["label"].upper(), match["text"]
    return label if not text or normal(text) == normal(choices[label]) else None


def ordering(check: Check, answer: str) -> Decision:
    """Whether an answer names every item once, in the reference's order, with nothing but separators between them."""
    items = [str(item) for item in check.spec.get("items", ())]
    wanted = order_of(check.answer, items)
    if len(items) < 2 or wanted is None or len(set(map(normal, items))) < len(items):
        return "unknown", "the check needs two or more different items, and the reference answer to name each once"
    return judge_statements(answer, lambda said: disorder(order_of(said, items), wanted))


def disorder(got: list[str] | None, wanted: list[str]) -> str:
    """What is wrong with an order, or ""."""
    if got is None:
        return Unreadable("it does not name every item once and nothing else")
    return "" if got == wanted else f"it puts {got[0]!r} first" if got[0] != wanted[0] else "its order is another"


def order_of(said: str, items: list[str]) -> list[str] | None:
    """The items in the order a statement names them, or None unless each is named once and only separators are left."""
    text = said.translate(QUOTES).casefold()
    taken: list[tuple[int, int, str]] = []
    for item in sorted(items, key=len, reverse=True):
        pattern = rf"(?<!\w){re.escape(' '.join(item.translate(QUOTES).casefold().split()))}(?!\w)"
        spots = [
            m.span() for m in re.finditer(pattern, text) if not any(a < m.end() and m.start() < b for a, b, _ in taken)
        ]
        if len(spots) != 1:
            return None
        taken.append((*spots[0], item))
    taken.sort()
    edges = [(0, 0, ""), *taken, (len(text), len(text), "")]
    between = [text[left[1] : right[0]] for left, right in pairwise(edges)]
    return [item for *_, item in taken] if all(JOINTS.fullmatch(part) for part in between) else None
