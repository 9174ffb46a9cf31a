"""A hook's event: read from standard input, answered on standard output, and never a session broken.

    answer_with(main)       main gets the event's bytes and gives the answer's text, "" for none

Most events concern no command of ours, so they are looked at as bytes: importing json alone would double a hook's time.
Any failure of a hook is said on standard error in one line, and the exit code is 0 all the same.
Standard library only, Python 3.9.
"""

from __future__ import annotations

import sys

LONGEST = 100_000  # characters of a command that are read; longer ones pass
OURS = (b"realign", b"mlx", b"python", b".py")  # some such word is in every command of ours, once its quotes are gone
QUOTES = b"\"'\\"


def answer_with(main) -> None:  # type: ignore[no-untyped-def]
    """Answer the event on standard input by `main`."""
    try:
        answer = main(sys.stdin.buffer.read())
        if answer:
            sys.stdout.write(answer)
            sys.stdout.flush()
    except BaseException as error:
        try:
            said = f"ReAlign's hook {sys.argv[0]} passed this by: {type(error).__name__}: {error}"
            sys.stderr.write(said.replace("\n", " ")[:500] + "\n")
        except Exception:  # nobody listens
            pass


def command_of(event: bytes) -> str:
    """The command of a Bash event where it may be one of ours; "" where it can't be, and for any other event."""
    at = event.find(b'"command"')
    if at < 0:
        return ""
    bare = event[at:].replace(b"\\\\\\n", b"").translate(None, QUOTES)
    if not any(word in bare for word in OURS):
        return ""
    text = event.decode("utf-8", "replace")
    command = field(text, "command")
    unreadable = len(command) > LONGEST or "\0" in command
    return "" if unreadable or field(text, "tool_name") != "Bash" else command


def field(text: str, name: str) -> str:
    """The value of the first key of that name, where it is a string; "" otherwise. A quote in a string is escaped."""
    try:
        from _json import scanstring
    except ImportError:
        from json.decoder import py_scanstring as scanstring
    key, at = f'"{name}"', -1
    while True:
        at = text.find(key, at + 1)
        if at < 0:
            return ""
        rest = text[at + len(key) : at + len(key) + 20].lstrip()
        if rest.startswith(":"):
            break
    start = text.index(":", at + len(key)) + 1
    while text[start : start + 1].isspace():
        start += 1
    try:
        value, _ = scanstring(text, start + 1, False) if text[start : start + 1] == '"' else ("", 0)
    except ValueError:
        return ""
    return str(value)
