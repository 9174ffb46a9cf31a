"""Edge cases: a premise that the passage contradicts, a statement it denies, a question it answers in part only.

(Questions after a number that stands among others are made in answerable.py.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from realign.curate.authors.extractive import statements
from realign.curate.authors.extractive.clauses import split_clause
from realign.curate.authors.extractive.negatives import Variant, false_variants
from realign.curate.authors.extractive.wording import one_of
from realign.curate.authors.rules import verdicts_of
from realign.curate.grounding import answerable, unanswerable
from realign.curate.grounding.items import Item, Subject
from realign.curate.grounding.wording import DENIALS, PREMISES, grounded, indirect, refusal, verdict, whether

OTHERWISE = ("antonym", "number", "exchange", "scope")
# A question after what a false thing is, or what would be if it were, assumes nothing that a passage could deny.
NAMED = ("definition", "name", "which", "condition", "purpose")
# Another number beside these words may be true as well: what is under 0.25 is under 0.3.
BOUNDED = re.compile(
    r"\b(?:if|than|least|most|over|under|up to|through|between|within|below|above|exceeds?|or (?:more|less|fewer))\b",
    re.IGNORECASE,
)
JOINED = ("{one} And {other}", "{one} Also, {other}", "{one} In addition, {other}")


def items(subject: Subject) -> Iterator[Item]:
    """At most one of each kind."""
    yield from list(premises(subject))[:1]
    yield from list(contradicted(subject))[:1]
    yield from list(partial(subject))[:1]


def premises(subject: Subject) -> Iterator[Item]:
    """An open question made from the sentence with a word turned round: the passage says otherwise."""
    lexicon = subject.lexicon
    for variant in false_variants(subject.sentence.text, lexicon):
        if variant.method not in OTHERWISE or not excludes(variant, subject):
            continue
        clause = split_clause(variant.text, lexicon)
        for question in answerable.open_questions(replace(subject.sentence, text=variant.text), clause, lexicon):
            told = variant.new.lower() in question.text.lower() and variant.new.lower() not in question.asked.lower()
            focus = indirect(question.text, clause, lexicon)
            if question.template in NAMED or not told or not focus or variant.old.lower() in question.text.lower():
                continue
            key = question.text
            yield Item(
                "premise", key, subject.text(), subject.sentence, "",
                (("correction", one_of(PREMISES, key).format(quote=subject.quote)),),
                (
                    ("accepted", grounded(answerable.fact_of(question), variant.text, key)),
                    ("over-refusal", refusal(focus, key)),
                ),
            )  # fmt: skip


def contradicted(subject: Subject) -> Iterator[Item]:
    """A false variant of the sentence, to be denied."""
    checked = statements.check_false(subject.sentence, subject.clause, subject.lexicon, False)
    question = answerable.fluent(checked, subject.lexicon)
    words = verdicts_of(question.text) if question else None
    focus = whether(question.asked, subject.lexicon) if question else ""
    if question is None or not words or not focus or question.asked not in _plainly_false(subject):
        return
    key = question.text
    denial = one_of(DENIALS, key).format(quote=subject.quote)
    yield Item(
        "contradicted", key, subject.text(), subject.sentence, words[1],
        (("correction", words[1] + denial.removeprefix("No")),),
        (("accepted", verdict(words[0], question.asked, key)), ("over-refusal", refusal(focus, key))),
    )  # fmt: skip


def _plainly_false(subject: Subject) -> set[str]:
    """The false variants that the sentence itself contradicts: one about a sibling may simply not be told."""
    found = false_variants(subject.sentence.text, subject.lexicon)
    return {v.text for v in found if v.method in (*OTHERWISE, "negation") and excludes(v, subject)}


def excludes(variant: Variant, subject: Subject) -> bool:
    """True unless a number was changed that stands as a bound, or that is written as a word."""
    plain = variant.new[:1].isdigit() or variant.new[:1] == "$"
    return variant.method != "number" or (plain and not BOUNDED.search(subject.sentence.text))


def partial(subject: Subject) -> Iterator[Item]:
    """Two questions in one: the first is answered by the shown text, the second is not."""
    known = next((item for item in answerable.facts(subject)), None)
    unknown = next((item for maker in (unanswerable.siblings, unanswerable.unsaid) for item in maker(subject)), None)
    if known is None or unknown is None or known.question == unknown.question:
        return
    second = unknown.question[:1].lower() + unknown.question[1:]
    question = one_of(JOINED, known.question).format(one=known.question, other=second)
    told = known.good[0][1].split(" I am")[0].split(" Confidence")[0].split(" (Confidence")[0]
    if "[1]" in told:
        told = grounded("", subject.quote, question)
    good = f"{told} {refusal(unknown.focus, question)}"
    invented = unknown.bad[0][1].split(" I am")[0].split(" Confidence")[0].split(" (Confidence")[0]
    yield Item(
        "partial", question, subject.text(), subject.sentence, known.focus, (("partial", good),),
        (("invented", f"{told} {invented}"), ("over-refusal", refusal(unknown.focus, question))),
    )  # fmt: skip
