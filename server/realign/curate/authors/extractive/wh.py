"""Open questions that the form of a sentence gives: what it is, is called, is used for, does; why, how, when it holds.

Each maker takes (sentence, its clause or None, lexicon, whether it stands alone) and gives a Question or None. asked is
the part of the sentence that answers: a wrong answer is wrong there and repeats the rest.
"""

from __future__ import annotations

import re
from dataclasses import replace

from realign.curate.authors.extractive.clauses import Clause, as_question, split_clause
from realign.curate.authors.extractive.closed import BE, LEANING_STARTS, NUMBER_WORDS, PAST, PREPOSITIONS
from realign.curate.authors.extractive.grammar import NUMBER, lower_first, stands_alone, upper_first, words
from realign.curate.authors.extractive.lexicon import Lexicon
from realign.curate.authors.extractive.sentences import Sentence
from realign.curate.authors.extractive.wording import Question, one_of

# Verbs whose object answers "What does X …?", with the preposition that belongs to the verb.
OBJECT_VERBS: dict[str, str] = dict.fromkeys(
    "represent measure show describe include contain provide require allow mean involve indicate give produce cause"
    " affect determine form cover carry hold reduce increase prevent protect control connect separate support create"
    " define express display summarize combine absorb release store receive collect remove reflect reveal generate"
    " transfer convert limit block replace explain predict estimate link surround enclose resist balance attract"
    " repel".split(),
    "",
) | {
    "consist": "of", "depend": "on", "refer": "to", "lead": "to", "rely": "on", "differ": "from", "belong": "to",
    "correspond": "to", "contribute": "to", "apply": "to", "result": "in", "deal": "with", "come": "from",
}  # fmt: skip
# What begins no object: "a bore forms where the river narrows".
NO_OBJECT = frozenset("to by and or that where when while if because as so".split())
DEFINES = re.compile(
    r"^(?:an?|any|the (?:\w+ ){0,3}\w+ (?:of|that|which|in|between|where|from)|those|one of) ", re.IGNORECASE
)
CONDITION = re.compile(r"^(?P<mark>If|When) (?P<condition>[^,]{8,110}), (?:then )?(?P<main>.{12,})\.$")
PURPOSE = re.compile(r"^(?:In order to|To) (?P<verb>[a-z]+) (?P<object>[^,]{4,90}), (?P<main>.{12,})\.$")
BECAUSE = re.compile(r"^(?P<main>.{12,}?),? because (?!of\b)(?P<reason>.{12,})\.$")
BECAUSE_FIRST = re.compile(r"^(?:Because|Since) (?P<reason>[^,]{12,}), (?P<main>[^,]{12,})\.$")
NAMED = re.compile(r"^(?:(?:often|also|usually|commonly|sometimes) )?(?:called|known as|referred to as) (?P<name>.+)$")
USED = re.compile(r"^(?:(?:often|usually|commonly|sometimes|mainly) )?used (?P<how>to|for|in|as) ")
MEANS = re.compile(r"(?P<done>[^,]{6,}?) (?P<how>by \w+ing\b.{4,})$")
PAST_MARKS = frozenset("was were had did struck ended arrived started entered".split())
WHAT_IS = (
    "What {verb} {subject}?",
    "What {verb} {subject}?",
    "How is {subject} defined?",
    "What is meant by {subject}?",
)


def inside(subject: str, lexicon: Lexicon) -> str:
    """The subject as it stands inside a sentence."""
    return lower_first(subject, lexicon.kept)


