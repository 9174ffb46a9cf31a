"""What is asked about one passage: items of every kind, each with its question, its shown text and its answers.

    for item in items_of(document, passage, lexicon, seed): item.kind, item.prompt, item.good, item.bad

The first stage writes an item's prompt, the second finds the same item again and writes its answers: items depend on
the document alone. A kind belongs to one category of the mix; its name and version are the prompt's template.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from realign.curate.authors.extractive.clauses import Clause, split_clause
from realign.curate.authors.extractive.closed import LEANING_STARTS, STOP
from realign.curate.authors.extractive.excerpts import is_showable, pronouns_are_told
from realign.curate.authors.extractive.grammar import is_about_itself, is_plain_statement, words
from realign.curate.authors.extractive.lexicon import Lexicon
from realign.curate.authors.extractive.questions import has_verb
from realign.curate.authors.extractive.sentences import Sentence
from realign.curate.authors.extractive.wording import one_of
from realign.curate.authors.rules import PASSAGE_FORMS
from realign.records import Passage, Prompt, make_id

VERSION = "1"
ADDRESSED = re.compile(r"(?:You|We|Your|Our|One|The reason)\b")  # said to the reader, or by the authors of themselves
CATEGORY = {
    "fact": "confident", "verdict": "confident", "sibling": "refusal", "withheld": "refusal", "unsaid": "refusal",
    "cut": "hedged", "hedge": "hedged", "gap": "hedged", "partial": "edge", "premise": "edge", "numbers": "edge",
    "contradicted": "edge",
}  # fmt: skip
WINDOW_WORDS, MOST_SENTENCES, FEWEST_SHOWN = 130, 6, 2
TOLD = re.compile(r"(?P<first>[A-Z]\w+) (?:each|every|the|your|all|both|a|an)\b")
T = TypeVar("T")
Made = tuple[str, str]  # (method, text)


@dataclass(frozen=True, slots=True)
class Item:
    """Something to ask about a passage.

    focus: what it asks about: the fact that answers it, or for what the passage does not tell the indirect question.
    good and bad are (method, text) of answers; {confidence} in a text is filled with the confidence it has earned.
    evidence: the features that its confidence is measured by, () where it states none; right: whether its guess is
    the truth; unsure: what to say instead where the guess has not earned enough confidence.
    """

    kind: str
    question: str
    shown: str
    sentence: Sentence
    focus: str
    good: tuple[Made, ...]
    bad: tuple[Made, ...]
    evidence: tuple[object, ...] = ()
    right: bool = True
    unsure: str = ""

    def prompt(self, passage: Passage, author: str = "extractive") -> Prompt:
        """The prompt that shows the text and asks the question."""
        form = one_of(PASSAGE_FORMS, self.question, self.shown)
        text = form.format(passage=self.shown, question=self.question)
        return Prompt(
            make_id("prompt", passage.id, text), passage.id, text, f"{self.kind}/{VERSION}", self.focus,
            self.sentence.start, self.sentence.end, author,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Subject:
    """A sentence that can be asked about, its clause, and the sentences shown around it (itself among them)."""

    sentence: Sentence
    clause: Clause | None
    window: tuple[Sentence, ...]
    passage: Passage
    lexicon: Lexicon = field(repr=False)

    def text(self, *left_out: Sentence) -> str:
        """The shown sentences as one line, without some of them."""
        return " ".join(whole(each, self.passage) for each in self.window if each not in left_out)

    @property
    def quote(self) -> str:
        """The sentence as the document has it."""
        return verbatim(self.sentence, self.passage)


def verbatim(sentence: Sentence, passage: Passage) -> str:
    """A sentence, without the word that ties it to the one before, exactly as the document has it."""
    return passage.text[sentence.start - passage.start : sentence.end - passage.start]


def whole(sentence: Sentence, passage: Passage) -> str:
    """A sentence with its leading connective, on one line."""
    return " ".join(passage.text[sentence.whole - passage.start : sentence.end - passage.start].split())


def subjects_of(passage: Passage, lexicon: Lexicon) -> Iterator[Subject]:
    """The sentences of a passage that can be asked about, in order."""
    if passage.role != "prose":
        return
    around = lexicon.sentences.get(passage.id, [])
    for place, sentence in enumerate(around):
        text = sentence.text
        if not is_usable(sentence, passage, lexicon):
            continue
        window = _window(place, around, passage, lexicon)
        found = Subject(sentence, split_clause(text, lexicon), window, passage, lexicon)
        if len(window) > FEWEST_SHOWN and pronouns_are_told(text, found.text(), lexicon):
            yield found


def is_usable(sentence: Sentence, passage: Passage, lexicon: Lexicon) -> bool:
    """True for a plain statement that speaks of its own subject and can stand in quotation marks."""
    text = sentence.text
    plain = is_plain_statement(text) and is_about_itself(text) and not lexicon.is_instruction(text)
    plain = plain and not ADDRESSED.match(text) and not tells(text)
    quotable = not any(mark in text for mark in '“”"\n') and "\n" not in verbatim(sentence, passage)
    return plain and quotable and has_verb(text, lexicon)


def tells(text: str) -> bool:
    """True for a sentence that starts like an order: "Number each department." """
    match = TOLD.match(text)
    first = match["first"].lower() if match else "the"
    return first not in STOP | {"half"} and not first.endswith(("ing", "ly"))


def _window(place: int, around: list[Sentence], passage: Passage, lexicon: Lexicon) -> tuple[Sentence, ...]:
    """The sentence with neighbors that can be shown, by turns before and after it, within WINDOW_WORDS."""
    first = last = place
    count, open_ends = len(around[place].text.split()), {-1, 1}
    while open_ends and last - first + 1 < MOST_SENTENCES:
        for step in sorted(open_ends):
            at = first - 1 if step < 0 else last + 1
            fits = 0 <= at < len(around) and is_showable(around[at], lexicon)
            size = len(around[at].text.split()) if fits else 0
            if not fits or count + size > WINDOW_WORDS or last - first + 1 >= MOST_SENTENCES:
                open_ends.discard(step)
                continue
            first, last, count = min(first, at), max(last, at), count + size
    while first < place and leans(around[first], passage):
        first += 1
    return tuple(around[first : last + 1])


def leans(sentence: Sentence, passage: Passage) -> bool:
    """True for a sentence whose first word points back at the one before it."""
    found = words(whole(sentence, passage))
    return not found or found[0].lower() in LEANING_STARTS


def items_of(passage: Passage, lexicon: Lexicon) -> list[Item]:
    """Every item about a passage, in the order of its sentences; a question is asked once of the same shown text."""
    from realign.curate.grounding import answerable, edges, unanswerable, uncertain

    found: dict[tuple[str, str], Item] = {}
    for subject in subjects_of(passage, lexicon):
        for maker in (uncertain.items, answerable.items, unanswerable.items, edges.items):
            for item in maker(subject):
                found.setdefault((item.question, item.shown), item)
    return list(found.values())


def take_turns(items: Iterable[T], kind: Callable[[T], str]) -> list[T]:
    """The items with one of each kind first, then a second of each, and so on; in each round as CATEGORY has them."""
    order, places = {name: place for place, name in enumerate(CATEGORY)}, Counter[str]()
    ranked = []
    for item in items:
        name = kind(item)
        ranked.append((places[name], order.get(name, len(order)), item))
        places[name] += 1
    return [item for _, _, item in sorted(ranked, key=lambda one: one[:2])]
