"""Numbers with units, compared as exact fractions: 1,000 = 1e3 = 1000, 0.5 = 1/2, 1000 km = 1 Mm, and 0.33 is not 1/3.

A statement must hold exactly one number. Around it may stand a unit, or a few plain words ("18 eggs"); a second number,
an operator, a hedge or an alternative ("1 or 2", "not 42", "9**9**9") makes it wrong. Percent is a unit: 20 % is 0.2
only where the check says so. Only ASCII digits count, and exponents end at 308.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from realign.verify.check import Check, Decision
from realign.verify.extract import Unreadable, judge_statements, tidied
from realign.verify.units import Unit, parse_unit

LONGEST = 300  # characters of a statement that holds one number
GREATEST_EXPONENT = 308
DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+"
NUMBER = re.compile(
    rf"(?P<body>{DIGITS})(?:[eE](?P<e>[+-]?\d+)|\s*[×x*]\s*10\s*(?:\^|\*\*)\s*\{{?(?P<ten>[+-]?\d+)\}}?)?"
    r"(?:\s+(?P<above>\d+)\s*/\s*(?P<under>\d+)|\s*/\s*(?P<below>\d+))?(?![\d.]*\d|[.,]\d)"
)
SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12}
NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty sixty seventy "
    "eighty ninety half quarter third twice double triple score hundredth nan inf infinity infinite"
)
BANNED = re.compile(
    rf"\b(?:not|n't|isn't|never|neither|either|or|no|none|between|except|than|least|most|under|over|below|above|to|"
    rf"maybe|perhaps|probably|and|from|through|{'|'.join([*NUMBER_WORDS.split(), *SCALES])})\b",
    re.IGNORECASE,
)
WORDS = re.compile(r"[^\W\d_]*(?:[ ,.'’()%:-]+[^\W\d_]+){0,8}[ ,.'’():-]*")
CURRENCY = "$€£¥₹"
OF_A_LENGTH = ("long", "wide", "tall", "high", "deep", "thick", "across", "around", "apart", "of", "per")
LATEX = (
    (r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}", r"\1/\2"), (r"\\(?:text|mathrm|textbf|mathbf)\{([^{}]*)\}", r" \1 "),
    (r"\\([%$])", r"\1"), (r"\\[,;! ]|\{,\}", lambda m: "," if "{" in m[0] else ""), (r"\\times", "×"),
    (r"\\cdot", "·"), (r"\^\{?\\circ\}?", "°"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Quantity:
    """An exact number, its unit (None where no unit this program knows was written), and the unit as written."""

    value: Fraction
    unit: Unit | None = None
    name: str = ""


def numeric(check: Check, answer: str) -> Decision:
    """Whether an answer's one number is the reference's, in its unit and within the check's tolerance."""
    wanted = read_quantity(check.answer)
    if isinstance(wanted, str):
        return "unknown", f"the reference answer {check.answer[:80]!r} is not one number: {wanted}"
    asked = check.spec.get("unit")
    unit = parse_unit(str(asked)) if asked else wanted.unit
    if asked and unit is None:
        return "unknown", f"the unit {asked!r} is not in the table"
    wanted = Quantity(wanted.value, wanted.unit or unit)
    return judge_statements(answer, lambda statement: wrong(statement, wanted, bool(asked), check))


def wrong(statement: str, wanted: Quantity, bare: bool, check: Check) -> str:
    """What is wrong with a statement, or "". bare: a number without a unit is taken in the unit asked for."""
    got = read_quantity(statement)
    if isinstance(got, str):
        return Unreadable(got)
    if check.spec.get("fraction"):
        return compared(shared(got), shared(wanted), check)
    if wanted.unit is None:
        percent = got.unit is not None and got.unit.dimension == (("%", 1),)
        return "it is in percent, the answer is a plain number" if percent else compared(got.value, wanted.value, check)
    if got.unit is None:
        if not bare:
            return "it names no unit"
        asked = parse_unit(str(check.spec["unit"])) or wanted.unit
        return compared(got.value * asked.scale / wanted.unit.scale, wanted.value, check)
    if got.unit.dimension != wanted.unit.dimension:
        return "it is in another kind of unit"
    return compared(got.value * got.unit.scale / wanted.unit.scale, wanted.value, check)


def shared(quantity: Quantity) -> Fraction:
    """A share as a fraction: 20 % and 0.2 are both 1/5."""
    percent = quantity.unit is not None and quantity.unit.dimension == (("%", 1),)
    return quantity.value / 100 if percent else quantity.value


