"""Anti-patterns in a request's own words: heard where somebody asks for one, not where words merely look alike.

    hear("split the work 50/50 between both Macs")        -> {HALF}
    hear("split the rows 50/50 into train and test")      -> nothing

A sentence at a time; paths and quoted files say nothing, and what is denied ("never half and half") was not asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from realign.hardware.refusals import CORES, FASTER, HALF, RDMA
from realign.intake.words import IS_PATH, PATH, QUOTED

MACHINES = r"\b(?:macs?|macbooks?|mac studios?|machines?|computers?|m[1-9] (?:max|ultra|pro)|ultra|gpus|workers)\b"
SPLIT = r"\b(?:split|shar(?:e|ing)|divid(?:e|ing)|deal|distribut(?:e|ing)|balanc(?:e|ing)|allocat(?:e|ing)|assign)\w*\b"
WORK = r"\b(?:work(?:load)?|load|jobs?|batch(?:es)?|examples|rows|scoring|inference)\b"
TO = r"\b(?:between|across|over|among|on|for|to)\b"
EVENLY = r"\b(?:in half|in (?:two )?(?:equal )?halves|in two|down the middle|evenly|equally)\b"
EQUAL = (
    r"half[- ]and[- ]half|\b50 ?[/:-] ?50\b|fifty[- ]fifty|\bhalf (?:on |to |for )?each\b|\beach (?:\w+ ){0,2}half\b"
    rf"|{SPLIT} (?:up )?(?:(?:the|my|all|this|our|these|of) )*(?:{WORK}|it|them|this|everything)\b[^,]{{0,40}}{EVENLY}"
    rf"|{SPLIT}[^,]{{0,50}}{EVENLY}[^,]{{0,12}}{TO}[^,]{{0,25}}{MACHINES}"
    rf"|\buse [^,]{{0,20}}{MACHINES} (?:evenly|equally)"
    r"|\b(?:equal|even|same) (?:shares?|split|halves|parts)\b"
    rf"|\bhalf (?:of )?(?:the |my )?{WORK}[^,]{{0,20}}\b(?:on|to|for|by) (?:each|both|the (?:m\d|other|ultra))"
)
COUNTED = r"(?:the |their |its |each |one's |number of |count of |how many |gpu |cpu |machine |mac )*"
ULTRA = r"(?:m3[ -])?ultra"
SLOWER = r"m[12]\b|my old|the old|(?:a |the |my )?(?:laptop|macbook|mini|imac|air|cpu)\b"  # it is faster than these
OVER = r"\b(?:use|using|over|via|through|by|enable|enabling|try|want|need|prefer|turn on|set up|connected by)"
ABOUT = r"(?! (?:and \w+ )?(?:books?|textbooks?|papers?|docs?|documents?|documentation|manuals?|chapters?|pairs|notes))"
NEVER = r"(?!)"
# What is said, and what the same sentence must have besides, and must not have.
SAID: dict[str, tuple[tuple[str, str, str], ...]] = {
    HALF: (
        (EQUAL, MACHINES, r"\b(?:train|valid\w*|test|dev|eval\w*|held[- ]out)\b"),
        (rf"^(?:please |now |then |just )*{SPLIT}[^,]{{0,20}}{WORK}[^,]{{0,30}}(?:{EQUAL}|in half|evenly|equally)",
         "", r"\b(?:train|valid\w*|test|dev|eval\w*|held[- ]out|into|chapters?|topics?|easy|hard)\b"),
    ),
    CORES: (
        (rf"(?:{SPLIT}|\bshares?\b)[^;]{{0,60}}\b(?:by|per|(?:in )?proportion(?:al(?:ly)?)? to|according to|based on"
         rf"|weighted by|following) {COUNTED}(?:cores|core counts?)\b", "", NEVER),
        (r"\b(?:twice as much|two thirds|double the|more (?:of the )?(?:work|rows|examples))\b[^;]{0,60}\bcores\b",
         MACHINES, NEVER),
        (r"\bcores\b[^;]{0,40}\b(?:twice as much|two thirds|double the|more (?:of the )?(?:work|rows|examples))\b",
         MACHINES, NEVER),
    ),
    FASTER: (
        (rf"\b{ULTRA}(?: is|'s| are| runs?| will be| would be| should be| must be)"
         rf" (?!not |no |never |slower)(?:\w+ )?(?:faster|quicker|the fastest)\b(?! than (?:{SLOWER}))", "", NEVER),
        (rf"\b(?:isn't|wouldn't|shouldn't) (?:the |my |an? )?{ULTRA} (?:be )?(?:\w+ )?(?:faster|quicker)\b", "", NEVER),
        (rf"\b(?:use|run|put|choose|pick|take|prefer|go with|give)\b[^;]{{0,40}}\b{ULTRA}\b[^;]{{0,40}}"
         r"\b(?:more|twice|double)\b[^;]{0,15}\bcores\b", "", r"\bslower\b"),
        (rf"\b(?:more|twice|double)\b[^;]{{0,15}}\bcores\b[^;]{{0,30}}\b(?:so|use|therefore|hence)\b[^;]{{0,30}}"
         rf"\b{ULTRA}\b", "", r"\bslower\b"),
    ),
    RDMA: (
        (rf"{OVER} (?:the |my |our |thunderbolt(?: ?5)? |fast |mlx )*(?:rdma|jaccl)\b{ABOUT}", "", NEVER),
        (r"\b(?:with|and) (?:thunderbolt(?: ?5)? )?(?:rdma|jaccl)\b" + ABOUT, MACHINES, NEVER),
        (r"\bshard(?:ed|ing)? (?:(?:the|this|it|my|our|its) )*(?:\d+b |\w+ )?(?:model|weights|layers|it|across|over"
         r"|between)\b", MACHINES, r"\b(?:database|dataset|datasets|files?|tables?)\b"),
        (r"\b(?:model|weights|layers|it|run)\b[^,;]{0,25}\bsharded\b", MACHINES, r"\b(?:database|dataset|files?)\b"),
    ),
}  # fmt: skip
PATTERNS = {
    name: [tuple(re.compile(pattern, re.IGNORECASE) for pattern in rule) for rule in rules]
    for name, rules in SAID.items()
}
DENIED = re.compile(
    r"(?<!why )(?:\b(?:don't|do not|doesn't|does not|won't|can't|cannot|never|not|no|avoid\w*|without|refuse\w*|nor"
    r"|instead of|rather than|no need (?:to|for))\b)[^,;]{0,40}$"
    r"|\b(?:about|on|explain\w*|how to|book|paper|chapter) $",  # a topic
    re.IGNORECASE,
)
SAYS_BATCH = r"batch(?:es)?(?:[ _-]sizes?)?(?: of| to| at| is|=|:)* ?(?P<{}>\d{{1,4}})"
BATCHES = re.compile(
    rf"{SAYS_BATCH.format('before')}(?: \w+)?? (?:on|for|with|at) (?:the |my |your |an? )?{ULTRA}\b"
    rf"|\b{ULTRA}\b(?:(?! m[1-9]\b)[^,;]){{0,30}}?\b{SAYS_BATCH.format('after')}",
    re.IGNORECASE,
)


def hear(words: str) -> frozenset[str]:
    """The names of the anti-patterns that the words ask for; batch sizes have a function of their own."""
    return frozenset(name for part in _sentences(words) for name in PATTERNS if _asks_for(name, part))


def batch_heard(words: str) -> int | None:
    """The largest batch size that the words ask of M3 Ultra, or None."""
    found = [
        int(match["before"] or match["after"])
        for sentence in _sentences(words)
        for match in BATCHES.finditer(sentence)
        if not DENIED.search(sentence[: match.start()])
    ]
    return max(found, default=None)


def _sentences(words: str) -> Iterator[str]:
    """Sentence by sentence, without paths: a file called rdma.pdf asks for nothing."""
    plain = QUOTED.sub(lambda found: " " if IS_PATH.search(found[0].strip("\"'`“”")) else found[0], words)
    yield from (part.strip() for part in re.split(r"[.;!?\n]+(?=\s|$)", PATH.sub(" ", plain)))


def _asks_for(name: str, sentence: str) -> bool:
    for said, needed, unless in PATTERNS[name]:
        found = said.search(sentence)
        fitting = found and needed.search(sentence) and not unless.search(sentence)
        if found and fitting and not DENIED.search(sentence[: found.start()]):
            return True
    return False
