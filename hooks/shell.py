"""A command line as bash would read it: every simple command in it, wherever it hides.

    for command in read("cd x && A=1 realign curate 'my book.pdf' | tee log").commands: print(command.assigns)

Operators, subshells, groups, loops, cases, functions, redirections, heredocs and substitutions are read; aliases, globs
and braces are not expanded. Commands come in the order of reading, those of a substitution before the one around it.
What can't be read raises Unreadable: the caller then leaves the command alone. Standard library only, Python 3.9.
"""

from __future__ import annotations

from shellwords import BLANKS, ENDS_WORD, Unreadable, Word, WordReader, is_name

DEEPEST, MOST = 40, 1000  # subshells inside one another, and all together
NOT_COMMANDS = frozenset("if then else elif fi do done while until ! time { } coproc".split())
REDIRECTIONS = ("&>>", "&>", "<<<", "<<-", "<<", "<>", "<&", "<", ">>", ">&", ">|", ">")


class Command:
    """One simple command: its words, the assignments before it, and where it runs.

    scope: a subshell's scope begins with that of the shell around it, so a setting holds where its scope is a prefix.
    stdin: the text of a heredoc or here-string that it reads, or "".
    """

    __slots__ = ("assigns", "scope", "stdin", "words")

    def __init__(self, scope: tuple[int, ...]) -> None:
        self.words: list[Word] = []
        self.assigns: list[tuple[str, str]] = []
        self.scope = scope
        self.stdin = ""


class Reading:
    """What has been found so far, shared by the readers of nested texts."""

    __slots__ = ("commands", "functions", "scopes")

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.functions: set[str] = set()
        self.scopes = 0

    def inner(self, scope: tuple[int, ...]) -> tuple[int, ...]:
        """The scope of a new subshell in `scope`. Raises Unreadable where there are too many."""
        self.scopes += 1
        if len(scope) > DEEPEST or self.scopes > MOST:
            raise Unreadable("nested too deep")
        return (*scope, self.scopes)


def read(text: str, reading: Reading | None = None, scope: tuple[int, ...] = ()) -> Reading:
    """Every simple command of `text`, added to `reading` where one is given. Raises Unreadable."""
    reading = reading or Reading()
    Reader(text, reading).commands(scope, closing="")
    return reading


