"""Many checks by one child process: thousands of checks in, a verdict each out.

A child that runs past a check's time, dies or says something else than a verdict is killed and replaced, and only that
check becomes unknown. It gets no more memory than it is told (address space, where the system has such a limit).
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from realign.errors import UsageError
from realign.verify import sandbox
from realign.verify.check import Check, Outcome

SECONDS = 10.0  # a check's limit, wall time
START_SECONDS = 30.0  # a child's start, on a machine that is busy
MEGABYTES = 2048
LONGEST_LINE = 1 << 20  # bytes of a verdict


class Child:
    """One verifying process. Use as a context: it is gone at the end, whatever happens."""

    def __init__(self) -> None:
        package = str(Path(__file__).resolve().parents[2])
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([package, *sys.path[1:]]),
            "PYTHONWARNINGS": "ignore",
        }
        command = [sys.executable, "-m", "realign.verify.child", str(MEGABYTES)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
        try:
            self.line(START_SECONDS)
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                pipe.close() if pipe else None

    def ask(self, check: Check, answer: str, seconds: float) -> tuple[str, str]:
        """The verdict on one answer and its detail. Raises TimeoutError; OSError or ValueError from a broken child."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps([asdict(check), answer, seconds]).encode() + b"\n")
        self.process.stdin.flush()
        verdict, detail = json.loads(self.line(seconds))
        return str(verdict), str(detail)

    def line(self, seconds: float) -> bytes:
        """The next line the child prints. Raises TimeoutError, and OSError when it ended instead."""
        assert self.process.stdout
        deadline, got, file = time.monotonic() + seconds, b"", self.process.stdout.fileno()
        with selectors.DefaultSelector() as waiting:
            waiting.register(file, selectors.EVENT_READ)
            while not got.endswith(b"\n"):
                if not waiting.select(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError(f"not decided in {seconds:g} s")
                part = os.read(file, 1 << 16)
                if not part or len(got) > LONGEST_LINE:
                    raise OSError(f"the verifier ended with {self.process.wait()}" if not part else "endless output")
                got += part
        return got


def verify_all(checks: Sequence[tuple[Check, str]], seconds: float = SECONDS) -> list[Outcome]:
    """A verdict for each (check, answer), in order; `seconds` of wall time each. Nothing to check gives an empty list.

    Raises UsageError, before anything runs, for a verifier that does not exist and for code where no sandbox works.
    """
    from realign.verify import VERIFIERS

    for name in dict.fromkeys(check.verifier for check, _ in checks):
        if name not in VERIFIERS:
            raise UsageError(f"There is no verifier {name!r}", ", ".join(VERIFIERS), "one of them")
        if name == "code":
            sandbox.require()
    outcomes: list[Outcome] = []
    with contextlib.ExitStack() as stack:
        child: Child | None = None
        for check, answer in checks:
            child = child or stack.enter_context(Child())
            outcome, whole = asked(child, check, answer, seconds)
            outcomes.append(outcome)
            if not whole:
                stack.close()
                child = None
    return outcomes


def asked(child: Child, check: Check, answer: str, seconds: float) -> tuple[Outcome, bool]:
    """The outcome of one check, and whether the child can go on."""
    start = time.monotonic()
    try:
        verdict, detail = child.ask(check, answer, seconds)
    except TimeoutError as error:
        return Outcome("unknown", str(error), time.monotonic() - start), False
    except (OSError, ValueError) as error:
        return Outcome("unknown", f"the verifier failed: {error}", time.monotonic() - start), False
    known = verdict if verdict in ("accept", "reject") else "unknown"
    return Outcome(known, detail, time.monotonic() - start), True  # type: ignore[arg-type]