def definition(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    """ "A mode is the most frequent value." -> "What is a mode?" """
    if clause is None or not defines(clause) or len(clause.rest.split()) < 5:
        return None
    if words(clause.subject)[0].lower().split("-")[0] in NUMBER_WORDS:
        return None
    if len(clause.subject.split()) > 6 or (clause.subject.startswith("The ") and len(clause.rest.split()) < 8):
        return None
    if any(word in lexicon.names for word in words(clause.subject)):
        # A name may be anyone's: only of a person is it known whether to ask what or who.
        forms: tuple[str, ...] = ("Who {verb} {subject}?",)
        if clause.subject not in lexicon.named.people:
            return None
    else:
        forms = WHAT_IS if clause.verb == "is" and not clause.subject.startswith("The ") else WHAT_IS[:1]
    question = one_of(forms, sentence.text).format(verb=clause.verb, subject=inside(clause.subject, lexicon))
    return Question(question, "definition", clause.rest, sentence, alone)


def defines(clause: Clause | None) -> bool:
    """True for "X is a …": the clause says what its subject is."""
    return clause is not None and clause.verb in ("is", "are") and DEFINES.match(clause.rest) is not None


def name(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    """ "The horizontal axis is called the x-axis." -> "What is the horizontal axis called?" """
    if clause is None or clause.verb not in BE or not (match := NAMED.match(clause.rest)):
        return None
    if "," in match["name"] or len(match["name"].split()) > 5:
        return None
    question = f"What {clause.verb} {inside(clause.subject, lexicon)} called?"
    return Question(question, "name", match["name"], sentence, alone)


def use(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    """ "A tide gauge is used to record the sea." -> "What is a tide gauge used for?" """
    if clause is None or clause.verb not in ("is", "are") or not (match := USED.match(clause.rest)):
        return None
    how = {"to": "for", "for": "for", "in": "in", "as": "as"}[match["how"]]
    question = f"What {clause.verb} {inside(clause.subject, lexicon)} used {how}?"
    return Question(question, "use", clause.rest, sentence, alone)


def reason(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    """ "Spring tides are strong because …" -> "Why are spring tides strong?" """
    match = BECAUSE.match(sentence.text) or BECAUSE_FIRST.match(sentence.text)
    if match is None or "," in match["main"]:
        return None
    main = split_clause(upper_first(match["main"]) + ".", lexicon)
    question = as_question(main, "Why", inside(main.subject, lexicon)) if main else ""
    return Question(question, "reason", match["reason"], sentence, alone) if question else None


def means(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    """ "Energy is saved by closing the lock." -> "How is energy saved?" """
    if clause is None or defines(clause) or not (match := MEANS.match(clause.rest)):
        return None
    question = as_question(replace(clause, rest=match["done"]), "How", inside(clause.subject, lexicon))
    return Question(question, "means", match["how"], sentence, alone) if question else None


def condition(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    """ "If the wind blows, the water rises." -> "What is true if the wind blows?" """
    if not (match := CONDITION.match(sentence.text)):
        return None
    given, main = match["condition"], match["main"]
    first = words(main)[0].lower()
    if first in LEANING_STARTS and first not in ("we", "it", "they", "there") and first not in lexicon.verbs:
        return None
    if re.match(r"\w+(?:ing|ed|ly)\b", given) or given.count("(") != given.count(")") or not _is_clause(main, lexicon):
        return None
    text, general = sentence.text, stands_alone(sentence.text) and not NUMBER.search(sentence.text)
    general = general and " the " not in given and not any(word in lexicon.names for word in words(text)[1:])
    question = f"{_asking(first, given, main, lexicon)} {match['mark'].lower()} {given}?"
    return Question(question, "condition", main, sentence, general)


def _asking(first: str, given: str, main: str, lexicon: Lexicon) -> str:
    """What to ask about a main clause: an instruction, what would or will happen, what happened, or what is true."""
    if first in lexicon.verbs and first not in lexicon.terms and words(main)[0].islower():
        return "What should you do"
    if " would " in f" {main} ":
        return "What would happen"
    past = any(word in PAST_MARKS or word in PAST for word in words(given)) or re.search(r"\b(?:was|were|had)\b", main)
    return "What happened" if past else "What happens" if " will " in f" {main} " else "What is true"


def _is_clause(main: str, lexicon: Lexicon) -> bool:
    """True when `main` is a clause of its own and not the next item of a list: "if you have fours, fives, …"."""
    found = [word.lower() for word in words(main)[:2]]
    told = found[0] in lexicon.verbs and found[0] not in lexicon.terms and not re.search(r", (?:and|or) ", main)
    said = found[0] in ("we", "you", "it", "they", "there") and lexicon.is_verb(found[-1])
    return told or said or any(lexicon.is_verb(word) for word in words(main.split(",")[0])[1:])


def purpose(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    """ "To predict a tide, the harbor master …" -> "How do you predict a tide?" """
    if not (match := PURPOSE.match(sentence.text)) or match["verb"] not in lexicon.verbs:
        return None
    general = stands_alone(sentence.text) and not NUMBER.search(sentence.text)
    return Question(f"How do you {match['verb']} {match['object']}?", "purpose", match["main"], sentence, general)


def object_(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    """ "A histogram consists of boxes." -> "What does a histogram consist of?" """
    if clause is None or clause.base not in OBJECT_VERBS:
        return None
    preposition, first = OBJECT_VERBS[clause.base], words(clause.rest)[0].lower()
    if preposition:
        if first != preposition:
            return None
    elif first in PREPOSITIONS or first in NO_OBJECT or first.endswith("ly"):
        return None
    if any(word.lower().startswith(clause.base[: max(4, len(clause.base) - 1)]) for word in words(clause.rest)):
        return None  # "Two students carry three books, one student carries four": others do it too
    do = "did" if clause.past else "do" if clause.verb == clause.base else "does"
    question = f"What {do} {inside(clause.subject, lexicon)} {clause.base} {preposition}".rstrip() + "?"
    return Question(question, "object", clause.rest, sentence, alone)
