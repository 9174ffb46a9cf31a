"""One word of a command line at a time, as bash would read it: quotes, escapes, expansions.

The reader of whole commands (shell.py) is built on this one. A part of a word that only running would tell ($x, $(...),
`...`) stands as HOLE in its text; the commands inside such a part are read as well, by `substitution`.
Standard library only, Python 3.9.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

HOLE = "\0"
BLANKS = " \t"
ENDS_WORD = frozenset(" \t\n;&|()<>")
PLAIN_STOPS = frozenset(" \t\n;&|()<>'\"\\$`")
QUOTED_STOPS = frozenset('"\\$`')
NAME_START = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
NAME = NAME_START | frozenset("0123456789")


class Unreadable(Exception):
    """The text is no command that bash would run, or it is nested deeper than anyone writes."""


class Word:
    """One word: what it becomes when it runs, with HOLE for each unknown part, and how it was written."""

    __slots__ = ("raw", "text")

    def __init__(self, text: str, raw: str) -> None:
        self.text, self.raw = text, raw


class WordReader(ABC):
    """Reads `text` from left to right; `at` is the next character. scope: the shell that a substitution is part of."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    @abstractmethod
    def substitution(self, scope: tuple[int, ...]) -> None:
        """Read the commands from here to a closing parenthesis, and that too, in a shell of their own."""

    @abstractmethod
    def nested(self, text: str, scope: tuple[int, ...]) -> None:
        """Read the commands of another text, in a shell of their own."""

    # -- words --------------------------------------------------------------------------------------------------------

    def word(self, scope: tuple[int, ...]) -> Word:
        """Read one word, which may be several quoted and unquoted pieces side by side. Raises Unreadable for none."""
        text, start, pieces = self.text, self.at, []
        while self.at < len(text) and text[self.at] not in ENDS_WORD:
            char = text[self.at]
            if char == "'":
                pieces.append(self.upto("'"))
            elif char == '"':
                pieces.append(self.quoted(scope))
            elif char == "\\":
                pieces.append(text[self.at + 1 : self.at + 2].replace("\n", ""))
                self.at += 2
            elif text.startswith("$'", self.at):
                pieces.append(self.ansi())
            elif text.startswith('$"', self.at):
                self.at += 1
            elif char in "$`":
                pieces.append(self.expansion(scope, quoted=False))
            else:
                pieces.append(self.plain(PLAIN_STOPS))
        if self.at == start and text.startswith(("<(", ">("), start):
            self.at += 2
            self.substitution(scope)
            pieces.append(HOLE)
        if self.at == start:
            raise Unreadable("a word was expected")
        return Word("".join(pieces), text[start : self.at])

    def plain(self, stops: frozenset[str]) -> str:
        """The characters up to the first of `stops`."""
        text, end = self.text, self.at
        while end < len(text) and text[end] not in stops:
            end += 1
        start, self.at = self.at, end
        return text[start:end]

    def upto(self, mark: str) -> str:
        """What stands between the mark here and the next one, which is read too."""
        end = self.text.find(mark, self.at + 1)
        if end < 0:
            raise Unreadable("a quote is left open")
        start, self.at = self.at + 1, end + 1
        return self.text[start:end]

    def quoted(self, scope: tuple[int, ...], closing: str = '"') -> str:
        """The text of double quotes, from the opening one on; with no `closing`, of a heredoc's whole body."""
        text, pieces = self.text, []
        self.at += len(closing)
        while self.at < len(text):
            char = text[self.at]
            if char == closing:
                self.at += 1
                return "".join(pieces)
            if char == "\\":
                after = text[self.at + 1 : self.at + 2]
                pieces.append("" if after == "\n" else after if after in '$`"\\' else char + after)
                self.at += 2
            elif char in "$`":
                pieces.append(self.expansion(scope, quoted=True))
            elif char == '"':
                pieces.append(char)
                self.at += 1
            else:
                pieces.append(self.plain(QUOTED_STOPS))
        if closing:
            raise Unreadable("a quote is left open")
        return "".join(pieces)

    def ansi(self) -> str:
        """The text of $'...', in which backslashes write characters as in C."""
        start = self.at = self.at + 2
        while self.at < len(self.text) and self.text[self.at] != "'":
            self.at += 2 if self.text[self.at] == "\\" else 1
        if self.at >= len(self.text):
            raise Unreadable("a quote is left open")
        inside = self.text[start : self.at]
        self.at += 1
        if "\\" not in inside:
            return inside
        try:
            return inside.encode("latin-1", "backslashreplace").decode("unicode_escape")
        except UnicodeDecodeError:
            return HOLE

    # -- expansions ---------------------------------------------------------------------------------------------------

    def expansion(self, scope: tuple[int, ...], quoted: bool) -> str:
        """Read $x, ${...}, $(...), $((...)) or `...`: HOLE, or a dollar that stands for itself."""
        text = self.text
        after = text[self.at + 1 : self.at + 2]
        if text[self.at] == "`":
            self.backticks(scope, quoted)
        elif text.startswith("$((", self.at) and self.arithmetic(3, 2, scope):
            pass
        elif after == "(":
            self.at += 2
            self.substitution(scope)
        elif after == "{":
            self.braces(scope)
        elif after in NAME_START:
            self.at += 1
            while self.text[self.at : self.at + 1] in NAME:
                self.at += 1
        elif after and after in "0123456789@*#?$!-":
            self.at += 2
        else:
            self.at += 1
            return "$"
        return HOLE

    def backticks(self, scope: tuple[int, ...], quoted: bool) -> None:
        """Read `...`, in which a backslash frees a backtick, a dollar, itself, and within quotes a quote."""
        text, pieces = self.text, []
        free = '`$\\"' if quoted else "`$\\"
        self.at += 1
        while self.at < len(text) and text[self.at] != "`":
            if text[self.at] == "\\" and text[self.at + 1 : self.at + 2] in free:
                self.at += 1
            pieces.append(text[self.at : self.at + 1])
            self.at += 1
        if self.at >= len(text):
            raise Unreadable("a backtick is left open")
        self.at += 1
        self.nested("".join(pieces), scope)

    def braces(self, scope: tuple[int, ...]) -> None:
        """Read ${...}, whose default may hold quotes and substitutions."""
        self.at += 2
        while self.at < len(self.text) and self.text[self.at] != "}":
            if not self.special(scope):
                self.at += 1
        if self.at >= len(self.text):
            raise Unreadable("a brace is left open")
        self.at += 1

    def arithmetic(self, opening: int, depth: int, scope: tuple[int, ...]) -> bool:
        """Read ((...)), $((...)) or an array's (...); False, with nothing read, where it is a subshell in a subshell.

        opening: characters that open it, `depth` of them parentheses, as many as must close it side by side.
        """
        start, closing = self.at, ")" * depth
        self.at += opening
        while self.at < len(self.text) and depth:
            if self.special(scope):
                continue
            depth += (self.text[self.at] == "(") - (self.text[self.at] == ")")
            self.at += 1
        if not depth and self.text.endswith(closing, start, self.at):
            return True
        self.at = start
        return False

    def special(self, scope: tuple[int, ...]) -> bool:
        """Read a quoted piece, an escape or an expansion, if one stands here."""
        char = self.text[self.at]
        if char == "'":
            self.upto("'")
        elif char == '"':
            self.quoted(scope)
        elif char == "\\":
            self.at += 2
        elif char in "$`":
            self.expansion(scope, quoted=False)
        else:
            return False
        return True


def is_name(text: str) -> bool:
    """Whether a variable can be called so."""
    return bool(text) and text[0] in NAME_START and all(char in NAME for char in text)
