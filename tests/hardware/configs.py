"""config.json of published models, by the sizes their makers print, with the counts published for them."""

from __future__ import annotations

from typing import Any

Config = dict[str, Any]


def decoder(
    family: str, width: int, layers: int, vocabulary: int, inner: int, heads: int, kv: int, **more: Any
) -> Config:
    """The entries every decoder has, and whatever is its own."""
    return {
        "model_type": family, "hidden_size": width, "num_hidden_layers": layers, "vocab_size": vocabulary,
        "intermediate_size": inner, "num_attention_heads": heads, "num_key_value_heads": kv, "rms_norm_eps": 1e-6,
        "torch_dtype": "bfloat16", **more,
    }  # fmt: skip


UNTIED, TIED = {"tie_word_embeddings": False}, {"tie_word_embeddings": True}
QWEN3 = {"head_dim": 128, "max_position_embeddings": 40960, "rope_theta": 1e6}
QWEN3_MOE = {**QWEN3, **UNTIED, "num_experts": 128, "num_experts_per_tok": 8, "decoder_sparse_step": 1,
             "mlp_only_layers": [], "norm_topk_prob": True}  # fmt: skip
MIXTRAL = {**UNTIED, "num_local_experts": 8, "num_experts_per_tok": 2}
LATENT = {"kv_lora_rank": 512, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "v_head_dim": 128,
          "moe_layer_freq": 1, **UNTIED}  # fmt: skip
GPT_OSS = {**UNTIED, "head_dim": 64, "sliding_window": 128, "num_experts_per_tok": 4, "rope_theta": 150000,
           "layer_types": ["sliding_attention", "full_attention"] * 12}  # fmt: skip
LLAMA_8B = decoder("llama", 4096, 32, 128256, 14336, 32, 8, **UNTIED)
MIXTRAL_8X7B = decoder("mixtral", 4096, 32, 32000, 14336, 32, 8, **MIXTRAL)
DEEPSEEK_V3 = decoder(
    "deepseek_v3", 7168, 61, 129280, 18432, 128, 128, **LATENT, q_lora_rank=1536, moe_intermediate_size=2048,
    n_routed_experts=256, n_shared_experts=1, num_experts_per_tok=8, first_k_dense_replace=3, n_group=8, topk_group=4,
)  # fmt: skip
DEEPSEEK_V2_LITE = decoder(
    "deepseek_v2", 2048, 27, 102400, 10944, 16, 16, **LATENT, q_lora_rank=None, moe_intermediate_size=1408,
    n_routed_experts=64, n_shared_experts=2, num_experts_per_tok=6, first_k_dense_replace=1, topk_method="greedy",
    rope_scaling={"factor": 40, "mscale": 0.707, "mscale_all_dim": 0.707}, n_group=1, topk_group=1,
)  # fmt: skip
GEMMA3 = {"head_dim": 128, "sliding_window": 1024, "sliding_window_pattern": 6}
OTHERWISE = 0.0  # published without embeddings, which other makers count
# name: (config, published parameters, published active parameters or None for dense ones)
PUBLISHED: dict[str, tuple[Config, float, float | None]] = {
    "Llama-3.1-8B": (LLAMA_8B, 8.03e9, None),
    "Llama-3.1-70B": (decoder("llama", 8192, 80, 128256, 28672, 64, 8, **UNTIED), 70.55e9, None),
    "Llama-3.1-405B": (decoder("llama", 16384, 126, 128256, 53248, 128, 8, **UNTIED), 405.85e9, None),
    "Mistral-7B": (decoder("llama", 4096, 32, 32000, 14336, 32, 8, **UNTIED), 7.2417e9, None),
    "Qwen2.5-0.5B": (decoder("qwen2", 896, 24, 151936, 4864, 14, 2, **TIED), 494.03e6, None),
    "Qwen2.5-7B": (decoder("qwen2", 3584, 28, 152064, 18944, 28, 4, **UNTIED), 7.6156e9, None),
    "Qwen3-4B": (decoder("qwen3", 2560, 36, 151936, 9728, 32, 8, **QWEN3, **TIED), 4.022e9, None),
    "Qwen3-30B-A3B": (
        decoder("qwen3_moe", 2048, 48, 151936, 6144, 32, 4, **QWEN3_MOE, moe_intermediate_size=768), 30.53e9, 3.3e9,
    ),
    "Qwen3-235B-A22B": (
        decoder("qwen3_moe", 4096, 94, 151936, 12288, 64, 4, **QWEN3_MOE, moe_intermediate_size=1536),
        235.09e9, 22e9,
    ),
    "Qwen1.5-MoE-A2.7B": (
        decoder("qwen2_moe", 2048, 24, 151936, 5632, 16, 16, **UNTIED, moe_intermediate_size=1408, num_experts=60,
                num_experts_per_tok=4, shared_expert_intermediate_size=5632), 14.316e9, 2.7e9,
    ),
    "Mixtral-8x7B": (MIXTRAL_8X7B, 46.70e9, 12.9e9),
    "Mixtral-8x22B": (decoder("mixtral", 6144, 56, 32768, 16384, 48, 8, **MIXTRAL), 140.63e9, 39e9),
    "DeepSeek-V3": (DEEPSEEK_V3, 671.03e9, 37e9),
    "DeepSeek-V2-Lite": (DEEPSEEK_V2_LITE, 15.706e9, OTHERWISE),
    "gemma-7b": (decoder("gemma", 3072, 28, 256000, 24576, 16, 16, head_dim=256), 8.5377e9, None),
    "gemma-2-9b": (decoder("gemma2", 3584, 42, 256000, 14336, 16, 8, head_dim=256), 9.2417e9, None),
    "gemma-3-27b": (decoder("gemma3_text", 5376, 62, 262208, 21504, 32, 16, **GEMMA3), 27.009e9, None),
    "gpt-oss-20b": (
        decoder("gpt_oss", 2880, 24, 201088, 2880, 64, 8, **GPT_OSS, num_local_experts=32), 20.91e9, OTHERWISE,
    ),
}  # fmt: skip
