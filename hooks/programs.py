"""Which commands of a command line run this product or MLX work, and what they were given.

    for job in jobs("cd x && nohup uv run mlx_lm.lora --batch-size 8 &", cwd="/home/me"): print(job.name, job.words)

Wrappers (nohup, env, timeout, xargs, uv run, bash -c ...) are looked through by a table of the options that take a
value. A program that only has such a word among its arguments (grep realign) is not one. Unsure is no.
Standard library only, Python 3.9.
"""

from __future__ import annotations

from scripts import PACKAGES, ROOTS, beginning, imports_ours, is_python, join
from shell import Command, Reading, read
from shellwords import HOLE, Word, is_name

LAUNCHERS = ("mlx.launch", "mlx.distributed_config")
SCRIPTS = ("train_dpo.py",)  # ours by name, wherever they are
SHELLS = ("sh", "bash", "zsh", "dash", "ksh")
RUNNERS = ("uv", "poetry", "pdm", "rye", "hatch", "pixi", "pipenv", "conda", "mamba", "micromamba", "pipx")
RUNNER_VALUES = (
    "--with --with-editable --with-requirements -p --python --project --directory --extra --group --no-group"
    " --only-group --env-file --index --index-url -i --default-index --extra-index-url -f --find-links --package --from"
    " --spec --cache-dir --config-file --color -n --name --prefix -e --environment --manifest-path --exclude-newer"
)
SUDO_VALUES = (
    "-u -g -h -p -C -D -R -T -U -r -t -c -a --user --group --host --prompt --close-from --chdir --chroot"
    " --command-timeout --other-user --role --type"
)
LAUNCH_VALUES = (
    "--hosts --repeat-hosts -n --hostfile --backend --env --mpi-arg --connections-per-ip --starting-port -p --cwd"
    " --nccl-port --python"
)
# wrapper: (its options that take a value, how many words of its own stand before the command)
WRAPPERS = {
    "nohup": ("", 0), "setsid": ("", 0), "time": ("-f -o --format --output", 0), "nice": ("-n --adjustment", 0),
    "ionice": ("-c -n --class --classdata", 0), "timeout": ("-k -s --kill-after --signal", 1),
    "gtimeout": ("-k -s --kill-after --signal", 1), "stdbuf": ("-i -o -e --input --output --error", 0),
    "env": ("-u --unset -C --chdir", 0), "command": ("", 0), "builtin": ("", 0), "exec": ("-a", 0), "eval": ("", 0),
    "caffeinate": ("-t -w", 0), "taskpolicy": ("-c -b -t -l -d -g", 0), "arch": ("", 0), "taskset": ("", 1),
    "chrt": ("", 1), "flock": ("-w -E --timeout --conflict-exit-code", 1), "watch": ("-n -q --interval", 0),
    "xargs": ("-I -n -P -L -d -E -s -a -J -R --max-args --max-procs --max-lines --delimiter --arg-file --replace", 0),
    "parallel": ("-j --jobs -N -n -a --arg-file --delay --timeout --results --joblog", 0), "unbuffer": ("", 0),
    "sudo": (SUDO_VALUES, 0), "doas": ("-u -C", 0), "uvx": (RUNNER_VALUES, 0), "mlx.launch": (LAUNCH_VALUES, 0),
}  # fmt: skip
CLEARED = "every variable"  # a name in `settings` for an environment that was emptied


class Job:
    """One command of ours. name: the program or module, as its last part is called (realign, mlx_lm.lora, train.py).

    words: from the program on. written: the same with the interpreter before it. settings: variables set for it (None:
    taken away). wrappers: what stands before it, outermost first. within: the words of the mlx.launch that starts it.
    """

    __slots__ = ("name", "settings", "within", "words", "wrappers", "written")

    def __init__(self, name: str, words: list[Word], around: Around, written: list[Word] | None = None) -> None:
        self.name, self.words, self.written = name, words, written or words
        self.settings, self.wrappers, self.within = around.settings, around.wrappers, around.within

    @property
    def arguments(self) -> list[str]:
        """The texts of the words after the program."""
        return [word.text for word in self.words[1:]]


