"""What config.json says of a model, against the published counts and against what mlx-lm builds."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from configs import DEEPSEEK_V2_LITE, DEEPSEEK_V3, LLAMA_8B, MIXTRAL_8X7B, OTHERWISE, PUBLISHED, decoder

from realign.hardware.architecture import CHECKED, cache_bytes, count_adapters, count_parameters, read_shape

TOLERANCE = 1e-3  # biases and the smallest norms are left out


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_model_has_as_many_parameters_as_its_makers_published(name: str) -> None:
    config, published, active = PUBLISHED[name]
    total, used = count_parameters(read_shape(config))
    assert total == pytest.approx(published, rel=TOLERANCE)
    assert active == OTHERWISE or used == (pytest.approx(active, rel=0.02) if active else total)
    assert config["model_type"] in CHECKED


def test_gpt_oss_has_3_6_billion_active_parameters_besides_its_embeddings() -> None:
    shape = read_shape(PUBLISHED["gpt-oss-20b"][0])
    assert count_parameters(shape)[1] - shape.vocabulary * shape.width == pytest.approx(3.61e9, rel=0.002)


# gemma3_text is left out: mlx-lm builds a head for it and takes it away again when it loads the weights.
@pytest.mark.parametrize("name", [name for name in PUBLISHED if not name.startswith("gemma-3")])
def test_a_model_has_as_many_parameters_as_mlx_lm_builds(name: str) -> None:
    from mlx.utils import tree_flatten

    config, *_ = PUBLISHED[name]
    module = importlib.import_module(f"mlx_lm.models.{config['model_type']}")
    model = module.Model(module.ModelArgs.from_dict(config))  # lazy: nothing is allocated
    built = sum(array.size for _, array in tree_flatten(model.parameters()))
    assert count_parameters(read_shape(config))[0] == pytest.approx(built, rel=TOLERANCE)


def test_the_key_value_cache_counts_heads_latents_and_windows() -> None:
    assert cache_bytes(read_shape(LLAMA_8B)) == (131_072, 0)
    assert cache_bytes(read_shape(DEEPSEEK_V3)) == (61 * (512 + 64) * 2, 0)
    # mlx-lm caches keys and values of DeepSeek-V2 as they are rebuilt, not its latent vectors.
    assert cache_bytes(read_shape(DEEPSEEK_V2_LITE)) == (27 * 16 * (192 + 128) * 2, 0)
    gemma, _, _ = PUBLISHED["gemma-3-27b"]
    layer = 2 * 16 * 128 * 2
    assert cache_bytes(read_shape(gemma)) == (10 * layer, 52 * layer)
    assert cache_bytes(read_shape(PUBLISHED["gpt-oss-20b"][0])) == (24_576, 24_576)


def test_a_window_without_a_word_on_which_layers_have_it_is_not_counted_on() -> None:
    assert cache_bytes(read_shape({**LLAMA_8B, "sliding_window": 4096})) == (131_072, 0)


def test_lora_of_rank_16_on_llama_3_8b_has_42_million_weights() -> None:
    assert count_adapters(read_shape(LLAMA_8B), 16) == 41_943_040
    dense = {key: value for key, value in MIXTRAL_8X7B.items() if "expert" not in key}
    assert count_adapters(read_shape(MIXTRAL_8X7B), 16) < count_adapters(read_shape(dense), 16)


def test_the_first_layers_of_a_mixture_may_be_dense() -> None:
    few, many = ({**DEEPSEEK_V3, "first_k_dense_replace": count} for count in (0, 3))
    expert, dense = 3 * 7168 * 2048, 3 * 7168 * 18432
    sparse = (256 + 1) * expert + 7168 * 256
    assert count_parameters(read_shape(few))[0] - count_parameters(read_shape(many))[0] == 3 * (sparse - dense)


def test_a_vision_model_is_read_by_its_text_part() -> None:
    assert read_shape({"model_type": "x", "text_config": LLAMA_8B}) == read_shape(LLAMA_8B)


NONSENSE: list[dict[str, Any]] = [
    {"hidden_size": "4096"},
    {"hidden_size": -4096},
    {"hidden_size": None},
    {"num_attention_heads": 0},
    {"num_hidden_layers": 10**30},
    {"num_hidden_layers": 1e30},
    {"num_hidden_layers": True},
    {"num_hidden_layers": 31.5},
    {"vocab_size": [32000]},
    {"intermediate_size": {"a": 1}},
    {"head_dim": -1},
    {"num_key_value_heads": "eight"},
    {"num_local_experts": -8},
    {"num_local_experts": 8, "num_experts_per_tok": 0},
    {"num_local_experts": 8, "mlp_only_layers": 3},
    {"kv_lora_rank": 512},
    {"tie_word_embeddings": "yes"},
    {"sliding_window": "all"},
]


@pytest.mark.parametrize("wrong", NONSENSE)
def test_an_entry_that_is_no_size_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"is missing|not a whole number|not true or false|not a list"):
        read_shape({**LLAMA_8B, **wrong})


@pytest.mark.parametrize("config", [[], "llama", 3, None])
def test_a_config_that_is_no_object_is_refused(config: Any) -> None:
    with pytest.raises(ValueError, match="not an object"):
        read_shape(config)


def test_a_feed_forward_without_a_gate_has_two_matrices() -> None:
    two, three = (
        count_parameters(read_shape(decoder(family, 64, 1, 100, 128, 4, 4)))[0] for family in ("phi", "llama")
    )
    assert three - two == 64 * 128
