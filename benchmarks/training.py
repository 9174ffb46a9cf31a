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

import importlib
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
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from made_texts import edit, make_words

BATCH, LONGEST = 8, 1024
PROMPTS, SAMPLES, DRAWN = 4, 8, 32  # of a step of RL; tokens of an answer
WARMING = 4 * BATCH  # rows that warm up
# Mean words of (prompt, answer), log-normal with a sigma of 0.7, as chats are. In "one word" the rejected answer is the
# chosen one with a word replaced, as the embedded author's are; in the others it shares nothing.
SHAPES = {"short": (30, 15), "passage": (200, 40), "long": (60, 150), "one word": (15, 30)}
LORA = {"rank": 8, "dropout": 0.0, "scale": 20.0}
Rows = list[dict[str, str]]
Side = Callable[[Path, Rows], tuple[Callable[[], object], int]]  # what to measure, and how many units it goes through


def words(count: int, rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=count))


WORDS = make_words()[:1500]


def length(mean: int, rng: random.Random) -> int:
    return max(2, min(LONGEST // 3, round(rng.lognormvariate(math.log(mean) - 0.245, 0.7))))


def make_rows(count: int, shape: str) -> Rows:
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


def ours_sft(folder: Path, rows: Rows) -> tuple[Callable[[], object], int]:
    from realign.align.examples import encode_rows
    from realign.align.models import open_model
    from realign.align.sft import train_sft
    from realign.settings import Adapter, Training

    examples, _ = encode_rows(open_model(folder), chats(rows))
    training = Training(schedule=f"{len(rows) // BATCH}:1e-4", rows=BATCH, tokens=BATCH * LONGEST)
    adapter = Adapter(layers=0)
    return lambda: train_sft(open_model(folder), examples, [], training, adapter), sum(len(e.tokens) for e in examples)


def chats(rows: Rows) -> list[dict[str, Any]]:
    keys = (("user", "prompt"), ("assistant", "chosen"))
    return [{"messages": [{"role": role, "content": row[key]} for role, key in keys]} for row in rows]


def mlx_lm_sft(folder: Path, rows: Rows) -> tuple[Callable[[], object], int]:
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


def ours_dpo(folder: Path, rows: Rows) -> tuple[Callable[[], object], int]:
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


def mlx_lm_lora_dpo(folder: Path, rows: Rows) -> tuple[Callable[[], object], int]:
    import mlx.core as mx
    import mlx.optimizers as optim

    told = mx.device_info
    mx.device_info = lambda *device: {"max_recommended_working_set_size": 1 << 33, **told(*device)}  # type: ignore[assignment]
    from mlx_lm import load
    from mlx_lm_lora.trainer.datasets import DPODataset

    peer = importlib.import_module("mlx_lm_lora.trainer.dpo_trainer")
    divide = peer.iterate_dpo_batches
    data = DPODataset(rows, load(str(folder))[1])

    def work() -> None:
        batches = divide(data, BATCH, 2 * LONGEST, train=True)
        model, reference = policy_and_reference(folder)
        args = peer.DPOTrainingArgs(
            batch_size=BATCH, iters=len(rows) // BATCH, max_seq_length=2 * LONGEST, beta=0.1, **quiet(folder)
        )
        with mock.patch.object(peer, "iterate_dpo_batches", lambda **named: batches):
            peer.train_dpo(model, reference, optim.AdamW(learning_rate=1e-4), data, args=args)

    return work, len(rows)


def policy_and_reference(folder: Path) -> tuple[Any, Any]:
    from mlx_lm import load
    from mlx_lm.tuner import linear_to_lora_layers

    model, reference = (load(str(folder))[0] for _ in range(2))
    model.freeze()
    linear_to_lora_layers(model, len(model.layers), LORA)
    return model, reference.freeze()


def quiet(folder: Path) -> dict[str, Any]:
    return {
        "adapter_file": str(folder.parent / "peer.safetensors"),
        "steps_per_save": 10**9,
        "steps_per_report": 10**9,
    }


def ours_reward(folder: Path, rows: Rows) -> tuple[Callable[[], object], int]:
    from realign.align.models import open_model
    from realign.align.pairs import encode_pairs
    from realign.align.reward import make_reward_model, train_reward
    from realign.settings import Adapter, Training

    pairs, _ = encode_pairs(open_model(folder), rows)
    training = Training(schedule=f"{len(rows) // BATCH}:1e-4", rows=BATCH, tokens=3 * BATCH * LONGEST)
    return lambda: train_reward(make_reward_model(open_model(folder), Adapter(layers=0)), pairs, [], training), len(
        rows
    )


def plain_reward(folder: Path, rows: Rows) -> tuple[Callable[[], object], int]:
    import mlx.core as mx
    import mlx.optimizers as optim
    import numpy as np
    from mlx import nn

    from realign.align.models import open_model
    from realign.align.pairs import encode_pairs
    from realign.align.reward import make_reward_model
    from realign.settings import Adapter

    pairs, _ = encode_pairs(open_model(folder), rows)
    texts = [[(*pair.prompt, *answer) for answer in (pair.chosen, pair.rejected)] for pair in pairs]
    texts.sort(key=lambda both: max(map(len, both)))

    def work() -> None:
        reward = make_reward_model(open_model(folder), Adapter(layers=0))
        optimizer = optim.AdamW(learning_rate=1e-4)
        state = [reward.net.state, optimizer.state]

        def loss(tokens: mx.array, ends: mx.array) -> mx.array:
            last = reward.scorer.body(tokens)[mx.arange(len(tokens)), ends]
            chosen, rejected = reward.net.head(last)[:, 0].reshape(2, -1)
            return -nn.log_sigmoid(chosen - rejected).mean()

        differentiated = nn.value_and_grad(reward.net, loss)

        def step(tokens: mx.array, ends: mx.array) -> mx.array:
            value, gradient = differentiated(tokens, ends)
            optimizer.update(reward.net, gradient)
            return value

        compiled = mx.compile(step, inputs=state, outputs=state)
        for begin in np.random.default_rng(0).permutation(range(0, len(texts), BATCH)):
            batch = [both[side] for side in (0, 1) for both in texts[begin : begin + BATCH]]
            tokens = np.zeros((len(batch), max(map(len, batch))), np.int32)
            for row, text in enumerate(batch):
                tokens[row, : len(text)] = text
            mx.eval(compiled(mx.array(tokens), mx.array([len(text) - 1 for text in batch])), state)

    return work, len(rows)


def letters(texts: list[str]) -> list[float]:
    """A reward that both sides can compute: the share of vowels."""
    return [sum(text.count(vowel) for vowel in "aeiou") / max(1, len(text)) for text in texts]


def ours_rl(folder: Path, rows: Rows) -> tuple[Callable[[], object], int]:
    from realign.align.models import open_model, twin
    from realign.align.rl import make_tasks, train_rl
    from realign.settings import Adapter, Reinforce, Training

    training = Training(schedule=f"{len(rows) // PROMPTS}:1e-4", rows=1, tokens=BATCH * LONGEST)  # a prompt a pass
    settings = Reinforce(prompts=PROMPTS, samples=SAMPLES, max_tokens=DRAWN)

    def work() -> object:
        loaded = open_model(folder)
        tasks = make_tasks(loaded, [row["prompt"] for row in rows])
        other = twin(loaded.model)
        return train_rl(
            loaded, other, tasks, lambda drawn: letters([each.text for each in drawn]), [], training,
            Adapter(layers=0), settings,
        )  # fmt: skip

    return work, len(rows) * SAMPLES


def mlx_lm_lora_rl(folder: Path, rows: Rows) -> tuple[Callable[[], object], int]:
    import mlx.optimizers as optim
    from mlx_lm import load
    from mlx_lm_lora.trainer.grpo_trainer import GRPOTrainingArgs, train_grpo

    _, tokenizer = load(str(folder))
    asked = [[{"role": "user", "content": row["prompt"]}] for row in rows]
    prompts = [tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False) for turns in asked]
    data = [(tokens, [0], row["prompt"], "") for tokens, row in zip(prompts, rows, strict=True)]

    def vowels(prompts: Any, completions: list[str], answer: Any, types: Any = None) -> list[float]:
        return letters(completions)

    def work() -> None:
        args = GRPOTrainingArgs(
            batch_size=PROMPTS, iters=len(rows) // PROMPTS, max_seq_length=LONGEST, group_size=SAMPLES, beta=0.05,
            max_completion_length=DRAWN, temperature=1.0, top_p=1.0, top_k=0, **quiet(folder),
        )  # fmt: skip
        model, reference = policy_and_reference(folder)
        optimizer = optim.AdamW(learning_rate=1e-4)
        train_grpo(
            model, reference, tokenizer, optimizer, data, reward_funcs=[vowels], args=args, end_answer_token=""
        )  # fmt: skip

    return work, len(rows) * SAMPLES


SIDES: dict[str, dict[str, Side]] = {
    "sft": {"ours": ours_sft, "mlx_lm": mlx_lm_sft},
    "dpo": {"ours": ours_dpo, "mlx_lm_lora": mlx_lm_lora_dpo},
    "reward": {"ours": ours_reward, "plain": plain_reward},
    "rl": {"ours": ours_rl, "mlx_lm_lora": mlx_lm_lora_rl},
}
UNITS = {"sft": ("real tokens", 1.5), "dpo": ("pairs", 2.5), "reward": ("pairs", 2.5), "rl": ("answers", 2.5)}
PEERS = ("mlx_lm", "mlx_lm_lora")


def run_side(task: str, side: str, shape: str, count: int) -> None:
    """Train a few steps to warm up, then an epoch to be measured; the result is the last line of stdout."""
    import mlx.core as mx

    from realign.engine.accel import use_fast_blas

    use_fast_blas()
    with tempfile.TemporaryDirectory() as folder:
        model, rows = make_model(Path(folder) / "model"), make_rows(count, shape)
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
    for task in [word for word in words if word in SIDES] or SIDES:
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
    """Ours alone, an epoch of DPO over more and more pairs, each in a new process."""
    print(f"dpo, {shape}: pairs, CPU milliseconds a pair (and to read the reference), MLX's peak, resident at most")
    for count in counts:
        found = measure("dpo", "ours", shape, count)
        cost, read = 1000 / found["cpu"], 1000 / found["reference"]
        print(
            f"    {count:6} {cost:6.1f} ({read:.1f}) {found['peak'] / 1e6:6.0f} MB {found['resident'] / 1e6:6.0f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
