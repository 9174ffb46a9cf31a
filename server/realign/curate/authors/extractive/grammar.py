"""Closed classes of English words, and tests on a single sentence that need no parser.

Only what can be decided with certainty from the words themselves: everything here prefers a "no".
"""

from __future__ import annotations

import re

WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|\d[\d,]*(?:\.\d+)?%?")
NUMBER = re.compile(r"(?<![\w.,/–—-])\$?\d[\d,]*(?:\.\d+)?%?(?![\w/–—-]|[.,]\d)")

BE = frozenset("is are was were".split())
MODALS = frozenset("can could will would shall should may might must cannot".split())
AUXILIARIES = BE | MODALS | frozenset("has have had does do did".split())
DETERMINERS = frozenset("a an the each every any some all most many few several no both either neither".split())
PRONOUNS = frozenset(
    "i me my mine we us our ours you your yours he him his she her hers it its they them their theirs this that these"
    " those one ones who whom whose which what there here such same other another others former latter itself"
    " themselves himself herself something someone anything anyone everything everyone nothing nobody".split()
)
PREPOSITIONS = frozenset(
    "of in on at by for with from to into onto over under between among through during before after about against"
    " without within upon across along around behind below above beneath beside besides beyond toward towards until"
    " till since per via than as like unlike near off out up down".split()
)
CONJUNCTIONS = frozenset(
    "and or but nor so yet because if when while although though whereas unless since that".split()
)
STOP = (
    DETERMINERS
    | PRONOUNS
    | PREPOSITIONS
    | CONJUNCTIONS
    | AUXILIARIES
    | frozenset(
        "not be been being only also very more less least much too just even still then thus therefore however often"
        " usually generally always never sometimes rather quite well how why where when whether again once".split()
    )
)

# A sentence that starts like this leans on the one before it, tells the reader to do something, or speaks of the page.
LEANING_STARTS = PRONOUNS - {"you", "your"} | frozenset(
    "and or but nor so yet then thus therefore hence however moreover furthermore besides also additionally"
    " consequently accordingly instead otherwise nevertheless nonetheless meanwhile similarly likewise conversely"
    " finally next first second third last lastly again further indeed because although though while whereas since"
    " note notice recall remember see let suppose consider assume imagine think try use find draw write read look"
    " compute calculate determine identify list name describe explain construct complete answer compare choose"
    " select enter press type click go take give make round sketch state label show solve refer follow repeat begin"
    " start check verify organize record count add multiply divide subtract plot graph graphing discuss interpret"
    " solution answer example figure table chapter section exercise problem step yes no hint please".split()
)
# Verbs that start an instruction far more often than a statement.
IMPERATIVES = frozenset(
    "keep hold turn place put set open close stop leave bring send move push pull cut mix stir heat cool wash dry fill"
    " pour serve cover remove insert attach connect switch run install click save load print avoid ensure provide"
    " include ask tell let help learn study work practice apply change build create design develop test measure"
    " predict explore examine review summarize highlight underline circle match sort group combine convert simplify"
    " evaluate expand factor prove assign replace return substitute rewrite model demonstrate illustrate justify"
    " mark pick roll toss flip deal spin divide subtract wait watch listen visit call download search scroll highlight"
    " contact please do don't be get buy sell pay prepare plan pass point reduce increase raise lower lift press drag"
    " drop treat view walk stand sit read reread memorize spell translate pronounce collect gather generate simulate"
    " shade trace estimate obtain input store sum square fit recognize differentiate interpret organize develop"
    " appraise classify conduct".split()
)
# Verbs that are hardly ever nouns, so that they are known even where a short document shows them once.
COMMON_VERBS = frozenset(
    "absorb accept achieve acquire add allow appear apply arise become begin believe belong bring build carry choose"
    " collect combine comprise conclude confirm connect consider consist contain continue contribute convert correspond"
    " create deal decide define demonstrate depend derive describe destroy determine develop differ disappear discover"
    " divide emerge enable encourage ensure enter establish evaluate exceed exist expand explain express extend fail"
    " fall flow follow form generate give govern grow happen hold identify imply improve include incorporate increase"
    " decrease indicate influence inhibit interact introduce invent involve keep know lead learn lie maintain mean"
    " measure meet migrate obtain occur operate originate perceive perform permit predict prefer prepare prevent"
    " produce protect prove provide publish pursue raise reach receive recognize reduce refer reflect regulate relate"
    " release rely remain remove repel replace represent require resemble resist respond result retain reveal rise"
    " satisfy seem select send separate serve settle show speak spend spread stay store strengthen suggest surround"
    " survive take teach tend think transform transmit understand undergo unite use vary weaken write yield".split()
)
LEANING_PHRASES = re.compile(
    r"\b(?:this|these|those|following|above|below|previous|preceding|aforementioned|latter|former|respectively"
    r"|such an?|so far|as (?:shown|seen|stated|noted|mentioned|described|discussed|follows)|next (?:section|chapter)"
    r"|last (?:section|chapter)|earlier|later|in other words|for (?:example|instance)"
    r"|the (?:same|other|first|second|third|example|problem|exercise|question|solution|table|figure|graph|diagram"
    r"|formula|equation|text|chapter|section|book|author|reader|result|answer|passage|page)s?|that is|i\.e|e\.g|viz|cf"
    r"|ibid|et al|etc|here|there (?:is|are|was|were)|we|our|us|i|my|me|it|they|them|their|he|she|his|her|him)\b",
    re.IGNORECASE,
)
POINTING = re.compile(
    r"\b(?:this|these|those|following|above|below|previous|preceding|former|latter|here|such|shown|as follows"
    r"|i|my|me|i'm|let's|let us)\b",
    re.IGNORECASE,
)
PAGE_WORDS = re.compile(
    r"\b(?:fig(?:ure|s)?|tables?|examples?|exercises?|chapters?|sections?|pages?|appendix|equations?|eq|problems?"
    r"|figures?|footnotes?|vol|pp?|boxes|box|panels?)\.? ?\(?(?:\d|[A-Z]\b)"
    r"|©|copyright|all rights reserved|isbn|doi|http|www\.",
    re.IGNORECASE,
)
SYMBOLS = re.compile(r"[=<>≤≥±×÷∑∏√∫∞≈≠∈∉⊂∪∩→←↔⇒|\\^_~{}\[\]@#*•■□▪●○†‡§¶/+]|\.\.|…|��|--")
SINGLE_LETTER = re.compile(r"\b(?![aAI]\b)[^\W\d_]\b(?!\.?['’])")

