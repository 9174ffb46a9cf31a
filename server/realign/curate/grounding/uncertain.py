"""Questions that the passage answers only with a hedge, or only lets one infer: the answer says how sure it is.

    hedge   the sentence says "usually", "may", "most", "about"; the question asks for certainty
    cut     the sentence begins with "It": what it speaks of can only be inferred from the sentences around it
    gap     a term is illegible but for its first letter, as in a damaged scan, and is inferred from the rest

The last two state the confidence that such inferences have earned on other passages (calibrate.py).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from realign.curate.authors.extractive.closed import STOP
from realign.curate.authors.extractive.grammar import fix_articles, is_plural, lower_first, stem, upper_first, words
from realign.curate.authors.extractive.lexicon import Lexicon
from realign.curate.authors.extractive.sentences import Sentence
from realign.curate.authors.extractive.wh import defines
from realign.curate.authors.extractive.wording import one_of, seed_of
from realign.curate.grounding.answerable import term_of
from realign.curate.grounding.items import Item, Subject, verbatim, whole
from realign.curate.grounding.wording import refusal, sure, whether
from realign.curate.judges.grounding import ILLEGIBLE
from realign.records import Passage

HEDGES: tuple[tuple[re.Pattern[str], str, tuple[str, ...]], ...] = (
    (re.compile(r"\b(?:usually|typically|normally|generally|commonly|mostly)\b"), "always",
     ("Usually, but not always", "As a rule, though not always", "Mostly; that it is always so is not claimed")),
    (re.compile(r"(?<!most )(?<!very )(?<!more )\b(?:often|frequently)\b"), "always",
     ("Often, but not always", "In many cases, though not in all", "Often; that it is always so is not claimed")),
    (re.compile(r"\bsometimes\b"), "always",
     ("Only sometimes", "Sometimes, so not in every case", "At times, but not always")),
    (re.compile(r"\b(?:may|might|could)\b(?! not| have)"), "will",
     ("Possibly, but it is not certain", "It may be so; it is not certain", "It is possible, no more than that")),
    (re.compile(r"^Most(?= (?:[a-z]+ )?[a-z]+s\b)"), "All",
     ("Most, but not all", "Of most, not of all", "Not of all: only of most")),
    (re.compile(r"^Many(?= (?:[a-z]+ )?[a-z]+s\b)"), "All",
     ("Many, but not all", "Of many, though not of all", "Not of all: only of many")),
    (re.compile(r"^Some(?= (?:[a-z]+ )?[a-z]+s\b)"), "All",
     ("Some, but not all", "Of some, not of all", "Not of all: only of some")),
    (re.compile(r"\b(?:about|approximately|roughly|around)(?= \$?\d)"), "exactly",
     ("Roughly, not exactly", "Nearly so, but the figure is not exact", "About that; an exact figure is not given")),
    (re.compile(r"\b(?:nearly|almost)(?= (?:all|every|always)\b)"), "absolutely",
     ("Very nearly, but not quite", "Almost, though not entirely", "Nearly so, but not without exception")),
    (re.compile(r"\bprobably(?= [a-z]+)"), "certainly",
     ("Probably, but it is not certain", "It is likely, not certain", "Likely so; certain it is not")),
)  # fmt: skip
CERTAIN = (
    "Is it certain that {lowered}?",
    "Is it true without exception that {lowered}?",
    "Can one be sure that {lowered}?",
    "Does the passage establish that {lowered}?",
    "Is it true that {lowered}?",
)
HEDGED_FORMS = (
    "{lead}. The passage says only: “{quote}”",
    "{lead}. What the passage says is: “{quote}”",
    "{lead}: “{quote}”",
    "{lead}. The passage puts it so: “{quote}”",
)
CUT_FORMS = (
    "Probably {pick}.{sure} The passage does not name it there, it says only that it “{part}”; the sentence before"
    " speaks of {pick}: “{clue}”",
    "Most likely {pick}, though the passage says only “it”.{sure} What is said of it is that it “{part}”, and the"
    " subject just before is {pick}: “{clue}”",
    "The passage suggests {pick}.{sure} It says that something “{part}” right after it has said: “{clue}”",
    "I take “it” to be {pick}, which the passage leaves to the reader.{sure} It “{part}”, and just before stands:"
    " “{clue}”",
)
CUT_ASKED = ("What {verb} {rest}?", "According to the passage, what {verb} {rest}?", "What is it that {verb} {rest}?")
GAP_ASKED = (
    "Which word or words stood where the text has “{gap}”?",
    "The text is damaged at “{gap}”. What did it most likely say there?",
    "What does “{gap}” stand for in this text?",
    "One place cannot be read: “{gap}”. Which term belongs there?",
)
GAP_FORMS = (
    "Probably “{pick}”.{sure} Only the first letter is legible, right {side} “{part}”; the rest of the text has a term"
    " that begins so: “{clue}”",
    "Most likely “{pick}”, to judge by the rest.{sure} The damaged place stands right {side} “{part}”, and the text has"
    " a term with this letter here: “{clue}”",
    "The text suggests “{pick}”, by inference from the rest.{sure} It stands right {side} “{part}”; the term occurs"
    " here: “{clue}”",
    "I think “{pick}”.{sure} It would fit right {side} “{part}”, and the text speaks of it elsewhere: “{clue}”",
)
ARTICLES = frozenset("a an the each every this".split())
BARE_CUT = "what {part}: it says only “it”"
LONGEST_REST, FEWEST_QUOTED = 18, 3


def items(subject: Subject) -> Iterator[Item]:
    """At most one of each kind."""
    yield from list(hedges(subject))[:1]
    yield from list(cuts(subject))[:1]
    yield from list(gaps(subject))[:1]


# -- the passage hedges ---------------------------------------------------------------------------------------------


def hedges(subject: Subject) -> Iterator[Item]:
    """The sentence with its hedge made certain, asked for a verdict."""
    text, lexicon = subject.sentence.text, subject.lexicon
    found = [(match, strict, leads) for pattern, strict, leads in HEDGES for match in pattern.finditer(text)]
    if len(found) != 1 or re.search(r"\bnot\b|n't\b|\bor\b.*\bor\b", text) or len(text.split()) > 28:
        return
    match, strict, leads = found[0]
    certain = fix_articles(upper_first(text[: match.start()] + strict + text[match.end() :]))
    focus = whether(certain, lexicon)
    if not focus:
        return
    lowered = lower_first(certain, lexicon.kept).rstrip(".")
    question = one_of(CERTAIN, text).format(lowered=lowered)
    lead = one_of(leads, text, "lead")
    good = one_of(HEDGED_FORMS, text, "hedged").format(lead=lead, quote=subject.quote)
    yield Item(
        "hedge", question, subject.text(), subject.sentence, lead.split(",")[0].split(";")[0],
        (("hedged", good),),
        (
            ("overconfident", f"Yes, certainly. The passage says: “{certain}”" + certainly(text)),
            ("over-refusal", refusal(focus, text)),
        ),
    )  # fmt: skip


# -- the passage lets one infer -------------------------------------------------------------------------------------


def cuts(subject: Subject) -> Iterator[Item]:
    """The sentence with "It" for its subject, after the sentences before it: the reader infers what it is."""
    clause, lexicon, passage = subject.clause, subject.lexicon, subject.passage
    place = subject.window.index(subject.sentence)
    if clause is None or not place or not FEWEST_QUOTED <= len(clause.rest.split()) <= LONGEST_REST:
        return
    term, part, before = term_of(clause, lexicon), f"{clause.verb} {clause.rest}", subject.window[place - 1]
    third = clause.verb in ("is", "has") or (clause.base and clause.verb != clause.base and not clause.past)
    if not term or not third or part not in subject.quote or defines(clause) or not quotable(before, passage):
        return
    guess = referent(place, clause.rest, subject.window, lexicon)
    if guess is None:
        return
    pick, features = guess
    shown = " ".join(f"It {part}." if each is subject.sentence else whole(each, passage) for each in subject.window)
    question = one_of(CUT_ASKED, subject.sentence.text).format(verb=clause.verb, rest=clause.rest)
    named, clue = f"the {lexicon.written(pick)}", verbatim(before, passage)
    good = one_of(CUT_FORMS, question, "cut").format(pick=named, part=part, clue=clue, sure=sure(question))
    restored = f"The passage says: “{upper_first(named)} {part}.” It has just said: “{clue}”"
    told = f"{upper_first(named)}, beyond doubt.{certainly(question)} {restored}"
    yield Item(
        "cut", question, shown, subject.sentence, term, (("hedged", good),), (("overconfident", told),),
        evidence=("cut", *features), right=same_thing(pick, term),
        unsure=refusal(BARE_CUT.format(part=part), question),
    )  # fmt: skip


def referent(
    place: int, rest: str, window: tuple[Sentence, ...], lexicon: Lexicon
) -> tuple[str, tuple[object, ...]] | None:
    """The term that a reader would take "it" to mean, the subject just before, and the features of that guess.

    It weighs most; a term that "the" takes up again just after weighs more than a mere
    mention. Of the true subject nothing is used.
    """
    weights: Counter[str] = Counter()
    low = {stem(word) for word in words(rest)}
    for at, sentence in enumerate(window):
        for term, first in terms_in(sentence.text, lexicon):
            last = term.split()[-1]
            if at != place and not is_plural(last) and stem(last) not in low:
                again = at == place + 1 and first == 1 and sentence.text.startswith("The ")
                weights[term] += 6 if at == place - 1 and first <= 1 else 3 if again else 2
    if not weights:
        return None
    ranked = sorted(weights.items(), key=lambda one: (-one[1], one[0]))
    pick, ahead = ranked[0][0], ranked[0][1] - (ranked[1][1] if len(ranked) > 1 else 0)
    told = re.match(rf"(?:an? |the |this |each )?{re.escape(pick)}\b", window[place - 1].text, re.IGNORECASE)
    return (pick, (ahead > 2,)) if told else None


def gaps(subject: Subject) -> Iterator[Item]:
    """A term of the sentence made illegible but for its first letter; what it was is guessed from the other terms."""
    lexicon, passage, text = subject.lexicon, subject.passage, whole(subject.sentence, subject.passage)
    found = [match for term, at in terms_in(text, lexicon) if at and (match := only_place(term, text))]
    found = [match for match in found if ends_there(match, text, lexicon)]
    if not found:
        return
    match = found[seed_of(text, "gap") % len(found)]
    gap, term = f"{match[0][0]}{ILLEGIBLE}", match[0].lower()
    others = tuple(each for each in subject.window if each is not subject.sentence)
    left = [word.lower() for word in words(text[: match.start()])][-2:]
    guess = filling(term[0], is_plural(term.split()[-1]), text.replace(match[0], " "), left, others, lexicon)
    before, behind = text[: match.start()].rstrip(" ,"), text[match.end() :].strip(" ,.")
    side, part = ("after", before) if len(before.split()) >= FEWEST_QUOTED else ("before", behind)
    if guess is None or len(part.split()) < FEWEST_QUOTED or part not in passage.text:
        return
    pick, clue, features = guess
    shown = " ".join(
        text[: match.start()] + gap + text[match.end() :] if each is subject.sentence else whole(each, passage)
        for each in subject.window
    )
    question, named = one_of(GAP_ASKED, text).format(gap=gap), lexicon.written(pick)
    good = one_of(GAP_FORMS, text, "gap").format(pick=named, part=part, side=side, clue=clue, sure=sure(text))
    restored = text[: match.start()] + named + text[match.end() :]
    told = f"“{named}”, beyond doubt.{certainly(text)} The passage reads: “{restored}” It says so elsewhere: “{clue}”"
    yield Item(
        "gap", question, shown, subject.sentence, match[0], (("hedged", good),),
        (("overconfident", told),),
        evidence=("gap", *features), right=same_thing(pick, term),
    )  # fmt: skip


def filling(
    letter: str, plural: bool, inside: str, left: list[str], others: tuple[Sentence, ...], lexicon: Lexicon
) -> tuple[str, str, tuple[object, ...]] | None:
    """The term with this first letter and number that the other sentences suggest most, one of them, and the features.

    A mention counts 1, and 3 more where the two words before the gap stand before it too. After an article only terms
    after an article count. None where several terms would fit, unless those two words tell one of them.
    """
    counts: Counter[str] = Counter()
    clues: dict[str, str] = {}
    here, alike = {stem(word) for word in words(inside)}, set()
    for sentence in others:
        low = [word.lower() for word in words(sentence.text)]
        quoted = any(mark in sentence.text for mark in '“”"')
        for term, at in terms_anywhere(low, letter, plural, lexicon):
            named = at and low[at - 1] in ARTICLES
            if all(stem(word) in here for word in term.split()) or (left[-1:] and left[-1] in ARTICLES and not named):
                continue
            same = len(left) == 2 and low[max(0, at - 2) : at] == left
            counts[term] += 4 if same else 1
            if not quoted and (term not in clues or (same and term not in alike)):
                clues[term] = sentence.text
            alike |= {term} if same else set()
    for term in list(counts):
        if any(term != other and f" {term} " in f" {other} " and counts[other] >= counts[term] for other in counts):
            del counts[term]
    ranked = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    if not ranked or ranked[0][0] not in clues or (len(ranked) > 1 and alike != {ranked[0][0]}):
        return None
    pick, ahead = ranked[0][0], ranked[0][1] - (ranked[1][1] if len(ranked) > 1 else 0)
    return pick, clues[pick], (pick in alike, ahead > 1)


def terms_anywhere(low: list[str], letter: str, plural: bool, lexicon: Lexicon) -> Iterator[tuple[str, int]]:
    """The document's terms of a first letter and number among words in lower case, with their places.

    One that is the beginning of a longer name is none: "potential" in "potential outliers".
    """
    for size in (3, 2, 1):
        for at in range(len(low) - size + 1):
            term, after = " ".join(low[at : at + size]), low[at + size : at + size + 1]
            ends = not after or after[0] in STOP or lexicon.is_verb(after[0])
            if ends and term[:1] == letter and term in lexicon.terms and is_plural(low[at + size - 1]) == plural:
                yield term, at


def only_place(term: str, text: str) -> re.Match[str] | None:
    """Where a term of more than three letters stands in a text that has it once."""
    found = list(re.finditer(rf"(?<![\w-]){re.escape(term)}(?![\w-])", text, re.IGNORECASE))
    return found[0] if len(found) == 1 and len(term) > 3 and text.lower().count(term) == 1 else None


def ends_there(match: re.Match[str], text: str, lexicon: Lexicon) -> bool:
    """True where a term is no part of a longer name: "standard" is one in "standard rules"."""
    after = re.match(r" ([\w’'-]+)", text[match.end() :])
    return after is None or after[1].lower() in STOP or lexicon.is_verb(after[1])


def certainly(key: str) -> str:
    """The sentence that states full confidence."""
    return sure(key).replace("about ", "").replace("{confidence}", "100")


def quotable(sentence: Sentence, passage: Passage) -> bool:
    """True for a sentence that can stand in quotation marks as the document has it."""
    return not any(mark in verbatim(sentence, passage) for mark in '“”"\n') and sentence.text.endswith(".")


def terms_in(text: str, lexicon: Lexicon) -> Iterator[tuple[str, int]]:
    """The document's terms in a text after an article or at its start, the longest at each place, with their place."""
    low = [word.lower() for word in words(text)]
    for at in range(len(low)):
        if at and low[at - 1] not in ARTICLES:
            continue
        found = next((" ".join(low[at : at + n]) for n in (3, 2, 1) if " ".join(low[at : at + n]) in lexicon.terms), "")
        if found:
            yield found, at


def same_thing(pick: str, term: str) -> bool:
    """True when a guess names the term: equal, or a longer name with it as its head."""
    one, other = stem(pick), stem(term)
    return one == other or one.endswith(f" {other}")
