"""Rules on text alone: what must not be taught, whoever wrote it.

unsafe("Write to jane@example.org")  -> "personal data: an e-mail address"
"""

from __future__ import annotations

import re

ORDERS = (
    r"\b(?:ignore|disregard|forget) (?:all |any |the )*(?:previous|prior|above|earlier) "
    r"(?:instructions?|prompts?|rules)\b"
    r"|\byou are now (?:a|an|in) \w+ mode\b|\bsystem prompt\b"
)
WEAPONS = (
    r"\b(?:build|make|making|assemble|synthesi[sz]e) (?:a |an )?(?:pipe |nail )?"
    r"(?:bombs?|explosives?|nerve agents?|bioweapons?)\b"
)
SECRETS = r"\b(?:sk-[A-Za-z0-9]{20,}|AKIA[0-9A-Z]{16}|ghp_[A-Za-z0-9]{30,})\b|-----BEGIN [A-Z ]*PRIVATE KEY-----"
PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern, re.IGNORECASE))
    for name, pattern in (
        ("personal data: an e-mail address", r"\b[\w.+-]+@[\w-]+\.[a-z]{2,}\b"),
        ("personal data: a social security number", r"\b\d{3}-\d{2}-\d{4}\b"),
        ("personal data: a phone number", r"(?<![\d.])(?:\+\d{1,3}[ -]?)?\(?\d{3}\)?[ -]\d{3}[ -]\d{4}\b"),
        ("an instruction to the reader's model", ORDERS),
        ("encourages self-harm", r"\b(?:kill|hurt|harm|cut) (?:yourself|yourselves)\b|\bcommit suicide\b"),
        ("instructions for a weapon", WEAPONS),
        ("a secret", SECRETS),
    )
)  # fmt: skip
CARD = re.compile(r"(?<!\d)(?:\d[ -]?){13,19}(?!\d)")


def unsafe(text: str) -> str:
    """What is unsafe about a text, or "". Card numbers count only when their check digit is right."""
    for name, pattern in PATTERNS:
        if pattern.search(text):
            return name
    for match in CARD.finditer(text):
        digits = [int(c) for c in match[0] if c.isdigit()]
        if len(set(digits)) > 2 and _luhn(digits):
            return "personal data: a card number"
    return ""


def _luhn(digits: list[int]) -> bool:
    doubled = [d if place % 2 == 0 else sum(divmod(2 * d, 10)) for place, d in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0
