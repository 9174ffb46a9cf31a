"""The texts sent to models: templates from files, and a fence around everything that came out of a document.

A template's first line is `<!-- version N -->`; `tag` is name, version and hash of the text, and goes into the records.
A fence is what keeps document text data: it opens and closes with a mark that the text can't know, every line inside
wears the mark, and what looks like a chat control token is broken up.
"""

from __future__ import annotations

import functools
import hashlib
import re
from dataclasses import dataclass
from importlib import resources

from realign.records import make_id

CONTROL = re.compile(
    r"<(?=\|[^\n<>|]{1,40}\|>|/?s>|/?(?:start|end)_of_turn>|/?think>|<?/?SYS>)|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS)\])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Template:
    """A text with {{named}} places."""

    name: str
    version: str
    text: str

    @property
    def tag(self) -> str:
        """For example "questions.1.3fa94c01": changes whenever a character of the template does."""
        return f"{self.name}.{self.version}.{hashlib.sha256(self.text.encode()).hexdigest()[:8]}"

    def fill(self, **values: object) -> str:
        """The text with each place filled. A value is never read as a template. KeyError for a place without one."""
        return re.sub(r"\{\{(\w+)\}\}", lambda place: str(values[place[1]]), self.text)


@functools.cache
def load_template(name: str) -> Template:
    """templates/<name>.md of the package."""
    first, _, text = (resources.files("realign") / "templates" / f"{name}.md").read_text("utf-8").partition("\n")
    version = re.fullmatch(r"<!-- version (\d+) -->", first)
    if version is None:
        raise ValueError(f"templates/{name}.md must begin with <!-- version N -->")
    return Template(name, version[1], text.strip())


def fence(text: str, name: str = "DOCUMENT") -> str:
    """`text` between an opening and a closing line, each of its lines marked.

    The mark is drawn from the text itself, so the same call gives the same prompt; it never occurs in the text.
    """
    attempt = 0
    while (mark := make_id("fence", attempt, text)[:12]) in text:
        attempt += 1
    lines = (f"{mark}| {line}" for line in (defuse(text).splitlines() or [""]))
    return "\n".join((f"[{name} {mark} begins]", *lines, f"[{name} {mark} ends]"))


def defuse(text: str) -> str:
    """`text` with control tokens of common chat formats broken by a space, so that no tokenizer takes them as such."""
    return CONTROL.sub(lambda found: found[0] + " ", text)
