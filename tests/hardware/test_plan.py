"""Every row of the planning table, its boundaries, and the anti-patterns."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realign import settings
from realign.errors import UsageError
from realign.hardware import refusals
from realign.hardware.fit import WEIGHTS_SHARE, deal
from realign.hardware.machines import M3_ULTRA, M4_MAX, Machine, this_machine
from realign.hardware.plan import make_plan
from realign.hardware.planned import EXO, NONE, SEPARATE, SHARDED, Plan

PAIR = (M4_MAX, M3_ULTRA)
BOTH = "M4 Max + M3 Ultra"


def plan(model: str = "Qwen 7B", machines: tuple[Machine, ...] = PAIR, **asked: object) -> Plan:
    return make_plan(model, machines=machines, **asked)  # type: ignore[arg-type]


ROWS = [
    ("x-1b", "M4 Max", SEPARATE),
    ("x-30b", "M4 Max", SEPARATE),
    ("x-31b", "M4 Max", SEPARATE),
    ("x-50b", "M4 Max", SEPARATE),
    ("x-64b", "M3 Ultra", SEPARATE),  # 128 GB of weights alone
    ("x-70b", "M3 Ultra", SEPARATE),  # 140 GB: does not fit 128
    ("x-71b", "M3 Ultra", SEPARATE),
    ("x-200b", "M3 Ultra", SEPARATE),
    ("x-201b", BOTH, EXO),
    ("Qwen3-235B-A22B", BOTH, EXO),
    ("x-250b", BOTH, EXO),
    ("x-257b", BOTH, EXO),  # 514 GB of the 600 that both can give
    ("x-300b", "", NONE),  # 600 GB and what comes on top
    ("llama-405b", "", NONE),
    ("llama-405b-8bit", BOTH, EXO),
    ("llama-405b-4bit", "M3 Ultra", SEPARATE),
    ("llama-3-70b-8bit", "M4 Max", SEPARATE),  # 70 GB
    ("Qwen2.5-72B-Instruct-4bit", "M4 Max", SEPARATE),
    ("Mixtral-8x7B-Instruct", "M4 Max", SEPARATE),  # 46.7B
    ("Mixtral-8x22B", "M3 Ultra", SEPARATE),
    ("Qwen3-235B-A22B-4bit", "M3 Ultra", SEPARATE),
    ("Qwen3-30B-A3B", "M4 Max", SEPARATE),
]


@pytest.mark.parametrize(("model", "machine", "transport"), ROWS)
def test_each_row_of_the_table_gets_its_machine(model: str, machine: str, transport: str) -> None:
    answer = plan(model)
    assert (answer.machine, answer.transport) == (machine, transport), answer.summary


def test_the_sentence_that_must_work_is_planned() -> None:
    answer = make_plan("Qwen 7B")
    assert answer.summary.startswith("Qwen 7B at 16 bit: M4 Max, batch size 32, separate batches")
    assert answer.split == (("M4 Max", 0.655), ("M3 Ultra", 0.345))
    assert (answer.nice, answer.environment["MLX_METAL_FAST_SYNCH"]) == (-10, "1")
    assert answer.here.machine == this_machine().name


def test_a_30b_model_runs_at_the_measured_sum_of_both() -> None:
    assert plan("x-30b", examples=100_000).rate == pytest.approx(2.98, rel=0.002)


def test_405b_at_16_bit_names_the_precisions_that_fit() -> None:
    answer = plan("llama-405b")
    assert answer.work == () and answer.seconds is None
    assert "810 GB" in answer.summary and "8 bit fits all" in answer.summary and "6 bit fits M3 Ultra" in answer.summary


def test_70b_at_4_bit_weighs_what_17_5b_weighs_at_16() -> None:
    quantized, plain = plan("x-70b-4bit").memory, plan("x-17.5b").memory
    assert quantized and plain and quantized.weights == plain.weights == 35.0


def test_a_mixture_of_experts_is_sized_by_all_and_timed_by_the_active() -> None:
    sparse, dense = plan("Qwen3-235B-A22B-4bit"), plan("x-235b-4bit")
    assert sparse.memory and dense.memory and sparse.memory.weights == dense.memory.weights == 117.5
    assert sparse.seconds and dense.seconds and sparse.seconds < dense.seconds


def test_a_model_past_the_default_share_says_how_to_raise_it() -> None:
    assert any("iogpu.wired_limit_mb" in warning for warning in plan("x-200b").warnings)
    assert not any("iogpu" in warning for warning in plan("x-30b").warnings)


def test_an_unknown_size_is_asked_for() -> None:
    answer = plan("Kimi-K2")
    assert answer.question.endswith("?") and "Kimi-K2" in answer.question and not answer.machine
    assert plan("Kimi-K2", parameters=8e9).machine == "M4 Max"


REFUSED = [
    ({"split": "half"}, refusals.HALF),
    ({"split": {"M4 Max": 0.5, "M3 Ultra": 0.5}}, refusals.HALF),
    ({"words": "split the work 50/50 between both Macs"}, refusals.HALF),
    ({"words": "share the rows evenly"}, refusals.HALF),
    ({"split": "cores"}, refusals.CORES),
    ({"split": {"M4 Max": 1 / 3, "M3 Ultra": 2 / 3}}, refusals.CORES),
    ({"words": "split it by GPU cores"}, refusals.CORES),
    ({"machine": "M3 Ultra"}, refusals.FASTER),
    ({"words": "the M3 Ultra is faster, it has more cores"}, refusals.FASTER),
    ({"transport": "rdma"}, refusals.RDMA),
    ({"transport": "sharded over RDMA"}, refusals.RDMA),
    ({"words": "use RDMA over Thunderbolt"}, refusals.RDMA),
]


@pytest.mark.parametrize(("asked", "name"), REFUSED)
def test_an_anti_pattern_is_refused_by_name_and_the_right_plan_given(asked: dict[str, object], name: str) -> None:
    answer = plan(**asked)
    assert [found for found, _ in answer.refused] == [name]
    assert all(len(reason) > 40 for _, reason in answer.refused) and name in answer.summary
    assert (answer.machine, answer.batch_size, answer.transport) == ("M4 Max", 32, SEPARATE)
    assert answer.split == plan().split


@pytest.mark.parametrize("batch_size", [5, 8, 32])
def test_a_batch_above_4_on_m3_ultra_is_refused_and_stays_at_4(batch_size: int) -> None:
    for answer in (plan("x-100b", batch_size=batch_size), plan(machines=(M3_ULTRA,), batch_size=batch_size)):
        assert [name for name, _ in answer.refused] == [refusals.BATCH] and answer.batch_size == 4


def test_a_batch_for_the_m4_max_leaves_the_m3_ultra_at_4() -> None:
    answer = plan(batch_size=32)
    assert not answer.refused and [part.batch_size for part in answer.work] == [32, 4]


def test_rdma_is_allowed_where_no_machine_holds_the_model() -> None:
    answer = plan("Qwen3-235B-A22B", transport="rdma")
    assert (answer.transport, answer.refused, answer.rate) == (SHARDED, (), None)


def test_training_in_lockstep_has_equal_shares_and_says_so() -> None:
    answer = plan("Qwen 7B", task="sft", split="half")
    assert answer.split == (("M4 Max", 0.5), ("M3 Ultra", 0.5)) and not answer.refused
    assert any("lockstep" in warning for warning in answer.warnings)
    assert plan("Qwen 7B", task="sft").split == (("M4 Max", 1.0),)


def test_m3_ultra_alone_is_a_sound_choice_where_nothing_else_is_there() -> None:
    answer = plan(machines=(M3_ULTRA,), machine="M3 Ultra")
    assert (answer.machine, answer.refused) == ("M3 Ultra", ())


def test_a_linux_box_alone_runs_in_float32_and_promises_no_rate() -> None:
    box = Machine("box", 32, system="Linux")
    answer = plan("x-2b", machines=(box,))
    assert answer.machine == "box" and answer.rate is None and answer.cost == "not measured"
    assert answer.memory and answer.memory.weights == 8.0
    assert "time not measured" in answer.summary


def test_a_price_an_hour_shows_in_the_cost() -> None:
    prices = settings.Cost(watts=100, electricity_per_kwh=0.36, machine_per_hour=3.6)
    answer = plan(examples=1000, prices=prices)
    spent = sum(part.seconds or 0 for part in answer.work)
    assert answer.cost == pytest.approx(spent * (0.00001 + 0.001))


IMPOSSIBLE = [
    {"data_type": "ppo"},
    {"task": "sleep"},
    {"examples": 0},
    {"batch_size": -1},
    {"parameters": -7e9},
    {"bits": 0},
    {"machines": ()},
    {"machine": "M9"},
    {"split": {"M4 Max": 0.9, "M3 Ultra": 0.3}},
    {"split": {"M4 Max": 0.6, "M9": 0.4}},
]


@pytest.mark.parametrize("asked", IMPOSSIBLE)
def test_an_impossible_wish_is_a_usage_error(asked: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        plan(**asked)  # type: ignore[arg-type]


sizes = st.floats(0.1, 600).map(lambda billions: billions * 1e9)
machines_of = st.builds(
    lambda name, memory, batch, rate: Machine(
        name, memory, batch_size=batch, batch_curve=MappingProxyType({1: 10.0, batch: 40.0}), shared_rate=rate
    ),
    st.uuids().map(str),
    st.floats(24, 1024),
    st.integers(2, 64),
    st.floats(0.1, 20),
)


@given(sizes, machines_of, st.floats(0, 512))
def test_more_memory_never_makes_a_plan_worse(parameters: float, machine: Machine, more: float) -> None:
    bigger = dataclasses.replace(machine, memory_gb=machine.memory_gb + more)
    small = plan("m", parameters=parameters, machines=(machine,))
    large = plan("m", parameters=parameters, machines=(bigger,))
    assert small.seconds is None or (large.seconds is not None and large.seconds <= small.seconds)


@given(sizes, st.floats(64, 1024), st.floats(0, 512))
def test_more_memory_in_the_shipped_pair_never_makes_a_plan_slower(
    parameters: float, memory: float, more: float
) -> None:
    def seconds(memory_gb: float) -> float | None:
        fleet = (dataclasses.replace(M4_MAX, memory_gb=memory_gb), M3_ULTRA)
        return plan("m", parameters=parameters, machines=fleet).seconds

    before, after = seconds(memory), seconds(memory + more)
    assert before is None or (after is not None and after <= before * (1 + 1e-9))


@given(st.floats(1, 60), st.lists(machines_of, min_size=1, max_size=4), st.integers(1, 10_000))
def test_shares_sum_to_one_and_all_finish_within_one_batch(
    billions: float, fleet: list[Machine], examples: int
) -> None:
    answer = plan("m", parameters=billions * 1e9, machines=tuple(fleet), examples=examples)
    if not answer.work:
        return
    assert sum(share for _, share in answer.split) == pytest.approx(1)
    assert sum(part.examples for part in answer.work) == examples
    ends = [part.seconds or 0.0 for part in answer.work]
    assert max(ends) - min(ends) <= max(part.batch_size / (part.rate or 1) for part in answer.work) + 1e-6


def test_the_shipped_pair_finishes_within_one_batch_of_each_other() -> None:
    first, second = plan(examples=1000).work
    batch = first.batch_size / (first.rate or 0)
    assert first.seconds and second.seconds and abs(first.seconds - second.seconds) <= batch


@given(st.integers(0, 5000), st.lists(st.floats(0.01, 1), min_size=1, max_size=5))
def test_dealing_gives_every_example_to_somebody(examples: int, weights: list[float]) -> None:
    dealt = deal(examples, [weight / sum(weights) for weight in weights])
    assert sum(dealt) == examples and min(dealt) >= 0


@given(sizes)
def test_a_plan_never_puts_more_weights_on_a_machine_than_it_holds(parameters: float) -> None:
    answer = plan("m", parameters=parameters)
    if answer.memory is None:
        return
    held = next((m.memory_gb for m in PAIR if m.name == answer.machine), None)
    assert answer.memory.weights <= held * WEIGHTS_SHARE if held else answer.transport == EXO
    assert answer.memory.total <= answer.memory.limit
