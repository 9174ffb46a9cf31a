"""Writing answers: batched, against one at a time.

    python benchmarks/generation.py [requests]

Both sides write the same answers with the same tiny model in this process; peers are mlx_lm.generate, one request after
the other, and our own engine given one request at a time. Bar: at least 4x.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import mlx_lm

from realign.engine import Request, open_engine
from realign.engine.mlx import encode, load, render
from realign.engine.tiny import make_tiny_model

TEXT = "the river carries sand and silt down to the sea where the slow water lets it settle in layers"
WORDS = TEXT.split()
TOKENS = 48


def timed(work: Callable[[], list[str]]) -> tuple[float, list[str]]:
    begun = time.perf_counter()
    texts = work()
    return time.perf_counter() - begun, texts


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 128
    prompts = [" ".join(WORDS[(n + k) % len(WORDS)] for k in range(20 + n % 30)) for n in range(count)]
    requests = [Request(prompt, max_tokens=TOKENS) for prompt in prompts]
    with tempfile.TemporaryDirectory() as folder:
        path = make_tiny_model(Path(folder) / "tiny", TEXT * 20, vocabulary=512, layers=4, width=128)
        engine, loaded = open_engine(str(path)), load(path)

        def peer() -> list[str]:
            tokens = [encode(loaded, render(loaded, prompt)) for prompt in prompts]
            return [mlx_lm.generate(loaded.model, loaded.tokenizer, row, max_tokens=TOKENS) for row in tokens]

        engine.generate(requests[:4], 4)  # first calls compile and fill caches
        peer_seconds, peer_texts = timed(peer)
        one_seconds, one = timed(lambda: [engine.generate([request], 1)[0].text for request in requests])
        print(f"{count} greedy answers of at most {TOKENS} tokens; {', '.join(engine.notes)}")
        print(f"mlx_lm.generate, one by one   {count / peer_seconds:7.1f} answers/s")
        print(f"this engine, one by one       {count / one_seconds:7.1f} answers/s")
        for size in (8, 32, 64, 128):
            seconds, texts = timed(lambda size=size: [answer.text for answer in engine.generate(requests, size)])
            same = sum(a == b for a, b in zip(texts, one, strict=True))
            equal = sum(a == b.strip() for a, b in zip(texts, peer_texts, strict=True))
            gain, over_itself = peer_seconds / seconds, one_seconds / seconds
            print(
                f"this engine, batches of {size:<4}   {count / seconds:7.1f} answers/s   {gain:5.2f}x mlx_lm (bar 4.0)"
            )
            print(f"    {over_itself:.2f}x itself; same text as alone {same}/{count}, as mlx_lm {equal}/{count}")


if __name__ == "__main__":
    main()
