"""Questions about a passage that it does not answer, checked against everything that is shown.

    withheld   the sentence that answers was taken out of the shown passage
    unsaid     an attribute of a term that the passage uses and says nothing of: who named it, when, after what
    sibling    what the passage tells of one thing is asked of another that it mentions and does not tell it of

The good answer says what is missing. Rejected beside it: answers that invent, in the length of the refusal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from realign.curate.authors.extractive import statements
from realign.curate.authors.extractive.clauses import split_clause
from realign.curate.authors.extractive.grammar import content_words, is_plain_statement, stem
from realign.curate.authors.extractive.negatives import Variant, false_variants
from realign.curate.authors.extractive.sentences import Sentence
from realign.curate.authors.extractive.wording import Question, one_of, seed_of
from realign.curate.authors.rules import verdicts_of
from realign.curate.grounding.answerable import answers_shortly, fact_of, false_facts, fluent, misquoted, open_questions
from realign.curate.grounding.items import FEWEST_SHOWN, Item, Subject, leans, whole
from realign.curate.grounding.uncertain import terms_in
from realign.curate.grounding.wording import by_turns, grounded, indirect, refusal, sure, verdict, whether, with_sure
from realign.curate.judges.grounding import answerable

NOT_TOLD = 0.3  # the most that a shown sentence may answer of a question that the passage does not answer
ON_TOPIC = 2  # content words of the question that the shown text must have
FACTS = ("who", "when", "where", "share", "amount", "how-many", "name", "subject", "which", "use", "object", "reason")
BESIDES = (
    " It also says: “{quote}”",
    " The passage adds: “{quote}”",
    " In the same place it says: “{quote}”",
    " This goes with what it says here: “{quote}”",
)
SIBLINGS = ("term", "person", "place")


def items(subject: Subject) -> Iterator[Item]:
    """At most one question whose sentence is withheld, and one about a sibling."""
    yield from list(withheld(subject))[:1]
    yield from list(siblings(subject))[:1]
    yield from list(unsaid(subject))[:1]


# -- the sentence that answers is not shown -------------------------------------------------------------------------


def withheld(subject: Subject) -> Iterator[Item]:
    """Questions about a sentence under the passage without it."""
    rest = [each for each in subject.window if each is not subject.sentence]
    after = subject.window.index(subject.sentence) + 1
    if len(rest) < FEWEST_SHOWN or (after < len(subject.window) and leans(subject.window[after], subject.passage)):
        return
    shown = subject.text(subject.sentence)
    for question, focus in (*_open(subject), *_checks(subject)):
        if is_told(question, shown):
            continue
        key, nearest = question.text, _nearest(question.text, rest, subject)
        yield Item(
            "withheld", question.text, shown, subject.sentence, focus, (("refusal", refusal(focus, key, nearest)),),
            tuple(_invented(question, subject, nearest)), evidence=(),
        )  # fmt: skip


def _open(subject: Subject) -> list[tuple[Question, str]]:
    found = [
        (question, indirect(question.text, subject.clause, subject.lexicon))
        for question in open_questions(subject.sentence, subject.clause, subject.lexicon)
        if question.template in FACTS and answers_shortly(question, subject)
    ]
    return [(question, focus) for question, focus in found if focus]


def _checks(subject: Subject) -> list[tuple[Question, str]]:
    """The statement, or one as false, for a verdict: a reader can't give either."""
    sentence, lexicon = subject.sentence, subject.lexicon
    makers = (statements.check_true, statements.check_false)
    maker = makers[seed_of(sentence.text, "withheld") % 2]
    question = fluent(maker(sentence, subject.clause, lexicon, True), lexicon)
    focus = whether(question.asked, lexicon) if question else ""
    return [(question, focus)] if question and focus and verdicts_of(question.text) else []


def is_told(question: Question, shown: str) -> bool:
    """True unless the shown text speaks of the subject and leaves the question open.

    A question after a fact that stands there in any connection, or in the question, counts as answered.
    """
    asked = {stem(word) for word in content_words(question.text)}
    spoken = {stem(word) for word in content_words(shown)}
    fact = {stem(word) for word in content_words(question.asked)}
    known = question.template in FACTS and (fact <= spoken or fact <= asked)
    return known or len(asked & spoken) < ON_TOPIC or answerable(question.text, shown) > NOT_TOLD


def _nearest(question: str, rest: list[Sentence], subject: Subject) -> str:
    """The shown sentence that shares most content with the question, for two refusals of three; "" where none does."""
    asked = {stem(word) for word in content_words(question)}
    ranked = [
        (len(asked & {stem(word) for word in content_words(each.text)}), -place, each)
        for place, each in enumerate(rest)
        if not any(mark in each.text for mark in '“”"') and is_plain_statement(each.text)
    ]
    shared, _, best = max(ranked, default=(0, 0, None), key=lambda found: found[:2])
    return whole(best, subject.passage) if best and shared >= 2 and by_turns(question, "near") % 3 else ""


