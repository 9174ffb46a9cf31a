"""How big a model is, from its name or from its config."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from realign.errors import ModelError
from realign.hardware.models import measure_model, read_bits

LLAMA_8B = {
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "vocab_size": 128256,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "torch_dtype": "bfloat16",
}
MIXTRAL = {**LLAMA_8B, "vocab_size": 32000, "num_local_experts": 8, "num_experts_per_tok": 2}

BITS = [
    ("Qwen2.5-7B-Instruct-4bit", 4),
    ("llama-3-70b-8bit", 8),
    ("model-6-bit", 6),
    ("m-bf16", 16),
    ("m-fp32", 32),
    ("m-Q4_K_M", 4),
    ("gpt-oss-20b-MXFP4", 4),
    ("Qwen3-14B", None),
    ("m-99bit", None),
]


@pytest.mark.parametrize(("name", "bits"), BITS)
def test_a_name_states_its_precision_or_nothing(name: str, bits: int | None) -> None:
    assert read_bits(name) == bits


def folder(path: Path, config: object) -> str:
    path.joinpath("config.json").write_text(json.dumps(config), encoding="utf-8")
    return str(path)


def test_llama_3_8b_is_counted_from_its_config(tmp_path: Path) -> None:
    size = measure_model(folder(tmp_path, LLAMA_8B))
    assert size.parameters == 8_030_261_248
    assert (size.active, size.bits, size.kv_bytes) == (size.parameters, 16, 131_072)


def test_mixtral_8x7b_is_46_7_billion_of_which_12_9_are_active(tmp_path: Path) -> None:
    size = measure_model(folder(tmp_path, MIXTRAL))
    assert size.parameters == pytest.approx(46.7e9, rel=0.001) and size.active == pytest.approx(12.9e9, rel=0.002)
    named = measure_model("Mixtral-8x7B")
    assert named.parameters == pytest.approx(size.parameters, rel=0.001)
    assert any("Mixtral" in line for line in named.basis)


def test_the_quantization_of_a_folder_wins_over_its_type(tmp_path: Path) -> None:
    assert measure_model(folder(tmp_path, {**LLAMA_8B, "quantization": {"bits": 4, "group_size": 64}})).bits == 4


def test_what_is_given_wins_over_the_name() -> None:
    size = measure_model("Qwen3-235B-A22B-4bit", parameters=9e9, bits=8)
    assert (size.parameters, size.active, size.bits) == (9e9, 9e9, 8)


@pytest.mark.parametrize("config", [{}, [], {"hidden_size": 8}, {**LLAMA_8B, "num_attention_heads": 0}])
def test_a_folder_with_an_unusable_config_is_named(tmp_path: Path, config: object) -> None:
    with pytest.raises(ModelError, match=r"config\.json"):
        measure_model(folder(tmp_path, config))


def test_a_name_without_a_size_is_not_guessed() -> None:
    assert measure_model("Kimi-K2").parameters is None
    assert measure_model("").parameters is None
