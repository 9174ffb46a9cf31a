"""Exercises to align a tiny model on, for `make demo-align`: made up by rules, every answer checkable by a program.

    python examples/align_demo.py FOLDER dpo    demonstrations.jsonl, tasks.jsonl, exam.jsonl, and base/, the model
    python examples/align_demo.py FOLDER srf    the same of another exercise, with pairs.jsonl in place of tasks
    python examples/align_demo.py FOLDER rlvr   the same as srf, with tasks

dpo: questions about short lists of names, with one right answer each; a third of what is demonstrated is wrong, and
most of one kind. srf: "Suggest a bird and a fruit, but not owl or plum." has 49 right answers, and half of what is
demonstrated names just what was excluded. So the base model answers like somebody who was taught badly: there is
something to align. Data and exam hold other questions than the demonstrations.
"""

from __future__ import annotations

import itertools
import json
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAMES = (
    "Ada Amos Bea Ben Cleo Cyrus Dora Dylan Eli Erna Fay Finn Gus Gwen Hal Hedy Ida Ivan Jo Jules Kai Kira Leo Luna Max"
    " Mia Ned Nina Oona Otto Pam Piet Quin Rae Rolf Sam Stella Tess Toby Uma Una Vera Vito Wade Willa Xena Yann Zoe"
).split()
SORTS = {
    "bird": "owl wren crow swan duck hawk gull lark", "fruit": "plum pear fig lime kiwi date apple melon",
    "tool": "saw axe file awl rake hoe drill spade", "tree": "oak elm ash fir yew beech pine cedar",
    "drink": "tea milk ale cider wine cocoa rum gin", "fish": "cod eel carp pike tuna bass sole perch",
    "color": "red blue pink gray tan teal green black", "metal": "iron tin zinc lead gold brass steel silver",
    "game": "chess golf dice pool bingo darts poker tag", "garment": "hat coat sock scarf glove vest shoe belt",
    "room": "attic hall cellar den study loft porch kitchen", "grain": "oat rye rice wheat maize millet barley corn",
}  # fmt: skip


@dataclass(frozen=True)
class Question:
    """What is asked, an answer, a wrong one, what decides between them, and the other right answers."""

    prompt: str
    answer: str
    wrong: str
    verifier: str
    aliases: tuple[str, ...] = ()


def first_name(chance: random.Random) -> Question:
    """Which of four names stands first."""
    names = chance.sample(NAMES, 4)
    return Question(f"Which name stands first: {', '.join(names)}?", names[0], chance.choice(names[1:]), "exact")


def last_in_alphabet(chance: random.Random) -> Question:
    """Which of three names comes last in the alphabet."""
    names = chance.sample(NAMES, 3)
    right = max(names)
    wrong = chance.choice([name for name in names if name != right])
    return Question(f"Which name comes last in the alphabet: {', '.join(names)}?", right, wrong, "exact")


def in_order(chance: random.Random) -> Question:
    """Three names in order."""
    names = chance.sample(NAMES, 3)
    right = sorted(names)
    wrong = chance.choice([[right[1], right[0], right[2]], [right[0], right[2], right[1]]])
    return Question(f"Put these names in order: {', '.join(names)}.", ", ".join(right), ", ".join(wrong), "exact")


def how_many(chance: random.Random) -> Question:
    """How many names there are."""
    count = chance.randint(2, 6)
    names = ", ".join(chance.sample(NAMES, count))
    return Question(
        f"How many names are these: {names}?", str(count), str(count + chance.choice([-1, 1, 2])), "numeric"
    )


def one_of_each(chance: random.Random) -> Question:
    """Any member of two sorts but those that are excluded. The wrong answer names just these."""
    sorts = chance.sample(list(SORTS), 2)
    members = [SORTS[sort].split() for sort in sorts]
    excluded = [chance.choice(words) for words in members]
    right = [f"Try {one} and {other}" for one, other in itertools.product(*members) if not {one, other} & {*excluded}]
    chance.shuffle(right)
    prompt = f"Suggest a {sorts[0]} and a {sorts[1]}, but not {' or '.join(chance.sample(excluded, 2))}."
    return Question(prompt, right[0], f"Try {' and '.join(excluded)}", "exact", tuple(right[1:]))


def demonstration(question: Question, share_wrong: float, chance: random.Random) -> dict[str, Any]:
    """A chat whose answer is wrong by chance."""
    answer = question.wrong if chance.random() < share_wrong else question.answer
    return {"messages": [{"role": "user", "content": question.prompt}, {"role": "assistant", "content": answer}]}


def tasks(questions: list[Question]) -> list[dict[str, Any]]:
    """Rows that a verifier decides on, for curation and as an exam."""
    return [
        {"prompt": question.prompt, "answer": question.answer, "verifier": verifier_of(question)}
        for question in questions
    ]


