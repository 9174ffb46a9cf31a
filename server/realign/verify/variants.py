"""Other words for the right answer, and plausible wrong ones: what a verifier has to tell apart to be believed.

    equivalents(Check("numeric", "1000 km"))  ->  ("Answer: 1000 km", "1,000 km", "1e+3 km", "1000000 m", ...)
    perturbed(Check("numeric", "1000 km"), 0) ->  ("1001 km", "999 km", "10000 km", "-1000 km", "1000 kg", ...)

No verifier is asked here: wrong answers are wrong by how they are made, so a verifier that accepts one is caught.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from fractions import Fraction

from realign.verify.check import Check
from realign.verify.formula_variants import formula_forms, wrong_formulas
from realign.verify.mutants import code_forms, wrong_programs
from realign.verify.numeric import read_quantity, shared
from realign.verify.units import Unit, parse_unit
from realign.verify.words import label_of, labelled, normal, order_of

FEWEST_WRONG = 5
SPELLINGS = (
    "mm",
    "cm",
    "m",
    "km",
    "mg",
    "g",
    "kg",
    "t",
    "s",
    "min",
    "h",
    "mL",
    "L",
    "J",
    "kJ",
    "W",
    "kW",
    "cents",
    "$",
)
OTHER_UNITS = ("kg", "m", "s", "%", "$")


def equivalents(check: Check) -> tuple[str, ...]:
    """Right answers in other words, one at least; none where the reference itself can't be read."""
    return tuple(dict.fromkeys(form for form in EQUIVALENTS[check.verifier](check) if form != check.answer))


def perturbed(check: Check, seed: int) -> tuple[str, ...]:
    """Different wrong answers, five at least, the same for the same seed; none where the reference can't be read."""
    return tuple(dict.fromkeys(PERTURBED[check.verifier](check, random.Random(f"{seed} {check.answer}"))))


def exact_forms(check: Check) -> Iterator[str]:
    """Punctuation, quotes, an article, casing, and the aliases."""
    yield f"Answer: {check.answer}"
    yield f"**{check.answer.strip()}**."
    if not check.spec.get("case"):
        yield from (check.answer.upper(), check.answer.lower())
    yield from map(str, check.spec.get("aliases", ()))


def numeric_forms(check: Check) -> Iterator[str]:
    """Thousands' commas, an exponent, a fraction or a decimal, other spellings of the unit."""
    wanted = read_quantity(check.answer)
    if isinstance(wanted, str):
        return
    value, unit = wanted.value, wanted.name or str(check.spec.get("unit", ""))
    yield f"The answer is {check.answer.strip()}."
    for form in number_forms(value):
        yield f"{form} {unit}".strip()
    for spelling, factor in spellings(parse_unit(unit), same=True):
        if text := decimal(value * factor):
            yield f"{text} {spelling}"
    if check.spec.get("fraction") and (text := decimal(shared(wanted) * 100)):
        yield f"{text}%"


def number_forms(value: Fraction) -> Iterator[str]:
    """An exact number in digits, with commas, as a power of ten and as a fraction, as far as each is exact."""
    text = decimal(value)
    if text:
        whole, point, rest = text.partition(".")
        yield from (text, f"{int(whole or 0):,}{point}{rest}" if whole.strip("-0") else text)
        yield f"{value.numerator}.0" if value.denominator == 1 else text
        yield f"{decimal(value / 1000)}e3"
    yield f"{value.numerator}/{value.denominator}"
    yield f"{2 * value.numerator}/{2 * value.denominator}"


def decimal(value: Fraction) -> str:
    """All digits of a fraction that ends within 20 places; "" for one that does not."""
    scaled = value * 10**20
    if scaled.denominator != 1:
        return ""
    digits = f"{abs(scaled.numerator):021d}"
    text = f"{digits[:-20]}.{digits[-20:]}".rstrip("0").rstrip(".")
    return f"-{text}" if value < 0 else text


def spellings(unit: Unit | None, same: bool) -> Iterator[tuple[str, Fraction]]:
    """Units of the same kind at another scale with their factor, or (same=False) units of another kind."""
    if unit is None:
        return
    for name in SPELLINGS if same else OTHER_UNITS:
        other = parse_unit(name)
        assert other
        if (other.dimension == unit.dimension) == same and (not same or other.scale != unit.scale):
            yield name, unit.scale / other.scale


def choice_forms(check: Check) -> Iterator[str]:
    """The label bare, in brackets and with its text, and the text alone where only one choice has it."""
    choices = labelled(check.spec.get("choices"))
    label = label_of(check.answer, choices)
    if label:
        text = choices[label]
        yield from (f"({label.lower()})", label, f"Answer: {label}) {text}")
        if label_of(text, choices) == label:
            yield text


def ordering_forms(check: Check) -> Iterator[str]:
    """Commas, arrows, a numbered list."""
    items = order_of(check.answer, [str(item) for item in check.spec.get("items", ())])
    if items:
        yield from (", ".join(items), " -> ".join(items), "Answer: " + "; ".join(items).upper())
        yield "\n".join(f"{place}. {item}" for place, item in enumerate(items, 1))


