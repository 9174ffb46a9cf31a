"""How big a model is, from its name, from its config, or as said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from configs import DEEPSEEK_V3, LLAMA_8B, MIXTRAL_8X7B, PUBLISHED

from realign.errors import ModelError, UsageError
from realign.hardware.models import cache_at, measure_model, read_parameters


def folder(path: Path, config: object) -> str:
    path.joinpath("config.json").write_text(json.dumps(config), encoding="utf-8")
    return str(path)


def test_llama_3_8b_is_counted_from_its_config(tmp_path: Path) -> None:
    size = measure_model(folder(tmp_path, LLAMA_8B))
    assert size.parameters == 8_030_261_248
    assert (size.active, size.bits, size.kv_bytes, size.adapters) == (size.parameters, 16, 131_072, 41_943_040)
    assert size.read == size.parameters - 128256 * 4096  # of the embeddings one row is read
    assert measure_model(str(tmp_path / "config.json")) == size


def test_mixtral_8x7b_is_46_7_billion_of_which_12_9_are_active(tmp_path: Path) -> None:
    size = measure_model(folder(tmp_path, MIXTRAL_8X7B))
    assert size.parameters == pytest.approx(46.7e9, rel=0.001) and size.active == pytest.approx(12.9e9, rel=0.002)
    named = measure_model("Mixtral-8x7B")
    assert named.parameters == pytest.approx(size.parameters, rel=0.001)
    assert any("Mixtral" in line for line in named.basis)


NAMES = [
    ("Qwen2.5-7B-Instruct-4bit", 7e9, 7e9, 4),
    ("Mixtral-8x7B-Instruct-v0.1", 46.7e9, 12.9e9, 16),
    ("mlx-community/Qwen3-235B-A22B-8bit", 235e9, 22e9, 8),
    ("Qwen3-30B-A3B-4bit-DWQ", 30e9, 3e9, 4),
    ("gpt-oss-120b-MXFP4-Q8", 120e9, 120e9, 4),
    ("Llama-3.3-70B-Instruct.Q4_K_M", 70e9, 70e9, 4),
    ("70B", 70e9, 70e9, 16),
    ("SmolLM2-135M-bf16", 135e6, 135e6, 16),
    ("Kimi-K2", None, None, 16),
    ("Llama-4-Scout-17B-16E", None, None, 16),
    ("", None, None, 16),
]


@pytest.mark.parametrize(("name", "total", "active", "bits"), NAMES)
def test_a_name_gives_total_active_and_precision_or_nothing(
    name: str, total: float | None, active: float | None, bits: int
) -> None:
    size = measure_model(name)
    assert (size.parameters, size.active, size.bits) == (total, active, bits)


@pytest.mark.parametrize("name", ["~nobody/model", "a" * 5000, "a\0b", "/nowhere/at/all"])
def test_a_name_that_no_file_system_takes_is_only_a_name(name: str) -> None:
    assert measure_model(name).parameters is None


def test_the_quantization_of_a_folder_wins_over_its_type(tmp_path: Path) -> None:
    size = measure_model(folder(tmp_path, {**LLAMA_8B, "quantization": {"bits": 4, "group_size": 32}}))
    assert (size.bits, size.scale_bits) == (4, 1)


def test_what_is_given_wins_over_the_name() -> None:
    size = measure_model("Qwen3-235B-A22B-4bit", parameters=9e9, bits=8)
    assert (size.parameters, size.active, size.bits) == (9e9, 9e9, 8)


COUNTS = [
    ("70B", 70e9),
    ("70 b", 70e9),
    ("7e9", 7e9),
    ("0.5b", 0.5e9),
    ("1.2T", 1.2e12),
    ("135M", 135e6),
    ("8,030,261,248", 8_030_261_248),
    ("7000000000.0", 7e9),
]


@pytest.mark.parametrize(("text", "count"), COUNTS)
def test_a_count_is_read_as_people_write_it(text: str, count: float) -> None:
    assert read_parameters(text) == pytest.approx(count)


@pytest.mark.parametrize(
    "text", ["1e400", "-1", "nan", "inf", "", "B", "seventy", "70", "0", "0B", "7e9e9", "1e16", "70GB"]
)
def test_a_count_that_no_model_has_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="parameters"):
        read_parameters(text)


@pytest.mark.parametrize("bits", [0, 1, 7, -4, 64])
def test_bits_that_no_weight_has_are_refused(bits: int) -> None:
    with pytest.raises(UsageError, match="bits a weight"):
        measure_model("x-7b", bits=bits)


UNUSABLE = [{}, [], {"hidden_size": 8}, {**LLAMA_8B, "num_attention_heads": 0}, {**LLAMA_8B, "num_hidden_layers": 1e30}]
UNUSABLE += [{**LLAMA_8B, "hidden_size": 10**8, "intermediate_size": 10**8, "vocab_size": 10**8}, "x", None, 1.5]


@pytest.mark.parametrize("config", UNUSABLE)
def test_a_folder_with_an_unusable_config_is_named(tmp_path: Path, config: object) -> None:
    with pytest.raises(ModelError, match=r"config\.json"):
        measure_model(folder(tmp_path, config))


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"hidden_size": ' + "9" * 6000 + "}", "\0"])
def test_a_config_that_is_no_json_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match=r"config\.json"):
        measure_model(str(tmp_path))


def test_an_architecture_nobody_checked_says_so(tmp_path: Path) -> None:
    size = measure_model(folder(tmp_path, {**LLAMA_8B, "model_type": "newcomer"}))
    assert any("newcomer" in line and "not checked" in line for line in size.basis)


def test_what_a_name_does_not_say_is_guessed_near_what_configs_say(tmp_path: Path) -> None:
    for name in ("Llama-3.1-8B", "Llama-3.1-70B", "Llama-3.1-405B", "Qwen3-235B-A22B"):
        known, guessed = measure_model(folder(tmp_path, PUBLISHED[name][0])), measure_model(name)
        assert guessed.kv_bytes == pytest.approx(known.kv_bytes, rel=0.4)
        assert guessed.width * guessed.layers == pytest.approx(known.width * known.layers, rel=0.4)
        assert any("guessed" in line for line in guessed.basis)


def test_a_windowed_layer_caches_no_more_than_its_window(tmp_path: Path) -> None:
    size = measure_model(folder(tmp_path, PUBLISHED["gemma-3-27b"][0]))
    assert size.kv_bytes is not None
    assert cache_at(size, 8192) - cache_at(size, 4096) == size.kv_bytes * 4096
    deep = measure_model(folder(tmp_path, DEEPSEEK_V3))
    assert cache_at(deep, 1000) == 70_272_000
