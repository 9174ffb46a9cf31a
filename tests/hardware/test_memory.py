"""What a model takes of memory, item by item, for each task."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from configs import LLAMA_8B
from hypothesis import given
from hypothesis import strategies as st

from realign.hardware.machines import M3_ULTRA, M4_MAX, Machine
from realign.hardware.memory import TASKS, Memory, assumed, bits_on, estimate_memory, estimate_together
from realign.hardware.models import ModelSize, measure_model

PARTS = [field.name for field in dataclasses.fields(Memory)][:9]


@pytest.fixture
def llama(tmp_path: Path) -> ModelSize:
    """Llama 3.1 8B at 16 bit, counted from its config."""
    (tmp_path / "config.json").write_text(json.dumps(LLAMA_8B), encoding="utf-8")
    return measure_model(str(tmp_path))


def memory(size: ModelSize, task: str = "curate", batch_size: int = 32, **more: object) -> Memory:
    return estimate_memory(size, M4_MAX, batch_size, 1024, task, **more)  # type: ignore[arg-type]


def test_curation_takes_weights_cache_and_overhead(llama: ModelSize) -> None:
    found = memory(llama)
    assert found.weights == pytest.approx(16.06, abs=0.01)
    assert found.kv_cache == pytest.approx(131_072 * 1024 * 32 / 1e9)
    assert (found.scales, found.adapters, found.gradients, found.optimizer, found.activations) == (0, 0, 0, 0, 0)
    assert (found.default_limit, found.limit) == (96, 120)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("full", [False, True])
def test_the_parts_sum_to_the_total(llama: ModelSize, task: str, full: bool) -> None:
    found = memory(llama, task, full=full)
    assert sum(getattr(found, part) for part in PARTS) == pytest.approx(found.total)


def test_adapters_are_trained_in_float32_with_two_moments(llama: ModelSize) -> None:
    found = memory(llama, "sft")
    assert found.adapters == found.gradients == pytest.approx(41_943_040 * 4 / 1e9)
    assert (found.optimizer, found.kv_cache, found.reference) == (2 * found.adapters, 0, 0)


def test_full_fine_tuning_holds_gradients_and_two_moments_of_every_weight(llama: ModelSize) -> None:
    found = memory(llama, "sft", full=True)
    assert (found.gradients, found.optimizer, found.adapters) == (found.weights, 2 * found.weights, 0)


def test_the_reference_of_dpo_is_a_copy_only_where_the_weights_themselves_change(llama: ModelSize) -> None:
    assert memory(llama, "dpo").reference == 0
    full = memory(llama, "dpo", full=True)
    assert full.reference == full.weights
    assert memory(llama, "sft", full=True).reference == 0


def test_a_pair_of_dpo_is_two_sequences_and_rl_keeps_a_cache(llama: ModelSize) -> None:
    sft, dpo, rl = (memory(llama, task) for task in ("sft", "dpo", "rl"))
    assert dpo.activations == pytest.approx(2 * sft.activations)
    assert rl.kv_cache == memory(llama).kv_cache > 0 == dpo.kv_cache


def test_logits_of_a_training_step_are_not_forgotten(llama: ModelSize) -> None:
    logits = 8 * 128_256 * 32 * 1024 / 1e9  # 34 GB: float32 and their gradient
    assert logits < memory(llama, "sft").activations < 2 * logits


@pytest.mark.parametrize(("task", "full"), [("sft", False), ("dpo", False), ("dpo", True), ("rl", False)])
def test_what_training_assumes_is_said(task: str, full: bool) -> None:
    said = " ".join(assumed(task, full))
    assert ("every weight trained" if full else "LoRA of rank 16") in said and "checkpointing" in said
    assert ("the reference is" in said) == (task != "sft")
    assert assumed("curate") == ()


def test_a_cpu_runs_in_float32_and_gpus_in_the_models_own_precision() -> None:
    assert [bits_on(Machine("m", 64, system=system), 4) for system in ("macOS", "CUDA", "Linux")] == [4, 4, 32]


def test_70b_at_4_bit_weighs_what_17_5b_weighs_at_16() -> None:
    quantized, plain = memory(measure_model("x-70b-4bit")), memory(measure_model("x-17.5b"))
    assert (quantized.weights, plain.weights, quantized.scales) == (35, 35, 4.375)


def test_several_machines_together_give_the_sum_of_their_limits() -> None:
    found = estimate_together(measure_model("x-235b"), (M4_MAX, M3_ULTRA), 1024, "curate")
    assert (found.default_limit, found.limit) == (480, 600)


@given(st.floats(0.01, 1000), st.sampled_from(TASKS), st.integers(1, 64), st.integers(1, 100_000))
def test_fewer_bits_never_need_more_memory(billions: float, task: str, batch_size: int, tokens: int) -> None:
    totals = [
        estimate_memory(measure_model("m", billions * 1e9, bits), M4_MAX, batch_size, tokens, task).total
        for bits in (2, 3, 4, 5, 6, 8, 16, 32)
    ]
    assert totals == sorted(totals)


@given(st.floats(0.01, 1000), st.sampled_from(TASKS), st.integers(1, 64), st.integers(1, 10_000), st.booleans())
def test_more_sequences_or_longer_ones_never_need_less(
    billions: float, task: str, batch_size: int, tokens: int, full: bool
) -> None:
    size = measure_model("m", billions * 1e9)
    less = estimate_memory(size, M4_MAX, batch_size, tokens, task, full=full).total
    assert less <= estimate_memory(size, M4_MAX, batch_size + 1, tokens, task, full=full).total
    assert less <= estimate_memory(size, M4_MAX, batch_size, tokens + 1, task, full=full).total
