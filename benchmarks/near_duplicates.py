"""Near-duplicate removal: ours against rensa and datatrove on the same texts, each in a process of its own.

    python -m venv PEERS
    PEERS/bin/pip install numpy rensa datatrove spacy regex "xxhash<4" tokenizers fasttext-numpy2-wheel
    PYTHONPATH=server PEERS/bin/python benchmarks/near_duplicates.py [ROWS] [SIDES]      100000 ours,rensa,datatrove

All use 5-word shingles and the threshold 0.85. Of the rows 85 % are unique, 5 % exact copies, 7 % copies with 2 to 6 %
of their words changed and 3 % with 8 to 14 %. A planted copy is due if its exact Jaccard with its original is at least
0.85: one changed word costs five shingles, so most edited copies of short texts are not due, and none may remove them.
A row is lost if it was removed and no kept row is that similar; datatrove has no threshold, only bands that let pairs
of about 0.7 through, so its figure says what that costs at 0.85. Bars: within 1.5x of rensa, 10x datatrove, none lost.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from made_texts import edit, make_texts, make_words, report, run_side

JACCARD = 0.85
EDITS = {"exact": (0.0, 0.0), "light": (0.02, 0.06), "heavy": (0.08, 0.14)}


def make_rows(count: int) -> tuple[list[str], dict[int, tuple[int, str]]]:
    """The rows, and for each planted copy its original and kind of edit."""
    rng, words = random.Random(11), make_words()
    texts = make_texts(count * 85 // 100, seed=11)
    rows: list[tuple[str, int, str]] = [(text, -1, "") for text in texts]
    while len(rows) < count:
        kind = rng.choices(list(EDITS), (5, 7, 3))[0]
        source = rng.randrange(len(texts))
        low, high = EDITS[kind]
        copy = edit(texts[source], rng.uniform(low, high), rng, words) if high else texts[source]
        rows.append((copy, source, kind))
    order = list(range(len(rows)))
    rng.shuffle(order)
    place = {old: new for new, old in enumerate(order)}
    planted = {place[old]: (place[rows[old][1]], rows[old][2]) for old in order if rows[old][1] >= 0}
    return [rows[old][0] for old in order], planted


def shingles(text: str) -> set[str]:
    words = text.split()
    return {" ".join(words[i : i + 5]) for i in range(max(len(words) - 4, 1))}


def ours(texts: list[str]) -> list[int]:
    from realign.quality.duplicates import near_duplicates

    return [duplicate.index for duplicate in near_duplicates(texts, JACCARD)]


def rensa(texts: list[str]) -> list[int]:
    """Its documented use: a sketch a text, a query before each insertion, the estimate held against the threshold."""
    from rensa import RMinHash, RMinHashLSH

    lsh = RMinHashLSH(threshold=JACCARD, num_perm=128, num_bands=16)
    kept: dict[int, Any] = {}
    removed = []
    for index, text in enumerate(texts):
        sketch = RMinHash(num_perm=128, seed=1)
        words = text.split()
        sketch.update([" ".join(words[i : i + 5]) for i in range(len(words) - 4)])
        if any(sketch.jaccard(kept[other]) >= JACCARD for other in lsh.query(sketch)):
            removed.append(index)
        else:
            lsh.insert(index, sketch)
            kept[index] = sketch
    return removed


def datatrove(texts: list[str]) -> list[int]:
    """Its four stages with its own 14 bands of 8, one task, in a folder that is removed afterwards."""
    from datatrove.data import Document
    from datatrove.pipeline.dedup.minhash import (
        MinhashConfig,
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from loguru import logger

    logger.remove()
    config = MinhashConfig(n_grams=5)
    documents = [Document(text=text, id=str(index)) for index, text in enumerate(texts)]
    with tempfile.TemporaryDirectory() as folder:
        signatures, buckets, remove = (str(Path(folder) / name) for name in ("signatures", "buckets", "remove"))
        MinhashDedupSignature(signatures, config).run(iter(documents), 0, 1)
        for rank in range(config.num_buckets):
            MinhashDedupBuckets(signatures, buckets, config=config).run(None, rank, config.num_buckets)
        MinhashDedupCluster(buckets, remove, config).run(None, 0, 1)
        kept = {int(document.id) for document in MinhashDedupFilter(remove).run(iter(documents), 0, 1)}
    return [index for index in range(len(texts)) if index not in kept]


SIDES = {"ours": ("realign", ours), "rensa": ("rensa", rensa), "datatrove": ("datatrove", datatrove)}


def judge(texts: list[str], planted: dict[int, tuple[int, str]], removed: set[int]) -> str:
    """Recall of the copies that are due by kind, and rows lost. A family is an original and its copies."""
    due, found, families = Counter[str](), Counter[str](), dict[int, list[int]]()
    for copy, (source, kind) in planted.items():
        families.setdefault(source, [source]).append(copy)
        one, other = shingles(texts[copy]), shingles(texts[source])
        if len(one & other) >= JACCARD * len(one | other):
            due[kind] += 1
            found[kind] += bool({copy, source} & removed)
    home = {index: family for family in families.values() for index in family}
    lost = sum(not any(_close(texts, index, other, removed) for other in home.get(index, [])) for index in removed)
    recall = ", ".join(f"{kind} {found[kind] / max(due[kind], 1):.4f} of {due[kind]}" for kind in EDITS)
    return f"removed {len(removed)}; recall of due copies: {recall}; lost {lost}"


def _close(texts: list[str], index: int, other: int, removed: set[int]) -> bool:
    one, two = shingles(texts[index]), shingles(texts[other])
    return other not in removed and len(one & two) >= JACCARD * len(one | two)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    sides = sys.argv[2].split(",") if len(sys.argv) > 2 else list(SIDES)
    texts, planted = make_rows(count)
    report(__file__, sides, lambda removed: judge(texts, planted, set(removed)), texts=texts)


if __name__ == "__main__":
    if "--side" in sys.argv:
        run_side(SIDES, sys.argv[2:])
    else:
        main()