NUMBER_WORDS = (
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen"
    " nineteen twenty thirty forty fifty sixty seventy eighty ninety".split()
)


def words(text: str) -> list[str]:
    """The words and numbers of a text, as written."""
    return WORD.findall(text)


def content_words(text: str) -> list[str]:
    """Lower-case words that carry meaning, numbers included, in order."""
    return [word for word in (w.lower() for w in words(text)) if word not in STOP]


def stem(word: str) -> str:
    """A crude stem: plural and third-person endings off, so that "measures" meets "measure". Lower case."""
    word = word.lower().replace("’", "'")
    word = word[:-2] if word.endswith("'s") else word
    for ending, put in (("ies", "y"), ("sses", "ss"), ("shes", "sh"), ("ches", "ch"), ("xes", "x")):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            return word[: -len(ending)] + put
    if word.endswith("s") and len(word) > 3 and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def is_plural(word: str) -> bool:
    """True for a noun that looks plural: data, people, or an -s that is not -ss, -us or -is."""
    low = word.lower()
    return low in {"data", "people", "men", "women", "children", "criteria", "phenomena", "media"} or (
        len(low) > 3 and low.endswith("s") and not low.endswith(("ss", "us", "is", "ics"))
    )


def is_plain_statement(sentence: str) -> bool:
    """True for a whole English sentence in words: 5 to 40 of them, no formula, no page reference, balanced marks."""
    found = words(sentence)
    if not 5 <= len(found) <= 40 or not sentence[0].isupper() or not sentence.endswith("."):
        return False
    if any(mark in sentence for mark in ("?", "!", ":")) or SYMBOLS.search(sentence) or PAGE_WORDS.search(sentence):
        return False
    if sentence.count("(") != sentence.count(")") or len(SINGLE_LETTER.findall(sentence)) > 0:
        return False
    if sentence.count("“") != sentence.count("”") or sentence.count('"') % 2:
        return False
    numbers = sum(word[0].isdigit() for word in found)
    capitals = sum(word.isupper() and len(word) > 1 for word in found)
    return numbers <= 4 and capitals <= 3 and numbers + capitals < len(found) / 2


def stands_alone(sentence: str) -> bool:
    """True when nothing in the sentence leans on the sentences around it, or on the page."""
    first = words(sentence)[0].lower()
    return first not in LEANING_STARTS and not LEANING_PHRASES.search(sentence)


def is_about_itself(sentence: str) -> bool:
    """True when the sentence starts with its own subject or condition and points at nothing on the page.

    Pronouns inside it are allowed: an excerpt with its neighbors shows whom they mean.
    """
    found = [word.lower() for word in words(sentence)]
    start = found[0] not in LEANING_STARTS | IMPERATIVES | AUXILIARIES or found[:2] in (
        ["there", "are"],
        ["there", "were"],
    )
    return start and not POINTING.search(sentence)


def lower_first(text: str, names: frozenset[str]) -> str:
    """The text with its first letter in lower case, unless its first word is a name or an abbreviation."""
    first = words(text)[0] if words(text) else ""
    if first in names or (len(first) > 1 and first[1:].lower() != first[1:]) or first in ("I", ""):
        return text
    return text[0].lower() + text[1:]


def upper_first(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def fix_articles(text: str) -> str:
    """ "a" before a vowel letter becomes "an" and the other way round, by spelling, with the usual exceptions."""

    def article(match: re.Match[str]) -> str:
        found, space, word = match.groups()
        low = word.lower()
        vowel = low[0] in "aeiou" and not low.startswith(("uni", "use", "usu", "eu", "one", "once", "ut"))
        vowel = (
            vowel or low.startswith(("hour", "honest", "honor", "heir")) or re.match(r"[fhlmnrsx]-", low) is not None
        )
        put = "an" if vowel else "a"
        return (put.capitalize() if found[0].isupper() else put) + space + word

    return re.sub(r"\b([Aa]n?)( )([a-z][\w-]+)", article, text)
