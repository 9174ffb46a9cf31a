"""Questions after one fact in a sentence: who, which, where, when, how many, what share.

Each maker takes (sentence, its clause or None, lexicon, whether it stands alone) and gives a Question or None. asked is
the fact itself, so that a wrong answer gives another person, thing, place, year or number, and nothing else changes.
"""

from __future__ import annotations

import re
from dataclasses import replace

from realign.curate.authors.extractive.clauses import Clause, as_question, past_base, split_clause
from realign.curate.authors.extractive.closed import AUXILIARIES, MONTHS, NUMBER_WORDS
from realign.curate.authors.extractive.grammar import is_plural, words
from realign.curate.authors.extractive.lexicon import Lexicon
from realign.curate.authors.extractive.names import names_in
from realign.curate.authors.extractive.sentences import Sentence
from realign.curate.authors.extractive.wh import defines, inside
from realign.curate.authors.extractive.wording import Question

COUNT = r"(?P<number>\d+(?:,\d{3})*|" + "|".join(NUMBER_WORDS) + ")"
THINGS = r"(?P<things>(?:[a-z-]+ ){0,2}[a-z-]+s)(?P<where>(?: (?:in|on|at|of|for|with) [^,]{3,60})?)"
THERE_ARE = re.compile(rf"^There (?P<verb>are|were) (?:about )?{COUNT} {THINGS}\.$")
COUNTED = re.compile(rf"^(?:about )?{COUNT} {THINGS}$")
COUNTED_SUBJECT = re.compile(rf"^{COUNT} (?P<rest>.+)\.$", re.IGNORECASE)
LASTS = re.compile(rf"^(?P<what>.+) (?P<how>for|within|after) (?:about )?(?P<span>{COUNT} (?P<unit>\w+s))$")
SHARE = re.compile(
    r"^(?:(?:About|Only|Nearly|Almost|Over) )?(?P<number>\d+(?:\.\d+)?(?:%| percent)) of (?P<rest>.+)\.$"
)
MONTH = "|".join(sorted(MONTHS))
DATE = rf"(?:(?:{MONTH}) \d{{1,2}}, [12]\d{{3}}|(?:{MONTH}) [12]\d{{3}}|[12]\d{{3}})"
ENDS_IN_DATE = re.compile(rf"^(?P<what>[^,]+?),? (?:in|on) (?P<date>{DATE})$")
STARTS_WITH_DATE = re.compile(rf"^(?:In|On) (?P<date>{DATE}), (?P<main>[^,].+)$")
ENDS_IN_PLACE = re.compile(r"^(?P<what>[^,]+?) (?:in|at|near) (?P<place>[A-Z][\w’-]+(?: [A-Z][\w’-]+)*)$")
# A second clause: "What is 6.3 and the mean is 5?" asks nothing.
ANOTHER = re.compile(r"(?:,|,? and|,? but|,? so|,? while) (?:\w+ ){1,4}(?:is|are|was|were|has|have|can|will)\b")
AMOUNT = re.compile(
    r"^(?:(?:about|approximately|only|exactly|nearly) )?(?P<number>\$?\d+(?:,\d{3})*(?:\.\d+)?%?)(?: [a-z]+){0,2}$"
)
# A clause inside, to which the end of the sentence may belong: "said that it was built in 1861".
INNER = re.compile(r"\b(?:that|which|who|whom|where|when|while|because|if|said|whether)\b")
LONGEST = 22


