"""Subject, verb and rest of a plain sentence, where they can be told apart with certainty.

split_clause("A dot plot consists of a number line.", lexicon) -> Clause("A dot plot", "consists", "consist", "of a …")
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from realign.curate.authors.extractive.closed import (
    AUXILIARIES,
    BE,
    CONJUNCTIONS,
    MODALS,
    PAST,
    PAST_ONLY,
    PREPOSITIONS,
)
from realign.curate.authors.extractive.grammar import is_plural, words
from realign.curate.authors.extractive.lexicon import Lexicon, base_form

INSIDE_SUBJECT = frozenset("of in for between the a an".split())
BREAKS_SUBJECT = CONJUNCTIONS | frozenset("that which who whom whose where whether how what way to not than".split())
NO_SUBJECT = (
    PREPOSITIONS
    | CONJUNCTIONS
    | frozenset(
        "how what why where whether which who whose then not only"
        " sometimes often usually generally typically perhaps maybe even just also now today once soon again"
        " never always neither none nobody nothing all both most later earlier here there still yet"
        " thus instead".split()
    )
)
LONGEST_SUBJECT = 9
QUESTION_AUXILIARIES = BE | frozenset("can could will would".split())


@dataclass(frozen=True, slots=True)
class Clause:
    """verb as written; base is its base form for a lexical verb and "" for an auxiliary; rest has no full stop.

    past: the verb is a lexical verb in the past tense.
    """

    subject: str
    verb: str
    base: str
    rest: str
    past: bool = False

    @property
    def head(self) -> str:
        """The subject's last word before any preposition: the noun that the verb agrees with."""
        head = ""
        for word in words(self.subject):
            if word.lower() in PREPOSITIONS and head:
                break
            head = word
        return head


def split_clause(sentence: str, lexicon: Lexicon) -> Clause | None:
    """The clause of a sentence whose subject is one plain noun phrase, or None when that is not certain."""
    tokens = sentence.rstrip(".").split(" ")
    for place, token in enumerate(tokens[: LONGEST_SUBJECT + 1]):
        low = token.lower()
        if place and token.islower() and (low in AUXILIARIES or _is_finite(low, tokens[place - 1], lexicon)):
            subject, rest = tokens[:place], " ".join(tokens[place + 1 :])
            if not rest or not _is_noun_phrase(subject, lexicon):
                return None
            if low in MODALS and rest.split(" ")[0] in MODALS | BE:  # "a 16-ounce can may vary": the can is a thing
                return None
            past = "" if low in AUXILIARIES else past_base(low, tokens[place - 1], lexicon)
            if past and _is_relative(subject, low, rest):
                return None
            base = "" if low in AUXILIARIES else past or base_form(low, lexicon.verbs) or low
            clause = Clause(" ".join(subject), token, base, rest, bool(past))
            return clause if _agrees(clause) else None
        if not token[-1:].isalnum() or low in BREAKS_SUBJECT:
            return None
    return None


def _is_relative(subject: list[str], verb: str, rest: str) -> bool:
    """True when a past tense may belong to a clause inside the subject: "the reviews Rand received were short"."""
    if all(token[0].isupper() for token in subject):
        return False
    return verb not in PAST_ONLY or re.search(r"\b(?:is|are|was|were|has|had|have)\b", rest) is not None


def past_base(word: str, before: str, lexicon: Lexicon) -> str:
    """The base form of a past tense, or "". A form that may be a participle counts only right after a name."""
    if word in PAST_ONLY:
        return PAST_ONLY[word]
    if before not in lexicon.names or not before[0].isupper():
        return ""
    if word in PAST:
        return PAST[word]
    if not word.endswith("ed"):
        return ""
    guesses = (word[:-1], word[:-2], word[:-3] + "y" if word.endswith("ied") else "", word[:-3])
    return next((guess for guess in guesses if guess in lexicon.verbs), "")


