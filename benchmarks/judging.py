"""Judging pairs: the shared prefix read once for six ratings, against one forward pass of a full sequence a rating.

    python benchmarks/judging.py [pairs]

A pair gets six judgments (three judges, both orders), each with a rating of both answers: 12 ratings. Both sides read
the same ratings from the same tiny model, one after the other in this process, and must agree. Bar: at least 2x.
"""

from __future__ import annotations

import sys
import tempfile
import time
from importlib import resources
from pathlib import Path

from realign.curate.judges import Case
from realign.curate.judges.model import LEAD, PERSONAS, judge_pairs, rating_question
from realign.engine import open_engine, scoring
from realign.engine.mlx import Loaded, expected_rating, find_digits, load, split_question
from realign.engine.tiny import make_tiny_model
from realign.records import Completion, Passage, Prompt
from realign.settings import Judge

TEXT = "the river carries sand and silt down to the sea where the slow water lets it settle in layers"
WORDS = TEXT.split()
# a tokenizer that knows the words of the instructions, as a real model's does
VOCABULARY = " ".join(
    [TEXT, *(path.read_text() for path in resources.files("realign").joinpath("templates").iterdir())]
)


def make_case(n: int) -> Case:
    """A passage of 110 to 160 words, a question of 10, and answers of 25 and 20 words, different in every case."""

    def words(count: int, start: int) -> str:
        return " ".join(WORDS[(start + k * (1 + n % 5)) % len(WORDS)] for k in range(count))

    passage = Passage(f"s{n}", "d", (), 0, 1, 1, words(110 + n * 7 % 50, n))
    prompt = Prompt(f"p{n}", passage.id, words(10, n + 3) + "?", "t", "", 0, 1, "a")
    first, second = (
        Completion(f"{k}{n}", prompt.id, words(w, n + w), "a", "sample", 0) for k, w in (("a", 25), ("b", 20))
    )
    return Case(prompt, passage, first, second)


def one_by_one(loaded: Loaded, cases: list[Case], scale: int) -> list[float]:
    """Every rating from its own full sequence, without a cache."""
    digits, lead = find_digits(loaded.tokenizer, "", LEAD, scale)
    ratings = []
    for case in cases:
        for swapped in (False, True):
            prefix, suffixes = split_question(loaded, rating_question(case, swapped, scale), lead)
            for suffix in suffixes:
                row = scoring.full_sequence_logprobs(loaded.scorer, [*prefix, *suffix], digits)
                ratings.append(expected_rating(row).expected)
    return ratings


def main() -> None:
    cases = [make_case(n) for n in range(int(sys.argv[1]) if len(sys.argv) > 1 else 32)]
    settings = Judge()
    with tempfile.TemporaryDirectory() as folder:
        path = make_tiny_model(Path(folder) / "tiny", VOCABULARY, vocabulary=2048, layers=4, width=128)
        engine, loaded = open_engine(str(path)), load(path)
        judge_pairs(engine, cases[:2], settings)  # first calls compile and fill caches
        one_by_one(loaded, cases[:1], settings.scale)
        begun = time.perf_counter()
        judgments, _ = judge_pairs(engine, cases, settings)
        shared = time.perf_counter() - begun
        begun = time.perf_counter()
        plain = one_by_one(loaded, cases, settings.scale)
        single = time.perf_counter() - begun
    straight = [plain[12 * c + 2 * p : 12 * c + 2 * p + 2] for c in range(len(cases)) for p in range(len(PERSONAS))]
    scores = [[1 + (settings.scale - 1) * score for score in judgment.straight] for judgment in judgments]
    apart = max(
        abs(a - b) for two, other in zip(scores, straight, strict=True) for a, b in zip(two, other, strict=True)
    )
    count = 6 * len(cases)
    print(f"{len(cases)} pairs, {count} judgments of 2 ratings; {', '.join(engine.notes)}")
    print(f"one by one, full sequences   {count / single:8.1f} judgments/s   {single:6.2f} s")
    print(f"shared prefix, in buckets    {count / shared:8.1f} judgments/s   {shared:6.2f} s")
    print(f"ratio {single / shared:.2f} (bar 2.0); ratings differ by at most {apart:.1e}")


if __name__ == "__main__":
    main()
