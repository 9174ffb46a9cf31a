"""Opposites of words and of scopes, and the places where one can stand for the other in good English.

    opposites("The mean is larger than the median.") -> [Change(12, 18, "smaller")]

The lists are short on purpose: "before" has an opposite, and "three months before" has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from realign.curate.authors.extractive.numbers import Change

ANTONYMS = (
    "increase/decrease", "increases/decreases", "increasing/decreasing", "increased/decreased", "larger/smaller",
    "largest/smallest", "greater/smaller", "greatest/smallest", "higher/lower", "highest/lowest", "longer/shorter",
    "longest/shortest", "faster/slower", "stronger/weaker", "strong/weak", "high/low", "maximum/minimum",
    "before/after", "above/below", "inside/outside", "north/south", "east/west", "northern/southern",
    "eastern/western", "rises/falls", "positive/negative", "positively/negatively", "internal/external",
    "upper/lower", "warm/cold", "warmer/colder", "hotter/cooler", "heavy/light", "heavier/lighter", "deep/shallow",
    "deeper/shallower", "thick/thin", "thicker/thinner", "wide/narrow", "wider/narrower", "nearer/farther",
    "earliest/latest", "easy/difficult", "easier/harder", "common/rare", "likely/unlikely", "finite/infinite",
    "discrete/continuous", "closer/farther", "dry/wet", "rough/smooth", "always/never", "often/rarely",
    "usually/rarely", "frequently/seldom", "quickly/slowly", "gradually/suddenly", "attract/repel",
    "attracts/repels", "absorbs/releases", "expands/contracts", "strengthens/weakens", "raises/lowers",
    "qualitative/quantitative", "dependent/independent", "more/fewer", "most/fewest",
    "older/younger", "easiest/hardest", "advantages/disadvantages",
)  # fmt: skip
OPPOSITE: dict[str, str] = {}
for _pair in ANTONYMS:
    _one, _other = _pair.split("/")
    OPPOSITE.setdefault(_one, _other)
    OPPOSITE.setdefault(_other, _one)
# Never put in themselves: "never" turned round is rarely "always", "fewer" rarely "more".
ONE_WAY = frozenset("never rarely seldom fewer fewest".split())
MODIFIED = re.compile(r"[a-z]+(?:ly|ed|ing|al|ive|ous|ant|ent|ic|ble)$")
# What must follow a word, in lower case, for its opposite to stand in the same place.
FOLLOWS = {
    "before": r" (?:the|a|an|each|every|any) (?!\w+s? (?:before|after))[a-z]+",
    "after": r" (?:the|a|an|each|every|any) (?!\w+s? (?:before|after))[a-z]+",
    "above": r" (?:the|a|an) ", "below": r" (?:the|a|an) ", "inside": r" (?:the|a|an) ", "outside": r" (?:the|a|an) ",
    "more": r" [a-z]+[^s\W]s\b(?! or\b)", "most": r" [a-z]+[^s\W]s\b",
    "rises": r"(?: with\b| when\b| as\b| during\b|[.,])",
    "falls": r"(?: with\b| when\b| as\b| during\b|[.,])", "easy": r" to\b", "difficult": r" to\b",
    "light": r" [a-z]+s\b", "high": r"(?! (?:school|schools|water|waters|tide|tides|street|seas?)\b)",
    "low": r"(?! (?:water|waters|tide|tides)\b)",
    "common": r"(?: in\b| among\b|[.,])", "rare": r"(?: in\b| among\b|[.,])",
    "raises": r" (?!no\b)", "lowers": r" (?!no\b)",
}  # fmt: skip
# What must not stand before a word: "more likely" has no "more unlikely", "a few minutes longer" no "shorter".
AFTER_DEGREE = re.compile(r"\b(?:more|less|most|least|very|as|so|too|how|equally|just|quite|rather|in|no|not|any) $")
DEGREED = frozenset("likely unlikely common easy rare dependent independent".split())
AFTER_SPAN = re.compile(r"\b(?:minutes?|hours?|days?|weeks?|months?|years?|long|shortly|soon|ever|moment|time) $")
SPANNED = frozenset("before after longer shorter".split())
APART = re.compile(r" (?:back|out|off|apart|short|up|down|into|behind|through|on|away|or|and|in common)\b")

SCOPES = (
    (re.compile(r"^Some(?= (?:[a-z]+ )?[a-z]+s (?!of\b))"), "All"),
    (re.compile(r"^Most(?= (?:[a-z]+ )?[a-z]+s (?!of\b))"), "Few"),
    (re.compile(r"^Many(?= (?:[a-z]+ )?[a-z]+s (?!of\b))"), "Few"),
    (re.compile(r"^All(?= (?!is\b|was\b|has\b)(?:the )?(?:[a-z]+ )?[a-z]+s )"), "Only a few of"),
    (re.compile(r"\bat least(?= (?:\d|two|three|four|five|half))"), "at most"),
    (re.compile(r"\bat most(?= (?:\d|two|three|four|five|half))"), "at least"),
    (re.compile(r"\bmore than(?= (?:\d|\$\d|two|three|four|five|half))"), "less than"),
    (re.compile(r"\bless than(?= (?:\d|\$\d|half))"), "more than"),
)
DENIED = re.compile(r"\b(?:not|no|nor|neither|never|cannot|hardly|only|none)\b|n't\b")


def opposites(text: str) -> list[Change]:
    """Up to three words that can become their opposite, unless both are in the sentence already."""
    lows = set(re.findall(r"[a-z]+", text.lower()))
    return [
        Change(match.start(), match.end(), OPPOSITE[match[0]])
        for match in re.finditer(r"(?<![\w-])[a-z]+(?![\w-])", text)
        if match[0] in OPPOSITE and match[0] not in ONE_WAY and OPPOSITE[match[0]] not in lows and _fits(text, match)
    ][:3]


def _fits(text: str, match: re.Match[str]) -> bool:
    word, left, right = match[0], text[: match.start()], text[match.end() :]
    needed = FOLLOWS.get(word)
    if needed is not None and not re.match(needed, right):
        return False
    if word in ("more", "most"):
        after = re.match(r" ([a-z]+)", right)
        if after is None or MODIFIED.match(after[1]) or re.search(r"\b(?:the|no|any|much|far|once|not) $", left):
            return False
    if APART.match(right) or re.search(r"\b(?:or|and|as|no) $", left):
        return False
    if word in DEGREED and AFTER_DEGREE.search(left):
        return False
    return not (word in SPANNED and AFTER_SPAN.search(left)) and not DENIED.search(text)


def scopes(text: str) -> Iterator[Change]:
    """ "Most coasts …" becomes "Few coasts …", "more than 5" "less than 5": only where nothing is denied already."""
    if DENIED.search(text):
        return
    for pattern, new in SCOPES:
        if (match := pattern.search(text)) and len(pattern.findall(text)) == 1:
            article = " the" if new.endswith(" of") and not text.startswith(" the ", match.end()) else ""
            yield Change(match.start(), match.end(), new + article)
