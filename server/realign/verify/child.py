"""The child that decides: a line of JSON a check in, a line a verdict out. `process.verify_all` drives it.

    python -m realign.verify.child MEGABYTES

What a verifier raises is an unknown, and what it prints never reaches the verdicts.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys

from realign.verify import VERIFIERS
from realign.verify.check import Check


def serve(megabytes: int) -> None:
    """Answer checks until stdin ends. What a verifier raises is an unknown: it says nothing about the answer."""
    limit_memory(megabytes)
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever prints must not be read as a verdict
    print("ready", file=out, flush=True)
    for line in sys.stdin.buffer:
        fields, answer, seconds = json.loads(line)
        signal.setitimer(signal.ITIMER_REAL, 2 * seconds + 1)  # ends a child whose parent is gone
        try:
            verdict, detail = VERIFIERS[fields["verifier"]](Check(**fields), answer)
        except Exception as error:
            verdict, detail = "unknown", f"{type(error).__name__}: {error}"
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(json.dumps([verdict, detail[:2000]]), file=out, flush=True)


def limit_memory(megabytes: int) -> None:
    """Cap this process's address space, where the system can."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))


if __name__ == "__main__":
    serve(int(sys.argv[1]))
