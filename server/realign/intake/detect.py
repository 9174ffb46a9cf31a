"""A request in the user's words becomes what to do: data type, model, sources, output, how many examples.

    detect("Curate DPO preference pairs from /data/books/ml_textbook.pdf for Qwen 7B")
    detect_file(Path("pairs.jsonl"))

Whole words and phrases with weights; no model, no network, standard library only, so that a hook can afford it. Paths,
model names and output names are taken out before words are weighed: a file called dpo.pdf says nothing. A negated word
counts for nothing and a negated name rules its data type out. A tie or no hit is not guessed: it becomes one question.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from realign.intake.words import read_request

NAME = 6.0  # the weight of a data type's own name; half of it is a strong word, 1 a hint that never decides alone
DAMPING = 0.5  # confidence = winner's share * seen / (seen + DAMPING): one hint of weight 1 gives 0.67, a name 0.92
SURE = 0.7  # below this, ask
REACH = 12  # tokens that a negation can carry over
LONGEST = 20_000  # characters of a request that are read
WORDS: dict[str, dict[float, str]] = {
    "dpo": {
        6: "dpo|direct preference optimization|direct preference optimisation",
        5: "direct preference",
        3: "preference pair|preference pairs|preference data|preference dataset|preference tuning|rlhf|orpo|simpo"
        "|chosen and rejected|better and worse answers|good and bad answers",
        2: "preference|preferences|pairwise|preferred answers|preferred responses",
        1: "chosen|rejected|preferred|winner and loser",
    },
    "sft": {
        6: "sft|supervised fine tuning|supervised finetuning|supervised fine tune|supervised finetune",
        4: "instruction tuning|instruction tune|instruction following|instruction tuned|instruction fine tuning",
        3: "instruction data|instruction dataset|chat data|chat dataset|chat rows|instruction response pairs",
        2: "chats|conversations|dialogues|multi turn|question answer pairs|q a pairs|qa pairs|demonstrations"
        "|question and answer pairs",
        1: "fine tune|fine tuning|finetune|finetuning|chat|instructions",
    },
    "srf": {
        6: "srf|srft|supervised reward fine tuning|supervised reward finetuning",
        5: "supervised reward",
        4: "reward model|reward models|reward modeling|reward modelling|reward learning|rl fine tuning|rl finetuning",
        2: "ppo|reward head|scalar reward|reward signal",
        1: "reward|rewards",
    },
    "rlvr": {
        6: "rlvr|verifiable rewards|verifiable reward|reinforcement learning with verifiable rewards",
        4: "better at math|better at maths|better at mathematics|better at arithmetic|better at algebra|better at code"
        "|better at coding|better at programming|better at reasoning|better at solving|stronger at math"
        "|stronger at coding|improve math|improve coding|improve its math|improve its coding",
        3: "verifiable|reasoning tasks|reasoning problems|grpo|math word problems|math problems|coding problems"
        "|programming problems|coding tasks",
        2: "ground truth|unit tests|verifier|verifiers|word problems|checkable answers|automatically checked",
        1: "math|maths|reasoning|arithmetic|unit test",
    },
    "anti_hallucination": {
        6: "anti hallucination|antihallucination",
        4: "hallucination|hallucinations|hallucinate|hallucinates|hallucinating|hallucinated|making things up"
        "|makes things up|make things up|making stuff up|makes stuff up|make stuff up",
        3: "factuality|factual accuracy|groundedness|say i don't know|saying i don't know|says i don't know"
        "|admit when it does not know|citing sources|cite sources|cite its sources|cites its sources|cite the source",
        2: "grounded|grounding|citation|citations|refusal|refusals|calibration|calibrated|abstain|unanswerable"
        "|fabricate|fabricates|fabricating|fabrication|fabrications|truthful|truthfulness",
        1: "refuse|refuses|factual|overconfident|faithful",
    },
}
# Phrases that hold such a word and say nothing about the data.
NEUTRAL = (
    "preference settings|preferences settings|preference page|preferences page|preference pane|preferences pane"
    "|preference panel|preferences menu|preferences file|preferences dialog|no preference|by preference"
    "|personal preference|personal preferences|chat about|chat with|let's chat|machine calibration|gpu calibration"
    "|math textbook|maths textbook|math book|chosen book|chosen file|chosen folder|chosen model"
    "|instructions in|instructions below|instructions above|follow the instructions"
)
# What nobody asks to have: "without hallucinations" and "stop making things up" ask for the cure.
ILLS = ("hallucinat", "mak", "fabricat", "overconfident", "unanswerable")
NEGATIONS = (
    "not|no|without|never|except|avoid|skip|neither|nor|non|don't|doesn't|isn't|aren't|won't|instead of|rather than"
    "|other than|anything but|switch from|switching from|move from|moving from|replace|replacing|drop|forget"
)
AFTER = ("is not", "isn't", "is wrong", "is out", "won't do", "is no", "are not", "aren't", "is off")
LIST = frozenset({"or", "nor", "and", "a", "an"})  # what may stand between two words that share one negation
GLUE = LIST | {"the", "any", "more", "want", "need", "use", "do", "doing", "make", "give", "me", "us", "to", "plain"}
TITLES = {
    "dpo": "dpo (preference pairs: chosen and rejected)",
    "sft": "sft (chat rows for supervised fine-tuning)",
    "srf": "srf (chat rows plus pairs for a reward model)",
    "rlvr": "rlvr (tasks with answers a program can verify)",
    "anti_hallucination": "anti_hallucination (grounded answers, citations, refusals)",
}
SKILLS = {
    "dpo": "realign-dpo-workflow",
    "sft": "realign-srf-workflow",
    "srf": "realign-srf-workflow",
    "rlvr": "realign-rlvr-workflow",
    "anti_hallucination": "realign-antihallucination-workflow",
}


@dataclass(frozen=True, slots=True)
class Detection:
    """What a request asks for.

    data_type: one of the five, or "" when unsure; then `question` asks for it and names `candidates`, likeliest first.
    confidence: the winner's share of all weight seen, damped when little was seen, in 0..1; 0 when nothing was.
    evidence: (word, data type, weight) in the order read; weight 0 marks a word that was negated.
    parameters: of the model, as a count (7e9), or None. examples: how many are wanted, or None.
    """

    data_type: str = ""
    confidence: float = 0.0
    evidence: tuple[tuple[str, str, float], ...] = ()
    candidates: tuple[str, ...] = ()
    question: str = ""
    model: str = ""
    parameters: float | None = None
    sources: tuple[str, ...] = ()
    output: str = ""
    examples: int | None = None
    workflow: str = "curate"
    skill: str = ""


# -- words ------------------------------------------------------------------------------------------------------

TOKEN = re.compile(r"[a-z0-9]+(?:'[a-z]+)?|[,;:.!?()\n]")
STOPS = frozenset(",;:.!?()\n")
Phrase = tuple[str, ...]


def _by_first_word(entries: Iterable[tuple[str, str, float]]) -> dict[str, list[tuple[Phrase, str, float]]]:
    """Phrases under their first word, longest first, so that "reward model" is read before "reward"."""
    table: dict[str, list[tuple[Phrase, str, float]]] = {}
    for text, data_type, weight in entries:
        phrase = tuple(text.split())
        table.setdefault(phrase[0], []).append((phrase, data_type, weight))
    for phrases in table.values():
        phrases.sort(key=lambda entry: -len(entry[0]))
    return table


def _entries() -> Iterator[tuple[str, str, float]]:
    for data_type, weights in WORDS.items():
        for weight, phrases in weights.items():
            yield from ((phrase, data_type, float(weight)) for phrase in phrases.split("|"))
    yield from ((phrase, "", 0.0) for phrase in NEUTRAL.split("|"))


PHRASES = _by_first_word(_entries())
NEGATION_PHRASES = tuple(tuple(phrase.split()) for phrase in NEGATIONS.split("|"))


def _hits(tokens: list[str]) -> Iterator[tuple[int, int, str, float]]:
    """(start, end, data type, weight) of every phrase, as token positions; phrases never overlap."""
    at = 0
    while at < len(tokens):
        for phrase, data_type, weight in PHRASES.get(tokens[at], ()):
            if tuple(tokens[at : at + len(phrase)]) == phrase:
                if data_type:
                    yield at, at + len(phrase), data_type, weight
                at += len(phrase)
                break
        else:
            at += 1


def _negated(tokens: list[str], start: int, end: int, covered: set[int]) -> bool:
    """Whether a negation reaches the phrase at start..end: before it, through glue words, or right after it.

    "no DPO or SFT" negates both, "not DPO just SFT" only the first. "not just X" keeps X. A comma stops the reach.
    """
    if " ".join(tokens[end : end + 2]).startswith(AFTER):
        return True
    between: set[str] = set()
    for at in range(start - 1, max(-1, start - REACH), -1):
        if tokens[at] in STOPS or (at in covered and not between <= LIST):
            return False
        for phrase in NEGATION_PHRASES:
            if tuple(tokens[max(0, at + 1 - len(phrase)) : at + 1]) == phrase:
                return tokens[at + 1] not in ("just", "only")
        if at in covered:
            between = set()
        elif tokens[at] in GLUE:
            between.add(tokens[at])
        else:
            return False
    return False


def _weigh(text: str) -> tuple[list[tuple[str, str, float]], dict[str, float], set[str]]:
    """Evidence, weight a data type, and the data types that were ruled out by name."""
    tokens = TOKEN.findall(text.lower().replace("’", "'"))
    hits = list(_hits(tokens))
    covered = {at for start, end, _, _ in hits for at in range(start, end)}
    evidence, seen, ruled_out = [], dict.fromkeys(WORDS, 0.0), set[str]()
    for start, end, data_type, weight in hits:
        word = " ".join(tokens[start:end])
        if not word.startswith(ILLS) and _negated(tokens, start, end, covered):
            evidence.append((f"not {word}", data_type, 0.0))
            ruled_out.update([data_type] if weight == NAME else [])
            continue
        evidence.append((word, data_type, weight))
        seen[data_type] += weight
    named = {data_type for _, data_type, weight in evidence if weight == NAME}
    ruled_out -= named
    return evidence, {t: 0.0 if t in ruled_out else w for t, w in seen.items()}, ruled_out


def _decide(seen: dict[str, float], ruled_out: set[str]) -> tuple[str, float, tuple[str, ...]]:
    """(data type or "", confidence, candidates likeliest first). A tie is not guessed, whatever its weight."""
    total = sum(seen.values())
    ranked = sorted((t for t in seen if seen[t] > 0), key=lambda t: -seen[t])
    if not ranked:
        return "", 0.0, tuple(t for t in WORDS if t not in ruled_out)
    confidence = seen[ranked[0]] / total * total / (total + DAMPING)
    tie = len(ranked) > 1 and seen[ranked[0]] == seen[ranked[1]]
    sure = confidence >= SURE and not tie
    if not sure and len(ranked) == 1:  # one hint alone: the others stay possible
        ranked += [t for t in WORDS if t not in ruled_out and t not in ranked]
    return ranked[0] if sure else "", round(confidence, 3), tuple(ranked)


def _ask(candidates: tuple[str, ...]) -> str:
    """One question that names the candidates."""
    titles = [TITLES[t] for t in candidates]
    choices = titles[0] if len(titles) == 1 else ", ".join(titles[:-1]) + " or " + titles[-1]
    return f"Which data type do you want: {choices}?"


# -- the two entries --------------------------------------------------------------------------------------------


def detect(text: str) -> Detection:
    """What a request in the user's words asks for. Never raises; an empty one gives a question."""
    request = read_request(text[:LONGEST])
    evidence, seen, ruled_out = _weigh(request.rest)
    data_type, confidence, candidates = _decide(seen, ruled_out)
    return Detection(
        data_type=data_type,
        confidence=confidence,
        evidence=tuple(evidence),
        candidates=candidates,
        question="" if data_type else _ask(candidates),
        model=request.model,
        parameters=request.parameters,
        sources=request.sources,
        output=request.output,
        examples=request.examples,
        workflow=request.workflow,
        skill=SKILLS.get(data_type, ""),
    )


