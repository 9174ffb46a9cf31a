"""The words of grounded answers, refusals, hedges and their confidence. They vary with what is asked, never by run.

grounded("six hours", "The flood lasts six hours.", key) -> "Six hours. The passage says: “The flood lasts six hours.”"
"""

from __future__ import annotations

import re

from realign.curate.authors.extractive.clauses import Clause
from realign.curate.authors.extractive.grammar import lower_first, upper_first
from realign.curate.authors.extractive.lexicon import Lexicon
from realign.curate.authors.extractive.wh import inside
from realign.curate.authors.extractive.wording import one_of, seed_of

SHORT_FORMS = (
    "{Short}. The passage says: “{quote}”",
    "According to the passage, “{quote}” So the answer is: {short}.",
    "{Short}. Source: “{quote}”",
    "Answer: {short}. In the passage: “{quote}”",
    "{Short} [1]\n\n[1] “{quote}”",
    "The passage states: “{quote}” The answer: {short}.",
)
QUOTE_FORMS = (
    "The passage says: “{quote}”",
    "According to the passage, “{quote}”",
    "The passage answers this directly: “{quote}”",
    "In the passage's own words: “{quote}”",
    "As the passage puts it, “{quote}”",
)
VERDICT_FORMS = (
    "{verdict}. The passage says: “{quote}”",
    "{verdict}. In the passage: “{quote}”",
    "{verdict}. Source: “{quote}”",
    "{verdict} [1]\n\n[1] “{quote}”",
    "{verdict}. According to the passage, “{quote}”",
)
REFUSALS = (
    "The passage does not say {focus}.",
    "I can't tell from this passage {focus}.",
    "Nothing in the passage says {focus}.",
    "The passage does not tell us {focus}.",
    "It can't be told from the passage {focus}.",
    "I don't know {focus}; the passage does not mention it.",
    "That is not stated here: the passage never says {focus}.",
    "This passage gives no answer to that. It does not state {focus}.",
    "From this text alone I can't say {focus}.",
    "The passage is silent on this: it does not say {focus}.",
    "I could not find it: no part of the passage says {focus}.",
    "There is no answer to this in the passage, which never mentions {focus}.",
)
REFUSALS_OF_A_QUESTION = (
    "The passage does not answer this: {question}",
    "I can't tell from this passage. It has no answer to the question, {lowered}",
    "The passage gives no answer to that. What it leaves open is: {question}",
    "{question} The passage does not say.",
    "I don't know; the passage does not mention it. What was asked is: {question}",
    "This text alone does not tell. The open question is: {question}",
)
NEAREST = (
    " The nearest it comes is: “{quote}”",
    " What it does say on the subject is: “{quote}”",
    " The closest statement is: “{quote}”",
    " It says only: “{quote}”",
    " It does say: “{quote}”",
)
OF_ANOTHER = (
    " It says so only of {other}: “{quote}”",
    " It speaks of {other} instead: “{quote}”",
    " What it tells is about {other}: “{quote}”",
    " Its only statement of the kind is about {other}: “{quote}”",
)
DENIALS = (
    "No. The passage says: “{quote}”",
    "No. According to the passage, “{quote}”",
    "No. Source: “{quote}”",
)
PREMISES = (
    "The question assumes something that the passage does not support. It says: “{quote}”",
    "That is not what the passage says. It says: “{quote}”",
    "The question rests on a mistake, by this passage: “{quote}”",
    "The passage does not bear out what the question takes for granted. It reads: “{quote}”",
    "Careful: the passage says otherwise. It says: “{quote}”",
)
SURE = (
    " I am {percent} % sure.",
    " Confidence: {percent} %.",
    " I am about {percent} % confident in this.",
    " (Confidence: {percent} %)",
)
TURNED = ("do", "does", "did", "is", "are", "was", "were", "can", "could", "will", "would")


def grounded(short: str, quote: str, key: str) -> str:
    """An answer with its citation; `short` may be "" where the quotation is the answer."""
    if not short:
        return one_of(QUOTE_FORMS, key, "quote").format(quote=quote)
    bare = short.rstrip(".")
    return one_of(SHORT_FORMS, key, "short").format(short=bare, Short=upper_first(bare), quote=quote)


def verdict(word: str, quote: str, key: str) -> str:
    """An answer that begins with a verdict and cites what it rests on."""
    return one_of(VERDICT_FORMS, key, "verdict").format(verdict=word, quote=quote)


def refusal(focus: str, key: str, nearest: str = "", other: str = "") -> str:
    """An answer that says what is missing, and what the passage says instead where that is known."""
    text = one_of(REFUSALS, key, "refusal").format(focus=focus)
    if other:
        return text + one_of(OF_ANOTHER, key, "other").format(other=other, quote=nearest)
    return text + one_of(NEAREST, key, "nearest").format(quote=nearest) if nearest else text


def refused_directly(question: str) -> str:
    """A refusal that repeats the question, for one whose words can't be put in order by rule."""
    lowered = question[:1].lower() + question[1:]
    return one_of(REFUSALS_OF_A_QUESTION, question, "refusal").format(question=question, lowered=lowered)


def with_sure(text: str, key: str) -> str:
    """An answer with its stated confidence: at its end, or before the note that holds its quotation."""
    said, note, quoted = text.partition("\n\n[1]")
    return f"{said}{'.' * bool(note)}{sure(key)}{note}{quoted}"


def sure(key: str) -> str:
    """The sentence that states a confidence, with its place for the number."""
    return one_of(SURE, key, "sure").replace("{percent}", "{confidence}")


def indirect(question: str, clause: Clause | None, lexicon: Lexicon) -> str:
    """A question as it stands after "the passage does not say": "for how many hours the ebb lasts"; "" if unknown."""
    asked = question.rstrip("?").strip()
    if asked.startswith("What is the term for "):
        return f"what {asked.removeprefix('What is the term for ')} is called"
    if clause is not None:
        subject = inside(clause.subject, lexicon)
        for word in TURNED:
            head, found, tail = asked.partition(f" {word} {subject}")
            if not found:
                continue
            if word in ("do", "does", "did") and clause.base:
                tail = re.sub(rf"^ {re.escape(clause.base)}\b", f" {clause.verb}", tail)
                return f"{_lowered(head)} {subject}{tail}"
            return f"{_lowered(head)} {subject} {word}{tail}"
    if re.match(r"(?:What|Which|Who|How many)\b", asked):
        return _lowered(asked)
    return ""


def whether(statement: str, lexicon: Lexicon) -> str:
    """A statement as it stands after "the passage does not say"; "" for one that does not begin with its subject."""
    if re.match(r"\w+,|\w+ \w+,|(?:If|When|Because|Since|Although|While|In|On|At|For|To|From|With|By)\b", statement):
        return ""
    return f"whether {lower_first(statement, lexicon.kept).rstrip('.')}"


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def by_turns(key: str, *parts: object) -> int:
    """A number that varies with the key."""
    return seed_of(key, *parts)
