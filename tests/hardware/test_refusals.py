"""The anti-patterns are refused by name, from arguments and from words, and the plan goes on with the right value."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from realign.hardware import refusals
from realign.hardware.machines import M3_ULTRA, M4_MAX, Machine
from realign.hardware.plan import make_plan
from realign.hardware.planned import SEPARATE, Plan

PAIR = (M4_MAX, M3_ULTRA)


@pytest.fixture(autouse=True, scope="module")
def no_calibrations(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A user's folder of its own: what was calibrated on this computer would change these plans."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REALIGN_HOME", str(tmp_path_factory.mktemp("home")))
        yield


def plan(model: str = "Qwen 7B", machines: tuple[Machine, ...] = PAIR, **asked: object) -> Plan:
    return make_plan(model, machines=machines, **asked)  # type: ignore[arg-type]


REFUSED = [
    ({"split": "half"}, refusals.HALF),
    ({"split": "50/50"}, refusals.HALF),
    ({"split": "1:1"}, refusals.HALF),
    ({"split": {"M4 Max": 0.5, "M3 Ultra": 0.5}}, refusals.HALF),
    ({"words": "split the work 50/50 between both Macs"}, refusals.HALF),
    ({"words": "share the rows evenly"}, refusals.HALF),
    ({"split": "cores"}, refusals.CORES),
    ({"split": "40:80"}, refusals.CORES),
    ({"split": {"M4 Max": 1 / 3, "M3 Ultra": 2 / 3}}, refusals.CORES),
    ({"words": "split it by GPU cores"}, refusals.CORES),
    ({"words": "use batch size 32 on the M3 Ultra"}, refusals.BATCH),
    ({"machine": "M3 Ultra"}, refusals.FASTER),
    ({"words": "the M3 Ultra is faster, it has more cores"}, refusals.FASTER),
    ({"transport": "rdma"}, refusals.RDMA),
    ({"transport": "JACCL"}, refusals.RDMA),
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


def test_all_five_can_be_refused_at_once() -> None:
    words = "Split the work 50/50 between the Macs. Batch size 16 on the M3 Ultra. Use RDMA."
    answer = plan(words=words, machine="M3 Ultra", split="cores")
    assert [name for name, _ in answer.refused] == list(refusals.REASONS)
    assert answer.split == plan().split


@pytest.mark.parametrize("batch_size", [5, 8, 32])
def test_a_batch_above_4_on_m3_ultra_is_refused_and_stays_at_4(batch_size: int) -> None:
    for answer in (plan("x-100b", batch_size=batch_size), plan(machines=(M3_ULTRA,), batch_size=batch_size)):
        assert [name for name, _ in answer.refused] == [refusals.BATCH] and answer.batch_size == 4


@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_batch_of_4_or_fewer_on_m3_ultra_is_no_mistake(batch_size: int) -> None:
    answer = plan("x-100b", batch_size=batch_size)
    assert (answer.refused, answer.batch_size) == ((), batch_size)


def test_a_batch_for_the_m4_max_leaves_the_m3_ultra_at_4() -> None:
    answer = plan(batch_size=32)
    assert not answer.refused and [part.batch_size for part in answer.work] == [32, 4]


def test_an_m3_ultra_that_was_calibrated_is_held_to_what_it_measured() -> None:
    measured = dataclasses.replace(M3_ULTRA, batch_size=16, max_batch=32, share=None, basis="calibration of 2026-01-01")
    answer = plan("x-100b", machines=(M4_MAX, measured), batch_size=8)
    assert (answer.refused, answer.batch_size) == ((), 8)


def test_rdma_and_halves_are_right_where_training_is_in_lockstep() -> None:
    answer = plan(task="dpo", split="half", transport="rdma")
    assert answer.refused == () and answer.split == (("M4 Max", 0.5), ("M3 Ultra", 0.5))


def test_m3_ultra_is_no_mistake_where_it_is_the_one_that_holds_the_model_or_the_only_one() -> None:
    assert plan("x-100b", machine="M3 Ultra").refused == ()
    assert plan(machines=(M3_ULTRA,), machine="M3 Ultra").refused == ()


def test_a_plain_request_is_refused_nothing() -> None:
    answer = plan(words="Curate 1,500 DPO pairs from /books/rdma_half_and_half.pdf for Qwen 7B on the M3 Ultra too")
    assert answer.refused == ()