class Reader(WordReader):
    """Reads commands from left to right."""

    def __init__(self, text: str, reading: Reading) -> None:
        super().__init__(text)
        self.reading = reading
        self.heredocs: list[tuple[str, bool, bool, Command]] = []  # delimiter, tabs stripped, quoted, whose stdin

    def substitution(self, scope: tuple[int, ...]) -> None:
        """Read the commands from here to a closing parenthesis, and that too, in a shell of their own."""
        self.commands(self.reading.inner(scope), closing=")")
        self.at += 1

    def nested(self, text: str, scope: tuple[int, ...]) -> None:
        """Read the commands of another text, in a shell of their own."""
        read(text, self.reading, self.reading.inner(scope))

    # -- commands -----------------------------------------------------------------------------------------------------

    def commands(self, scope: tuple[int, ...], closing: str) -> None:
        """Read commands up to `closing`, which is left unread: ")", ";;" with esac, or "" for the end of the text."""
        while True:
            self.skip_blanks()
            if self.at >= len(self.text):
                if closing:
                    raise Unreadable(f"{closing} is missing")
                return
            char = self.text[self.at]
            if char == ")" or (closing == ";;" and self.text.startswith((";;", ";&"), self.at)):
                if (char == ")") != (closing == ")"):
                    raise Unreadable("a parenthesis was never opened")
                return
            if char == "\n":
                self.end_line()
            elif char in ";&|" and not self.text.startswith("&>", self.at):
                self.at += 1
            elif self.text.startswith("((", self.at) and self.arithmetic(2, 2, scope):
                pass
            elif char == "(":
                self.at += 1
                self.substitution(scope)
            elif self.command(scope) == "esac" and closing == ";;":
                self.at -= len("esac")
                return

    def command(self, scope: tuple[int, ...]) -> str:
        """Read a simple command, or what opens or closes a compound one; gives that word, or ""."""
        command = Command(scope)
        while self.more_words(command):
            word = self.word(scope)
            if command.words:
                command.words.append(word)
            elif self.assignment(command, word):
                continue
            elif word.raw in COMPOUND and not command.assigns:
                COMPOUND[word.raw](self, scope)
                return ""
            elif word.raw == "esac":
                return "esac"
            elif word.raw not in NOT_COMMANDS or command.assigns:
                command.words.append(word)
        if command.words or command.assigns:
            self.reading.commands.append(command)
        return ""

    def more_words(self, command: Command) -> bool:
        """Past blanks and redirections; whether a word of the command follows. `name()` makes it a function's."""
        while True:
            self.skip_blanks()
            if not self.redirection(command):
                break
        if self.text.startswith("(", self.at) and (command.words or command.assigns):
            rest = self.text[self.at + 1 : self.at + 80].lstrip(BLANKS)
            if not rest.startswith(")") or len(command.words) != 1:
                raise Unreadable("a parenthesis where none can be")
            self.reading.functions.add(command.words.pop().text)
            self.at = self.text.index(")", self.at) + 1
            return False
        substituted = self.text.startswith(("<(", ">("), self.at)
        return self.at < len(self.text) and (self.text[self.at] not in ENDS_WORD or substituted)

    def assignment(self, command: Command, word: Word) -> bool:
        """Keep `name=value` before a command; an array's values are read past."""
        name, equals, value = word.text.partition("=")
        name = name.rstrip("+")
        if not equals or not is_name(name) or not word.raw.startswith(name):
            return False
        if not value and self.text.startswith("(", self.at) and not self.arithmetic(1, 1, command.scope):
            raise Unreadable("an array is left open")
        command.assigns.append((name, value))
        return True

    # -- compound commands --------------------------------------------------------------------------------------------

    def loop(self, scope: tuple[int, ...]) -> None:
        """Past `x in a b c` of a for loop, in which substitutions are read."""
        self.skip_blanks()
        if self.text.startswith("((", self.at) and self.arithmetic(2, 2, scope):
            return
        while self.more_words(Command(scope)) and self.word(scope).raw != "do":
            pass

    def function(self, scope: tuple[int, ...]) -> None:
        """The name after `function`, and its parentheses where it has them."""
        self.skip_blanks()
        self.reading.functions.add(self.word(scope).text)
        self.skip_blanks()
        if self.text.startswith("(", self.at):
            self.arithmetic(1, 1, scope)

    def case(self, scope: tuple[int, ...]) -> None:
        """Read `word in pattern) commands ;; ... esac`."""
        self.skip_space()
        self.word(scope)
        self.skip_space()
        if self.word(scope).raw != "in":
            raise Unreadable("a case without in")
        while self.pattern(scope):
            self.commands(scope, closing=";;")

    def pattern(self, scope: tuple[int, ...]) -> bool:
        """Read past what ended the part before, then a pattern and its `)`; False at `esac`."""
        first = True
        while True:
            self.skip_space()
            if self.at >= len(self.text):
                raise Unreadable("a case is left open")
            char = self.text[self.at]
            if char in ";&|(" and (first or char == "|"):
                self.at += 1
                continue
            if char == ")":
                self.at += 1
                return True
            if self.word(scope).raw == "esac" and first:
                return False
            first = False

    def condition(self, scope: tuple[int, ...]) -> None:
        """Read `[[ ... ]]` after its opening; operators in it are words."""
        while True:
            self.skip_space()
            if self.at >= len(self.text):
                raise Unreadable("a condition is left open")
            if self.text[self.at] in ENDS_WORD:
                self.at += 1
            elif self.word(scope).raw == "]]":
                return

    # -- redirections, heredocs, blanks -------------------------------------------------------------------------------

    def redirection(self, command: Command) -> bool:
        """Read `2>file`, `<<END` and the like; False where there is none. Process substitutions are words."""
        at = self.at
        while self.text[at : at + 1].isdigit():
            at += 1
        sign = next((sign for sign in REDIRECTIONS if self.text.startswith(sign, at)), "")
        if not sign or (sign in "<>" and self.text.startswith("(", at + 1)):
            return False
        self.at = at + len(sign)
        self.skip_blanks()
        word = self.word(command.scope)
        if sign in ("<<", "<<-"):
            quoted = any(mark in word.raw for mark in "'\"\\")
            self.heredocs.append((word.text, sign == "<<-", quoted, command))
        elif sign == "<<<":
            command.stdin = word.text
        return True

    def end_line(self) -> None:
        """Past the end of a line, and the bodies of the heredocs that the line announced."""
        self.at += 1
        waiting, self.heredocs = self.heredocs, []
        for delimiter, tabs, quoted, command in waiting:
            lines: list[str] = []
            while self.at < len(self.text):
                end = self.text.find("\n", self.at)
                end = len(self.text) if end < 0 else end
                line = self.text[self.at : end].lstrip("\t") if tabs else self.text[self.at : end]
                self.at = end + 1
                if line == delimiter:
                    break
                lines.append(line)
            command.stdin = "\n".join(lines)
            if not quoted and ("$" in command.stdin or "`" in command.stdin):
                Reader(command.stdin, self.reading).quoted(command.scope, closing="")

    def skip_blanks(self) -> None:
        """Past blanks and continued lines, and past a comment, which begins where a word could."""
        text = self.text
        while text.startswith("\\\n", self.at) or text[self.at : self.at + 1] in (" ", "\t"):
            self.at += 2 if text[self.at] == "\\" else 1
        if text.startswith("#", self.at) and (not self.at or text[self.at - 1] in ENDS_WORD):
            end = text.find("\n", self.at)
            self.at = len(text) if end < 0 else end

    def skip_space(self) -> None:
        """Past blanks, comments and ends of lines."""
        self.skip_blanks()
        while self.text.startswith("\n", self.at):
            self.end_line()
            self.skip_blanks()


COMPOUND = {
    "for": Reader.loop, "select": Reader.loop, "case": Reader.case, "function": Reader.function,
    "[[": Reader.condition,
}  # fmt: skip
