"""Numeric tasks: how many, what share, in what year, how much in a unit; and a sentence with its number left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from realign.curate.authors.extractive import facts
from realign.curate.authors.extractive.clauses import as_question
from realign.curate.authors.extractive.wh import inside
from realign.curate.authors.extractive.wording import Question
from realign.curate.rlvr.forms.material import Material, Told
from realign.curate.rlvr.forms.quantities import YEAR, Amount, amounts_in
from realign.curate.rlvr.posed import Posed

MAKERS = (facts.how_many, facts.share, facts.when)
ROUGHLY = r"(?:(?:about|approximately|only|exactly|nearly|almost) )?"
NESTED = r"(?:that|which|who|is|are|was|were|if|when|has|have)"
VALUE = re.compile(rf"(?P<subject>(?:The|Each)(?: (?!{NESTED}\b)[^\s,;()\d]+)+) (?P<verb>is|was) {ROUGHLY}")
ENDS = re.compile(rf"(?P<lead>[^,;()\d]+) (?P<by>by|at|for|within|after) {ROUGHLY}")
CLUMSY = re.compile(r"\bof (?:whom|which)\b|\bwho\b.+\bwho\b")
BLANK = "Which number belongs in the blank? {statement}"


def questions(material: Material) -> Iterator[Posed]:
    """ "The lunar day lasts 24 hours." -> how many; "The mean depth is 3.7 kilometers." -> what, in kilometers."""
    for told in material.told:
        found = (maker(told.sentence, told.clause, material.lexicon, False) for maker in MAKERS)
        for question in [*filter(None, found), *_measured(told, material)][:1]:
            amount = next((a for a in amounts_in(told.sentence.text) if _is(a, question.asked, told)), None)
            if amount and not CLUMSY.search(question.text) and not _told_twice(told):
                yield posed(question.template, question.text, amount, told)


def _is(amount: Amount, asked: str, told: Told) -> bool:
    """Whether an amount is the one asked for; of dates only a year can be checked."""
    return told.sentence.text[amount.start :].lower().startswith(asked.lower()) and not re.search(r"[a-z] \d", asked)


def _measured(told: Told, material: Material) -> Iterator[Question]:
    """ "The mean depth is about 3.7 kilometers." -> "What is the mean depth?"; "falls by 2 meters" -> by how many.

    The amount ends the sentence, and nothing of it stands before the verb.
    """
    text = told.sentence.text
    for amount in amounts_in(text)[-1:]:
        before, after = text[: amount.start], text[amount.end :].removeprefix(f" {amount.unit}" if amount.unit else "")
        asked = text[amount.start : amount.end]
        if after != ".":
            continue
        if match := VALUE.fullmatch(before):
            question = f"What {match['verb']} {inside(match['subject'], material.lexicon)}?"
            yield Question(question, "amount", asked, told.sentence, False)
        elif (match := ENDS.fullmatch(before)) and told.clause and amount.unit and len(match["lead"]) > 12:
            rest = match["lead"][len(told.clause.subject) + len(told.clause.verb) + 2 :]
            lead = f"{match['by'].capitalize()} how many {amount.unit}"
            question = as_question(replace(told.clause, rest=rest), lead, inside(told.clause.subject, material.lexicon))
            if question and not facts.INNER.search(rest):
                yield Question(question, "how-much", asked, told.sentence, False)


def _told_twice(told: Told) -> bool:
    """True where the excerpt says something of the same subject again: another number of it may stand there."""
    lead = re.match(r"\w(.+?) (?:is|are|was|were|has|have)\b", told.sentence.text)
    return lead is not None and told.excerpt.count(lead[1]) > 1


def blanks(material: Material) -> Iterator[Posed]:
    """A sentence with one of its numbers left out, where the excerpt says more than the sentence."""
    for told in material.told:
        text = told.sentence.text
        found = [amount for amount in amounts_in(text) if text.count(text[amount.start : amount.end]) == 1]
        if told.alone or not found or len(text.split()) > 32:
            continue
        for amount in found[len(text) % len(found) :][:1]:
            shown = f"{text[: amount.start]}____{text[amount.end :].removeprefix('%')}"
            if text[amount.start : amount.end].endswith("%"):
                shown = f"{text[: amount.start]}____%{text[amount.end :]}"
            yield posed("blank-number", BLANK.format(statement=shown), amount, told)


def posed(form: str, question: str, amount: Amount, told: Told) -> Posed:
    """A numeric task about an amount of a sentence."""
    sentence = told.sentence
    how = "Answer with the year." if form == "when" and YEAR.fullmatch(amount.digits) else amount.how
    return Posed(
        form, question, how, amount.digits, "numeric", sentence.start, sentence.end, amount.spec, told.excerpt
    )  # fmt: skip
