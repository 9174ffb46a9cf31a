"""Prompts about a passage, each made from one sentence that answers it.

Open questions where the sentence's form gives one (wh.py, facts.py), and one that shows a statement (statements.py). A
sentence that stands alone is asked about by itself; one that leans on its neighbors together with them, as an excerpt.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from realign.curate.authors.extractive import facts, statements, wh
from realign.curate.authors.extractive.answers import wrong_answers
from realign.curate.authors.extractive.clauses import Clause, split_clause
from realign.curate.authors.extractive.closed import PAST
from realign.curate.authors.extractive.excerpts import excerpt_of, pronouns_are_told
from realign.curate.authors.extractive.explain import explanation
from realign.curate.authors.extractive.grammar import (
    NUMBER,
    is_about_itself,
    is_plain_statement,
    stands_alone,
    words,
)
from realign.curate.authors.extractive.lexicon import GLOSSARY, Lexicon
from realign.curate.authors.extractive.negatives import false_variants
from realign.curate.authors.extractive.sentences import Sentence
from realign.curate.authors.extractive.wording import Question, one_of, prompt_text, seed_of
from realign.records import Document, Passage, Prompt, make_id

VERSION = "2"
MOST = 4
Maker = Callable[[Sentence, Clause | None, Lexicon, bool], Question | None]
OPEN: tuple[Maker, ...] = (
    wh.definition, facts.who, facts.when, facts.where, facts.share, facts.amount, facts.how_many, wh.name, wh.use,
    wh.reason, wh.purpose, wh.condition, wh.means, facts.which, wh.object_,
)  # fmt: skip
# The forms that show a statement take turns by the sentence; one that a sentence does not allow passes to the next.
SHOWN: tuple[Maker, ...] = (
    statements.blank, statements.check_false, statements.correction, statements.check_true, statements.choice,
)  # fmt: skip
# A statement shown under a passage that holds nothing else asks only to copy.
LEAST_AROUND = 4
SHOWING = frozenset({"blank", "check-true", "check-false", "choice", "correction"})
VERDICTS = frozenset({"check-true", "check-false"})


@dataclass(frozen=True, slots=True)
class Asks:
    """Which questions are wanted. open: open ones also where no wrong answer can be made, and explanations of several
    sentences; shown: ones that show a statement. A question that is not open needs a wrong answer."""

    open: bool = False
    shown: bool = True


CONTRASTED, ONLY_OPEN = Asks(), Asks(open=True, shown=False)
GLOSSES = (
    "What does the term “{term}” mean?",
    "What is meant by “{term}”?",
    "How would you define “{term}”?",
    "Define the term “{term}”.",
)


def ask(
    document: Document, passage: Passage, lexicon: Lexicon, quota: int, seed: int, asks: Asks = CONTRASTED
) -> list[Prompt]:
    """At most `quota` prompts about a passage, four a sentence at most, in the order of its sentences."""
    if passage.role == "glossary":
        found = [(question, "") for question in _about_glossary(passage, lexicon)]
    elif passage.role in ("prose", "exercise"):
        found = list(_about_prose(passage, lexicon, seed, asks))
    else:
        return []
    ranked = sorted(found, key=lambda pair: (pair[0].template in VERDICTS, pair[0].sentence.start))[:quota]
    prompts: dict[str, Prompt] = {}
    for question, excerpt in sorted(ranked, key=lambda pair: pair[0].sentence.start):
        prompt = _as_prompt(question, excerpt, passage)
        prompts.setdefault(prompt.id, prompt)
    return list(prompts.values())


def _as_prompt(question: Question, excerpt: str, passage: Passage) -> Prompt:
    text = prompt_text(question, excerpt)
    return Prompt(
        make_id("prompt", passage.id, text), passage.id, text, f"{question.template}/{VERSION}", question.asked,
        question.sentence.start, question.sentence.end, "extractive",
    )  # fmt: skip


def _about_glossary(passage: Passage, lexicon: Lexicon) -> Iterator[Question]:
    """One question a term whose definition is a plain noun phrase."""
    offset = 0
    for line in passage.text.split("\n"):
        match = GLOSSARY.match(line.strip())
        if (
            match
            and wh.DEFINES.match(match["rest"])
            and is_plain_statement(f"The term means {match['rest'].rstrip('.')}.")
        ):
            start = passage.start + offset + line.index(match["term"])
            sentence = Sentence(line.strip(), start, start + len(line.strip()), passage.id, start)
            term = match["term"].strip()
            term = " ".join(part if _kept(part, lexicon) else part.lower() for part in term.split(" "))
            text = one_of(GLOSSES, term).format(term=term)
            text = f"In {lexicon.title}, {text[0].lower()}{text[1:]}" if _titled(text, lexicon) else text
            yield Question(text, "glossary", term, sentence, True)
        offset += len(line) + 1


def _kept(part: str, lexicon: Lexicon) -> bool:
    """True for a word of a glossary term whose capitals are its own: a name or an abbreviation."""
    return part in lexicon.names or part[1:] != part[1:].lower()


def _titled(text: str, lexicon: Lexicon) -> bool:
    return bool(lexicon.title) and text.endswith("?") and seed_of(text) % 2 == 1


def _about_prose(passage: Passage, lexicon: Lexicon, seed: int, asks: Asks) -> Iterator[tuple[Question, str]]:
    """Up to four questions a sentence, each with its excerpt."""
    around = lexicon.sentences.get(passage.id, [])
    for sentence in around:
        text = sentence.text
        if not is_plain_statement(text) or not is_about_itself(text) or lexicon.is_instruction(text):
            continue
        if not has_verb(text, lexicon):
            continue
        excerpt = excerpt_of(sentence, around, passage, lexicon)
        if pronouns_are_told(text, excerpt, lexicon):
            alone = passage.role == "prose" and is_general(text, split_clause(text, lexicon), lexicon)
            told = len(excerpt.split()) > len(text.split()) + LEAST_AROUND
            for question in _questions(sentence, lexicon, alone, not told, seed, asks):
                if question.alone or told or (question.template not in SHOWING and not asks.open):
                    yield question, excerpt
            more = explanation(sentence, around, passage, split_clause(text, lexicon), lexicon) if alone else None
            if asks.open and more:
                yield more, ""


def _questions(sentence: Sentence, lexicon: Lexicon, alone: bool, bare: bool, seed: int, asks: Asks) -> list[Question]:
    """One or two open questions, then ones that show a statement, as the sentence's turn is.

    One more in all than the sentence has places to be wrong in, and four at most: no fact is asked for thrice.
    """
    clause = split_clause(sentence.text, lexicon)
    made = (maker(sentence, clause, lexicon, alone) for maker in OPEN)
    found = [question for question in made if question and (asks.open or wrong_answers(question, lexicon))]
    if not asks.shown:
        return found[:2]
    turn = seed_of(sentence.text, seed) % len(SHOWN)
    by_itself = alone and (bare or wh.defines(clause))
    shown = (maker(sentence, clause, lexicon, by_itself) for maker in SHOWN[turn:] + SHOWN[:turn])
    fit = [question for question in shown if question and wrong_answers(question, lexicon)]
    verdicts = [question for question in fit if question.template in VERDICTS]
    fit = [question for question in fit if question not in verdicts[1:]]
    places = {(v.start, v.end) for v in false_variants(sentence.text, lexicon) if v.method != "negation"}
    return (found[:2] + fit)[: min(MOST, 1 + max(1, len(places)))]


def has_verb(text: str, lexicon: Lexicon) -> bool:
    """True when some word after the first can be a finite verb: "Bingley, his sisters, and another man." has none."""
    found = [word.lower() for word in words(text)[1:]]
    return any(lexicon.is_verb(word) or word in PAST or word.endswith("ed") for word in found)


def is_general(text: str, clause: Clause | None, lexicon: Lexicon) -> bool:
    """True for a statement about a term of the document that holds outside its paragraph.

    In the present tense, without numbers or names, its subject a term without "the": "the mean" may be any mean.
    """
    if clause is None or not stands_alone(text) or NUMBER.search(text):
        return False
    if clause.past or clause.verb.lower() in {"was", "were", "had", "did", "will", "would"}:
        return False
    if re.match(r"\w+ing\b", clause.rest) or any(word in lexicon.names for word in words(text)[1:]):
        return False
    subject = re.sub(r"^(?:an?) ", "", clause.subject.lower())
    return subject in lexicon.terms and not clause.subject.lower().startswith("the ")
