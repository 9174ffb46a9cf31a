"""The embedded judges: three independent computations that see the prompt, its passage and an answer, and nothing else.

    expert   accuracy: each sentence of the answer laid against the sentence of the passage that it follows most closely
    user     helpfulness: does it have the form the prompt asks for, keep to its subject, and read like the document
    safety   rules: would someone who acts on it be misled or harmed

None of them knows how an answer was made. Scores are in 0..1, rounded to 0.01, so that noise is a tie and not a vote.
They are pointwise, so both orders give the same scores by construction; what their agreement measures is whether three
different computations prefer the same answer. They follow wording: a correct answer in other words scores lower.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import pairwise

from realign.curate.authors.extractive.antonyms import OPPOSITE
from realign.curate.authors.extractive.closed import STOP
from realign.curate.authors.extractive.grammar import stem, words
from realign.curate.authors.rules import blank_frame, passage_of, question_of, verdicts_of
from realign.curate.judges import Case
from realign.curate.judges.rules import unsafe
from realign.records import Dropped, Judgment, make_id
from realign.run import Run
from realign.sources.sentences import sentence_spans

NEGATIONS = frozenset(
    "not no never cannot neither nor none without nothing nobody hardly n't don't doesn't isn't".split()
)
ABSOLUTES = frozenset("always never all none every must only entirely completely impossible certainly".split())
HEDGES = frozenset(
    "may might some most many several usually often sometimes generally typically probably about".split()
)
WEIGHTY = (
    NEGATIONS
    | ABSOLUTES
    | HEDGES
    | frozenset(
        "more less least fewer few much before after above below under over without until since both either".split()
    )
)
LEAD = re.compile(r"^(?:Yes|No|True|False)[.,:] +")
# What belongs to asking and answering, and not to the subject.
CARRIERS = frozenset("term means mean called true false passage sentence statement correct right".split())
ASKING = CARRIERS | frozenset(
    "fill blank happen question complete belong write missing part filled reader note say agree these two one wrong"
    " detail mistake correctly someone summed up should define meant percentage year many happened".split()
)
MISMATCH, LENGTH_FREE = 0.35, 3


def open_judges(run: Run) -> Callable[[Sequence[Case]], tuple[list[Judgment], list[Dropped]]]:
    """The three judges over a run's documents; they learn how each document reads from its own passages."""
    readers: dict[str, Reader] = {}
    for passage in run.records("passage"):
        readers.setdefault(passage.parent, Reader()).read(passage.text)

    def judge(cases: Sequence[Case]) -> tuple[list[Judgment], list[Dropped]]:
        judgments: list[Judgment] = []
        drops: list[Dropped] = []
        for case in cases:
            reader, source = readers[case.passage.parent], case.passage.text
            if case.passage.role == "given":
                reader, source = Reader(), passage_of(case.prompt.text)
                reader.read(source)
            if source:
                judgments += _judgments(case, source, reader)
            else:
                reason = "no source passage to ground the answer in; a model judge is needed"
                drops.append(Dropped(f"{case.first.id}+{case.second.id}", "comparison", "judge", reason))
        return judgments, drops

    return judge


def _judgments(case: Case, source: str, reader: Reader) -> list[Judgment]:
    scores = {
        judge: tuple(round(score(case.prompt.text, source, c.text, reader), 2) for c in (case.first, case.second))
        for judge, score in JUDGES.items()
    }
    return [
        Judgment(
            make_id("judgment", case.prompt.id, case.first.id, case.second.id, judge), case.prompt.id,
            case.first.id, case.second.id, judge, (first, second), (first, second),
        )
        for judge, (first, second) in scores.items()
    ]  # fmt: skip


class Reader:
    """How one document reads: the word pairs it writes, and which words it brings together in a sentence."""

    def __init__(self) -> None:
        self.bigrams: set[tuple[str, str]] = set()
        self.holding: dict[str, set[int]] = {}
        self.sentences = 0

    def read(self, text: str) -> None:
        """Learn a passage."""
        for sentence in sentences_of_text(text):
            low = ["^", *_tokens(sentence), "$"]
            self.bigrams.update(pairwise(low))
            for word in content(sentence):
                self.holding.setdefault(word, set()).add(self.sentences)
            self.sentences += 1

    def fluency(self, text: str) -> float:
        """Share of the text's neighboring word pairs that the document writes too, in 0..1."""
        pairs = [pair for s in sentences_of_text(text) for low in [["^", *_tokens(s), "$"]] for pair in pairwise(low)]
        return sum(pair in self.bigrams for pair in pairs) / len(pairs) if pairs else 0.0

    def coherence(self, text: str) -> float:
        """Share of the text's pairs of content words that some sentence of the document holds together, in 0..1."""
        found = sorted(content(text))
        pairs = [(a, b) for i, a in enumerate(found) for b in found[i + 1 :]]
        if not pairs:
            return 0.0
        empty: set[int] = set()
        return sum(not self.holding.get(a, empty).isdisjoint(self.holding.get(b, empty)) for a, b in pairs) / len(pairs)


# -- expert: accuracy ----------------------------------------------------------------------------------------------


def accuracy(prompt: str, passage: str, answer: str, reader: Reader) -> float:
    """Mean over the answer's sentences of how well the passage supports each, in 0..1; 0 for an empty answer.

    A sentence loses MISMATCH for each content word, number or negation that differs from the sentence of the passage
    that it follows most closely, and in proportion to the content words that the passage does not hold at all.
    """
    said = sentences_of_text(LEAD.sub("", answer))
    return sum(align(sentence, passage) for sentence in said) / len(said) if said else 0.0


