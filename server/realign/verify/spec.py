"""Whether what a row says about its verifier can be used at all: fields of the right type, and those that are needed.

    plain_spec({"name": "exact", "aliases": None})      -> {}
    wrong_spec("choice", {"choices": 5})                -> "choices: int, expected two or more texts"

A table fills fields that a row does not have with None: they count as absent. Fields that no verifier knows are left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from realign.verify.numeric import read_quantity

NEEDED = {"choice": (("choices",),), "ordering": (("items",),), "code": (("tests",), ("entry_point", "prompt", "test"))}


def plain_spec(verifier: Mapping[str, Any]) -> dict[str, Any]:
    """What a row's verifier needs besides its name, without what is None."""
    return {str(key): value for key, value in verifier.items() if key != "name" and value is not None}


def wrong_spec(verifier: str, spec: Mapping[str, Any]) -> str:
    """What is wrong with a spec, its field first; "" where nothing is."""
    for field, (fits, expected) in FIELDS.items():
        if field in spec and not fits(spec[field]):
            return f"{field}: {type(spec[field]).__name__} {str(spec[field])[:40]!r}, expected {expected}"
    needed = NEEDED.get(verifier, ())
    if needed and not any(all(field in spec for field in fields) for fields in needed):
        return f"{' or '.join(' and '.join(fields) for fields in needed)}: missing, {verifier} needs it"
    return ""


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and item.strip() for item in value)


def _options(value: object) -> bool:
    """A list of texts, or texts by labels of one letter or number; at least two."""
    if isinstance(value, dict):
        return len(value) >= 2 and _texts(list(value.values())) and all(len(label) in (1, 2) for label in value)
    return _texts(value) and isinstance(value, list) and 2 <= len(value) <= 26


def _tests(value: object) -> bool:
    return _texts(value) and bool(value)


def _number(value: object) -> bool:
    """A number of 0 or more, also as text: "0.005" is exact where 0.005 is not."""
    if isinstance(value, bool) or not isinstance(value, int | float | str) or len(str(value)) > 40:
        return False
    quantity = read_quantity(str(value))
    return not isinstance(quantity, str) and quantity.unit is None and quantity.value >= 0 and str(value)[:1].isdigit()


def _text(value: object) -> bool:
    return isinstance(value, str)


def _flag(value: object) -> bool:
    return isinstance(value, bool)


FIELDS: dict[str, tuple[Callable[[object], bool], str]] = {
    "choices": (_options, "two or more texts"), "items": (_options, "two or more texts"),
    "aliases": (_texts, "a list of texts"), "tests": (_tests, "a list of assert lines"),
    "tolerance": (_number, "a number of 0 or more"), "relative": (_number, "a number of 0 or more"),
    "seconds": (_number, "a number of 0 or more"), "unit": (_text, "text"), "setup": (_text, "text"),
    "prompt": (_text, "text"), "entry_point": (_text, "text"), "test": (_text, "text"),
    "case": (_flag, "true or false"), "fraction": (_flag, "true or false"),
}  # fmt: skip
