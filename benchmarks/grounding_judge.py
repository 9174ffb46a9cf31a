"""The embedded grounding judge on answers it was not made for, beside what length and shared words alone would say.

    python benchmarks/grounding_judge.py [folder with halueval_qa_oneturn.json and xquad_en.json]

HaluEval gives a right and a hallucinated answer to each question about a passage. To each XQuAD question a wrong
answer is planted: another answer of the same kind (number, name or words) from its paragraph or else from a neighboring
one. The judge sees question, answer and passage. Accuracy: share of questions whose right answer scores above the wrong
one, a tie counts half; AUC over all answers; both with 95 % bootstrap intervals over questions. Last, whether a passage
answers a question at all: XQuAD's paragraphs against the same ones without the sentence that holds the answer. Nothing
is trained on these files, but the judge was written with an eye on its mistakes in HaluEval and in the first third of
XQuAD; the rest of XQuAD is measured by itself. HaluEval's wrong answers are longer than its right ones, so those of
about equal length are measured by themselves too. The bar is to be ahead of both baselines.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from realign.curate.authors.extractive.grammar import words
from realign.curate.judges.extractive import sentences_of_text
from realign.curate.judges.grounding import answerable, support
from realign.records import make_id

DATA = Path(__file__).parents[2] / "shared" / "data" / "benchmarks"
RESAMPLES = 1000
EVEN = 2


@dataclass(frozen=True, slots=True)
class Case:
    """A question about a passage with a right and a wrong answer."""

    question: str
    passage: str
    right: str
    wrong: str


Score = Callable[[Case, str], float]


def halueval(path: Path) -> list[Case]:
    """HaluEval's rows, one JSON object a line."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Case(r["question"], r["knowledge"], r["right_answer"], r["hallucinated_answer"]) for r in rows]


def xquad(path: Path) -> list[Case]:
    """XQuAD's questions, each with a planted wrong answer; those for which there is none are left out."""
    found = []
    for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
        answers = [[qa["answers"][0]["text"] for qa in part["qas"]] for part in article["paragraphs"]]
        for place, part in enumerate(article["paragraphs"]):
            near = [answers[place], *(answers[n] for n in (place - 1, place + 1) if 0 <= n < len(answers))]
            for qa in part["qas"]:
                if wrong := plant(qa["answers"][0]["text"], qa["question"], near):
                    found.append(Case(qa["question"], part["context"], qa["answers"][0]["text"], wrong))
    return found


def plant(right: str, question: str, near: list[list[str]]) -> str:
    """Another answer of the same kind, from the first list that has one; which one depends on the question alone."""
    for answers in near:
        others = [a for a in answers if kind(a) == kind(right) and not overlap(a, right)]
        if others:
            return min(others, key=lambda other: make_id(question, other))
    return ""


def kind(answer: str) -> str:
    """What an answer is by its form."""
    return "number" if re.search(r"\d", answer) else "name" if answer[:1].isupper() else "words"


def overlap(one: str, other: str) -> bool:
    """Whether one answer is part of the other: then both may be right."""
    a, b = " ".join(words(one)).lower(), " ".join(words(other)).lower()
    return a in b or b in a


# -- scores ---------------------------------------------------------------------------------------------------------


def judged(case: Case, answer: str) -> float:
    """The judge's: support of the answer by the whole passage."""
    return support(case.question, answer, case.passage, case.passage)


def shared_words(case: Case, answer: str) -> float:
    """Share of the answer's words that the passage has."""
    mine, passage = [word.lower() for word in words(answer)], {word.lower() for word in words(case.passage)}
    return sum(word in passage for word in mine) / len(mine) if mine else 0.0


def shorter(case: Case, answer: str) -> float:
    """Minus the answer's length in words."""
    return -float(len(words(answer)))


def longer(case: Case, answer: str) -> float:
    """The answer's length in words."""
    return float(len(words(answer)))


SCORES: dict[str, Score] = {
    "judge": judged,
    "shared words": shared_words,
    "shorter is right": shorter,
    "longer is right": longer,
}


# -- measures -------------------------------------------------------------------------------------------------------


def auc(right: np.ndarray, wrong: np.ndarray) -> float:
    """Probability that a right answer scores above a wrong one of any question, ties half."""
    ranked = np.sort(wrong)
    below, upto = np.searchsorted(ranked, right, "left"), np.searchsorted(ranked, right, "right")
    return float((below + upto).sum() / 2 / len(right) / len(wrong))


def accuracy(right: np.ndarray, wrong: np.ndarray) -> float:
    """Share of questions whose right answer scores above their wrong one, ties half."""
    return float(((right > wrong) + 0.5 * (right == wrong)).mean())


def with_interval(measure: Callable[[np.ndarray, np.ndarray], float], right: np.ndarray, wrong: np.ndarray) -> str:
    """The value and its 95 % bootstrap interval over questions."""
    draw = np.random.default_rng(0)
    places = (draw.integers(0, len(right), len(right)) for _ in range(RESAMPLES))
    low, high = np.quantile([measure(right[p], wrong[p]) for p in places], (0.025, 0.975))
    return f"{measure(right, wrong):.3f} ({low:.3f} to {high:.3f})"


def told_and_untold(cases: list[Case]) -> Iterator[tuple[float, float]]:
    """How far each passage answers its question, whole and without the sentences that hold the answer."""
    for case in cases:
        rest = [s for s in sentences_of_text(case.passage) if case.right not in s]
        if 1 <= len(rest) < len(sentences_of_text(case.passage)):
            yield answerable(case.question, case.passage), answerable(case.question, " ".join(rest))


def show_told(name: str, cases: list[Case]) -> None:
    """Prints how well the judge tells a passage that answers from one that does not."""
    told, untold = np.array(list(told_and_untold(cases))).T
    print(f"{name}: {len(told)} questions, the sentence with their answer shown and not")
    print(f"  {'judge':<18} accuracy {with_interval(accuracy, told, untold)}   AUC {with_interval(auc, told, untold)}")


def show(name: str, cases: list[Case]) -> None:
    """Prints the judge and the baselines on one set."""
    print(f"{name}: {len(cases)} questions, a right and a wrong answer each")
    for label, score in SCORES.items():
        right, wrong = (
            np.array([score(case, answer) for case, answer in ((c, getattr(c, which)) for c in cases)])
            for which in ("right", "wrong")
        )
        print(
            f"  {label:<18} accuracy {with_interval(accuracy, right, wrong)}   AUC {with_interval(auc, right, wrong)}"
        )


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    questions = xquad(folder / "xquad_en.json")
    unseen = questions[len(questions) // 3 :]
    hallucinated = halueval(folder / "halueval_qa_oneturn.json")
    show("HaluEval QA", hallucinated)
    even = [c for c in hallucinated if abs(len(words(c.right)) - len(words(c.wrong))) <= EVEN]
    show(f"HaluEval QA, lengths within {EVEN} words", even)
    show("XQuAD, planted", questions)
    show("XQuAD, planted, the last two thirds", unseen)
    show_told("XQuAD, does the passage answer", questions)
    show_told("XQuAD, does the passage answer, the last two thirds", unseen)


if __name__ == "__main__":
    main()
