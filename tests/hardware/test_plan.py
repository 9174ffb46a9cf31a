"""Every row of the planning table, its boundaries, and the anti-patterns."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realign import settings
from realign.errors import UsageError
from realign.hardware.calibration import Calibration, Point, keep, mlx_version
from realign.hardware.fit import WEIGHTS_SHARE, deal
from realign.hardware.machines import M3_ULTRA, M4_MAX, Machine, this_machine
from realign.hardware.memory import TASKS
from realign.hardware.plan import make_plan
from realign.hardware.planned import EXO, NONE, SEPARATE, SHARDED, Plan
from realign.hardware.wishes import read_machines

PAIR = (M4_MAX, M3_ULTRA)
M2_ULTRA = Machine("M2 Ultra", 192, gpu_cores=76, bandwidth_gbs=800)
M1_MAX = Machine("M1 Max", 64, gpu_cores=32, bandwidth_gbs=400)
BOTH = "M4 Max + M3 Ultra"


def plan(model: str = "Qwen 7B", machines: tuple[Machine, ...] = PAIR, **asked: object) -> Plan:
    return make_plan(model, machines=machines, **asked)  # type: ignore[arg-type]


@pytest.fixture(autouse=True, scope="module")
def no_calibrations(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A user's folder of its own: what was calibrated on this computer would change these plans."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REALIGN_HOME", str(tmp_path_factory.mktemp("home")))
        yield


ROWS = [
    ("x-0.5b", "M4 Max", SEPARATE),
    ("x-1b", "M4 Max", SEPARATE),
    ("x-29.9b", "M4 Max", SEPARATE),
    ("x-30b", "M4 Max", SEPARATE),
    ("x-30.1b", "M4 Max", SEPARATE),
    ("x-31b", "M4 Max", SEPARATE),
    ("x-50b", "M4 Max", SEPARATE),
    ("x-50.1b", "M3 Ultra", SEPARATE),  # the share of 128 GB that weights may take ends at 100
    ("x-63.9b", "M3 Ultra", SEPARATE),
    ("x-64b", "M3 Ultra", SEPARATE),  # 128 GB of weights alone
    ("x-64.1b", "M3 Ultra", SEPARATE),
    ("x-69.9b", "M3 Ultra", SEPARATE),
    ("x-70b", "M3 Ultra", SEPARATE),  # 140 GB: does not fit 128
    ("x-70.1b", "M3 Ultra", SEPARATE),
    ("x-199.9b", "M3 Ultra", SEPARATE),
    ("x-200b", "M3 Ultra", SEPARATE),
    ("x-200.1b", BOTH, EXO),
    ("x-201b", BOTH, EXO),
    ("Qwen3-235B-A22B", BOTH, EXO),
    ("x-250b", BOTH, EXO),
    ("x-255.9b", BOTH, EXO),
    ("x-256b", BOTH, EXO),  # 512 GB of weights alone
    ("x-257b", BOTH, EXO),  # 514 GB of the 600 that both can give
    ("x-300b", "", NONE),  # 600 GB and what comes on top
    ("llama-405b", "", NONE),
    ("x-1.2T", "", NONE),
    ("x-1.2T-4bit", "", NONE),
    ("x-1.2T-3bit", BOTH, EXO),
    ("llama-405b-8bit", BOTH, EXO),
    ("llama-405b-6bit", "M3 Ultra", SEPARATE),
    ("DeepSeek-V3-671B-A37B-4bit", "M3 Ultra", SEPARATE),
    ("x-70b-4bit", "M4 Max", SEPARATE),
    ("x-17.5b", "M4 Max", SEPARATE),
    ("x-120b-mxfp4", "M4 Max", SEPARATE),
    ("x-199b-4bit", "M4 Max", SEPARATE),
    ("x-201b-4bit", "M3 Ultra", SEPARATE),
    ("Qwen3-8B-DWQ", "M4 Max", SEPARATE),
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


def test_rdma_is_allowed_where_no_machine_holds_the_model() -> None:
    answer = plan("Qwen3-235B-A22B", transport="rdma")
    assert (answer.transport, answer.refused, answer.rate) == (SHARDED, (), None)


def test_training_in_lockstep_has_equal_shares_and_says_so() -> None:
    answer = plan("Qwen 7B", task="sft", split="half")
    assert answer.split == (("M4 Max", 0.5), ("M3 Ultra", 0.5)) and not answer.refused
    assert any("lockstep" in warning for warning in answer.warnings)
    assert plan("Qwen 7B", task="sft").split == (("M4 Max", 1.0),)


def test_training_over_machines_needs_the_whole_model_on_each() -> None:
    large = plan("x-120b", task="dpo", split="half")
    assert [name for name, _ in large.split] == ["M3 Ultra"]
    nowhere = plan("x-235b", task="dpo")
    assert any("divides batches among machines, not a model" in line for line in nowhere.warnings)


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
    {"examples": 10**15},
    {"tokens": 0},
    {"batch_size": -1},
    {"batch_size": 10**9},
    {"parameters": float("nan")},
    {"parameters": float("inf")},
    {"parameters": 70},
    {"bits": 7},
    {"task": "align"},
    {"split": "banana"},
    {"split": "1:2:3"},
    {"split": "0:0"},
    {"transport": "pigeon"},
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


def test_a_hundred_thousand_examples_are_shared_as_given_and_end_together() -> None:
    answer = plan("x-30b", examples=100_000)
    assert answer.split == (("M4 Max", 0.655), ("M3 Ultra", 0.345))
    assert [part.examples for part in answer.work] == [65_500, 34_500]
    assert [round(part.rate or 0, 2) for part in answer.work] == [1.95, 1.03]
    ends = [part.seconds or 0 for part in answer.work]
    assert abs(ends[0] - ends[1]) < 1  # a batch takes 16 s on one and 4 s on the other
    assert any("0.655 : 0.345" in line and "1.95 and 1.03" in line for line in answer.basis)


@given(st.integers(1, 10**9), st.floats(0.5, 49))
def test_the_shipped_pair_ends_within_one_batch_whatever_the_number(examples: int, billions: float) -> None:
    first, second = plan("m", parameters=billions * 1e9, examples=examples).work
    batch = max(part.batch_size / (part.rate or 1) for part in (first, second))
    assert abs((first.seconds or 0) - (second.seconds or 0)) <= batch
    assert abs(first.examples - 0.655 * examples) <= 1


def test_once_one_is_calibrated_shares_are_throughput_over_the_sum(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REALIGN_HOME", str(tmp_path))
    points = tuple(Point(batch, rate, 100 * rate, 9.0) for batch, rate in ((1, 2.0), (8, 6.0), (16, 6.1)))
    keep(
        Calibration(
            machine="M4 Max", chip="M4 Max", memory_gb=128, mlx=mlx_version(), model="Qwen2.5-7B", identity="ab",
            parameters=7e9, active=7e9, precision=16, tokens=700, scoring=points, generation=points, best_scoring=8,
            best_generation=8, when=time.time(),
        )
    )  # fmt: skip
    answer = plan("Qwen2.5-7B", examples=10_000)
    assert [part.batch_size for part in answer.work] == [8, 4]
    assert answer.split[0][1] == pytest.approx(6 / (6 + 2.98 * 0.345))
    assert any(line.startswith("M4 Max: calibration of") for line in answer.basis)
    assert any("throughput over the sum" in line and "M3 Ultra not calibrated" in line for line in answer.basis)
    other = plan("Qwen2.5-32B")
    assert other.split[0][1] == 0.655
    assert any("calibration of" in line and "another model size" in line for line in other.basis)


def test_a_chip_without_a_measured_rate_has_a_ceiling_and_no_time() -> None:
    answer = plan("Mixtral-8x7B", machines=(M1_MAX, M2_ULTRA))
    assert (answer.machine, answer.rate, answer.seconds, answer.cost) == ("M2 Ultra", None, None, "not measured")
    assert answer.why == "M1 Max can't hold it"
    assert answer.work[0].ceiling == pytest.approx(800e9 / (12.9e9 * 2 + 0.17e9), rel=0.01)
    assert any("a bound, not a rate" in line for line in answer.basis)
    assert any("not measured on M2 Ultra" in line for line in answer.basis)


def test_of_machines_without_a_rate_the_one_with_the_most_bandwidth_leads_and_the_other_waits() -> None:
    answer = plan("x-7b", machines=(M1_MAX, M2_ULTRA))
    assert (answer.machine, len(answer.work)) == ("M2 Ultra", 1)
    assert "bandwidth" in answer.why and any("M1 Max would hold it too" in line for line in answer.warnings)


def test_two_machines_of_one_name_are_told_apart_and_halves_are_no_mistake_there() -> None:
    twins = plan(machines=(M4_MAX, M4_MAX), split="half")
    assert (twins.split, twins.refused) == ((("M4 Max #1", 0.5), ("M4 Max #2", 0.5)), ())
    unlike = plan(machines=(M4_MAX, dataclasses.replace(M4_MAX, memory_gb=64)))
    assert [name for name, _ in unlike.split] == ["M4 Max 128 GB", "M4 Max 64 GB"]


def test_a_pool_takes_no_more_machines_than_it_needs() -> None:
    assert plan("x-235b", machines=(M1_MAX, *PAIR)).machine == BOTH
    assert plan("x-300b", machines=(M1_MAX, *PAIR)).machine == f"M1 Max + {BOTH}"


def test_training_takes_one_machine_and_no_rate_of_inference() -> None:
    for task in ("sft", "dpo", "rl"):
        answer = plan("Qwen 7B", task=task, examples=500)
        assert (answer.machine, answer.transport, answer.seconds) == ("M4 Max", NONE, None)
        assert answer.memory and answer.memory.optimizer > 0
        assert any("LoRA of rank 16" in line for line in answer.basis)
    assert any("lockstep" in line for line in answer.warnings)


def test_lockstep_machines_work_at_one_batch_size() -> None:
    answer = plan("Qwen 7B", task="dpo", split="half")
    assert {part.batch_size for part in answer.work} == {4} and answer.batch_size == 4
    assert plan("Qwen 7B", task="dpo", transport="rdma").transport == SHARDED
    uneven = plan("Qwen 7B", task="dpo", split={"M4 Max": 0.7, "M3 Ultra": 0.3})
    assert uneven.split == (("M4 Max", 0.5), ("M3 Ultra", 0.5))


def test_full_fine_tuning_needs_more_than_adapters_and_no_quantized_weights() -> None:
    assert (plan("x-30b", task="sft").machine, plan("x-30b", task="sft", full=True).machine) == ("M4 Max", "M3 Ultra")
    with pytest.raises(UsageError, match="16-bit weights"):
        plan("x-30b-4bit", task="sft", full=True)
    nowhere = plan("x-100b", task="dpo", full=True)
    assert nowhere.machine == "" and "in training" in nowhere.summary


def test_a_model_too_large_to_train_alone_is_sharded_and_never_given_to_exo() -> None:
    assert plan("x-235b", task="sft").transport == SHARDED


def test_shares_of_ones_own_are_kept_and_told_what_throughput_says() -> None:
    answer = plan(split="7:3", examples=1000)
    assert answer.split == (("M4 Max", 0.7), ("M3 Ultra", 0.3))
    assert any("as asked" in line and "0.655 : 0.345" in line for line in answer.basis)


def test_a_machine_is_meant_by_less_or_more_than_its_name() -> None:
    for said in ("m2 ultra", "M2 Ultra 192GB"):
        answer = plan("x-7b", machines=(M4_MAX, M2_ULTRA), machine=said)
        assert (answer.machine, answer.split, answer.refused) == ("M2 Ultra", (("M2 Ultra", 1.0),), ())


def test_machines_are_read_by_their_names_in_the_catalogue() -> None:
    found = read_machines("M4 Max 128GB, m3 ultra 512 GB; M2 Ultra 192GB,")
    assert [(m.name, m.memory_gb) for m in found] == [("M4 Max", 128), ("M3 Ultra", 512), ("M2 Ultra", 192)]
    assert plan("Qwen 7B", machines=found).split == (("M4 Max", 0.655), ("M3 Ultra", 0.345))
    for wrong in ("", " , ", "M99", "M4 Max 128GB, toaster"):
        with pytest.raises(UsageError):
            read_machines(wrong)


@given(sizes, machines_of, st.floats(0, 512), st.sampled_from(TASKS), st.integers(1, 8192))
def test_more_memory_never_makes_the_batch_smaller_or_the_model_too_large(
    parameters: float, machine: Machine, more: float, task: str, tokens: int
) -> None:
    bigger = dataclasses.replace(machine, memory_gb=machine.memory_gb + more)
    small = plan("m", parameters=parameters, machines=(machine,), task=task, tokens=tokens)
    large = plan("m", parameters=parameters, machines=(bigger,), task=task, tokens=tokens)
    assert not small.machine or (large.machine and (small.batch_size or 0) <= (large.batch_size or 0))


@given(sizes, st.sampled_from([2, 3, 4, 5, 6, 8]))
def test_fewer_bits_never_fit_worse(parameters: float, bits: int) -> None:
    order = {"M4 Max": 0, "M3 Ultra": 1, BOTH: 2, "": 3}
    assert order[plan("m", parameters=parameters, bits=bits).machine] <= order[plan("m", parameters=parameters).machine]
