"""Training steps: ours against mlx_lm's LoRA trainer (SFT) and mlx-lm-lora's DPO, each side in a process of its own.

    python -m venv PEERS
    PEERS/bin/pip install -e '.[fast]' mlx-lm-lora
    PEERS/bin/python benchmarks/training.py [sft|dpo] [SHAPE] [ROWS] [ROUNDS]

Same random llama (2 M parameters, vocabulary about 2000), same rows, LoRA of rank 8 on every block, batches of 8, one
epoch, fast BLAS on both sides. Sides take turns; each round trains anew after a warm-up epoch, so compiled kernels are
there. Real tokens are those of the rows, prompts included and padding not counted. Seconds are of the process's own CPU
time, which a busy machine distorts least, and of the wall; a side's best round counts. mlx-lm-lora needs one key of
mx.device_info that is only there on a Mac; here it is put there. Our reference is read once, before, and its speed is
shown apart. Bars: SFT 1.5x the real tokens/s, DPO 2.5x the pairs/s and no more peak memory.
"""

from __future__ import annotations

import importlib.util
import json
import math
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from made_texts import edit, make_words

BATCH, LONGEST = 8, 1024
# Mean words of (prompt, answer), log-normal with a sigma of 0.7, as chats are. In "one word" the rejected answer is the
# chosen one with a word replaced, as the embedded author's are; in the others it shares nothing.
SHAPES = {"short": (30, 15), "passage": (200, 40), "long": (60, 150), "one word": (15, 30)}
LORA = {"rank": 8, "dropout": 0.0, "scale": 20.0}


def words(count: int, rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=count))


WORDS = make_words()[:1500]


