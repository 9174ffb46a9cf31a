"""The people and places that a document names, and which of them could be taken for another.

    people, places = find_names(texts, frozenset({"Jane", "Bath"}))

A person bears a title or does what only people do ("said", "married"); a place is what things are in or at. Whoever is
neither with certainty is left out.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field

from realign.curate.authors.extractive.closed import DAYS, MONTHS

MALE, FEMALE = (
    frozenset("Mr Sir Lord King Prince Duke Colonel Captain".split()),
    frozenset("Mrs Miss Ms Lady Queen Princess Aunt".split()),
)
TITLES = MALE | FEMALE | frozenset("Dr Professor General President".split())
TITLE = "(?:" + "|".join(sorted(TITLES)) + r")\.?"
WORD = r"[A-Z][a-zà-ÿ]+(?:[A-Z][a-z]+)?(?:[’'-][A-Z]?[a-zà-ÿ]{2,})*"
NAME = re.compile(rf"(?<![\w’'-])(?:{TITLE} )?{WORD}(?: (?:[A-Z]\. )?(?:(?:de|von|van|der) (?=[A-Z]))?{WORD})*")
ACTS = re.compile(
    r"^,? (?:said|told|asked|wrote|argued|thought|felt|replied|believed|knew|married|refused|studied|loved|wanted|hoped"
    r"|cried|smiled|wished|published|described|insisted|explained|claimed|suggested|invented|discovered|was born|died"
    r"|himself|herself|who)\b"
)
INSIDE = re.compile(r"\b(?:in|at|near) $")
HE, SHE = re.compile(r"\b(?:he|him|his|himself)\b"), re.compile(r"\b(?:she|her|hers|herself)\b")
NO_NAME = MONTHS | DAYS | {"I", "God", "Earth"}
# In sentences: two people who are never named within so many of each other do not belong to one story.
MOST, NEAR = 40, 60


@dataclass(slots=True)
class Names:
    """people: name -> "m", "f" or "" where it does not show; spots: name -> the sentences that name it, by number.

    The most frequent first.
    """

    people: dict[str, str] = field(default_factory=dict)
    places: tuple[str, ...] = ()
    spots: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def nearest(self, names: Sequence[str], place: int) -> list[str]:
        """The names that a sentence within NEAR of this one names, the nearest first; on a tie the more frequent."""
        away = {name: min((abs(spot - place) for spot in self.spots.get(name, ())), default=NEAR + 1) for name in names}
        return sorted((name for name in names if away[name] <= NEAR), key=lambda name: away[name])


def find_names(texts: Sequence[str], capitals: frozenset[str]) -> Names:
    """Mine sentences; `capitals` are the words written with a capital inside sentences."""
    count: Counter[str] = Counter()
    acts: Counter[str] = Counter()
    inside: Counter[str] = Counter()
    gender: defaultdict[str, Counter[str]] = defaultdict(Counter)
    the: Counter[str] = Counter()
    spots: defaultdict[str, list[int]] = defaultdict(list)
    for place, text in enumerate(texts):
        found = list(names_in(text, capitals))
        for start, name in found:
            spots[name].append(place)
            count[name] += 1
            acts[name] += bool(ACTS.match(text[start + len(name) :]))
            inside[name] += bool(INSIDE.search(text[:start]))
            the[name] += bool(re.search(r"\b(?:[Tt]he|an?) $", text[:start]))
        if len(found) == 1:
            name = found[0][1]
            gender[name].update(m=bool(HE.search(text)), f=bool(SHE.search(text)))
    common = {word for text in texts for word in re.findall(r"\b[a-z]{3,}\b", text)}
    ranked = [name for name, n in sorted(count.items(), key=lambda item: (-item[1], item[0])) if n >= 2]
    ranked = [name for name in ranked if _proper(name, common) and not (name[-1] == "s" and name[:-1] in count)]
    people = {
        name: _gender(name, gender[name])
        for name in ranked
        if _titled(name) or (acts[name] >= 2 and acts[name] > 2 * inside[name] and the[name] * 4 < count[name])
    }
    places = [
        name for name in ranked
        if name not in people and inside[name] >= 2 and not acts[name] and not the[name]
        and inside[name] * 5 >= count[name]
    ]  # fmt: skip
    kept = dict(list(people.items())[: 4 * MOST])
    return Names(kept, tuple(places[:MOST]), {name: tuple(spots[name]) for name in (*kept, *places[:MOST])})


def names_in(text: str, capitals: frozenset[str]) -> Iterator[tuple[int, str]]:
    """(start, name) of every name in a sentence; a capital that only comes from standing first is none."""
    for match in NAME.finditer(text):
        start, name = match.start(), match[0]
        if start == 0 and not _titled(name):
            first = name.split(" ")[0]
            if first not in capitals:
                start, name = len(first) + 1, name[len(first) + 1 :]
        name = re.sub(r"[’']s$", "", name)
        if (
            name
            and name not in NO_NAME
            and name.split(" ")[0] not in NO_NAME
            and text[start : start + len(name)] == name
        ):
            yield start, name


def _titled(name: str) -> bool:
    return name.split(" ")[0].rstrip(".") in TITLES and " " in name


def _proper(name: str, common: Container[str]) -> bool:
    """True for a name that is none but a name: no "Chapter", no "The Times", no "Dutch", nothing twice."""
    parts = [part.rstrip(".") for part in name.split(" ")]
    own = [part for part in parts if part not in TITLES]
    if not own:
        return False
    plain = len(own) == 1 and (own[0].lower() in common or re.search(r"(?:ian|ean|ish|ese)$", own[0]))
    doubtful = any(part.lower() in common for part in own) and not _titled(name)
    return len(set(parts)) == len(parts) and len(own[-1]) > 2 and own[0] != "The" and not plain and not doubtful


def _gender(name: str, votes: Counter[str]) -> str:
    title = name.split(" ")[0].rstrip(".")
    if title in MALE | FEMALE and " " in name:
        return "m" if title in MALE else "f"
    if votes["m"] >= 4 and votes["m"] >= 3 * votes["f"]:
        return "m"
    return "f" if votes["f"] >= 4 and votes["f"] >= 3 * votes["m"] else ""


def other_people(name: str, text: str, names: Names) -> list[str]:
    """People who could stand in the place of `name` in a sentence: of one gender and form, and not in the sentence."""
    parts = {part[:3].lower() for part in re.findall(r"[A-Z][a-zà-ÿ]{2,}", name)} - {"mrs", "mis"}
    gender, titled = names.people.get(name, ""), _titled(name)
    # Its "he" or "she" may be the name itself, and would not fit whoever takes its place.
    if not gender and (HE.search(text) or SHE.search(text)):
        return []
    return [
        other
        for other, sex in names.people.items()
        if sex == gender and _titled(other) == titled and (titled or (" " in other) == (" " in name))
        and not any(part[:3].lower() in parts for part in re.findall(r"[A-Z][a-zà-ÿ]{2,}", other))
        and not any(part in text for part in other.split() if part.rstrip(".") not in TITLES)
    ]  # fmt: skip


def other_places(name: str, text: str, names: Names) -> list[str]:
    """Other places of the document that the sentence does not name."""
    return [other for other in names.places if other not in text and not set(other.split()) & set(name.split())]
