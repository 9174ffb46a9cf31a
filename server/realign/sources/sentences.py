"""Split a paragraph into sentences: offsets in, offsets out, nothing lost between them but white space.

A sentence ends at a full stop, question mark, exclamation mark or ellipsis, with the quotes and brackets that close
after it, when white space follows and the next word can start a sentence. Abbreviations, initials, decimals, section
numbers and list marks do not end one. A colon never does.
"""

from __future__ import annotations

import re

# Abbreviations that are followed by more of the same sentence, whatever the case of the next word.
NEVER = """
dr mr mrs ms prof rev hon st gen col capt lt sgt gov sen rep pres messrs mme mlle fr hr frl dipl ing e.g i.e eg ie cf vs
viz fig figs eq eqs eqn sec secs ch chap chs vol vols pp p no nos nr ref refs ex tab thm def lem prop cor app art approx
ca resp al incl excl esp z.b d.h u.a s.o s.u bzw vgl abb bsp kap ggf evtl sog usf jan feb mar apr jun jul aug sept oct
nov dec mt ft sq p.ex
"""
# Abbreviations that end a sentence when a word that often begins one follows.
MAYBE = "etc inc corp ltd co bros u.s u.k u.s.a u.n e.u a.m p.m jr sr ph.d m.d b.a m.a usw u.s.w b.c a.d d.c"
BEFORE_NUMBERS = "p pp no nos fig figs eq eqs sec ch chap vol ex tab art abb kap nr"
FIRST = """
the a an this that these those it its he she they we you i in on at for from with if when while as but and or so there
here what which who how why because since although however thus then to by each every all some many most another one two
both no not after before during under over our their his her der die das ein eine es er sie wir wenn le la les un une el
los
"""
NEVER_LAST, MAYBE_LAST = frozenset(NEVER.split()), frozenset(MAYBE.split())
NEEDS_MORE, STARTERS = frozenset(BEFORE_NUMBERS.split()), frozenset(FIRST.split())
END = re.compile(r"(?:[.!?]+|…)(?:[\"'”’»“)\]}]|\s(?=[»”])[»”])*(?:\[\d+(?:[,–-]\s?\d+)*\]|[⁰¹²³⁴-⁹])*(?=\s|$)")
TOKEN = re.compile(r"\S+$")
OPENING = "\"'“‘«„(['{[¿¡"
LIST_MARK = re.compile(r"^\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,4})[.)]?$")


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """(start, end) of each sentence of one paragraph, in order; [] for an empty one. No outer white space.

    A paragraph without an end mark is one sentence.
    """
    spans: list[tuple[int, int]] = []
    start = len(text) - len(text.lstrip())
    for mark in END.finditer(text):
        if mark.start() >= start and ends_sentence(text, start, mark.start(), mark.end()):
            spans.append((start, mark.end()))
            start = mark.end() + len(text[mark.end() :]) - len(text[mark.end() :].lstrip())
    if text[start:].strip():
        spans.append((start, len(text.rstrip())))
    return spans


def ends_sentence(text: str, start: int, dot: int, end: int) -> bool:
    """Whether the mark at `dot`, closed at `end`, ends the sentence that began at `start`."""
    following = text[end : end + 80].split()
    if not following:
        return True
    after = following[0].lstrip(OPENING)
    if not can_start(after, following[0], text[dot:end]):
        return False
    if text[dot] in "!?":
        return after[:1].isupper() or after[:1].isdigit() or not after[:1].isalpha()
    if text[dot] == "…" or text[dot : dot + 2] == "..":
        return after[:1].isupper()
    return not is_abbreviation(text, start, dot, end, after)


def can_start(after: str, raw: str, mark: str) -> bool:
    """Whether a word can begin a sentence: not in lower case, unless it is the mark of a list, "b)"."""
    if not after:
        return True
    if after[0].islower():
        return bool(LIST_MARK.match(after)) and after[-1] == ")" and len(mark) == 1
    return not (raw[0] in ",;:" or after[0] in ",;:)")


def is_abbreviation(text: str, start: int, dot: int, end: int, after: str) -> bool:
    """Whether the single full stop at `dot` belongs to the word before it."""
    found = TOKEN.search(text, max(start, dot - 40), dot)
    token = found.group().lstrip(OPENING) if found else ""
    word = token.lower()
    if not token:
        return True
    if end - dot > 1 and text[dot + 1] in ')]"”’»':
        return False
    if LIST_MARK.match(token) and not text[start : dot - len(token)].strip(OPENING + " "):
        return True  # the mark of a list item at its start: "1." or "a."
    if len(token) == 1 and re.match(r"[^\W\d_]\.", after):
        return True  # the first half of "d. h." or "z. B."
    if word in NEEDS_MORE:
        return (
            after[:1].isdigit() or after[:1] in "IVX" or (word in ("p", "pp", "no", "nr") and not capital_word(after))
        )
    if word in NEVER_LAST:
        return not (word in ("al", "mar", "st", "art") and after.lower() in STARTERS)
    if word in MAYBE_LAST:
        return not starts_afresh(after)
    if len(token) == 1 and token.isupper():
        return is_initial(text, start, dot, after)
    if re.fullmatch(r"(?:[^\W\d_]\.)+[^\W\d_]", token):
        return not starts_afresh(after)
    return False


def capital_word(word: str) -> bool:
    """A word that begins with a capital."""
    return word[:1].isupper()


def starts_afresh(after: str) -> bool:
    """Whether the next word is one that usually begins sentences: a name after "U.S." is not."""
    return after[:1].isupper() and re.sub(r"\W.*", "", after).lower() in STARTERS


def is_initial(text: str, start: int, dot: int, after: str) -> bool:
    """Whether a single capital before a full stop is an initial ("J. Smith"), no label ("plan B. The")."""
    if starts_afresh(after):
        return False
    before = text[max(start, dot - 30) : dot - 1].rstrip().split()
    previous = before[-1] if before else ""
    return not previous or previous[:1].isupper() or previous.rstrip(".").lower() in ("and", "by", "&", "und", "von")