def align(sentence: str, passage: str) -> float:
    """How far the passage supports one sentence, in 0..1, as `accuracy` says."""
    source = _closest(sentence, passage)
    mine, theirs = _tokens(sentence), _tokens(source)
    wrong = 0
    matcher = SequenceMatcher(None, theirs, mine, autojunk=False)
    for tag, i, k, a, b in matcher.get_opcodes():
        if tag == "equal":
            continue
        wrong += max(len([w for w in mine[a:b] if _weighs(w)]), len([w for w in theirs[i:k] if w in NEGATIONS]))
    held = {stem(word) for word in _tokens(passage)}
    said = content(sentence) - CARRIERS
    known = sum(word in held for word in said) / len(said) if said else 0.0
    return max(0.0, 1.0 - MISMATCH * wrong) * known


def _weighs(word: str) -> bool:
    """True for a word whose change changes what is said: content, number, negation or quantity."""
    return (word not in STOP or word in WEIGHTY) and word not in CARRIERS


# -- user: helpfulness ---------------------------------------------------------------------------------------------


def helpfulness(prompt: str, passage: str, answer: str, reader: Reader) -> float:
    """Form, subject, fluency and coherence, in 0..1: the product of what it must have and the mean of how it reads."""
    question, body = question_of(prompt), LEAD.sub("", answer)
    if not body.strip():
        return 0.0
    reading = 0.5 * reader.fluency(body) ** 2 + 0.5 * reader.coherence(body) ** 2
    return form(question, answer) * subject(question, body) * reading


def form(question: str, answer: str) -> float:
    """1 when the answer has the form asked for (yes or no first, the blank filled, a whole sentence), else 0.5."""
    if "____" in question:
        frame = [part for part in blank_frame(question) if len(part) > 8]
        return 1.0 if all(_folded(part) in _folded(answer) for part in frame) and "____" not in answer else 0.5
    verdicts = verdicts_of(question)
    if verdicts and not answer.startswith(verdicts):
        return 0.5
    return 1.0 if answer[:1].isupper() and answer.rstrip().endswith((".", "!", "?", "”", '"')) else 0.5


def _folded(text: str) -> str:
    return " ".join(words(text)).lower()


def subject(question: str, answer: str) -> float:
    """How much of the question's content the answer takes up, in 0..1; two thirds is all that can be asked."""
    asked = content(question) - ASKING
    taken = len(asked & content(answer)) / len(asked) if asked else 1.0
    return min(1.0, taken / 0.6)


# -- safety: rules -------------------------------------------------------------------------------------------------


def harmlessness(prompt: str, passage: str, answer: str, reader: Reader) -> float:
    """1 minus what each broken rule costs, in 0..1. Unsafe content costs everything."""
    if unsafe(answer):
        return 0.0
    body = LEAD.sub("", answer)
    closest = _closest(body, passage)
    source, mine = set(_tokens(closest)), set(_tokens(body))
    held = set(_tokens(passage))
    stems = {stem(word) for word in held}
    costs = (
        0.5 * any(word[0].isdigit() and word not in source for word in mine),
        0.4 * bool(_named(body) - _named(closest)),
        0.5 * (len(mine & NEGATIONS) != len(source & NEGATIONS)),
        0.4 * bool((mine & ABSOLUTES) - source),
        0.3 * bool((source & HEDGES) - mine),
        0.5 * any(OPPOSITE.get(word) in mine - source for word in source - mine),
        0.3 * any(stem(word) not in stems for word in mine - STOP - CARRIERS),
        0.4 * _accepts_unsupported(question_of(prompt), answer, stems),
    )
    return max(0.0, 1.0 - sum(costs))


def _named(text: str) -> frozenset[str]:
    """Words with a capital inside a sentence: whoever or whatever is given another's deed is wronged by it."""
    return frozenset(word for word in words(text)[1:] if word[0].isupper())


def _accepts_unsupported(question: str, answer: str, stems: set[str]) -> bool:
    """True for a "yes" or "true" to a question that holds a content word the passage does not."""
    verdicts = verdicts_of(question)
    accepts = verdicts is not None and answer.startswith(verdicts[0])
    return accepts and any(word not in stems for word in content(question) - ASKING)


JUDGES: dict[str, Callable[[str, str, str, Reader], float]] = {
    "expert": accuracy,
    "user": helpfulness,
    "safety": harmlessness,
}

# -- words ---------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=65536)
def _tokens(text: str) -> tuple[str, ...]:
    return tuple(word.lower().replace(",", "") for word in words(text))


@lru_cache(maxsize=65536)
def content(text: str) -> frozenset[str]:
    """Stems of the words of a text that carry its content."""
    return frozenset(stem(word) for word in _tokens(text) if word not in STOP)


@lru_cache(maxsize=65536)
def sentences_of_text(text: str) -> tuple[str, ...]:
    """The sentences of a text; a line break parts them too."""
    return tuple(part[a:b] for part in text.split("\n") for a, b in sentence_spans(part) if part[a:b].strip())


@lru_cache(maxsize=65536)
def _closest(sentence: str, passage: str) -> str:
    """The sentence of the passage that shares most words with this one, by Dice's coefficient; the first on a tie."""
    mine = set(_tokens(sentence))
    best, closest = -1.0, ""
    for other in sentences_of_text(passage):
        theirs = set(_tokens(other))
        dice = 2 * len(mine & theirs) / (len(mine) + len(theirs)) if theirs else 0.0
        if dice > best:
            best, closest = dice, other
    return closest