class Around:
    """What stands around a command: its working folder ("" for unknown), settings, wrappers and standard input."""

    __slots__ = ("cwd", "functions", "settings", "stdin", "within", "wrappers")

    def __init__(self, cwd: str) -> None:
        self.cwd, self.stdin = cwd, ""
        self.functions: set[str] = set()
        self.settings: dict[str, str | None] = {}
        self.wrappers: tuple[str, ...] = ()
        self.within: list[Word] = []

    def copy(self) -> Around:
        """The same, to be changed."""
        other = Around(self.cwd)
        other.stdin, other.functions, other.within = self.stdin, self.functions, self.within
        other.settings, other.wrappers = dict(self.settings), self.wrappers
        return other


def jobs(text: str, cwd: str = "", around: Around | None = None) -> list[Job]:
    """Every command of ours in a command line. Raises Unreadable for what is none."""
    reading = Reading()
    read(text, reading)
    found: list[Job] = []
    shells = {(): (around or Around(cwd)).copy()}
    for command in reading.commands:
        shell = _shell_of(command, shells)
        shell.functions = reading.functions
        if not command.words:
            shell.settings.update(command.assigns)
            continue
        _remember(command, shell)
        inner = shell.copy()
        inner.stdin = command.stdin
        inner.settings.update(command.assigns)
        found += unwrap(command.words, inner)
    return found


def _shell_of(command: Command, shells: dict[tuple[int, ...], Around]) -> Around:
    """What holds in the shell that runs the command; a subshell begins with what held around it."""
    if command.scope not in shells:
        outer = max((scope for scope in shells if scope == command.scope[: len(scope)]), key=len)
        shells[command.scope] = shells[outer].copy()
    return shells[command.scope]


def _remember(command: Command, shell: Around) -> None:
    """Let `cd`, `export` and `unset` hold for what comes after them."""
    name, arguments = command.words[0].text, [word.text for word in command.words[1:]]
    if name == "cd":
        shell.cwd = join(shell.cwd, arguments[0]) if len(arguments) == 1 and HOLE not in arguments[0] else ""
    elif name in ("export", "declare", "typeset", "readonly"):
        pairs = (argument.partition("=") for argument in arguments)
        shell.settings.update((name, value) for name, equals, value in pairs if equals)
    elif name == "unset":
        shell.settings.update(dict.fromkeys(arguments))


# -- looking through wrappers -----------------------------------------------------------------------------------------


def unwrap(words: list[Word], around: Around) -> list[Job]:
    """The jobs that a simple command starts, through any wrappers; `around` is taken over and changed."""
    while words:
        path = words[0].text
        name = path.rpartition("/")[2]
        if path in around.functions:
            return []
        if name == "-p":  # of the shell's own `time -p`
            words = words[1:]
        elif name in SHELLS:
            return _shell(words, around)
        elif is_python(name) or (HOLE in name and len(words) > 1 and words[1].text == "-m"):
            return _python(words, words, around)
        elif name == "find":
            return _find(words, around)
        elif name in RUNNERS:
            words = _past_run(words)
            if words and (words[0].text in ("-m", "--module", "-s") or words[0].text.endswith(".py")):
                return _python(words, [words[0], *words], around)
        elif name in WRAPPERS:
            if name == "command" and words[1:] and words[1].text in ("-v", "-V"):
                return []
            around.wrappers = (*around.wrappers, name)
            outer, words = words, _past_wrapper(words, name, around)
            if name == "mlx.launch":
                around.within = outer[: len(outer) - len(words)]
                return unwrap(words, around) or [Job(name, outer, around)]
            if name == "eval":
                return _nested(" ".join(word.text for word in words), around)
        elif name == "realign" or name in LAUNCHERS or name.partition(".")[0] in PACKAGES:
            return [Job(name, words, around)] if not name.endswith((".py", ".md", ".sh")) else []
        elif "/" in path and name.endswith(".py"):
            return _script(words, words, around)
        else:
            # mlx.launch takes a script without `python` before it
            return _script(words, words, around) if around.within and name.endswith(".py") else []
    return []