def who(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    """ "Mr. Bennet rode to town." -> "Who rode to town?" No word moves, so nothing can go wrong but the name's end."""
    text = sentence.text
    start, name = next(iter(names_in(text, lexicon.names)), (1, ""))
    if start or name not in lexicon.named.people or text.count(name) > 1:
        return None
    rest = text[len(name) + 1 : -1]
    if re.search(r",? and (?:[a-z]+ ){0,4}(?:he|she|they)\b", rest):
        return None
    if not text[len(name) :].startswith(" ") or not _is_finite(words(rest)[:1], name, lexicon):
        return None
    return Question(f"Who {rest}?", "who", name, sentence, False) if len(rest.split()) <= LONGEST else None


def _is_finite(found: list[str], name: str, lexicon: Lexicon) -> bool:
    if not found or not found[0].islower() or found[0] in ("have", "are", "were", "do"):
        return False
    last = name.split(" ")[-1]
    present = lexicon.is_verb(found[0]) and found[0].endswith("s")
    return present or found[0] in AUXILIARIES or past_base(found[0], last, lexicon) != ""


def which(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    """ "The flood current carries water in." -> "Which current carries water in?": its subject has siblings."""
    if clause is None or len(clause.rest.split()) > LONGEST or len(clause.rest.split()) < 3:
        return None
    match = re.match(r"(?:(?:An?|The|Each|Every) )?(?P<term>.+)$", clause.subject)
    term = match["term"].lower() if match else ""
    siblings = lexicon.siblings.of.get(term, ())
    if not siblings or re.match(r"\$?\d", clause.rest) or ANOTHER.search(clause.rest):
        return None
    parts = term.split()
    family = len(parts) == 2 and any(other.split()[-1] == parts[-1] for other in siblings)
    if defines(clause):
        lead = "What is the term for" if clause.verb == "is" else ""
        question = f"{lead} {clause.rest}?" if lead and not re.search(r"\bone of\b", clause.rest) else ""
    elif family:
        question = f"Which {parts[-1]} {clause.verb} {clause.rest}?"
    else:
        question = f"What {clause.verb} {clause.rest}?" if not is_plural(parts[-1]) else ""
    return Question(question, "which", match["term"] if match else "", sentence, False) if question else None


def where(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    """ "The ships were built in Bristol." -> "Where were the ships built?" """
    if clause is None or not (match := ENDS_IN_PLACE.match(clause.rest)) or INNER.search(match["what"]):
        return None
    short = replace(clause, rest=match["what"])
    question = as_question(short, "Where", inside(clause.subject, lexicon))
    return Question(question, "where", match["place"], sentence, False) if question else None


def when(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    """ "The gauge was built in 1864." and "In 1864, the port bought the gauge." """
    if match := STARTS_WITH_DATE.match(sentence.text.rstrip(".")):
        main = split_clause(match["main"][:1].upper() + match["main"][1:] + ".", lexicon)
        rest = main.rest if main else ""
    elif clause is not None and (match := ENDS_IN_DATE.match(clause.rest)):
        main, rest = clause, match["what"]
    else:
        return None
    if main is None or re.search(r"[12]\d{3}|[,;]", rest) or INNER.search(rest) or len(rest.split()) > LONGEST:
        return None
    if not (main.past or main.verb in ("was", "were")):
        return None
    lead = "In what year" if match["date"].isdigit() and len(rest) % 2 else "When"
    question = as_question(replace(main, rest=rest), lead, inside(main.subject, lexicon))
    return Question(question, "when", match["date"], sentence, False) if question else None


def how_many(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    """ "Spain has 50 provinces.", "There are 52 cards in a deck.", "Six students buy one book." """
    text = sentence.text
    if re.search(rf"(?:,| and|,? but|, while) {COUNT.replace('?P<number>', '?:')} ", text):
        return None  # "There are 16 boys in the group and seven girls in it": the question would hold an answer
    if match := THERE_ARE.match(text):
        kind, where = _of(match["where"])
        question = f"How many {match['things']}{kind} {match['verb']} there{where}?"
        return Question(question, "how-many", match["number"], sentence, False)
    if clause is None:
        return None
    if (match := COUNTED_SUBJECT.match(text)) and is_plural(clause.head) and len(text.split()) <= LONGEST:
        return Question(f"How many {match['rest']}?", "how-many", match["number"], sentence, False)
    if match := COUNTED.match(clause.rest):
        return _how_many_objects(sentence, clause, match, lexicon, alone)
    if (match := LASTS.match(clause.rest)) and not INNER.search(match["what"]):
        lead = f"{match['how'].capitalize()} how many {match['unit']}"
        question = as_question(replace(clause, rest=match["what"]), lead, inside(clause.subject, lexicon))
        return Question(question, "how-many", match["number"], sentence, False) if question else None
    return None


def _of(where: str) -> tuple[str, str]:
    """What follows the things counted, as a part of their name (" of frogs") or of the sentence (" in a deck")."""
    return (where, "") if where.startswith(" of ") else ("", where)


def _how_many_objects(
    sentence: Sentence, clause: Clause, match: re.Match[str], lexicon: Lexicon, alone: bool
) -> Question | None:
    if clause.verb in ("has", "have"):
        do, base = ("does" if clause.verb == "has" else "do"), "have"
    elif clause.base:
        do, base = ("did" if clause.past else "do" if clause.verb == clause.base else "does"), clause.base
    else:
        return None
    kind, where = _of(match["where"])
    question = f"How many {match['things']}{kind} {do} {inside(clause.subject, lexicon)} {base}{where}?"
    return Question(question, "how-many", match["number"], sentence, alone and base == "have")


def amount(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    """ "The mean of the sample is 6.5." -> "What is the mean of the sample?" """
    if clause is None or clause.verb not in ("is", "was") or not (match := AMOUNT.match(clause.rest)):
        return None
    question = f"What {clause.verb} {inside(clause.subject, lexicon)}?"
    return Question(question, "amount", match["number"], sentence, False) if clause.subject[:4] == "The " else None


def share(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    """ "About 25% of the people are children." -> "What percentage of the people are children?" """
    match = SHARE.match(sentence.text)
    if match is None or len(match["rest"].split()) > LONGEST or "%" in match["rest"] or "," in match["rest"]:
        return None
    if not any(lexicon.is_verb(word) for word in words(match["rest"])[1:]):
        return None
    number = match["number"].replace(" percent", "")
    return Question(f"What percentage of {match['rest']}?", "share", number, sentence, False)
