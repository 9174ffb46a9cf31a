"""The exercise that `make demo-align` aligns a tiny model on: made up by rules, every answer checkable by a program.

    python examples/align_demo.py FOLDER        demonstrations.jsonl, tasks.jsonl, exam.jsonl, and base/, the model

Questions about short lists of names. A third of the demonstrations that the base model learns from are wrong, and most
of one kind, so that it answers like somebody who was taught badly: there is something to align. Tasks and exam hold
other questions than the demonstrations.
"""

from __future__ import annotations

import itertools
import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

NAMES = (
    "Ada Amos Bea Ben Cleo Cyrus Dora Dylan Eli Erna Fay Finn Gus Gwen Hal Hedy Ida Ivan Jo Jules Kai Kira Leo Luna Max"
    " Mia Ned Nina Oona Otto Pam Piet Quin Rae Rolf Sam Stella Tess Toby Uma Una Vera Vito Wade Willa Xena Yann Zoe"
).split()
DEMONSTRATIONS, TASKS, EXAM = 6000, 1800, 300
Question = tuple[str, str, str, str]  # prompt, answer, a wrong answer, verifier


def first_name(chance: random.Random) -> Question:
    """Which of four names stands first."""
    names = chance.sample(NAMES, 4)
    return f"Which name stands first: {', '.join(names)}?", names[0], chance.choice(names[1:]), "exact"


def last_in_alphabet(chance: random.Random) -> Question:
    """Which of three names comes last in the alphabet."""
    names = chance.sample(NAMES, 3)
    right = max(names)
    wrong = chance.choice([name for name in names if name != right])
    return f"Which name comes last in the alphabet: {', '.join(names)}?", right, wrong, "exact"


def in_order(chance: random.Random) -> Question:
    """Three names in order."""
    names = chance.sample(NAMES, 3)
    right = sorted(names)
    wrong = chance.choice([[right[1], right[0], right[2]], [right[0], right[2], right[1]]])
    return f"Put these names in order: {', '.join(names)}.", ", ".join(right), ", ".join(wrong), "exact"


def how_many(chance: random.Random) -> Question:
    """How many names there are."""
    count = chance.randint(2, 6)
    names = ", ".join(chance.sample(NAMES, count))
    return f"How many names are these: {names}?", str(count), str(count + chance.choice([-1, 1, 2])), "numeric"


# Each kind with the share of its demonstrations that are wrong: one is mostly taught wrong.
KINDS: tuple[tuple[Callable[[random.Random], Question], float], ...] = (
    (first_name, 0.3), (last_in_alphabet, 0.25), (in_order, 0.6), (how_many, 0.25),
)  # fmt: skip


def questions(count: int, seed: int, known: set[str]) -> list[Question]:
    """New questions of all kinds in turn; their prompts are added to `known`."""
    chance, found = random.Random(seed), []
    while len(found) < count:
        question = KINDS[len(found) % len(KINDS)][0](chance)
        if question[0] not in known:
            known.add(question[0])
            found.append(question)
    return found


def demonstration(question: Question, share_wrong: float, chance: random.Random) -> dict[str, Any]:
    """A chat whose answer is wrong by chance."""
    prompt, right, wrong, _ = question
    answer = wrong if chance.random() < share_wrong else right
    return {"messages": [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]}


def task(question: Question) -> dict[str, Any]:
    """A task, for curation and as an exam."""
    prompt, right, _, verifier = question
    return {"prompt": prompt, "answer": right, "verifier": {"name": verifier}}


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def make_base(folder: Path, rows: list[dict[str, Any]], steps: int = 400) -> None:
    """A tiny model taught by the demonstrations."""
    from realign.align.examples import encode_rows
    from realign.align.models import open_model, write_model
    from realign.align.sft import train_sft
    from realign.align.track import Track
    from realign.engine.tiny import make_tiny_model
    from realign.settings import Adapter, Training

    blank = folder.with_name("blank")
    text = "\n".join(turn["content"] for row in rows for turn in row["messages"])
    make_tiny_model(blank, text, vocabulary=512, layers=3, width=128)
    loaded = open_model(blank)
    examples, _ = encode_rows(loaded, rows)
    training = Training(schedule=f"{steps}:2e-3", rows=64, tokens=8192, evaluate_every=10**6, save_every=10**6)
    began = time.monotonic()

    def tell(report: Any) -> None:
        if report.step % 50 == 0:
            said = f"base model: step {report.step} of {report.steps}, loss {report.loss:.3f}"
            print(f"{said}, {report.seconds_left:.0f} s left", file=sys.stderr)

    train_sft(loaded, examples, [], training, Adapter(kind="full"), Track(progress=tell))
    write_model(loaded, blank, folder)
    print(f"base model: {folder}, trained in {time.monotonic() - began:.0f} s", file=sys.stderr)


def main(folder: Path) -> None:
    """Write the exercise, and teach the base model unless it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    known: set[str] = set()
    chance = random.Random(7)
    taught = zip(questions(DEMONSTRATIONS, 1, known), itertools.cycle(KINDS))
    shown = [demonstration(question, wrong, chance) for question, (_, wrong) in taught]
    write(folder / "demonstrations.jsonl", shown)
    write(folder / "tasks.jsonl", [task(question) for question in questions(TASKS, 2, known)])
    write(folder / "exam.jsonl", [task(question) for question in questions(EXAM, 3, known)])
    if not (folder / "base").is_dir():
        make_base(folder / "base", shown)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