def compared(got: Fraction, wanted: Fraction, check: Check) -> str:
    """ "" when the numbers are equal within the check's tolerance, which is none unless it says so."""
    room = max(
        Fraction(str(check.spec.get("tolerance", 0))), abs(wanted) * Fraction(str(check.spec.get("relative", 0)))
    )
    return "" if abs(got - wanted) <= room else f"it is {short(got)}, not {short(wanted)}"


def short(value: Fraction) -> str:
    """A number for a person to read."""
    if value.denominator == 1 and abs(value) < 10**15:
        return str(value.numerator)
    return f"{float(value):.6g}" if abs(value) < 10**300 else "an enormous number"


def read_quantity(text: str) -> Quantity | str:
    """The one number of a statement with its unit, or why there is not exactly one."""
    text = tidied(text)
    if len(text) > LONGEST:
        return f"{len(text):,} characters where one number was expected"
    text = plain(text)
    if any(sign.isnumeric() and not sign.isascii() for sign in text.replace("²", "").replace("³", "")):
        return "its digits are not plain digits"
    match = NUMBER.search(text)
    if match is None:
        return "it has no number"
    before, after = text[: match.start()], text[match.end() :].strip()
    sign, words = sign_of(before)
    value = value_of(match)
    if value is None or words is None:
        return "its number is not well-formed" if words is None else "its number is out of range"
    return with_unit(sign * value, words, after)


def plain(text: str) -> str:
    """A statement without LaTeX, the minus signs made one, and what stands before "x =" gone."""
    for pattern, replacement in LATEX:
        text = re.sub(pattern, replacement, text)
    text = text.replace("−", "-").replace("–", "-").replace("\u00a0", " ").strip("$ ") if text.count("$") == 2 else text
    text = text.replace("−", "-").replace("\u00a0", " ")
    name, equals, value = text.partition("=")
    return value.strip() if equals and re.fullmatch(r"[A-Za-z_() ]{0,30}", name) else text


def sign_of(before: str) -> tuple[int, str | None]:
    """The sign that stands before a number, and what stands before the sign; None where it is no sign ("x-5")."""
    money = before.rstrip()[-1:] if before.rstrip()[-1:] in CURRENCY else ""
    text = before.rstrip().removesuffix(money) if money else before
    if text.endswith("+"):
        return 1, text[:-1] + money if not text[:-1].strip() else None
    if text.endswith("-"):
        return -1, text[:-1] + money if text[:-1] in ("", "(") or text[-2].isspace() or text[-2] in CURRENCY else None
    if match := re.search(r"\b(?:minus|negative)\s+$", text):
        return -1, text[: match.start()] + money
    return 1, None if text[-1:].isalnum() or text.endswith((".", "_")) else text + money


def value_of(match: re.Match[str]) -> Fraction | None:
    """The exact value of a number as written, or None where it is out of range or divides by zero."""
    exponent = int((match["e"] or match["ten"] or "0")[:9])
    below = int(match["under"] or match["below"] or "1")
    if abs(exponent) > GREATEST_EXPONENT or below == 0:
        return None
    body = Fraction(match["body"].replace(",", "")) * Fraction(10) ** exponent
    return body + Fraction(int(match["above"]), below) if match["above"] else body / below


def with_unit(value: Fraction, before: str, after: str) -> Quantity | str:
    """A quantity from a number and the words around it; a text where they make it something other than one number."""
    money = before.strip()[-1:] if before.strip()[-1:] in CURRENCY else ""
    before = before.strip().removesuffix(money) if money else before.strip()
    word, _, rest = after.partition(" ")
    if word.lower() in SCALES:
        value, after = value * SCALES[word.lower()], rest.strip()
    unit, name, after = leading_unit(after)
    if money and unit not in (None, parse_unit(money)):
        return "it names two units"
    unit = parse_unit(money) if money else unit
    for words in (before, after):
        if BANNED.search(words) or not WORDS.fullmatch(words):
            return f"it says more than one number: {words[:60]!r}"
    return Quantity(value, unit, money or name)


def leading_unit(text: str) -> tuple[Unit | None, str, str]:
    """The longest unit a text begins with, its name, and the words behind it: "min left" is minutes, "left".

    "in" is inches at the end and before what is said of a length; anywhere else it is the word: "18 in total".
    """
    words = text.split(" ")
    if words[0].lower() == "in" and words[1:] and words[1].lower().rstrip(".,;") not in OF_A_LENGTH:
        return None, "", text
    for count in range(min(len(words), 6), 0, -1):
        name = " ".join(words[:count]).rstrip(",;")
        if unit := parse_unit(name):
            return unit, name, " ".join(words[count:])
    return None, "", text
