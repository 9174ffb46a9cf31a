"""Prompts about a passage, each made from one sentence that answers it.

A wh-question where the sentence's form gives one (definition, name, use, reason, condition, purpose, object), then a
blank to fill or a statement to check. A sentence that stands alone is asked about by itself; one that leans on its
neighbors is asked about together with them, as a short excerpt in the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from realign.curate.authors.extractive.clauses import Clause, as_question, split_clause
from realign.curate.authors.extractive.grammar import (
    BE,
    LEANING_STARTS,
    NUMBER,
    NUMBER_WORDS,
    PREPOSITIONS,
    is_about_itself,
    is_plain_statement,
    lower_first,
    stands_alone,
    stem,
    words,
)
from realign.curate.authors.extractive.lexicon import GLOSSARY, Lexicon, Sentence
from realign.curate.authors.extractive.negatives import false_variants, is_whole_phrase, terms_in
from realign.records import Document, Passage, Prompt, make_id

VERSION = "1"
EXCERPT_WORDS = 110
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
DEFINES = re.compile(
    r"^(?:an?|any|the (?:\w+ ){0,3}\w+ (?:of|that|which|in|between|where|from)|those|one of) ", re.IGNORECASE
)
CONDITION = re.compile(r"^(?P<mark>If|When) (?P<condition>[^,]{8,110}), (?:then )?(?P<main>.{12,})\.$")
PURPOSE = re.compile(r"^(?:In order to|To) (?P<verb>[a-z]+) (?P<object>[^,]{4,90}), (?P<main>.{12,})\.$")
BECAUSE = re.compile(r"^(?P<main>.{12,}?),? because (?!of\b)(?P<reason>.{12,})\.$")
NAMED = re.compile(r"^(?:(?:often|also|usually|commonly|sometimes) )?(?:called|known as|referred to as) (?P<name>.+)$")
COUNT = r"(?P<number>\d[\d,]*|" + "|".join(NUMBER_WORDS) + ")"
THINGS = r"(?P<things>(?:[a-z-]+ ){0,2}[a-z-]+s)(?P<where>(?: (?:in|on|at|of|for|with) [^,]{3,60})?)"
THERE_ARE = re.compile(rf"^There (?P<verb>are|were) {COUNT} {THINGS}\.$")
COUNTED = re.compile(rf"^{COUNT} {THINGS}$")
DATED = re.compile(
    r"^(?P<what>(?:\w+ed|born|built|made|begun|sent|won|lost|held|found|set up|sold|taken|written)\b[^,]*?)"
    r",? in (?P<year>1\d{3}|20\d{2})$"
)
USED = re.compile(r"^(?:(?:often|usually|commonly|sometimes|mainly) )?used (?P<how>to|for|in|as) ")


@dataclass(frozen=True, slots=True)
class Question:
    """A question about one sentence. focus is what the answer turns on; alone: it needs no excerpt."""

    text: str
    template: str
    focus: str
    sentence: Sentence
    alone: bool


def ask(document: Document, passage: Passage, lexicon: Lexicon, quota: int, seed: int) -> list[Prompt]:
    """At most `quota` prompts about a passage, two a sentence at most, in the order of its sentences."""
    if passage.role == "glossary":
        found = list(_glossary_questions(passage))
    elif passage.role in ("prose", "exercise"):
        found = list(_prose_questions(passage, lexicon, seed))
    else:
        return []
    ranked = sorted(found, key=lambda q: (q.template in WEAK, q.sentence.start))[:quota]
    prompts: dict[str, Prompt] = {}
    for question in sorted(ranked, key=lambda q: q.sentence.start):
        prompt = _as_prompt(question, document, passage, lexicon)
        prompts.setdefault(prompt.id, prompt)
    return list(prompts.values())


def _as_prompt(question: Question, document: Document, passage: Passage, lexicon: Lexicon) -> Prompt:
    text = question.text
    if not question.alone:
        excerpt = _excerpt(question.sentence, lexicon.sentences.get(passage.id, []), passage)
        text = f"Passage: {excerpt}\n\nQuestion: {text}"
    elif lexicon.title and question.template == "glossary":
        text = f"In {lexicon.title}, {text[0].lower()}{text[1:]}" if seed_of(text) % 2 else text
    return Prompt(
        make_id("prompt", passage.id, text), passage.id, text, f"{question.template}/{VERSION}", question.focus,
        question.sentence.start, question.sentence.end, "extractive",
    )  # fmt: skip


def seed_of(*parts: object) -> int:
    """A number that depends on `parts` alone, for choices that should vary but never change."""
    return int(make_id(*parts)[:8], 16)


def _excerpt(sentence: Sentence, around: list[Sentence], passage: Passage) -> str:
    """The sentence with up to two before it and one after, whole and in order, at most EXCERPT_WORDS words."""
    place = next(i for i, other in enumerate(around) if other.start == sentence.start)
    first, last = place, place
    for step in (-1, -1, 1):
        a, b = (first - 1, last) if step < 0 else (first, last + 1)
        if a < 0 or b >= len(around):
            continue
        text = passage.text[around[a].whole - passage.start : around[b].end - passage.start]
        if "\n" not in text and len(text.split()) <= EXCERPT_WORDS:
            first, last = a, b
    excerpt = passage.text[around[first].whole - passage.start : around[last].end - passage.start]
    return re.sub(r"^(?:\d{1,3}|[a-z])[.)] ", "", excerpt)


def _glossary_questions(passage: Passage) -> Iterator[Question]:
    """One question a term whose definition is a plain noun phrase."""
    offset = 0
    for line in passage.text.split("\n"):
        match = GLOSSARY.match(line.strip())
        if (
            match
            and DEFINES.match(match["rest"])
            and is_plain_statement(f"The term means {match['rest'].rstrip('.')}.")
        ):
            start = passage.start + offset + line.index(match["term"])
            sentence = Sentence(line.strip(), start, start + len(line.strip()), passage.id, start)
            term = match["term"].strip()
            term = term if term[1:] != term[1:].lower() else term[0].lower() + term[1:]
            yield Question(f"What does the term “{term}” mean?", "glossary", term, sentence, True)
        offset += len(line) + 1


def _prose_questions(passage: Passage, lexicon: Lexicon, seed: int) -> Iterator[Question]:
    for sentence in lexicon.sentences.get(passage.id, []):
        text = sentence.text
        if not is_plain_statement(text) or not is_about_itself(text) or lexicon.is_instruction(text):
            continue
        clause = split_clause(text, lexicon)
        alone = passage.role == "prose" and is_general(text, clause, lexicon)
        first = next((q for maker in MAKERS if (q := maker(sentence, clause, lexicon, alone))), None)
        if first and (first.template == "definition" or _can_be_wrong(text, lexicon)):
            yield first
        second = next((q for maker in _turns(sentence, seed) if (q := maker(sentence, clause, lexicon, alone))), None)
        if second:
            yield second


def _can_be_wrong(text: str, lexicon: Lexicon) -> bool:
    """True when a wrong answer can be made of it that still answers: "is not a tide staff" answers no "What is …?"."""
    return any(variant.method != "negation" for variant in false_variants(text, lexicon))


def is_general(text: str, clause: Clause | None, lexicon: Lexicon) -> bool:
    """True for a statement about a term of the document that holds outside its paragraph.

    In the present tense, without numbers or names, its subject a term without "the": "the mean" may be any mean.
    """
    if clause is None or not stands_alone(text) or NUMBER.search(text):
        return False
    if clause.verb.lower() in {"was", "were", "had", "did", "will", "would"} or re.match(r"\w+ing\b", clause.rest):
        return False
    if any(word in lexicon.names for word in words(text)[1:]):
        return False
    subject = re.sub(r"^(?:an?) ", "", clause.subject.lower())
    return subject in lexicon.terms and not clause.subject.lower().startswith("the ")


# -- wh-questions: each maker gives a question or None ------------------------------------------------------------


def _inside(subject: str, lexicon: Lexicon) -> str:
    return lower_first(subject, lexicon.names)


def _definition(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    if (
        clause is None
        or clause.verb not in ("is", "are")
        or not DEFINES.match(clause.rest)
        or len(clause.rest.split()) < 5
    ):
        return None
    if len(clause.subject.split()) > 6 or (clause.subject.startswith("The ") and len(clause.rest.split()) < 8):
        return None
    subject = _inside(clause.subject, lexicon)
    return Question(f"What {clause.verb} {subject}?", "definition", clause.subject, sentence, alone)


def _name(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    if clause is None or clause.verb not in BE or not (match := NAMED.match(clause.rest)):
        return None
    if "," in match["name"] or len(match["name"].split()) > 5:
        return None
    question = f"What {clause.verb} {_inside(clause.subject, lexicon)} called?"
    return Question(question, "name", match["name"], sentence, alone)


def _use(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    if clause is None or clause.verb not in ("is", "are") or not (match := USED.match(clause.rest)):
        return None
    how = {"to": "for", "for": "for", "in": "in", "as": "as"}[match["how"]]
    question = f"What {clause.verb} {_inside(clause.subject, lexicon)} used {how}?"
    return Question(question, "use", clause.subject, sentence, alone)


def _reason(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    if not (match := BECAUSE.match(sentence.text)) or "," in match["main"]:
        return None
    main = split_clause(match["main"] + ".", lexicon)
    question = as_question(main, "Why", _inside(main.subject, lexicon)) if main else ""
    return Question(question, "reason", match["main"], sentence, alone) if question else None


def _means(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    if clause is None or not (match := re.match(r"(?P<done>[^,]{6,}?) by (?P<how>\w+ing\b.{4,})$", clause.rest)):
        return None
    short = replace(clause, rest=match["done"])
    question = as_question(short, "How", _inside(clause.subject, lexicon))
    return Question(question, "means", clause.subject, sentence, alone) if question else None


def _how_many(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    """ "Spain has 50 provinces." and "There are 52 cards in a deck." """
    if match := THERE_ARE.match(sentence.text):
        question = f"How many {match['things']} {match['verb']} there{match['where']}?"
        return Question(question, "how-many", match["number"], sentence, False)
    if clause is None or clause.verb not in ("has", "have") or not (match := COUNTED.match(clause.rest)):
        return None
    do = "does" if clause.verb == "has" else "do"
    question = f"How many {match['things']} {do} {_inside(clause.subject, lexicon)} have{match['where']}?"
    return Question(question, "how-many", match["number"], sentence, alone)


def _when(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    if clause is None or clause.verb not in ("was", "were") or not (match := DATED.match(clause.rest)):
        return None
    question = f"When {clause.verb} {_inside(clause.subject, lexicon)} {match['what']}?"
    return Question(question, "when", match["year"], sentence, alone)


def _condition(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    if not (match := CONDITION.match(sentence.text)):
        return None
    condition, main = match["condition"], match["main"]
    first = words(main)[0].lower()
    if first in LEANING_STARTS and first not in ("we", "it", "they", "there") and first not in lexicon.verbs:
        return None
    if re.match(r"\w+(?:ing|ed)\b", condition) or not _is_clause(main, lexicon):
        return None
    if first in lexicon.verbs and first not in lexicon.terms:
        question = f"What should you do {match['mark'].lower()} {condition}?"
    else:
        lead = "would happen" if " would " in f" {main} " else "happens" if " will " in f" {main} " else "is true"
        question = f"What {lead} {match['mark'].lower()} {condition}?"
    general = stands_alone(sentence.text) and not NUMBER.search(sentence.text)
    general = (
        general and not any(word in lexicon.names for word in words(sentence.text)[1:]) and " the " not in condition
    )
    return Question(question, "condition", condition, sentence, general)


def _is_clause(main: str, lexicon: Lexicon) -> bool:
    """True when `main` is a clause of its own and not the next item of a list: "if you have fours, fives, …"."""
    found = [word.lower() for word in words(main)[:2]]
    told = found[0] in lexicon.verbs and found[0] not in lexicon.terms
    said = found[0] in ("we", "you", "it", "they", "there") and lexicon.is_verb(found[-1])
    return told or said or any(lexicon.is_verb(word) for word in words(main.split(",")[0])[1:])


def _purpose(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    if not (match := PURPOSE.match(sentence.text)) or match["verb"] not in lexicon.verbs:
        return None
    general = stands_alone(sentence.text) and not NUMBER.search(sentence.text)
    question = f"How do you {match['verb']} {match['object']}?"
    return Question(question, "purpose", match["object"], sentence, general)


def _object(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    if clause is None or clause.base not in OBJECT_VERBS:
        return None
    preposition, first = OBJECT_VERBS[clause.base], words(clause.rest)[0].lower()
    if preposition:
        if first != preposition:
            return None
        question = f"What {_do(clause)} {_inside(clause.subject, lexicon)} {clause.base} {preposition}?"
    else:
        if first in PREPOSITIONS or first in ("to", "by", "and", "or") or first.endswith("ly"):
            return None
        question = f"What {_do(clause)} {_inside(clause.subject, lexicon)} {clause.base}?"
    return Question(question, "object", clause.subject, sentence, alone)


def _do(clause: Clause) -> str:
    return "do" if clause.verb == clause.base else "does"


# -- blanks and statements to check --------------------------------------------------------------------------------


def _blank(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    """Blank out a number, or a term that has siblings, where it occurs once."""
    text = sentence.text
    fillers = [n for n in NUMBER.findall(text) if text.count(n) == 1]
    fillers += [
        term
        for term in terms_in(text, lexicon)
        if len(found := list(re.finditer(rf"\b{re.escape(term)}\b", text))) == 1
        and is_whole_phrase(text, found[0], lexicon)
        and not any(re.search(rf"\b{re.escape(stem(part))}", text.replace(term, "")) for part in term.split())
    ][:2]  # fmt: skip
    fillers = [f for f in fillers if false_variants(text, lexicon, only=f)]
    if not fillers:
        return None
    filler = fillers[seed_of(text, "blank") % len(fillers)]
    shown = re.sub(rf"(?<![\w.]){re.escape(filler)}(?!\w)", "____", text, count=1)
    shown = re.sub(r"\b([Aa])n? ____", r"\1(n) ____", shown)
    return Question(f"Fill in the blank: {shown}", "blank", filler, sentence, alone and _defines(clause))


def _check_true(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    if not false_variants(sentence.text, lexicon):
        return None
    return Question(_whether(sentence.text, lexicon), "check-true", sentence.text, sentence, alone and _defines(clause))


def _check_false(sentence: Sentence, clause: Clause | None, lexicon: Lexicon, alone: bool) -> Question | None:
    variants = [v for v in false_variants(sentence.text, lexicon) if v.method != "negation"]
    if not variants:
        return None
    premise = variants[seed_of(sentence.text, "premise") % len(variants)].text
    return Question(_whether(premise, lexicon), "check-false", premise, sentence, alone and _defines(clause))


def _whether(statement: str, lexicon: Lexicon) -> str:
    """The statement as a yes-or-no question: turned round where that is certain, else after "Is it true that"."""
    clause = split_clause(statement, lexicon)
    simple = (
        clause
        and len(clause.subject.split()) <= 5
        and not re.search(r",? (?:and|but|or) (?:is|are|was|were)\b|, and ", clause.rest)
    )
    turned = as_question(clause, "", _inside(clause.subject, lexicon)) if clause and simple else ""
    return turned or f"Is it true that {lower_first(statement, lexicon.names).rstrip('.')}?"


def _defines(clause: Clause | None) -> bool:
    return clause is not None and clause.verb in ("is", "are") and DEFINES.match(clause.rest) is not None


Maker = Callable[[Sentence, Clause | None, Lexicon, bool], Question | None]
MAKERS: tuple[Maker, ...] = (
    _definition, _name, _use, _reason, _purpose, _condition, _how_many, _when, _means, _object
)  # fmt: skip
WEAK = frozenset({"check-true", "check-false"})


def _turns(sentence: Sentence, seed: int) -> tuple[Maker, ...]:
    """Blanks and the two kinds of checks take turns, by the sentence, so that no form of answer dominates."""
    makers: tuple[Maker, ...] = (_blank, _check_false, _check_true)
    turn = seed_of(sentence.text, seed) % 4
    return makers if turn < 2 else (makers[1], makers[0], makers[2]) if turn == 2 else (makers[2], makers[0], makers[1])