LOOKED_AT = 20  # rows


def detect_file(path: Path) -> Detection:
    """The data type of a data file, from the forms of its first 20 rows; of a document, a question.

    A missing, unreadable or empty file gives no data type either: reading it properly, with a named error, is the
    business of the stage that uses it. Confidence is the share of rows that agree, damped when few were seen.
    """
    from realign.sources.rows import peek
    from realign.sources.shapes import shape_of

    shapes = [raw.row and shape_of(raw.row) for raw in peek(path, LOOKED_AT)]
    votes = [shape.serves if shape else "" for shape in shapes]
    winner = max(WORDS, key=votes.count)
    if winner not in votes:
        return Detection(candidates=tuple(WORDS), question=_ask(tuple(WORDS)), sources=(str(path),))
    share, seen = votes.count(winner) / len(votes), len(votes)
    confidence = round(share * seen / (seen + DAMPING / 2), 3)
    found = tuple(t for t in WORDS if t in votes)
    names = dict.fromkeys(f"{shape.name} rows" for shape in shapes if shape and shape.serves == winner)
    evidence = tuple((name, winner, 1.0) for name in names)
    if confidence < SURE:
        return Detection("", confidence, evidence, found, _ask(found), sources=(str(path),))
    return Detection(winner, confidence, evidence, found, sources=(str(path),), skill=SKILLS[winner])