def near_words(check: Check, chance: random.Random) -> Iterator[str]:
    """A letter changed, lost and doubled, a word lost, added and denied, two answers, and nothing at all."""
    text, case = check.answer.strip(), bool(check.spec.get("case"))
    right = {normal(form, case) for form in (text, *map(str, check.spec.get("aliases", ())))}
    place = chance.randrange(max(len(text), 1))
    other = chance.choice([letter for letter in "aeiounrst" if letter != text[place : place + 1].casefold()])
    words = text.split()
    found = [
        f"not {text}", text[:place] + other + text[place + 1 :], text[: len(text) // 2], f"{text} {text}", "...",
        f"{text} or {other}", " ".join(words[::-1]), " ".join(words[:-1]), f"neither {text} nor {other}", f"un{text}",
    ]  # fmt: skip
    yield from (form for form in found if normal(form, case) not in right)


def near_numbers(check: Check, chance: random.Random) -> Iterator[str]:
    """Off by one, ten times, a tenth, the other sign, two digits swapped, the wrong unit, two numbers at once."""
    wanted = read_quantity(check.answer)
    if isinstance(wanted, str):
        return
    unit, value = wanted.name or str(check.spec.get("unit", "")), wanted.value
    step = last_place(value)
    offsets = [value + step, value - step, value * 10, -value, value / 10, value * 2, value + 10 * step]
    offsets += [
        value + 100 * step,
        value + chance.randint(2, 9) * step,
        Fraction(swapped(decimal(value) or "0") or "0"),
    ]
    room = max(Fraction(str(check.spec.get("tolerance", 0))), abs(value) * Fraction(str(check.spec.get("relative", 0))))
    if room:
        offsets += [value + room * times for times in (-3, -2, Fraction(3, 2), 4, 5)]
    for other in offsets:
        if abs(other - value) > room and not (check.spec.get("fraction") and other in (0, value)):
            yield f"{written(other)} {unit}".strip()
    yield f"{written(value)} or {written(value + step)} {unit}".strip()
    if not check.spec.get("fraction"):
        yield from (f"{written(value)} {name}" for name, _ in spellings(parse_unit(unit), same=False))
        if value > room:
            pairs = spellings(parse_unit(unit), same=True)
            yield from (f"{written(value)} {name}" for name, factor in pairs if abs(value / factor - value) > room)


def last_place(value: Fraction) -> Fraction:
    """One unit of a number's last written digit: 1 for 12, 1/100 for 3.14, and the fraction's part for 1/3."""
    text = decimal(value)
    return Fraction(1, 10 ** len(text.partition(".")[2])) if text else Fraction(1, value.denominator)


def written(value: Fraction) -> str:
    """A number in digits, or as a fraction where its digits do not end."""
    return decimal(value) or f"{value.numerator}/{value.denominator}"


def swapped(digits: str) -> str:
    """A number with its first two different neighboring digits swapped: 123 -> 213."""
    for place in range(len(digits) - 1):
        left, right = digits[place], digits[place + 1]
        if left != right and left.isdigit() and right.isdigit():
            return digits[:place] + right + left + digits[place + 2 :]
    return digits


def other_choices(check: Check, chance: random.Random) -> Iterator[str]:
    """Every other label and text, two at once, all of them, none, and the right one denied."""
    choices = labelled(check.spec.get("choices"))
    label = label_of(check.answer, choices)
    if not label:
        return
    others = [name for name in choices if name != label]
    chance.shuffle(others)
    yield from others
    yield from (choices[name] for name in others if label_of(choices[name], choices) not in (None, label))
    yield from (f"{label} and {others[0]}", f"{others[0]} or {label}", ", ".join(choices), f"not {label}")
    yield from ("none of the above", f"{label}) {choices[others[0]]}")


def other_orders(check: Check, chance: random.Random) -> Iterator[str]:
    """Neighbors swapped, reversed, shuffled, one missing, one twice, one that does not belong."""
    items = order_of(check.answer, [str(item) for item in check.spec.get("items", ())])
    if not items:
        return
    orders = [items[:place] + items[place : place + 2][::-1] + items[place + 2 :] for place in range(len(items) - 1)]
    shuffled = chance.sample(items, len(items))
    orders += [
        items[::-1],
        items[1:],
        items[:-1],
        [*items, items[0]],
        [*items, "none"],
        items[1:] + items[:1],
        shuffled,
    ]
    yield from ("\n".join(order) for order in orders if order != items)


EQUIVALENTS: dict[str, Callable[[Check], Iterator[str]]] = {
    "exact": exact_forms, "numeric": numeric_forms, "choice": choice_forms, "ordering": ordering_forms,
    "code": code_forms,
    "symbolic": formula_forms,
}  # fmt: skip
PERTURBED: dict[str, Callable[[Check, random.Random], Iterator[str]]] = {
    "exact": near_words, "numeric": near_numbers, "choice": other_choices, "ordering": other_orders,
    "code": wrong_programs,
    "symbolic": wrong_formulas,
}  # fmt: skip
