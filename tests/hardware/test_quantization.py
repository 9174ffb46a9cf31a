"""Bits a weight, by name and by config, layer by layer."""

from __future__ import annotations

from typing import Any

import pytest
from configs import LLAMA_8B, PUBLISHED

from realign.hardware.architecture import matrices, read_shape
from realign.hardware.quantization import Stored, read_bits, stored_bits

NAMES = [
    ("Qwen2.5-7B-Instruct-4bit", 4),
    ("llama-3-70b-8bit", 8),
    ("model-6-bit", 6),
    ("m-bf16", 16),
    ("m-F16", 16),
    ("m-fp32", 32),
    ("m-fp8", 8),
    ("m-Q4_K_M", 4),
    ("m-IQ2_XS", 2),
    ("m.Q8_0.gguf", 8),
    ("m-INT8", 8),
    ("m-w4a16", 4),
    ("gpt-oss-20b-MXFP4", 4),
    ("m-nvfp4", 4),
    ("Qwen3-8B-4bit-DWQ", 4),
    ("Qwen3-8B-DWQ", 4),
    ("Qwen3-8B-8bit-DWQ", 8),
    ("m-AWQ", 4),
    ("Qwen3-14B", None),
    ("m-99bit", None),
    ("Q-Bert-large", None),
    ("", None),
]


@pytest.mark.parametrize(("name", "bits"), NAMES)
def test_a_name_states_its_precision_or_nothing(name: str, bits: int | None) -> None:
    assert read_bits(name) == bits


def stored(config: dict[str, Any], **entries: Any) -> Stored:
    config = {**config, **entries}
    return stored_bits(config, matrices(read_shape(config)))


FORMATS: list[tuple[dict[str, Any], float, float]] = [
    ({}, 16, 0),
    ({"torch_dtype": "float32"}, 32, 0),
    ({"quantization": {"bits": 4, "group_size": 64}}, 4, 0.5),
    ({"quantization": {"bits": 4, "group_size": 32}}, 4, 1),
    ({"quantization": {"bits": 8, "group_size": 128, "mode": "affine"}}, 8, 0.25),
    ({"quantization": {"bits": 4, "group_size": 32, "mode": "mxfp4"}}, 4, 0.25),
    ({"quantization": {"bits": 4, "group_size": 16, "mode": "nvfp4"}}, 4, 0.5),
    ({"quantization_config": {"bits": 4, "group_size": 64}}, 4, 0.5),
]


@pytest.mark.parametrize(("entries", "bits", "scales"), FORMATS)
def test_a_config_states_bits_and_the_scales_of_its_groups(entries: dict[str, Any], bits: float, scales: float) -> None:
    found = stored(LLAMA_8B, **entries)
    assert (found.bits, found.scales) == (bits, scales)


def test_layers_with_bits_of_their_own_count_by_their_weights() -> None:
    down = 4096 * 14336 / sum(each.weights for each in matrices(read_shape(LLAMA_8B)))
    own = {f"model.layers.{layer}.mlp.down_proj": {"bits": 6, "group_size": 64} for layer in range(32)}
    found = stored(LLAMA_8B, quantization={"bits": 4, "group_size": 64, **own})
    assert found.bits == pytest.approx(4 + 2 * 32 * down, abs=0.006)
    assert (found.scales, "other layers differ" in found.note) == (0.5, True)
    whole = stored(LLAMA_8B, quantization={"bits": 4, "group_size": 64, "lm_head": False})
    assert whole.bits == pytest.approx(4 + 12 * 128256 * 4096 / 8.03e9, abs=0.006)


def test_experts_are_found_under_the_name_their_family_gives_them() -> None:
    mixtral, _, _ = PUBLISHED["Mixtral-8x7B"]
    own = {
        f"model.layers.{layer}.block_sparse_moe.switch_mlp.{part}_proj": {"bits": 2, "group_size": 64}
        for layer in range(32)
        for part in ("gate", "up", "down")
    }
    assert 2 < stored(mixtral, quantization={"bits": 8, "group_size": 64, **own}).bits < 2.3


def test_other_formats_leave_embeddings_as_they_were() -> None:
    gptq = stored(LLAMA_8B, quantization_config={"quant_method": "gptq", "bits": 4, "group_size": 128})
    assert gptq.bits == pytest.approx(4 + 12 * 2 * 128256 * 4096 / 8.03e9, abs=0.01)
    oss = stored(PUBLISHED["gpt-oss-20b"][0], quantization_config={"quant_method": "mxfp4"})
    assert 4 < oss.bits < 6  # the experts alone: 13.8 GB are published for the 20.9e9 weights, 5.3 bit each
    assert (oss.bits + oss.scales) * 20.91 / 8 == pytest.approx(13.8, rel=0.02)
    loaded = stored(LLAMA_8B, quantization_config={"quant_method": "bitsandbytes", "load_in_4bit": True})
    assert 4 < loaded.bits < 6.5


NONSENSE: list[Any] = [
    "4bit",
    [4],
    {"bits": "four"},
    {"bits": 7},
    {"bits": True},
    {"bits": -4},
    {"bits": 4, "group_size": 0},
    {"bits": 4, "group_size": "64"},
    {"quant_method": "unheard-of"},
    {"bits": 4, "lm_head": {"bits": 99}},
]


@pytest.mark.parametrize("quantization", NONSENSE)
def test_a_precision_that_can_not_be_is_named(quantization: Any) -> None:
    with pytest.raises(ValueError, match="quantization"):
        stored(LLAMA_8B, quantization=quantization)
