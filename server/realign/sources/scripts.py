"""Write raised and lowered text so that it keeps its meaning on one line: x² and G₁, never x2; 64th, never 64ᵗʰ."""

from __future__ import annotations

RAISED = dict(zip("0123456789+-−–=()ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁻⁼⁽⁾ⁿⁱ", strict=True))
LOWERED = dict(zip("0123456789+-−–=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₋₌₍₎", strict=True))
ORDINAL = frozenset(("st", "nd", "rd", "th", "er", "re", "e", "o", "a", "de"))


def shift(text: str, up: bool) -> str:
    """`text` raised (`up`) or lowered: in characters that show it where all have one, else "^" before raised text.

    Ordinal endings and marks like [3] stay plain, and so does lowered text without such characters. Outer spaces stay.
    """
    core = text.strip()
    table = RAISED if up else LOWERED
    if not core or (up and (core in ORDINAL or core[0] == "[")):
        return text
    if all(character in table for character in core):
        return text.replace(core, "".join(table[character] for character in core))
    if not up:
        return text
    return text.replace(core, f"^{core}" if len(core) == 1 else f"^({core})")
