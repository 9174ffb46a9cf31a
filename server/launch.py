"""Finds or builds the plugin's environment, then becomes `realign` in it: `python3 launch.py serve`, or other words.

An environment holds the packages that pyproject.toml and constraints.txt pin, and is named after their hash. The code
is not in it: it runs from this folder, so an update with the same pins builds nothing. Building is build.py's, in a
process of its own that outlives a client too impatient to wait. Standard library, and Python 3.9 will do. What a second
start does is counted in milliseconds, hence no pathlib. Standard output belongs to MCP.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys

SERVER = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(SERVER)
COMPLETE = "complete"  # the file that is written last into an environment, and locked by everyone who uses it
DEPENDENCIES = ("\ndependencies = [", "\nfast = [")  # what of pyproject.toml is installed


def main(words: list[str]) -> int:
    """Become `realign` with these words. Comes back only when there is no environment and none could be built."""
    environment = find()
    if not environment:
        try:
            failure = build()
        except KeyboardInterrupt:
            print("realign: interrupted; the set-up goes on and will be there for the next start", file=sys.stderr)
            return 130
        environment = find()
        if not environment:
            return refuse(failure or "realign: the new environment was removed at once. Try: the same again", words)
    return become(environment, words)


def become(environment: str, words: list[str]) -> int:
    """Replace this process, for good: same process id, working folder, arguments, input and output."""
    python = os.path.join(environment, "bin", "python")
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONHOME"}
    variables["PYTHONPATH"] = SERVER  # not the user's: a folder there could hide any of our packages
    os.execve(python, [python, "-P", "-m", "realign", *words], variables)


# -- which environment --------------------------------------------------------------------------------------------


def requirements() -> list[str]:
    """What pyproject.toml asks for, with what makes it fast on Linux. Python 3.9 has no reader of TOML."""
    with open(os.path.join(ROOT, "pyproject.toml"), encoding="utf-8") as file:
        text = file.read()
    lists = (text.partition(opening)[2].partition("]\n")[0] for opening in DEPENDENCIES)
    return [line.strip(' ",') for block in lists for line in block.strip().split("\n")]


def pins() -> str:
    """Sixteen hexadecimal digits that change when other packages, or packages for another platform, are needed."""
    with open(os.path.join(ROOT, "constraints.txt"), "rb") as file:
        constraints = file.read()
    asked = "\n".join([*requirements(), sys.platform, os.uname().machine, ""])
    return hashlib.sha256(asked.encode() + constraints).hexdigest()[:16]


def data_folder() -> str:
    """Where environments are built: where the user says, the plugin's data folder, or the user's for ReAlign."""
    own = os.environ.get("REALIGN_HOME") or os.environ.get("CLAUDE_PLUGIN_DATA")
    if own:
        return own
    if sys.platform == "darwin":
        return os.path.expanduser("~/Library/Application Support/realign")
    return os.path.join(os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share"), "realign")


def data_folders() -> list[str]:
    """Where environments are looked for: there, and in the plugin's, which Claude's Bash tool does not name to us."""
    plugins = os.path.join(os.environ.get("CLAUDE_CONFIG_DIR") or os.path.expanduser("~/.claude"), "plugins", "data")
    return [data_folder(), *(os.path.join(plugins, name) for name in listed(plugins) if name.startswith("realign-"))]


def listed(folder: str) -> list[str]:
    """The names in a folder, last first; none where there is no folder."""
    try:
        return sorted(os.listdir(folder), reverse=True)
    except OSError:
        return []


def find() -> str:
    """The folder of a complete environment for our pins, held from now on, or "" when there is none."""
    wanted = pins() + "-"
    for folder in data_folders():
        environments = os.path.join(folder, "environments")
        for name in listed(environments):
            path = os.path.join(environments, name)
            if name.startswith(wanted) and os.access(os.path.join(path, "bin", "python"), os.X_OK) and hold(path):
                return path
    return ""


def hold(environment: str) -> bool:
    """Lock an environment against removal while this process, and what it becomes, lives. False: it is going."""
    marker = os.path.join(environment, COMPLETE)
    try:
        descriptor = os.open(marker, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        os.set_inheritable(descriptor, True)
    except OSError:
        return False
    return os.path.exists(marker)


# -- the first start ----------------------------------------------------------------------------------------------


def build() -> str:
    """Run build.py to its end, showing on stderr what it does. Gives why it failed, or "".

    It writes into pipes that end here: nothing of ours stays open in it when a client ends this process.
    """
    import subprocess

    builder = [sys.executable, "-S", "-E", "-I", os.path.join(SERVER, "build.py"), data_folder()]
    nothing, pipe = subprocess.DEVNULL, subprocess.PIPE
    process = subprocess.Popen(builder, stdin=nothing, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
    assert process.stdout and process.stderr
    for line in process.stderr:
        print(line, end="", file=sys.stderr, flush=True)
    failure = process.stdout.read().strip()
    process.wait()
    return failure


def refuse(failure: str, words: list[str]) -> int:
    """Say why there is no environment: on stderr, and to a client, which shows none, in answer to all it asks."""
    print(failure, file=sys.stderr)
    if words[:1] == ["serve"]:
        import json

        for line in sys.stdin:
            identity = json.loads(line).get("id")
            if identity is not None:
                error = {"code": -32603, "message": failure}
                print(json.dumps({"jsonrpc": "2.0", "id": identity, "error": error}), flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