def verifier_of(question: Question) -> dict[str, Any]:
    """The verifier of a question, and what else it accepts."""
    aliases = {"aliases": list(question.aliases)} if question.aliases else {}
    return {"name": question.verifier, **aliases}


def pairs(questions: list[Question]) -> list[dict[str, Any]]:
    """A right answer beside a wrong one, and what the verifier says of both."""
    from realign.verify import Check, verify_all

    checks = [Check(each.verifier, each.answer, {"aliases": each.aliases}) for each in questions]
    right = verify_all([(check, each.answer) for check, each in zip(checks, questions, strict=True)])
    wrong = verify_all([(check, each.wrong) for check, each in zip(checks, questions, strict=True)])
    return [
        {
            "prompt": each.prompt, "chosen": each.answer, "rejected": each.wrong,
            "scores": {"verifier": each.verifier, "chosen": one.verdict, "rejected": other.verdict},
        }
        for each, one, other in zip(questions, right, wrong, strict=True)
    ]  # fmt: skip


@dataclass(frozen=True)
class Exercise:
    """Kinds of questions, each with the share of its demonstrations that are wrong; how many; and the base model.

    rows makes the data, `count` rows, and file is its name.
    """

    kinds: tuple[tuple[Callable[[random.Random], Question], float], ...]
    file: str
    rows: Callable[[list[Question]], list[dict[str, Any]]]
    count: int
    demonstrations: int
    exam: int
    layers: int
    width: int
    schedule: str


EXERCISES = {
    "dpo": Exercise(
        ((first_name, 0.3), (last_in_alphabet, 0.25), (in_order, 0.6), (how_many, 0.25)), "tasks.jsonl", tasks,
        count=1800, demonstrations=6000, exam=300, layers=3, width=128, schedule="400:2e-3",
    ),
    "srf": Exercise(
        ((one_of_each, 0.5),), "pairs.jsonl", pairs,
        count=3600, demonstrations=4000, exam=300, layers=2, width=96, schedule="150:3e-3",
    ),
    "rlvr": Exercise(
        ((one_of_each, 0.5),), "tasks.jsonl", tasks,
        count=800, demonstrations=4000, exam=300, layers=2, width=96, schedule="150:3e-3",
    ),
}  # fmt: skip


def questions(exercise: Exercise, count: int, seed: int, known: set[str]) -> list[Question]:
    """New questions of all kinds in turn; their prompts are added to `known`."""
    chance, found = random.Random(seed), list[Question]()
    while len(found) < count:
        question = exercise.kinds[len(found) % len(exercise.kinds)][0](chance)
        if question.prompt not in known:
            known.add(question.prompt)
            found.append(question)
    return found


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def make_base(folder: Path, rows: list[dict[str, Any]], exercise: Exercise) -> None:
    """A tiny model taught by the demonstrations."""
    from realign.align.examples import encode_rows
    from realign.align.models import open_model, write_model
    from realign.align.sft import train_sft
    from realign.align.track import Track
    from realign.engine.tiny import make_tiny_model
    from realign.settings import Adapter, Training

    blank = folder.with_name("blank")
    text = "\n".join(turn["content"] for row in rows for turn in row["messages"])
    make_tiny_model(blank, text, vocabulary=512, layers=exercise.layers, width=exercise.width)
    loaded = open_model(blank)
    examples, _ = encode_rows(loaded, rows)
    training = Training(schedule=exercise.schedule, rows=64, tokens=8192, evaluate_every=10**6, save_every=10**6)
    began = time.monotonic()

    def tell(report: Any) -> None:
        if report.step % 50 == 0:
            said = f"base model: step {report.step} of {report.steps}, loss {report.loss:.3f}"
            print(f"{said}, {report.seconds_left:.0f} s left", file=sys.stderr)

    train_sft(loaded, examples, [], training, Adapter(kind="full"), Track(progress=tell))
    write_model(loaded, blank, folder)
    print(f"base model: {folder}, trained in {time.monotonic() - began:.0f} s", file=sys.stderr)


def main(folder: Path, name: str) -> None:
    """Write an exercise, and teach the base model unless it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    exercise, known = EXERCISES[name], set[str]()
    chance = random.Random(7)
    taught = zip(questions(exercise, exercise.demonstrations, 1, known), itertools.cycle(exercise.kinds))
    shown = [demonstration(question, wrong, chance) for question, (_, wrong) in taught]
    write(folder / "demonstrations.jsonl", shown)
    write(folder / exercise.file, exercise.rows(questions(exercise, exercise.count, 2, known)))
    write(folder / "exam.jsonl", tasks(questions(exercise, exercise.exam, 3, known)))
    if not (folder / "base").is_dir():
        make_base(folder / "base", shown, exercise)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
