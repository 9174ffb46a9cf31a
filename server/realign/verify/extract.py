"""The final answer of a free completion: in comes prose, out come the statements that claim to be the answer.

A statement is what follows `Answer:`, `The answer is`, GSM8K's `####`, or stands in `\\boxed{}` or `<answer>` tags;
without any mark the whole completion is the statement. Every statement has to be right, so that an answer that names
two, or takes one back, is wrong and never right by luck.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from realign.verify.check import Decision

LONGEST = 100_000  # characters of a completion
MARK = re.compile(
    r"^[\s*_>#-]*####\s*(?P<hash>.*)$"
    r"|\banswer[*_ ]{0,4}(?:is\b[*_ ]{0,4})?[:=][*_ ]{0,4}(?P<colon>.*)$"
    r"|\b(?:the|my)(?: \w{1,12}){0,2} answer is\b(?P<prose>.*)$",
    re.IGNORECASE,
)
TAG = re.compile(r"<answer>(.*?)</answer>", re.IGNORECASE | re.DOTALL)
TAKEN_BACK = re.compile(
    r"\b(?:actually|wait|correction|scratch that|i mean|i was wrong|i made a mistake|my mistake|on second thought"
    r"|alternatively|or (?:maybe|perhaps|rather|else)|no[,:]|should (?:instead )?be)\b",
    re.IGNORECASE,
)
WRAPPERS = (("**", "**"), ("__", "__"), ("`", "`"), (r"\(", r"\)"), (r"\[", r"\]"), ("$$", "$$"), ("*", "*"))


def judge_statements(answer: str, wrong: Callable[[str], str]) -> Decision:
    """Accept when every final answer is right. wrong: says what is wrong with one statement, "" when it is right."""
    if len(answer) > LONGEST:
        return "reject", f"the answer has {len(answer):,} characters, more than {LONGEST:,}"
    found, rest = statements(answer)
    if not any(found):
        return "reject", "there is no final answer"
    faults = [wrong(statement) for statement in found]
    if not all(faults) and any(faults):
        return "reject", f"it names different final answers: {', '.join(sorted(set(found)))[:200]}"
    if any(faults):
        return "reject", faults[-1]
    if TAKEN_BACK.search(rest):
        return "reject", "it takes the final answer back"
    return "accept", "right"


def statements(completion: str) -> tuple[list[str], str]:
    """The statements in order, each tidied, and the text after the last mark. Thinking aloud is no answer."""
    text = completion.rpartition("</think>")[2].strip()
    if tagged := TAG.findall(text):
        return [tidied(found) for found in tagged], TAG.split(text)[-1]
    lines, found, rest = text.splitlines(), list[str](), ""
    for number, line in enumerate(lines):
        claims, after = claims_of(line, "\n".join(lines[number + 1 :]))
        if claims:
            found, rest = found + claims, after
        if claims and not tidied(line[-len(claims[-1]) :] or line):
            break
    return ([tidied(claim) for claim in found], rest) if found else ([tidied(text)], "")


def claims_of(line: str, below: str) -> tuple[list[str], str]:
    """What a line claims, and the text after it. A mark with nothing behind it claims all that stands below it."""
    if mark := MARK.search(line):
        said = next(part for part in mark.groups() if part is not None)
        return ([said], below) if tidied(said) else ([below], "")
    return boxed(line), below


def boxed(line: str) -> list[str]:
    """The contents of each `\\boxed{}` of a line, braces balanced; one that never closes is left out."""
    found, start = [], line.find(r"\boxed{")
    while start >= 0:
        end = closing(line, start + len(r"\boxed"))
        if end < 0:
            break
        found.append(line[start + len(r"\boxed{") : end])
        start = line.find(r"\boxed{", end)
    return found


def closing(text: str, start: int) -> int:
    """Place of the brace that closes the one at `start`, or -1."""
    depth = 0
    for place in range(start, len(text)):
        depth += (text[place] == "{") - (text[place] == "}")
        if depth == 0:
            return place
    return -1


def tidied(statement: str) -> str:
    """A statement without Markdown's and LaTeX's wrappers, surrounding blanks and the final full stop."""
    text = statement.strip()
    for inside in boxed(text):
        text = text.replace(r"\boxed{" + inside + "}", inside)
    text = text.strip(" \t\r\n*_")
    for opening, ending in WRAPPERS:
        if len(text) > len(opening + ending) and text.startswith(opening) and text.endswith(ending):
            text = text[len(opening) : -len(ending)].strip()
    if len(text) > 2 and text[0] == text[-1] == "$" and "$" not in text[1:-1]:
        text = text[1:-1].strip()
    return text.rstrip(". \t") if not text.endswith("..") else text