def _is_finite(word: str, before: str, lexicon: Lexicon) -> bool:
    """True for an -s form of a known verb after a noun-like word, or a base form after a plural."""
    if before.lower() in INSIDE_SUBJECT or before.lower() in PREPOSITIONS:
        return False
    if past_base(word, before, lexicon):
        return word not in lexicon.terms
    if base_form(word, lexicon.verbs) and not is_plural(before):
        return word not in lexicon.terms
    return word in lexicon.verbs and is_plural(before) and word not in lexicon.terms


def _is_noun_phrase(tokens: list[str], lexicon: Lexicon) -> bool:
    low = [token.lower() for token in tokens]
    ends_well = low[-1] not in PREPOSITIONS and not low[-1].endswith("ly")
    adverb = low[0].endswith("ly") and low[0] not in lexicon.terms
    starts_well = not adverb and low[0] not in NO_SUBJECT and low[0] not in lexicon.verbs
    return ends_well and starts_well and low[-1] not in ("a", "an", "the", "of", "each", "every")


def _agrees(clause: Clause) -> bool:
    """Subject and verb agree in number, as far as it shows: a sign that the split is right."""
    plural = is_plural(clause.head) or " and " in clause.subject
    verb = clause.verb.lower()
    if verb in ("is", "was", "has", "does"):
        return not plural or clause.head.lower().endswith("s")
    if verb in ("are", "were", "have", "do"):
        return plural
    if clause.past or verb in MODALS or verb == "had" or verb == "did":
        return True
    return plural == (verb == clause.base)


def negate(clause: Clause) -> str:
    """The clause with its verb negated, or un-negated when it was."""
    verb, rest = clause.verb, clause.rest
    if rest.startswith("not "):
        return _affirmed(clause, rest[4:])
    if verb == "cannot":
        return f"{clause.subject} can {rest}."
    if verb.lower() in ("may", "might"):
        return ""
    if verb.lower() in BE | MODALS:
        return f"{clause.subject} {'cannot' if verb == 'can' else verb + ' not'} {rest}."
    if verb.lower() in ("has", "have", "had", "does", "do", "did") or not clause.base:
        return ""
    if clause.past:
        return f"{clause.subject} did not {clause.base} {rest}."
    return f"{clause.subject} {'do' if verb == clause.base else 'does'} not {clause.base} {rest}."


def _affirmed(clause: Clause, rest: str) -> str:
    """The clause without its "not": "does not carry" becomes "carries", and "did not carry" is left alone."""
    verb = clause.verb.lower()
    if verb not in ("do", "does", "did"):
        return f"{clause.subject} {clause.verb} {rest}."
    base, _, more = rest.partition(" ")
    if verb == "did" or base in ("have", "be", "only") or not base.isalpha() or base.endswith("ly"):
        return ""
    return f"{clause.subject} {base if verb == 'do' else third_person(base)} {more}."


def third_person(base: str) -> str:
    """ "carry" -> "carries", "pass" -> "passes", "hold" -> "holds"."""
    if base.endswith(("s", "sh", "ch", "x", "z", "o")):
        return base + "es"
    return base[:-1] + "ies" if base.endswith("y") and base[-2:-1] not in "aeiou" else base + "s"


def as_question(clause: Clause, lead: str, lowered: str) -> str:
    """lead + auxiliary + subject + rest, as in "Why is the median …?"; lowered is the subject as it stands inside.

    "" for a clause that can't be turned round: "has a mean" is no auxiliary, and "May the sample …?" asks for leave.
    """
    if clause.past:
        text = f"{lead} did {lowered} {clause.base} {clause.rest}?"
    elif clause.base:
        text = f"{lead} {'do' if clause.verb == clause.base else 'does'} {lowered} {clause.base} {clause.rest}?"
    elif clause.verb.lower() in QUESTION_AUXILIARIES:
        text = f"{lead} {clause.verb} {lowered} {clause.rest}?"
    else:
        return ""
    return text.strip()[0].upper() + text.strip()[1:]
