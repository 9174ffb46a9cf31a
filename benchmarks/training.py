"""Training steps: ours against mlx_lm's LoRA trainer (SFT), mlx-lm-lora's DPO and GRPO, and a plain reward step.

    python -m venv PEERS
    PEERS/bin/pip install -e '.[fast]' mlx-lm-lora
    PEERS/bin/python benchmarks/training.py [sft|dpo|reward|rl] [SHAPE] [ROWS] [ROUNDS]
    PEERS/bin/python benchmarks/training.py scale [SHAPE] [ROWS ...]        does cost grow with pairs, does memory

Same random llama (1.8 M parameters, 2000 tokens), same rows, LoRA of rank 8 on every block, batches of 8, one epoch,
fast BLAS on both sides, each side in a process of its own. Sides take turns; a round trains both, after a warm-up of a
few steps, and gives one ratio; shown are the median and the range over rounds. Seconds are of the process's own CPU
time, which a busy machine distorts least, and of the wall. Real tokens are those of the rows, prompts included and
padding not counted. Peak memory is MLX's, over all of the training. Our reference is read once, before, and its speed
is shown apart.

mlx-lm-lora needs one key of mx.device_info that is only there on a Mac; here it is put there. Its DPO draws each
step's batch anew from all, so that an epoch is of chance; here it gets its own batches one after the other. It has no
reward model: the plain step reads whole sequences, chosen beside rejected, padded to the longest, compiled, in batches
of about one length. In RL both sides draw 8 answers of 32 tokens to each of 4 prompts a step; the end token is as
likely as any other, so about 1 answer in 60 is shorter. We compute KL and entropy over the whole vocabulary, the peer
an estimate of the KL from the drawn tokens. Bars: SFT 1.5x the real tokens/s; DPO, reward and RL 2.5x the pairs or
answers, and no more peak memory.
"""

from __future__ import annotations

import importlib.util
import json
import math
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from made_texts import edit, make_words
from training_sides import BATCH, LONGEST, SIDES, Rows

WARMING = 4 * BATCH  # rows that warm up
CAPPED = 60  # words at most, where memory is compared over numbers of rows: else the longest batch grows with the rows
# Mean words of (prompt, answer), log-normal with a sigma of 0.7, as chats are. In "one word" the rejected answer is the
# chosen one with a word replaced, as the embedded author's are; in the others it shares nothing.
SHAPES = {"short": (30, 15), "passage": (200, 40), "long": (60, 150), "one word": (15, 30)}
UNITS = {"sft": ("real tokens", 1.5), "dpo": ("pairs", 2.5), "reward": ("pairs", 2.5), "rl": ("answers", 2.5)}
PEERS = ("mlx_lm", "mlx_lm_lora")


def words(count: int, rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=count))


WORDS = make_words()[:1500]


def length(mean: int, rng: random.Random, most: int) -> int:
    return max(2, min(most, round(rng.lognormvariate(math.log(mean) - 0.245, 0.7))))


def make_rows(count: int, shape: str, most: int = LONGEST // 3) -> Rows:
    """Rows of lengths up to `most` words."""
    rng = random.Random(5)
    prompt, answer = SHAPES[shape]
    rows = []
    for _ in range(count):
        chosen, rejected = (words(length(answer, rng, most), rng) for _ in range(2))
        if shape == "one word":
            rejected = edit(chosen, 0.0, rng, WORDS)
        rows.append({"prompt": words(length(prompt, rng, most), rng), "chosen": chosen, "rejected": rejected})
    return rows


def make_model(folder: Path) -> Path:
    from realign.engine.tiny import make_tiny_model

    return make_tiny_model(folder, " ".join(WORDS) * 3, vocabulary=2000, layers=4, width=192, context=4096)


def run_side(task: str, side: str, shape: str, count: int) -> None:
    """Train a few steps to warm up, then an epoch to be measured; the result is the last line of stdout."""
    import mlx.core as mx

    from realign.engine.accel import use_fast_blas

    use_fast_blas()
    with tempfile.TemporaryDirectory() as folder:
        model, rows = (
            make_model(Path(folder) / "model"),
            make_rows(count, shape, CAPPED if task == "scale" else LONGEST // 3),
        )
        SIDES[task][side](model, rows[:WARMING])[0]()
        work, units = SIDES[task][side](model, rows)
        mx.clear_cache()
        mx.reset_peak_memory()
        mx.reset_peak_memory = lambda: None  # our loop does so every step, and the peak of all is wanted
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        found = {
            "cpu": units / (time.process_time() - cpu),
            "wall": units / (time.perf_counter() - wall),
            "peak": mx.get_peak_memory(),
            "resident": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }
    print(json.dumps(found))


def measure(task: str, side: str, shape: str, count: int) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, "side", task, side, shape, str(count)], capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    if read := [line.split()[1] for line in done.stderr.splitlines() if line.startswith("reference ")]:
        found["reference"] = float(read[-1])
    return found


def main() -> None:
    words = sys.argv[1:]
    if words[:1] == ["side"]:
        return run_side(words[1], words[2], words[3], int(words[4]))
    numbers = [int(word) for word in words if word.isdigit()]
    shapes = [shape for shape in SHAPES if shape in words] or list(SHAPES)
    if "scale" in words:
        return scale(shapes[-1], numbers or [500, 1000, 2000, 4000])
    count, rounds = numbers[0] if numbers else 256, numbers[1] if len(numbers) > 1 else 3
    for task in [word for word in words if word in UNITS] or UNITS:
        sides = [side for side in SIDES[task] if side not in PEERS or importlib.util.find_spec(side)]
        for shape in shapes:
            print(f"{task}, {shape} ({SHAPES[shape][0]} and {SHAPES[shape][1]} words on average), {count} rows")
            show(task, [{side: measure(task, side, shape, count) for side in sides} for _ in range(rounds)])
    return None


def show(task: str, rounds: list[dict[str, dict[str, float]]]) -> None:
    unit, bar = UNITS[task]
    for side in rounds[0]:
        middle = {key: statistics.median(each[side][key] for each in rounds) for key in rounds[0][side]}
        line = f"{middle['cpu']:9.1f} {unit} a CPU second {middle['wall']:9.1f} a second {middle['peak'] / 1e6:7.0f} MB"
        read = f"; the reference, once: {middle['reference']:.1f} pairs a CPU second" if "reference" in middle else ""
        print(f"    {side:12} {line}{read}", flush=True)
    for side in rounds[0].keys() - {"ours"}:
        told = []
        for key in ("cpu", "wall", "peak"):
            ratios = sorted(each["ours"][key] / each[side][key] for each in rounds)
            told.append(f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")
        print(f"    x {told[0]} by CPU, {told[1]} by wall (bar {bar}), {told[2]} of the peak memory", flush=True)


def scale(shape: str, counts: list[int]) -> None:
    """Ours alone, an epoch of DPO over more and more pairs of at most CAPPED words, each in a new process."""
    print(f"dpo, {shape}: pairs, CPU milliseconds a pair (and to read the reference), MLX's peak, resident at most")
    for count in counts:
        found = measure("scale", "ours", shape, count)
        cost, read = 1000 / found["cpu"], 1000 / found["reference"]
        print(
            f"    {count:6} {cost:6.1f} ({read:.1f}) {found['peak'] / 1e6:6.0f} MB {found['resident'] / 1e6:6.0f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
