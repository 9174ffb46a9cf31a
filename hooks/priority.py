"""The environment and the priority of MLX work in a session's shell, without changing any command.

    shell_lines(marker)              what session_start.py writes into the session's environment file
    ask_for(command, session)        pre_tool_use.py, just before that command runs

The client runs the environment file's lines at the head of every Bash command. They export the standard's variables;
and where ask_for has left a marker that holds a piece of the very command that begins, the shell raises its own
priority and removes the marker. A rewritten command would lose or gain permissions: with `nice -n -10` in front, a rule
such as Bash(timeout 5 mlx_lm.lora *) holds no more and Bash(nice *) begins to hold. Standard library only, Python 3.9.
"""

from __future__ import annotations

import os

from standard import ENVIRONMENT, KEEPS, MAY_BE_OFF, NICE

MARK = "# ReAlign: the environment and the priority of MLX work"
CHANGED_BY_QUOTING = "'\"\\$`!\n"  # characters that the client may write otherwise than the model did
WORDS = ("realign", "mlx", "python", ".py")


def shell_lines(marker: str) -> str:
    """The lines for bash and zsh; they print nothing and leave no trace but the environment. marker: "" for none."""
    lines = [MARK, *(_export(name, value) for name, value in ENVIRONMENT.items())]
    if marker:
        path = "'" + marker.replace("'", "'\\''") + "'"
        lines += [
            f"if [ -r {path} ]; then",
            f"  IFS= read -r _asked < {path}; rm -f {path}",
            '  _runs="${BASH_EXECUTION_STRING-}${ZSH_EXECUTION_STRING-}"',
            f'  case "${{_runs#*[e]val }}" in *"$_asked"*) renice {NICE} -p $$ ;; esac',
            "  unset _asked _runs",
            "fi > /dev/null 2>&1",
        ]
    return "\n".join(lines) + "\n"


def _export(name: str, value: str) -> str:
    if name in KEEPS:  # a value that the user set wins
        return f'export {name}="${{{name}:-{value}}}"'
    if name in MAY_BE_OFF:
        return f'[ "${{{name}-}}" = 0 ] || export {name}={value}'
    return f"export {name}={value}"


def marker_of(session: str) -> str:
    """Where a session's marker is: in the plugin's data folder; "" without such a folder, or a session's plain name."""
    data = os.environ.get("CLAUDE_PLUGIN_DATA", "")
    plain = session.replace("-", "").replace("_", "").isalnum() and session.isascii() and len(session) <= 100
    return os.path.join(data, "priority", session) if data and plain and "\n" not in data else ""


def ask_for(command: str, session: str) -> None:
    """Ask the shell that runs this command next to raise its priority, where it has the right to."""
    marker = marker_of(session)
    if not marker or not os.path.isdir(os.path.dirname(marker)) or not may_raise():
        return
    descriptor = os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, (piece_of(command) + "\n").encode("utf-8", "replace"))
    finally:
        os.close(descriptor)


def piece_of(command: str) -> str:
    """The longest piece of a command that stands the same way in whatever the client makes of it."""
    for char in CHANGED_BY_QUOTING:
        command = command.replace(char, "\n")
    pieces = command.split("\n")
    telling = [piece for piece in pieces if any(word in piece for word in WORDS)]
    return max(telling or pieces, key=len)[:200]


def may_raise() -> bool:
    """Whether this user may raise a priority at all. Tried on this process, which ends in a moment."""
    try:
        if os.getpriority(os.PRIO_PROCESS, 0) > NICE:
            os.setpriority(os.PRIO_PROCESS, 0, NICE)
    except OSError:
        return False
    return True
