"""Units as exact factors: a unit's text becomes a scale and a dimension, so that 1000 km equals 1 Mm and never 1 m.

SI prefixes on symbols (case counts: mm, Mm) and on words (any case); length, mass, time, area, volume, speed, energy,
power, pressure, electricity, data, angle, percent and money. Temperatures in °C and °F are their own dimensions and
money is never exchanged. A compound is written with `*`, `·`, `/` or `per`, powers as `m^2`, `m2` or `m²`.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

Dimension = tuple[tuple[str, int], ...]
PREFIXES = {"n": -9, "µ": -6, "u": -6, "m": -3, "c": -2, "d": -1, "h": 2, "k": 3, "M": 6, "G": 9, "T": 12}
PREFIX_WORDS = {
    "nano": -9, "micro": -6, "milli": -3, "centi": -2, "deci": -1, "hecto": 2, "kilo": 3, "mega": 6, "giga": 9,
    "tera": 12,
}  # fmt: skip
JOULE = "kg m m s-1 s-1"

# symbol -> scale, dimension, words. These take SI prefixes.
PREFIXED: dict[str, tuple[str, str, str]] = {
    "m": ("1", "m", "meter metre"), "g": ("1/1000", "kg", "gram gramme"), "s": ("1", "s", "second"),
    "L": ("1/1000", "m m m", "liter litre"), "l": ("1/1000", "m m m", ""), "Hz": ("1", "s-1", "hertz"),
    "N": ("1", "kg m s-1 s-1", "newton"), "J": ("1", JOULE, "joule"), "W": ("1", JOULE + " s-1", "watt"),
    "Pa": ("1", "kg m-1 s-1 s-1", "pascal"), "A": ("1", "A", "ampere amp"), "V": ("1", JOULE + " s-1 A-1", "volt"),
    "K": ("1", "K", "kelvin"), "mol": ("1", "mol", "mole"), "B": ("8", "bit", "byte"), "bit": ("1", "bit", ""),
    "Wh": ("3600", JOULE, ""), "cal": ("4184/1000", JOULE, "calorie"), "eV": ("1/6241509074460762607", JOULE, ""),
    "bar": ("100000", "kg m-1 s-1 s-1", ""),
}  # fmt: skip
# names -> scale, dimension. These take none.
PLAIN: dict[str, tuple[str, str]] = {
    "min minute": ("60", "s"), "h hr hour": ("3600", "s"), "day": ("86400", "s"), "week wk": ("604800", "s"),
    "month": ("1/12", "year"), "year yr": ("1", "year"), "decade": ("10", "year"), "century centurie": ("100", "year"),
    "in inch inche": ("254/10000", "m"), "ft foot feet": ("3048/10000", "m"), "yd yard": ("9144/10000", "m"),
    "mi mile": ("1609344/1000", "m"), "lb pound": ("45359237/100000000", "kg"),
    "oz ounce": ("45359237/1600000000", "kg"), "t tonne": ("1000", "kg"), "ha hectare": ("10000", "m m"),
    "acre": ("40468564224/10000000", "m m"), "mph": ("44704/100000", "m s-1"), "kph": ("10/36", "m s-1"),
    "% percent": ("1", "%"), "° degree deg": ("1", "°"), "rad radian": ("1", "rad"), "°C celsius": ("1", "°C"),
    "°F fahrenheit": ("1", "°F"), "$ dollar usd USD US$": ("1", "$"), "cent ¢": ("1/100", "$"),
    "€ euro eur EUR": ("1", "€"), "£ GBP gbp": ("1", "£"), "¥ yen JPY": ("1", "¥"), "₹ rupee INR": ("1", "₹"),
}  # fmt: skip
SHORT_PLURALS = ("lb", "hr", "yr", "wk", "yd", "kg", "km", "cm", "mm", "ml", "mg")
FACTOR = re.compile(r"([^\s\d^*·/-]+)\s*(?:\^?\s*(-?[1-9]))?$")


@dataclass(frozen=True, slots=True)
class Unit:
    """An exact factor to the base unit of a dimension; the dimension is sorted (base, power) pairs."""

    scale: Fraction
    dimension: Dimension


def parse_unit(text: str) -> Unit | None:
    """The unit a text names whole, or None: "km", "kilometres", "m/s^2", "kg·m²", "miles per hour", "%", "$"."""
    text = text.replace("²", "^2").replace("³", "^3").replace("μ", "µ").strip()
    if not text or len(text) > 60:
        return None
    text = re.sub(r"\bU\.?S\.? (?=dollars?\b)", "", text, flags=re.I)
    text = re.sub(r"\s+per\s+", "/", re.sub(r"degrees? (?=celsius|fahrenheit|[CF]\b)", "°", text, flags=re.I))
    text = re.sub(r"\bsquare ([a-z]+)", r"\1^2", re.sub(r"\bcubic ([a-z]+)", r"\1^3", text))
    above, *below = text.split("/")
    if len(below) > 1:
        return None
    factors = [factor(part, 1) for part in re.split(r"[*·\s]+", above.strip())]
    factors += [factor(part, -1) for side in below for part in re.split(r"[*·]", side)]
    return None if None in factors else product([unit for unit in factors if unit])


def factor(text: str, sign: int) -> Unit | None:
    """One unit with its power: "km", "s^2", "metres"."""
    match = FACTOR.match(text.strip())
    unit = lookup(match[1]) if match else None
    if unit is None or match is None:
        return None
    power = sign * int(match[2] or 1)
    return Unit(unit.scale**power, tuple((base, count * power) for base, count in unit.dimension))


def lookup(name: str) -> Unit | None:
    """A unit by its symbol, or by its word in the singular or the plural.

    A single letter is a symbol as it stands only, and few symbols have a plural: "has" is no hectares, "Ms" no meters.
    """
    name = name.removesuffix(".") if len(name) > 2 else name
    word = name.lower()
    one = word.removesuffix("s")
    spelled = [word] * (len(word) > 1) + [one] * (len(one) > 2 or one in SHORT_PLURALS)
    for candidate in (name, *spelled):
        if candidate in TABLE:
            return TABLE[candidate]
    return TABLE.get("°" + word.removeprefix("°")) if word.startswith("°") else None


def product(units: list[Unit]) -> Unit:
    """Units multiplied together."""
    scale, powers = Fraction(1), Counter[str]()
    for unit in units:
        scale *= unit.scale
        for base, power in unit.dimension:
            powers[base] += power
    return Unit(scale, tuple(sorted((base, power) for base, power in powers.items() if power)))


def _unit(scale: str, bases: str) -> Unit:
    """A unit from the table's words: "kg m s-1 s-1"."""
    powers = Counter[str]()
    for base in bases.split():
        powers[base.removesuffix("-1")] += -1 if base.endswith("-1") else 1
    return Unit(Fraction(scale), tuple(sorted(powers.items())))


def _table() -> dict[str, Unit]:
    """Every spelling this module knows, without plurals."""
    table: dict[str, Unit] = {}
    for symbol, (scale, bases, words) in PREFIXED.items():
        base = _unit(scale, bases)
        for names, prefixes in (([symbol], PREFIXES), (words.split(), PREFIX_WORDS)):
            for name in names:
                table |= {p + name: Unit(base.scale * Fraction(10) ** e, base.dimension) for p, e in prefixes.items()}
                table[name] = base
    return table | {name: _unit(*entry) for names, entry in PLAIN.items() for name in names.split()}


TABLE = _table()
