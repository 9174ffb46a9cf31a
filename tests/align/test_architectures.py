"""Models whose caches slide, are recurrent, or whose head does more than multiply, train like the plain ones."""

import json
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx_lm.utils
import numpy as np
import pytest
from boxes import pairs_of

from realign.align.dpo import train_dpo
from realign.align.models import open_model, prepare
from realign.align.reference import reference_logps
from realign.align.reward import make_reward_model, train_reward
from realign.engine.mlx import Loaded
from realign.errors import ModelError
from realign.settings import Adapter, Preference, Training

PLAIN = {
    "hidden_size": 64, "num_hidden_layers": 2, "intermediate_size": 128, "num_attention_heads": 2, "head_dim": 32,
    "num_key_value_heads": 1, "rms_norm_eps": 1e-5, "rope_theta": 1e4, "max_position_embeddings": 512,
    "tie_word_embeddings": True,
}  # fmt: skip
KINDS: dict[str, dict[str, Any]] = {
    "qwen3": {"tie_word_embeddings": False},
    "gemma2": {"query_pre_attn_scalar": 32, "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0},
    "gemma3_text": {
        "sliding_window": 16, "sliding_window_pattern": 2, "query_pre_attn_scalar": 32, "rope_local_base_freq": 1e4,
    },
    "gemma3": {
        "sliding_window": 16, "sliding_window_pattern": 2, "query_pre_attn_scalar": 32, "rope_local_base_freq": 1e4,
    },
    "mistral3": {},
    "phi": {"partial_rotary_factor": 0.5, "layer_norm_eps": 1e-5, "num_key_value_heads": 2},
    "mamba2": {
        "num_heads": 4, "state_size": 16, "conv_kernel": 4, "n_groups": 1, "use_bias": False, "use_conv_bias": True,
        "chunk_size": 16, "time_step_limit": [0.0, 100.0], "time_step_rank": 4, "layer_norm_epsilon": 1e-5, "expand": 2,
    },
    "qwen3_moe": {
        "num_experts": 4, "num_experts_per_tok": 2, "decoder_sparse_step": 1, "mlp_only_layers": [],
        "moe_intermediate_size": 32, "norm_topk_prob": True,
    },
    "qwen3_5": {
        "linear_num_value_heads": 2, "linear_num_key_heads": 1, "linear_key_head_dim": 16,
        "linear_value_head_dim": 16, "full_attention_interval": 2,
        "rope_parameters": {"type": "default", "rope_theta": 1e4, "partial_rotary_factor": 0.25},
    },
    "gpt2": {
        "n_ctx": 512, "n_embd": 64, "n_head": 2, "n_layer": 2, "n_positions": 512, "layer_norm_epsilon": 1e-5,
    },
}  # fmt: skip
TRAINING = Training(schedule="4:5e-3", rows=8, tokens=2048)


def make(folder: Path, base: Path, kind: str) -> Loaded:
    """A random model of another architecture, with the tiny model's tokenizer."""
    folder.mkdir()
    for path in base.iterdir():
        if not path.name.startswith(("model", "config")):
            (folder / path.name).write_bytes(path.read_bytes())
    size = json.loads((base / "config.json").read_text())["vocab_size"]
    config = {**PLAIN, "model_type": kind, "vocab_size": size, "eos_token_id": 2, **KINDS[kind]}
    config["text_config"] = dict(config)  # where a model that also sees keeps its language part's numbers
    mx.random.seed(0)
    model_class, arguments = mlx_lm.utils._get_classes(config)
    mlx_lm.utils.save_model(folder, model_class(arguments.from_dict(config)))
    mlx_lm.utils.save_config(config, folder / "config.json")
    return open_model(folder)


def one_by_one(loaded: Loaded, prompt: tuple[int, ...], answer: tuple[int, ...]) -> float:
    logits = loaded.model(mx.array([[*prompt, *answer]]))[0].astype(mx.float32)
    logps = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
    return sum(float(logps[len(prompt) - 1 + n, token].item()) for n, token in enumerate(answer))


@pytest.mark.parametrize("kind", KINDS)
def test_other_architectures_train_on_pairs(base: Path, tmp_path: Path, kind: str) -> None:
    loaded = make(tmp_path / kind, base, kind)
    pairs = pairs_of(loaded, 16)
    reference = reference_logps(loaded, pairs, tmp_path / "reference", kind)
    expected = [[one_by_one(loaded, pair.prompt, side) for side in (pair.chosen, pair.rejected)] for pair in pairs[:4]]
    assert np.allclose(reference[:4], expected, atol=1e-3)
    reports = train_dpo(loaded, pairs, reference, [], reference[:0], TRAINING, Adapter(layers=2), Preference()).reports
    assert reports[0].loss == pytest.approx(np.log(2), rel=1e-4)
    assert reports[-1].metrics["margin"] != 0
    reward = make_reward_model(open_model(tmp_path / kind), Adapter(layers=2))
    losses = [report.loss for report in train_reward(reward, pairs, [], TRAINING).reports]
    assert losses[0] == pytest.approx(np.log(2), abs=0.05)


def test_dora_on_a_mixture_of_experts_is_refused_with_what_to_do(base: Path, tmp_path: Path) -> None:
    loaded = make(tmp_path / "experts", base, "qwen3_moe")
    with pytest.raises(ModelError, match=r"dora can't be put onto this model .* adapter\.kind=lora"):
        prepare(loaded.model, Adapter(kind="dora"))