def _past_wrapper(words: list[Word], name: str, around: Around) -> list[Word]:
    """The words after a wrapper, its options and its own words; settings it makes are kept in `around`."""
    values, own = WRAPPERS[name]
    end = past_options(words, values.split())
    options, rest = words[1:end], words[end + own :]
    if name == "env":
        for at, word in enumerate(options):
            if word.text in ("-i", "-", "--ignore-environment"):
                around.settings = {CLEARED: None}
            elif word.text in ("-u", "--unset") and at + 1 < len(options):
                around.settings[options[at + 1].text] = None
            elif word.text.startswith(("-u", "--unset=")):
                around.settings[word.text.partition("=")[2] or word.text[2:]] = None
    if name == "mlx.launch":
        for at, word in enumerate(options[:-1]):
            if word.text == "--env":
                variable, _, value = options[at + 1].text.partition("=")
                around.settings[variable] = value
    while name in ("env", "sudo", "doas") and rest and is_name(rest[0].text.partition("=")[0]) and "=" in rest[0].text:
        variable, _, value = rest[0].text.partition("=")
        around.settings[variable] = value
        rest = rest[1:]
    return rest


def past_options(words: list[Word], values: list[str]) -> int:
    """The place of the first word after a program's options; `values` are those whose value is a word of its own."""
    at = 1
    while at < len(words) and words[at].text.startswith("-"):
        option = words[at].text
        at += 1
        if option == "--":
            break
        if option in values:
            at += 1
    return min(at, len(words))


def _past_run(words: list[Word]) -> list[Word]:
    """The words after `uv run`, `uv tool run`, `poetry run` and the like; none for another subcommand."""
    values = RUNNER_VALUES.split()
    at = past_options(words, values)
    if [word.text for word in words[at : at + 2]] == ["tool", "run"]:
        at += 1
    if at >= len(words) or words[at].text != "run":
        return []
    rest = words[at:]
    end = past_options(rest, [value for value in values if value not in ("-m", "-s")])
    for place, word in enumerate(rest[1:end], 1):
        if word.text in ("-m", "--module", "-s", "--script"):
            return rest[place:]
    return rest[end:]


def _shell(words: list[Word], around: Around) -> list[Job]:
    """What `bash -c TEXT`, or a shell that reads a heredoc, runs. A script's file is not read."""
    at = 1
    while at < len(words) and words[at].text[:1] in ("-", "+") and len(words[at].text) > 1:
        option = words[at].text
        at += 1
        if option in ("-o", "+o", "-O", "+O", "--rcfile", "--init-file"):
            at += 1
        elif not option.startswith("--") and "c" in option:
            at = past_options(words[at - 1 :], []) + at - 1
            return _nested(words[at].text, around) if at < len(words) else []
        elif option == "--":
            break
    return _nested(around.stdin, around) if at == len(words) or words[at].text == "-" else []


def _nested(text: str, around: Around) -> list[Job]:
    """The jobs of a text that another shell runs."""
    if not text or len(around.wrappers) > 20:
        return []
    inner = around.copy()
    inner.stdin, inner.wrappers = "", (*around.wrappers, "sh")
    return jobs(text, around=inner)


def _find(words: list[Word], around: Around) -> list[Job]:
    """What `find ... -exec COMMAND ;` runs."""
    texts = [word.text for word in words]
    start = next((at + 1 for at, text in enumerate(texts) if text in ("-exec", "-execdir", "-ok", "-okdir")), 0)
    end = next((at for at in range(start, len(texts)) if texts[at] in (";", "+")), len(texts))
    return unwrap(words[start:end], around) if start else []


# -- python -----------------------------------------------------------------------------------------------------------


def _python(words: list[Word], at_program: list[Word], around: Around) -> list[Job]:
    """The job of an interpreter: its module, code, script or standard input. at_program[0] stands for `python`."""
    at = 1
    while at < len(at_program):
        option = at_program[at].text
        following = at_program[at + 1 :]
        if option in ("-m", "--module"):
            module = following[0].text if following else ""
            return [Job(module, following, around, words)] if module.partition(".")[0] in ROOTS else []
        if option == "-c":
            return [Job("python -c", words, around)] if following and imports_ours(following[0].text) else []
        if option == "-":
            break
        if not option.startswith("-"):
            return _script(words, at_program[at:], around)
        at += 2 if option in ("-W", "-X", "--check-hash-based-pycs") else 1
    return [Job("python", words, around)] if imports_ours(around.stdin) else []


def _script(words: list[Word], from_script: list[Word], around: Around) -> list[Job]:
    """The job of a Python script, where its name or its imports say that it is one of ours."""
    path = from_script[0].text
    name = path.rpartition("/")[2]
    ours = name in SCRIPTS or (HOLE not in path and imports_ours(beginning(join(around.cwd, path))))
    return [Job(name, from_script, around, words)] if ours else []
