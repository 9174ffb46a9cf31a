"""Both sides of each training that training.py measures: a model folder and rows to what is run, and its units."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

BATCH, LONGEST = 8, 1024
PROMPTS, SAMPLES, DRAWN = 4, 8, 32  # of a step of RL; tokens of an answer
LORA = {"rank": 8, "dropout": 0.0, "scale": 20.0}
Rows = list[dict[str, str]]
Work = tuple[Callable[[], object], int]  # what to measure, and how many units it goes through


def ours_sft(folder: Path, rows: Rows) -> Work:
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


def mlx_lm_sft(folder: Path, rows: Rows) -> Work:
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


def ours_dpo(folder: Path, rows: Rows) -> Work:
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


def mlx_lm_lora_dpo(folder: Path, rows: Rows) -> Work:
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


def ours_reward(folder: Path, rows: Rows) -> Work:
    from realign.align.models import open_model
    from realign.align.pairs import encode_pairs
    from realign.align.reward import make_reward_model, train_reward
    from realign.settings import Adapter, Training

    pairs, _ = encode_pairs(open_model(folder), rows)
    training = Training(schedule=f"{len(rows) // BATCH}:1e-4", rows=BATCH, tokens=3 * BATCH * LONGEST)
    return lambda: train_reward(make_reward_model(open_model(folder), Adapter(layers=0)), pairs, [], training), len(
        rows
    )


def plain_reward(folder: Path, rows: Rows) -> Work:
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


def ours_rl(folder: Path, rows: Rows) -> Work:
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


def mlx_lm_lora_rl(folder: Path, rows: Rows) -> Work:
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


SIDES: dict[str, dict[str, Callable[[Path, Rows], Work]]] = {
    "sft": {"ours": ours_sft, "mlx_lm": mlx_lm_sft},
    "dpo": {"ours": ours_dpo, "mlx_lm_lora": mlx_lm_lora_dpo},
    "scale": {"ours": ours_dpo},
    "reward": {"ours": ours_reward, "plain": plain_reward},
    "rl": {"ours": ours_rl, "mlx_lm_lora": mlx_lm_lora_rl},
}
