"""What a request names: files, an output, a model with its size, how many examples, and which workflow.

    read_request("DPO pairs from 'My Book.pdf' for Qwen 7B, save them to out/")

Standard library only. `rest` of the answer is the text with every path and the model blanked out, so that a file called
dpo.pdf, or "Instruct" in a model's name, is never taken for a word of the request.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DOCUMENTS = ("pdf", "md", "markdown", "txt", "text", "epub", "html", "htm", "xhtml")
ROWS = ("jsonl", "ndjson", "json")


@dataclass(frozen=True, slots=True)
class Named:
    """The named things. parameters is a count (7e9) or None; sources keep their order, each once."""

    sources: tuple[str, ...]
    output: str
    model: str
    parameters: float | None
    examples: int | None
    workflow: str
    rest: str


def read_request(text: str) -> Named:
    """Everything that `text` names. Never raises."""
    sources, output, model, rest = _place(text)
    if not model and (found := MODEL.search(rest)):
        model, rest = found[0].strip(), _blank(rest, *found.span())
    size = read_size(model.rstrip("/").rpartition("/")[2])
    return Named(tuple(sources), output, model, size[0] if size else None, _count(rest), _workflow(rest), rest)


def _blank(text: str, start: int, end: int) -> str:
    return text[:start] + " " * (end - start) + text[end:]


# -- model ------------------------------------------------------------------------------------------------------

FAMILY = (
    r"qwen|qwq|llama|tinyllama|codellama|mistral|mixtral|ministral|devstral|magistral|codestral|gemma|deepseek|smollm"
    r"|gpt-oss|olmo|granite|nemotron|internlm|stablelm|starcoder|exaone|lfm2|minicpm|baichuan"
)
# Families whose name is also a common word or a fragment of one: they need a number to count.
SHY = r"phi|yi|glm|kimi|minimax|falcon|hermes|command|ernie|jamba|bloom|pythia|opt|zephyr|vicuna|seed|apertus"
SIZE = r"(?:\d+x)?\d+(?:\.\d+)?[bmt]"
VERSION = r"(?:[ ]v?\d{1,2}(?:\.\d+)?(?![\w.,]*\d)(?![ ](?:pairs|examples|rows|k\b)))?"
TAIL = (
    r"(?:[ ](?:mini|small|medium|large|nano|coder|base|scout|maverick|flash|turbo|next|vl))?"
    rf"(?:[ ]{SIZE}(?:-[\w.]+){{0,9}})?(?:[ ](?:instruct|chat|it|base))?(?:[ ]\d{{1,2}}-?bit)?"
)
MODEL = re.compile(
    rf"(?<![\w./-])(?:[\w.-]+/)?(?:(?:{FAMILY})[\w.]*(?:-[\w.]+){{0,9}}{VERSION}{TAIL}"
    rf"|(?:{SHY})(?:-?\d[\w.]*|-[\w.]*\d[\w.]*)(?:-[\w.]+){{0,9}}{TAIL}|(?:{SHY}){VERSION}[ ]{SIZE}(?:-[\w.]+){{0,9}}"
    r"|[a-z][\w.]{0,40}(?:-[\w.]+){0,9}-\d+(?:\.\d+)?b(?:-[\w.]+){0,9}|\d+(?:\.\d+)?b)(?<![.])(?![\w/])",
    re.IGNORECASE,
)
SIZES = re.compile(r"(?<![a-z0-9.])(?:(\d+)x)?(\d+(?:\.\d+)?)([bmt])(?![a-z0-9])(-\d+e\b)?", re.IGNORECASE)
ACTIVE = re.compile(r"(?<![a-z0-9])a(\d+(?:\.\d+)?)b(?![a-z0-9])", re.IGNORECASE)
UNITS = {"m": 1e6, "b": 1e9, "t": 1e12}
SHARED = 0.834  # an NxS name counts shared attention N times: Mixtral 8x7B has 46.7e9 parameters, not 56e9
TWO_EXPERTS = 0.92  # of 2 * S are active for a token: 12.9e9 of Mixtral 8x7B's 14e9


def read_size(name: str) -> tuple[float, float] | None:
    """(total, active for a token) parameters that a model's name states, or None.

    `8x7B` is 8 * 7e9 * 0.834, the published share of Mixtral 8x7B, so approximate for others. `235B-A22B` is 235e9 with
    22e9 active. `17B-16E` states only the active part of 16 experts: None, so that somebody asks.
    """
    sizes = [found.groups() for found in SIZES.finditer(name.replace("_", "-"))]
    if not sizes or any(experts_after for *_, experts_after in sizes):
        return None
    experts, number, unit, _ = max(sizes, key=lambda s: float(s[1]) * UNITS[s[2].lower()])
    size = float(number) * UNITS[unit.lower()]
    if experts:
        return round(int(experts) * size * SHARED, -8), round(2 * size * TWO_EXPERTS, -8)
    active = ACTIVE.search(name)
    return size, float(active[1]) * 1e9 if active else size


# -- paths ------------------------------------------------------------------------------------------------------

EXTENSION = rf"\.(?:{'|'.join(DOCUMENTS + ROWS)}|csv|tsv|parquet|docx?)"
QUOTED = re.compile(r"\"([^\"\n]+)\"|(?<!\w)'([^'\n]+)'(?!\w)|`([^`\n]+)`|“([^”\n]+)”")
PATH = re.compile(
    r"https?://[^\s\"'<>]*[^\s\"'<>,;:.!?)]"
    r"|(?<![\w/.~\\])(?:[a-z]:\\|~?/|\.{1,2}/)(?:\\[ ]|[^\s\"'`,;()<>?*|])*[^\s\"'`,;:()<>?*|.!]/?"
    rf"|(?<![\w/.~@+%-])[\w.@+%-]+(?:/[\w.@+%-]+)*{EXTENSION}(?![\w/]|-\w)"
    r"|(?<![\w/.~@+%-])[\w.@+%-]+(?:/[\w.@+%-]+)*/(?![\w/])",
    re.IGNORECASE,
)
# "from data/books" is a folder, "from chosen/rejected" is not: a relative path without an extension is taken on trust
# only after such a word, and never where a piece of it is a word of this trade.
FOLDER = re.compile(r"\b(?:from|in|folder|directory|under|model) ([\w.@+-]+(?:/[\w.@+-]+)+)(?![\w/])", re.IGNORECASE)
TRADE = re.compile(r"\b(?:dpo|sft|srf|srft|rlvr|rlhf|chosen|rejected|math|maths|code|good|bad|and|or)\b", re.IGNORECASE)
IS_PATH = re.compile(rf"^(?:[~/]|\.{{1,2}}/)|^\S*[/\\]|{EXTENSION}$", re.IGNORECASE)
TO_OUTPUT = re.compile(
    r"(?:(?:^|\s)-o|--out(?:put)?|--output-dir"
    r"|\boutput(?: folder| directory| dir| path| file)?(?: is| to| in| into)?"
    r"|\b(?:sav|writ|export|stor|put|plac|leav|dump)(?:e|es|ed|ing|ting|s)?\b(?: [\w'-]+){0,5}?"
    r" (?:to|in|into|under|as)(?: (?:the |a )?(?:folder|directory|file|dir))?"
    r"|\b(?:results?|dataset|rows|pairs)(?: go| goes)? (?:to|into|in)"
    r"|\binto(?: the)?(?: folder| directory)?|\bas|=>|->)[ =:]*$",
    re.IGNORECASE,
)
TO_BARE = re.compile(r"(?:(?:^|\s)-o|--out(?:put)?|\boutput (?:folder|directory|dir))[ =:]+([\w.-]+)", re.IGNORECASE)
TO_MODEL = re.compile(r"(?:--model|\bmodel(?: folder| path| directory)?(?: is| at| in| from)?)[ =:]*$", re.IGNORECASE)
TO_PLAIN = re.compile(r"\bto[ ]*$", re.IGNORECASE)


def _paths(text: str) -> list[tuple[int, int, str]]:
    """(start, end, path) of everything that reads as a path, in order; quotes and escaped spaces are taken off."""
    found: list[tuple[int, int, str]] = []

    def add(start: int, end: int, path: str) -> None:
        if not any(start < e and s < end for s, e, _ in found):
            found.append((start, end, path))

    for match in QUOTED.finditer(text):
        inner = next(group for group in match.groups() if group).strip()
        if IS_PATH.search(inner):
            add(match.start(), match.end(), inner)
    for match in PATH.finditer(text):
        add(match.start(), match.end(), match[0].replace("\\ ", " "))
    for match in FOLDER.finditer(text):
        if not TRADE.search(match[1]) and not MODEL.fullmatch(match[1]):
            add(match.start(1), match.end(1), match[1])
    return sorted(found)


def _place(text: str) -> tuple[list[str], str, str, str]:
    """(sources, output, model folder, text with all of them blanked out), each path by the words right before it."""
    sources: list[str] = []
    output = model = ""
    rest = text
    for start, end, path in _paths(text):
        before = rest[max(0, start - 60) : start]
        rest = _blank(rest, start, end)
        extension = path.lower().rpartition(".")[2]
        # "apply DPO to book.pdf" reads a document; "convert book.pdf to pairs.jsonl" writes rows.
        written = TO_PLAIN.search(before) and (sources or extension not in ROWS)
        if TO_MODEL.search(before):
            model = path
        elif extension not in DOCUMENTS and (written or TO_OUTPUT.search(before)):
            output = path
        elif path not in sources:
            sources.append(path)
    if bare := TO_BARE.search(rest):
        output, rest = output or bare[1], _blank(rest, *bare.span(1))
    return sources, output, model, rest


# -- how many, and which workflow -------------------------------------------------------------------------------

KIND = (
    r"(?:dpo|sft|srf|rlvr|preference|training|chat|high-quality|good|grounded|verified|verifiable|math|reasoning"
    r"|instruction|new|more|of|these|those|question-answer|qa|clean|anti-hallucination)"
)
NUMBER = r"(\d[\d,]*(?:\.\d+)?)\s*(k\b|thousand\b|m\b|million\b)?"
COUNT = re.compile(
    rf"(?<![\w.,$-]){NUMBER}[\s-]*(?:{KIND}\s+){{0,3}}"
    r"(?:pairs?|examples?|rows?|samples?|tasks?|prompts?|records?|items?|conversations?|chats?|questions?)\b"
    r"(?!\s+(?:per|a|each|every)\b)"
    rf"|\b(?:examples?|pairs|rows|samples|dataset of|set of|n)\s*[=:]?\s*{NUMBER}(?![\w.]*\d|\w)",
    re.IGNORECASE,
)
SCALE = {"": 1.0, "k": 1e3, "thousand": 1e3, "m": 1e6, "million": 1e6}
ALIGN = re.compile(r"\b(?:align(?:s|ing|ment)?|train(?:s|ing)?|optimi[sz](?:e|ing))\b", re.IGNORECASE)
CURATE = re.compile(
    r"\b(?:curat\w+|generat\w+|creat\w+|mak(?:e|ing)|build\w*|produc\w+|prepar\w+|extract\w*|turn|convert\w*"
    r"|dataset|pairs|data)\b",
    re.IGNORECASE,
)
TRAINING_DATA = re.compile(
    r"\b(?:training|train|alignment)[\s-]+(?:data|set|dataset|examples|pairs|rows|file|split)\b", re.IGNORECASE
)


def _count(text: str) -> int | None:
    """The number of examples asked for, or None."""
    found = COUNT.search(text)
    if not found:
        return None
    number, scale = found[1] or found[3], found[2] or found[4] or ""
    return round(float(number.replace(",", "")) * SCALE[scale.lower()])


def _workflow(text: str) -> str:
    """ "align" where the first verb is about training a model, else "curate"; "training data" is no verb."""
    text = TRAINING_DATA.sub("data", text)
    align, curate = ALIGN.search(text), CURATE.search(text)
    if not align:
        return "curate"
    return "curate" if curate and curate.start() < align.start() else "align"
