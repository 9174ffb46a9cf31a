"""The final answer of a free completion: in comes prose, out come the statements that claim to be the answer.

A statement is what follows `Answer:`, `The answer is`, GSM8K's `####`, or stands in `\\boxed{}` or `<answer>` tags;
without any mark the whole completion is the statement. Every statement has to be right, so that an answer that names
two, or takes one back, is wrong and never right by luck. Only prose that is no answer at all ("the answer is found by
doubling") is passed over, where a marked one stands beside it.
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


class Unreadable(str):
    """What is wrong with a statement that is no answer at all."""

    __slots__ = ()


def judge_statements(answer: str, wrong: Callable[[str], str]) -> Decision:
    """Accept when every final answer is right. wrong: says what is wrong with one statement, "" when it is right."""
    if len(answer) > LONGEST:
        return "reject", f"the answer has {len(answer):,} characters, more than {LONGEST:,}"
    claims, rest = statements(answer)
    if not any(text for text, _ in claims):
        return "reject", "there is no final answer"
    judged = [(text, wrong(text), marked) for text, marked in claims]
    if any(marked for _, marked in claims):
        judged = [
            (text, fault, marked) for text, fault, marked in judged if marked or not isinstance(fault, Unreadable)
        ]
    found, faults = [text for text, _, _ in judged], [fault for _, fault, _ in judged]
    if not all(faults) and any(faults):
        return "reject", f"it names different final answers: {', '.join(sorted(set(found)))[:200]}"
    if any(faults):
        return "reject", faults[-1]
    if TAKEN_BACK.search(rest):
        return "reject", "it takes the final answer back"
    return "accept", "right"


def statements(completion: str) -> tuple[list[tuple[str, bool]], str]:
    """The statements in order, tidied, each with whether a mark is before it; and the text after the last one."""
    text = completion.rpartition("</think>")[2].strip()
    if "</answer>" in text and (tagged := TAG.findall(text)):
        return [(tidied(found), True) for found in tagged], TAG.split(text)[-1]
    lines, found, last = text.splitlines(), list[tuple[str, bool]](), -1
    for number, line in enumerate(lines):
        claims = claims_of(line)
        if claims and not tidied(claims[-1][0]):  # a mark with nothing behind it claims all that stands below it
            return [*found, (tidied("\n".join(lines[number + 1 :])), claims[-1][1])], ""
        found += [(tidied(claim), marked) for claim, marked in claims]
        last = number if claims else last
    return (found, "\n".join(lines[last + 1 :])) if found else ([(tidied(text), True)], "")


def claims_of(line: str) -> list[tuple[str, bool]]:
    """What a line claims: what stands behind its first mark or its prose ("the answer is"), else its boxes."""
    if mark := MARK.search(line):
        return [(next(part for part in mark.groups() if part is not None), mark.lastgroup != "prose")]
    return [(inside, True) for inside in boxed(line)]


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
