"""Questions that the shown passage answers: after a fact of a sentence, or after a verdict on it.

The grounded answer gives the fact and cites the sentence. Rejected beside it: the same answer with one thing made
wrong, in a quotation that the passage does not hold, and a refusal of what the passage plainly tells.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from realign.curate.authors.extractive import statements
from realign.curate.authors.extractive.answers import wrong_answers
from realign.curate.authors.extractive.clauses import Clause
from realign.curate.authors.extractive.grammar import NUMBER
from realign.curate.authors.extractive.lexicon import Lexicon
from realign.curate.authors.extractive.negatives import Variant, false_variants
from realign.curate.authors.extractive.questions import OPEN
from realign.curate.authors.extractive.sentences import Sentence
from realign.curate.authors.extractive.wh import defines, inside
from realign.curate.authors.extractive.wording import Question
from realign.curate.authors.rules import verdicts_of
from realign.curate.grounding.items import Item, Subject
from realign.curate.grounding.wording import grounded, indirect, refusal, verdict, whether, with_sure

LONGEST_FACT, LONGEST_REST = 9, 18
NUMBERS_AROUND = 3  # numbers in the shown text that make asking for one an edge case


def items(subject: Subject) -> Iterator[Item]:
    """At most two questions after a fact and one after a verdict."""
    yield from list(facts(subject))[:2]
    yield from verdicts(subject)


def open_questions(sentence: Sentence, clause: Clause | None, lexicon: Lexicon) -> Iterator[Question]:
    """What a sentence lets one ask without showing it, the subject last."""
    made = [question for maker in OPEN if (question := maker(sentence, clause, lexicon, False))]
    yield from made
    names_subject = any(question.template in ("which", "who") for question in made)
    if not names_subject and (asked := after_subject(sentence, clause, lexicon)):
        yield asked


def after_subject(sentence: Sentence, clause: Clause | None, lexicon: Lexicon) -> Question | None:
    """ "Slack water separates the flood and the ebb." -> "What separates the flood and the ebb?" No word moves."""
    if clause is None or defines(clause) or "," in clause.rest or not 4 <= len(clause.rest.split()) <= LONGEST_REST:
        return None
    term = term_of(clause, lexicon)
    third = clause.verb in ("is", "has") or (clause.base and clause.verb != clause.base and not clause.past)
    if not term or not third or clause.subject.split()[0] in ("Each", "Every"):
        return None
    return Question(f"What {clause.verb} {clause.rest}?", "subject", inside(clause.subject, lexicon), sentence, False)


def term_of(clause: Clause, lexicon: Lexicon) -> str:
    """The document's term that is a clause's whole subject, but for its article; "" where it is something else."""
    bare = clause.subject.lower()
    for article in ("an ", "a ", "the ", "each ", "every "):
        bare = bare.removeprefix(article) if bare.startswith(article) else bare
    return bare if bare in lexicon.terms else ""


def facts(subject: Subject) -> Iterator[Item]:
    """Open questions; one after a number that stands among others is an edge case."""
    shown, lexicon = subject.text(), subject.lexicon
    for question in open_questions(subject.sentence, subject.clause, lexicon):
        wrong = false_facts(question, lexicon)
        focus = indirect(question.text, subject.clause, lexicon)
        if not wrong or not focus or not answers_shortly(question, subject):
            continue
        short = fact_of(question)
        good = with_sure(grounded(short, subject.quote, question.text), question.text)
        numbers = NUMBER.search(question.asked) and len(NUMBER.findall(shown)) >= NUMBERS_AROUND
        yield Item(
            "numbers" if numbers else "fact", question.text, shown, subject.sentence, question.asked,
            (("grounded", good),),
            (*(misquoted(question, v, subject) for v in wrong[:2]), over_refused(focus, question.text)),
            evidence=("read",),
        )  # fmt: skip


def answers_shortly(question: Question, subject: Subject) -> bool:
    """True where the fact or, failing a short one, the whole sentence can stand as the answer."""
    return question.asked.rstrip(".") in subject.sentence.text or question.template == "subject"


def fact_of(question: Question) -> str:
    """The fact alone where it is short and reads as an answer, else "": the quotation then answers."""
    short = question.template in ("who", "when", "where", "share", "amount", "how-many", "name", "subject", "which")
    return question.asked if short and len(question.asked.split()) <= LONGEST_FACT else ""


def false_facts(question: Question, lexicon: Lexicon) -> list[Variant]:
    """The sentence with the fact that was asked for made wrong."""
    if question.template != "subject":
        return [v for v in wrong_answers(question, lexicon) if v.start < v.end]
    start = question.sentence.text.lower().find(question.asked.lower())
    end = start + len(question.asked)
    found = false_variants(question.sentence.text, lexicon)
    return [v for v in found if start <= v.start and v.end <= end and v.method != "negation"]


def misquoted(question: Question, variant: Variant, subject: Subject) -> tuple[str, str]:
    """The wrong answer in the form of the right one: what it quotes, the passage does not hold."""
    key, short = question.text, fact_of(question)
    if short:
        at = short.lower().find(variant.old.lower())
        short = variant.new if at < 0 else short[:at] + variant.new + short[at + len(variant.old) :]
    return variant.method, with_sure(grounded(short, variant.text, key), key)


def over_refused(focus: str, key: str) -> tuple[str, str]:
    """A refusal of what the passage tells."""
    return "over-refusal", refusal(focus, key)


def fluent(question: Question | None, lexicon: Lexicon) -> Question | None:
    """The question unless a second clause follows its turned verb: "Does Rosa wait … and Binh waits …?" """
    second = question and re.match(r"[A-Z]\w+ (?!it true)", question.text) and question.text.endswith("?")
    clauses = re.findall(r"\b(?:and|or|but) (?:\w+ ){1,3}?(\w+)", question.text) if question and second else []
    return None if any(lexicon.is_verb(word) and word.endswith("s") for word in clauses) else question


def verdicts(subject: Subject) -> Iterator[Item]:
    """The sentence itself, to be affirmed."""
    question = fluent(statements.check_true(subject.sentence, subject.clause, subject.lexicon, False), subject.lexicon)
    focus = whether(subject.sentence.text, subject.lexicon)
    words = verdicts_of(question.text) if question else None
    if question is None or not words or not focus:
        return
    key, wrong = question.text, false_variants(subject.sentence.text, subject.lexicon)
    denied = tuple((v.method, with_sure(verdict(words[1], v.text, key), key)) for v in wrong[:2])
    yield Item(
        "verdict", question.text, subject.text(), subject.sentence, words[0],
        (("grounded", with_sure(verdict(words[0], subject.quote, key), key)),),
        (*denied, over_refused(focus, key)), evidence=("read",),
    )  # fmt: skip
