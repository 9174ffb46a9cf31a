"""Verifiers on GSM8K, MBPP and HumanEval: what they accept, reject and leave undecided. No peer; needs bubblewrap.

    PYTHONPATH=server python benchmarks/verifiers.py FOLDER [EVERY]    a folder with their .jsonl files; every n-th row

References must be accepted. GSM8K's are tried with their equivalents and planted wrong answers, twice. Of each
reference program two altered ones (wrong at every call) and two mutants (one operator or number changed; some do the
same as before, some slip through the data's own tests) are tried. Coverage: the share of references that is decided.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from realign.verify import Check, perturbed, sound_all, verify_all
from realign.verify.mutants import mutants


def rows(folder: Path, name: str, every: int) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()[::every]]


def numbers(folder: Path, name: str, every: int) -> None:
    checks = [Check("numeric", row["answer"].split("####")[1].strip()) for row in rows(folder, name, every)]
    start = time.perf_counter()
    reports = sound_all(checks, 0)
    total = Counter[str]()
    for report in reports:
        total.update({field: getattr(report, field) for field in ("right", "accepted", "wrong", "rejected", "unknown")})
    print(f"{name}: {sum(report.sound for report in reports)} of {len(checks)} sound; {dict(total)}; "
          f"{2 * (total['right'] + total['wrong']) / (time.perf_counter() - start):,.0f} answers/s")  # fmt: skip


def programs(name: str, checks: Sequence[Check]) -> None:
    tried = {
        "references": [(check, check.answer) for check in checks],
        "altered": [(check, answer) for check in checks for answer in perturbed(check, 0)[:2]],
        "mutants": [(check, answer) for check in checks for answer in mutants(check, 0, 2)],
    }
    for kind, asked in tried.items():
        start = time.perf_counter()
        outcomes = verify_all(asked)
        took = time.perf_counter() - start
        shares = {word: f"{count / len(asked):.4f}" for word, count in Counter(o.verdict for o in outcomes).items()}
        slowest = max(outcome.seconds for outcome in outcomes)
        print(f"{name} {kind}: {len(asked)}, {shares}; {1000 * took / len(asked):.0f} ms each, slowest {slowest:.1f} s")


def main() -> None:
    folder, every = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    for name in ("gsm8k_test.jsonl", "gsm8k_train.jsonl"):
        numbers(folder, name, every)
    human = [{key: row[key] for key in ("prompt", "entry_point", "test", "canonical_solution")}
             for row in rows(folder, "humaneval.jsonl", every)]  # fmt: skip
    programs("HumanEval", [Check("code", row.pop("canonical_solution"), row) for row in human])
    simple = rows(folder, "mbpp.jsonl", every)
    specs = [{"tests": row["test_list"], "setup": row["test_setup_code"]} for row in simple]
    programs("MBPP", [Check("code", row["code"], spec) for row, spec in zip(simple, specs, strict=True)])


if __name__ == "__main__":
    main()