def length(mean: int, rng: random.Random) -> int:
    return max(2, min(LONGEST // 3, round(rng.lognormvariate(math.log(mean) - 0.245, 0.7))))


def make_rows(count: int, shape: str) -> list[dict[str, str]]:
    rng = random.Random(5)
    prompt, answer = SHAPES[shape]
    rows = []
    for _ in range(count):
        chosen, rejected = (words(length(answer, rng), rng) for _ in range(2))
        if shape == "one word":
            rejected = edit(chosen, 0.0, rng, WORDS)
        rows.append({"prompt": words(length(prompt, rng), rng), "chosen": chosen, "rejected": rejected})
    return rows


def make_model(folder: Path) -> Path:
    from realign.engine.tiny import make_tiny_model

    return make_tiny_model(folder, " ".join(WORDS) * 3, vocabulary=2000, layers=4, width=192, context=4096)


# -- sides ----------------------------------------------------------------------------------------------------------


def ours_sft(folder: Path, rows: list[dict[str, str]]) -> tuple[Callable[[], object], int]:
    from realign.align.examples import encode_rows
    from realign.align.models import open_model
    from realign.align.sft import train_sft
    from realign.settings import Adapter, Training

    examples, _ = encode_rows(open_model(folder), chats(rows))
    training = Training(schedule=f"{len(rows) // BATCH}:1e-4", rows=BATCH, tokens=BATCH * LONGEST)
    adapter = Adapter(layers=0)
    return lambda: train_sft(open_model(folder), examples, [], training, adapter), sum(len(e.tokens) for e in examples)


def chats(rows: list[dict[str, str]]) -> list[dict[str, Any]]:
    keys = (("user", "prompt"), ("assistant", "chosen"))
    return [{"messages": [{"role": role, "content": row[key]} for role, key in keys]} for row in rows]


def mlx_lm_sft(folder: Path, rows: list[dict[str, str]]) -> tuple[Callable[[], object], int]:
    import mlx.optimizers as optim
    from mlx_lm import load
    from mlx_lm.tuner import TrainingArgs, linear_to_lora_layers, train
    from mlx_lm.tuner.datasets import CacheDataset, ChatDataset

    _, tokenizer = load(str(folder))
    data = CacheDataset(ChatDataset(chats(rows), tokenizer, mask_prompt=True))
    tokens = sum(len(data[n][0]) for n in range(len(data)))

    def work() -> None:
        model, _ = load(str(folder))
        model.freeze()
        linear_to_lora_layers(model, len(model.layers), LORA)
        file = str(folder.parent / "adapters.safetensors")
        args = TrainingArgs(
            batch_size=BATCH, iters=len(rows) // BATCH, max_seq_length=LONGEST, adapter_file=file,
            steps_per_save=10**9, steps_per_report=10**9,
        )  # fmt: skip
        train(model, optim.AdamW(learning_rate=1e-4), data, args=args)

    return work, tokens


def ours_dpo(folder: Path, rows: list[dict[str, str]]) -> tuple[Callable[[], object], int]:
    from realign.align.dpo import train_dpo
    from realign.align.models import open_model
    from realign.align.pairs import encode_pairs
    from realign.align.reference import reference_logps
    from realign.settings import Adapter, Preference, Training

    pairs, _ = encode_pairs(open_model(folder), rows)
    training = Training(schedule=f"{len(rows) // BATCH}:1e-4", rows=BATCH, tokens=3 * BATCH * LONGEST)

    begun = time.process_time()
    reference = reference_logps(open_model(folder), pairs, folder.parent, "bench")
    print(f"reference {len(pairs) / (time.process_time() - begun):.1f}", file=sys.stderr)

    def work() -> None:
        train_dpo(open_model(folder), pairs, reference, [], reference[:0], training, Adapter(layers=0), Preference())

    return work, len(rows)


def mlx_lm_lora_dpo(folder: Path, rows: list[dict[str, str]]) -> tuple[Callable[[], object], int]:
    import mlx.core as mx
    import mlx.optimizers as optim

    told = mx.device_info
    mx.device_info = lambda *device: {"max_recommended_working_set_size": 1 << 33, **told(*device)}  # type: ignore[assignment]
    from mlx_lm import load
    from mlx_lm.tuner import linear_to_lora_layers
    from mlx_lm_lora.trainer.datasets import DPODataset
    from mlx_lm_lora.trainer.dpo_trainer import DPOTrainingArgs, train_dpo

    _, tokenizer = load(str(folder))
    data = DPODataset(rows, tokenizer)

    def work() -> None:
        model, _ = load(str(folder))
        reference, _ = load(str(folder))
        model.freeze()
        linear_to_lora_layers(model, len(model.layers), LORA)
        file = str(folder.parent / "dpo.safetensors")
        args = DPOTrainingArgs(
            batch_size=BATCH, iters=len(rows) // BATCH, max_seq_length=2 * LONGEST, adapter_file=file,
            steps_per_save=10**9, steps_per_report=10**9, beta=0.1,
        )  # fmt: skip
        train_dpo(model, reference.freeze(), optim.AdamW(learning_rate=1e-4), data, args=args)

    return work, len(rows)


SIDES: dict[str, dict[str, Callable[[Path, list[dict[str, str]]], tuple[Callable[[], object], int]]]] = {
    "sft": {"ours": ours_sft, "mlx_lm": mlx_lm_sft},
    "dpo": {"ours": ours_dpo, "mlx_lm_lora": mlx_lm_lora_dpo},
}


def run_side(task: str, side: str, shape: str, count: int) -> None:
    """Train one epoch to warm up, one to be measured; the result is the last line of stdout."""
    import mlx.core as mx

    from realign.engine.accel import use_fast_blas

    use_fast_blas()
    with tempfile.TemporaryDirectory() as folder:
        work, units = SIDES[task][side](make_model(Path(folder) / "model"), make_rows(count, shape))
        work()
        mx.clear_cache()
        mx.reset_peak_memory()
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        found = {
            "cpu": units / (time.process_time() - cpu),
            "wall": units / (time.perf_counter() - wall),
            "peak": mx.get_peak_memory(),
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
        found["reference"] = float(read[0])
    return found


def main() -> None:
    words = sys.argv[1:]
    if words[:1] == ["side"]:
        return run_side(words[1], words[2], words[3], int(words[4]))
    numbers = [int(word) for word in words if word.isdigit()]
    count, rounds = numbers[0] if numbers else 256, numbers[1] if len(numbers) > 1 else 3
    shapes = [shape for shape in SHAPES if shape in words] or list(SHAPES)
    for task in [word for word in words if word in SIDES] or SIDES:
        for shape in shapes:
            prompt, answer = SHAPES[shape]
            best: dict[str, dict[str, float]] = {}
            for _ in range(rounds):
                for side in SIDES[task]:
                    if side != "ours" and importlib.util.find_spec(side) is None:
                        continue
                    found = measure(task, side, shape, count)
                    best[side] = max(best.get(side, found), found, key=lambda figures: figures["cpu"])
            show(task, f"{shape} ({prompt} and {answer} words on average)", best)
    return None


def show(task: str, shape: str, best: dict[str, dict[str, float]]) -> None:
    unit, bar = ("real tokens", 1.5) if task == "sft" else ("pairs", 2.5)
    print(f"{task}, {shape}")
    for side, found in best.items():
        line = f"{found['cpu']:9.1f} {unit} a CPU second {found['wall']:9.1f} a second {found['peak'] / 1e6:7.0f} MB"
        read = f"; the reference, once: {found['reference']:.1f} pairs a CPU second" if "reference" in found else ""
        print(f"    {side:12} {line}{read}", flush=True)
    for side in best.keys() - {"ours"}:
        ratios = [best["ours"][key] / best[side][key] for key in ("cpu", "wall", "peak")]
        print(f"    {ratios[0]:.2f}x by CPU, {ratios[1]:.2f}x by wall (bar {bar}), {ratios[2]:.2f} of the peak memory")


if __name__ == "__main__":
    main()
