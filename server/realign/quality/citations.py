"""What an answer says of itself, read from its text alone: its claims, what it cites, how sure it is, what it refuses.

    read_answer("Six hours. The passage says: “The flood lasts six hours.” I am 95 % sure.")
      -> Spoken(claims=(Said("Six hours.", (0,)),), quotes=("The flood lasts six hours.",), confidence=0.95, ...)

A citation is a quotation of at least three words in double quotation marks, straight or curly; one that stands at a
mark such as [1] belongs to the sentences that wear the mark. Judges and gates read answers with this and nothing else:
how an answer was made is not in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

QUOTE = re.compile(r"“([^“”]+)”|\"([^\"\n]+)\"")
FEWEST_WORDS = 3
HOLDER = re.compile("\ue000(\\d+)\ue001")  # stands for a quotation while sentences are parted
NOTE = re.compile(r"^\s*\[(\d+)\]:?\s*\ue000(\d+)\ue001\s*$", re.MULTILINE)
MARK = re.compile(r"\s*\[(\d+)\]")
PERCENT = r"(?P<{name}>\d{{1,3}}(?:\.\d+)?) ?(?:%|percent)"
CONFIDENCE = re.compile(
    rf"\b{PERCENT.format(name='one')} (?:sure|confident|certain|confidence)\b"
    rf"|\b(?:confidence|certainty|sure|confident|certain)(?: in \w+)?(?: is| of| at|:|,)*"
    rf" (?:about |roughly |around )?{PERCENT.format(name='other')}",
    re.IGNORECASE,
)
REFUSES = re.compile(
    r"\b(?:does not|doesn't|do not|don't|did not|never|nowhere|nothing in (?:it|the \w+)|no part of (?:it|the \w+))"
    r" (?:say|says|tell|tells|state|states|mention|mentions|give|gives|answer|answers|name|names|explain|specify"
    r"|specifies|know|contain|provide|settle|settles|cover)\b"
    r"|\b(?:can't|cannot|can not|could not|couldn't|impossible to) (?:be )?"
    r"(?:tell|told|say|said|know|known|determine|determined|answer|answered|see|read)\b"
    r"|\bis(?: not|n't) (?:said|told|stated|given|known|mentioned|named|answered|in (?:the|this) (?:passage|text))\b"
    r"|\b(?:leaves|left) (?:it |that |this )?open\b|\bgives? no (?:answer|figure|number|name|reason)\b"
    r"|\bno answer\b|\bis silent\b|\bhas no answer\b",
    re.IGNORECASE,
)
DENIES = re.compile(
    r"\b(?:question|it|that) (?:assumes|takes for granted|presupposes|rests on)\b|\bis not what (?:the|this) \w+ says\b"
    r"|\bdoes not (?:bear out|support)\b|\bsays? otherwise\b|\bfalse premise\b",
    re.IGNORECASE,
)
# Words of speaking about a passage: a sentence of nothing else leads up to a citation and claims nothing.
LEADING = frozenset(
    "the this that these it its is are was an a of in on to and or but for from by as so only just all what which where"
    " how here there nearest closest comes come says say said states state stated reads read tells tell told gives give"
    " puts put goes go went on begins begin speaks speak names name naming calls passage text excerpt source context"
    " evidence quote citation according own words sentence line subject point matter question itself outright directly"
    " plainly answers answer something anything someone without does not never no more further following follows see"
    " we find found with us rests this's passage's text's does do at least much though first then about nothing"
    " hint hints basis clue one statement letter first legible illegible right after before rest term begins stands"
    " stood damaged place occurs fit fits would elsewhere uses use has have gap beside said kind instead".split()
)
ANSWER_IS = re.compile(
    r"^(?:so|thus|therefore|hence)?,? ?(?:the|my) answer(?: here)?(?: is)?(?: that)?:? |^answer: ", re.IGNORECASE
)
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=\S)|\n+|(?<=\ue001)\s+(?=[A-Z\[(])")


@dataclass(frozen=True, slots=True)
class Said:
    """One claim of an answer. cites: places in `Spoken.quotes` of what it cites.

    kind: "claim" states something, "refusal" says what the passage does not tell, "denial" that the question is wrong.
    """

    text: str
    cites: tuple[int, ...]
    kind: Literal["claim", "refusal", "denial"] = "claim"


@dataclass(frozen=True, slots=True)
class Spoken:
    """An answer as it reads. confidence in 0..1, None where none is stated. refuses: its first claim is a refusal."""

    claims: tuple[Said, ...]
    quotes: tuple[str, ...]
    confidence: float | None

    @property
    def refuses(self) -> bool:
        """True for an answer that begins by saying that the passage does not tell."""
        return bool(self.claims) and self.claims[0].kind == "refusal"


def read_answer(text: str) -> Spoken:
    """Claims in order, each with the quotations in its sentence or, where it has none, in the next one."""
    quotes: list[str] = []

    def hold(match: re.Match[str]) -> str:
        quote = (match[1] or match[2]).strip()
        if len(quote.split()) < FEWEST_WORDS:
            return match[0]
        quotes.append(quote)
        return f"\ue000{len(quotes) - 1}\ue001"

    body = QUOTE.sub(hold, text)
    notes = {mark: int(place) for mark, place in NOTE.findall(body)}
    parts = [part for part in SENTENCE_END.split(NOTE.sub("", body)) if part and part.strip()]
    return Spoken(_claims(parts, notes, quotes), tuple(quotes), stated_confidence(text))


def _claims(parts: Sequence[str], notes: dict[str, int], quotes: Sequence[str]) -> tuple[Said, ...]:
    found: list[Said] = []
    for part in parts:
        cites = tuple(int(place) for place in HOLDER.findall(part))
        cites += tuple(notes[mark] for mark in MARK.findall(part) if mark in notes)
        said = _bare(part)
        refuses = REFUSES.search(said) is not None
        if said and not CONFIDENCE.search(said) and (refuses or not said.endswith("?")):
            kind = "denial" if DENIES.search(said) else "refusal" if refuses else "claim"
            found.append(Said(said, cites, cast(Any, kind)))
        elif cites and found and not found[-1].cites and found[-1].kind != "refusal":
            found[-1] = Said(found[-1].text, cites, found[-1].kind)
        elif cites:
            found += [Said(quotes[place], (place,)) for place in cites]
    return tuple(_with_cites(found))


def _with_cites(found: Sequence[Said]) -> Iterator[Said]:
    """Each claim with its citations; one without takes those of the next claim that has some, else of the last one."""
    for place, said in enumerate(found):
        near = (other.cites for other in (*found[place:], *reversed(found[:place])) if other.cites)
        yield said if said.kind == "refusal" else Said(said.text, next(near, ()), said.kind)


def _bare(part: str) -> str:
    """The words of a sentence without its quotations and marks, or "" where the rest only leads up to them."""
    said = " ".join(MARK.sub("", HOLDER.sub(" ", part)).split()).strip(" :,;–—-")
    leads = HOLDER.search(part) is not None or part.rstrip().endswith(":")
    spoken = [word for word in re.findall(r"[\w’']+", said.lower()) if not (leads and word in LEADING)]
    return ANSWER_IS.sub("", said) if spoken else ""


def stated_confidence(text: str) -> float | None:
    """The confidence an answer states of itself, in 0..1: the last one where there are several; None without one."""
    found = [match["one"] or match["other"] for match in CONFIDENCE.finditer(QUOTE.sub(" ", text))]
    return min(100.0, float(found[-1])) / 100 if found else None


def states(spoken: Spoken, reference: str) -> bool:
    """True when an answer's first claim holds the reference, word for word: then a stated confidence was right."""
    said = _folded(spoken.claims[0].text) if spoken.claims else ""
    return f" {_folded(reference)} " in f" {said} "


def _folded(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+(?:[.,]\d+)*%?", text.lower()))


def find_quote(quote: str, text: str) -> tuple[int, int] | None:
    """Where a quotation stands in a text, verbatim but for white space and the form of quotation marks; else None.

    A full stop that the quotation adds at its end, and an ellipsis at either end, are no part of it.
    """
    words = quote.strip(" …").removesuffix("...").removeprefix("...").split()
    for tokens in (words, [*words[:-1], words[-1].rstrip(".,;")] if words else []):
        if tokens and any(tokens) and (found := re.search(r"\s+".join(map(re.escape, tokens)), text)):
            return found.span()
    return None