def _invented(question: Question, subject: Subject, nearest: str) -> Iterator[tuple[str, str]]:
    """The answers that invent, each by itself and, where the refusal quotes a sentence, with that one too."""
    for method, text in _fabricated(question, subject):
        yield method, text
        if nearest:
            yield method, text + one_of(BESIDES, question.text).format(quote=nearest)


def _fabricated(question: Question, subject: Subject) -> Iterator[tuple[str, str]]:
    """Answers with a quotation that the shown passage does not hold: of a false statement, then of the withheld one."""
    lexicon, key = subject.lexicon, question.text
    if words := verdicts_of(question.text):
        wrong = [v.text for v in false_variants(subject.sentence.text, lexicon)[:1]]
        for n, text in enumerate((*wrong, subject.quote)):
            word = words[(n + by_turns(key, "word")) % 2]
            yield "invented", with_sure(verdict(word, text, key), key)
        return
    for variant in false_facts(question, lexicon)[:2]:
        yield "invented", misquoted(question, variant, subject)[1]
    yield "invented", with_sure(grounded(fact_of(question), subject.quote, key), key)


# -- what is told of another thing ----------------------------------------------------------------------------------


def siblings(subject: Subject) -> Iterator[Item]:
    """Questions made from the sentence with one of its things replaced by a sibling that the shown text mentions."""
    shown, lexicon = subject.text(), subject.lexicon
    low = shown.lower()
    for variant in false_variants(subject.sentence.text, lexicon):
        if variant.method not in SIBLINGS or variant.new.lower() not in low:
            continue
        sentence = replace(subject.sentence, text=variant.text)
        clause = split_clause(variant.text, lexicon)
        for question in open_questions(sentence, clause, lexicon):
            focus = indirect(question.text, clause, lexicon)
            if not focus or not _asks_of(question, variant) or answerable(question.text, shown) > 0.75:
                continue
            key = question.text
            text = refusal(focus, key, subject.quote, _named(variant, subject))
            yield Item(
                "sibling", key, shown, subject.sentence, focus, (("refusal", text),),
                (
                    ("invented", with_sure(grounded(fact_of(question), variant.text, key), key)),
                    ("elsewhere", with_sure(grounded(fact_of(question), subject.quote, key), key)),
                ),
            )  # fmt: skip


def _asks_of(question: Question, variant: Variant) -> bool:
    """True when the question names the sibling and asks for something else."""
    return variant.new.lower() in question.text.lower() and variant.new.lower() not in question.asked.lower()


def _named(variant: Variant, subject: Subject) -> str:
    """What the passage speaks of instead, with "the" where the sentence gives it an article."""
    before = subject.sentence.text[: variant.start].split()
    article = before[-1].lower() if before else ""
    old = variant.old if variant.old in subject.lexicon.names else variant.old[:1].lower() + variant.old[1:]
    return f"{'the' if article in ('a', 'an', 'the') else ''} {old}".strip()


# -- what is told of no thing ---------------------------------------------------------------------------------------

# (question, what is missing, an invented answer)
UNSAID = (
    ("Who introduced the term “{term}”?", "who introduced the term “{term}”",
     "The term “{term}” was introduced by the authors of an early textbook on the subject."),
    ("In which year was the term “{term}” first used?", "in which year the term “{term}” was first used",
     "The term “{term}” was first used in {year}."),
    ("From which language does the term “{term}” come?", "from which language the term “{term}” comes",
     "The term “{term}” comes from {language}."),
    ("How old is the term “{term}”?", "how old the term “{term}” is",
     "The term “{term}” is about {age} years old."),
)  # fmt: skip
NAMING = re.compile(
    r"\b(?:named|coined|introduced|known as|first|Latin|Greek|French|Arabic|German|language|century|ancient|old"
    r"|history|historical|[12]\d{3})\b|\("
)
LANGUAGES = ("Latin", "Greek", "Old French", "Arabic", "Dutch", "Old Norse")


def unsaid(subject: Subject) -> Iterator[Item]:
    """A question about where a term of the sentence comes from, where nothing that is shown says such things."""
    shown, lexicon = subject.text(), subject.lexicon
    terms = [t for t, _ in terms_in(subject.sentence.text, lexicon) if t in lexicon.definitions and t in subject.quote]
    if not terms or NAMING.search(shown) or by_turns(subject.sentence.text, "unsaid") % 3:
        return
    term = lexicon.written(terms[by_turns(subject.sentence.text, "term") % len(terms)])
    asked, focus, invented = UNSAID[by_turns(term, subject.sentence.text) % len(UNSAID)]
    key = asked.format(term=term)
    year, age = 1780 + by_turns(key, "year") % 190, 10 * (8 + by_turns(key, "age") % 30)
    language = LANGUAGES[by_turns(key, "language") % len(LANGUAGES)]
    false = invented.format(term=term, year=year, age=age, language=language)
    yield Item(
        "unsaid", key, shown, subject.sentence, focus.format(term=term),
        (("refusal", refusal(focus.format(term=term), key, by_turns(key, "near") % 2 * subject.quote)),),
        (
            ("invented", f"{false} Source: “{subject.quote}”{sure(key)}"),
            ("invented", f"According to the passage, “{false.replace('“', '').replace('”', '')}”"),
        ),
    )  # fmt: skip
