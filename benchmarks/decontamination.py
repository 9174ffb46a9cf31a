"""Decontamination of rows against evaluation questions: ours and datatrove, each in a process of its own.

    python -m venv PEERS
    PEERS/bin/pip install numpy datatrove spacy regex "xxhash<4" tokenizers fasttext-numpy2-wheel
    PYTHONPATH=server PEERS/bin/python benchmarks/decontamination.py [ROWS] [SIDES]      100000 ours,reworded,datatrove

20,000 made questions of 5 to 100 words. Of the rows 1 % carry one: whole, a run of 14 of its words, upper-cased with
other punctuation, without every sixth word, or with every sixth word replaced. datatrove looks for 13-grams only;
"ours" has the word-for-word rules, "reworded" all rules. Bar: at least 20x datatrove for the word-for-word rules.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from made_texts import make_texts, make_words, report, run_side

QUESTIONS = 20_000


def make_questions() -> list[str]:
    """Every tenth question has 5 to 12 words, the others 14 and more."""
    rng = random.Random(3)
    texts = make_texts(QUESTIONS, seed=3, mean=36)
    return [" ".join(text.split()[: rng.randrange(5, 13)]) if not i % 10 else text for i, text in enumerate(texts)]


def change(question: str, kind: str, rng: random.Random, words: list[str]) -> str:
    found = question.split()
    if kind == "fragment":
        start = rng.randrange(max(len(found) - 13, 1))
        return " ".join(found[start : start + 14])
    if kind == "re-cased":
        return "! ".join(found).upper() + " \u201d"
    if kind == "shortened":
        return " ".join(word for place, word in enumerate(found) if place % 6 != 5)
    if kind == "replaced":
        return " ".join(rng.choice(words) if place % 6 == 5 else word for place, word in enumerate(found))
    return question


KINDS = ("full", "fragment", "re-cased", "shortened", "replaced")


def make_rows(count: int, questions: list[str]) -> tuple[list[str], dict[int, str]]:
    """The rows, and for the contaminated ones their kind; "short" is a whole question of fewer than 13 words."""
    rng, words = random.Random(5), make_words()
    rows, planted = make_texts(count, seed=5), {}
    for place in rng.sample(range(count), count // 100):
        question, kind = rng.choice(questions), rng.choice(KINDS)
        size = len(question.split())
        if size < 13 and kind != "full":
            continue
        half = len(rows[place]) // 2
        rows[place] = f"{rows[place][:half]} \u2014 {change(question, kind, rng, words)}\n{rows[place][half:]}"
        planted[place] = "short" if size < 13 else kind
    return rows, planted


def word_for_word(rows: list[str], questions: list[str]) -> list[int]:
    return find(rows, questions, None)


def with_reworded(rows: list[str], questions: list[str]) -> list[int]:
    return find(rows, questions, 85.0)


def find(rows: list[str], questions: list[str], ratio: float | None) -> list[int]:
    """Building the index is part of the time, as it is for datatrove."""
    from realign.quality.contamination import find_contaminated
    from realign.quality.evaluation_index import EvaluationIndex, index_items
    from realign.quality.items import Item

    items = [Item(number, "question", text) for number, text in enumerate(questions, 1)]
    hits = find_contaminated(rows, EvaluationIndex((index_items("questions", items),)), ratio)
    return sorted({hit.row for hit in hits})


def datatrove(rows: list[str], questions: list[str]) -> list[int]:
    """Its indexer's hashes, written as it writes them (its own run() needs another library), and its filter."""
    import numpy as np
    from datatrove.data import Document
    from datatrove.pipeline.decont.n_grams import NGramsDecontConfig, NGramsDecontFilter
    from datatrove.utils.text import ngrams, simplify_text
    from loguru import logger

    logger.remove()
    config = NGramsDecontConfig(n_grams=13)
    with tempfile.TemporaryDirectory() as folder:
        decontaminate = NGramsDecontFilter(folder, config)
        tokens = (decontaminate.tokenizer.word_tokenize(simplify_text(text, config.norm_config)) for text in questions)
        hashes = {decontaminate.hash_func(" ".join(gram)) for words in tokens for gram in ngrams(words, 13)}
        np.array(list(hashes), dtype=config.hash_config.np_descr).tofile(Path(folder) / "questions.index.hashes")
        return [place for place, row in enumerate(rows) if decontaminate.filter(Document(row, str(place))) is not True]


SIDES = {
    "ours": ("realign", word_for_word),
    "reworded": ("realign", with_reworded),
    "datatrove": ("datatrove", datatrove),
}


def judge(planted: dict[int, str], found: set[int]) -> str:
    total = Counter(planted.values())
    caught = Counter(kind for place, kind in planted.items() if place in found)
    recall = ", ".join(f"{kind} {caught[kind] / total[kind]:.3f}" for kind in ("short", *KINDS) if total[kind])
    return f"recall {recall}; other rows flagged {len(found - planted.keys())}"


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    sides = sys.argv[2].split(",") if len(sys.argv) > 2 else list(SIDES)
    questions = make_questions()
    rows, planted = make_rows(count, questions)
    report(__file__, sides, lambda found: judge(planted, set(found)), rows=rows, questions=questions)


if __name__ == "__main__":
    if "--side" in sys.argv:
        run_side(SIDES, sys.argv[2:])
    else:
        main()
