"""Several machines train one model, for real: ranks under mlx.launch over the ring, on this machine's loopback.

A machine is lost because its process is killed or stopped; it hangs, or fails, because its interpreter is a script that
spoils it. What comes out is compared with one process, and with two that nothing happened to.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest

from processes import until
from ranks import hosts, ranks_of
from realign import workflow
from realign.engine.tiny import make_tiny_model
from realign.errors import Interrupted, OutOfMemory, StageFailed
from realign.hardware.hosts import LOCAL
from realign.hardware.preflight import CHECKS
from realign.intake.request import Request
from realign.intake.start import start_run
from realign.job.lockstep import train_on
from realign.job.worker import run_stages
from realign.records import Checkpoint
from realign.run import Run

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ranks")]
NAMES = "Ada Ben Cleo Dora Eli Fay Gus Hal Ida Jo".split()
STEPS = 24
SETTINGS: dict[str, dict[str, Any]] = {
    "training": {"rows": 4, "save_every": 5, "evaluate_every": 1000},
    "adapter": {"layers": 0, "rank": 4},
    "fine_tuning": {"schedule": f"{STEPS}:2e-3"}, "rewarding": {"schedule": "6:1e-3"},
    "optimizing": {"schedule": "4:1e-4", "max_tokens": 6}, "reinforce": {"prompts": 3, "samples": 2, "max_tokens": 6},
    "evaluating": {"prompts": 30, "items": 30},
    "gates": {
        "training_pairs": 10, "minimum_records": 5, "loss_falls": -9.0, "preference_accuracy": 0.0, "overfitting": 1.1,
        "length_bias": 1.0, "agreement_medium": 0.0, "gap_medium": -1.0, "kl": 9.0, "rises": -9.0, "retention": 0.0,
        "worst_drop": 1.0, "training_tasks": 10,
    },
}  # fmt: skip
SLOW = "import time, realign.align.loop as l; a = l.add_up; l.add_up = lambda *w: (time.sleep(0.05), a(*w))[1]"
HUNG = (
    "import time, realign.align.loop as l; a = l.add_up; n = iter('123')\n"
    "l.add_up = lambda *w: (next(n, None) or time.sleep(600), a(*w))[1]"
)
BROKEN = (
    "import realign.align.loop as l\ndef fail(*w): raise l.OutOfMemory('One row of 9 tokens does not fit')\n"
    "l.add_up = fail"
)


@pytest.fixture(scope="module", autouse=True)
def uncompiled() -> Iterator[None]:
    """What is learned is the same; g++ would take most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLX_DISABLE_COMPILE", "1")
        mx.disable_compile()
        yield
        mx.enable_compile()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    text = f"Which name stands first: {' '.join(NAMES)}? " * 20
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny", text, width=32, layers=1, vocabulary=300)


@pytest.fixture
def make(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """A new alignment of the tiny model, by name, with nothing done yet."""
    monkeypatch.setenv("REALIGN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()

    def made(name: str, kind: str = "dpo", **changes: Any) -> Run:
        data = tmp_path / "data.jsonl"
        rows = [(NAMES[n % 10], NAMES[(n * 3 + 1 + n // 10) % 10]) for n in range(60)]
        data.write_text("".join(json.dumps(row_of(n, *row, kind)) + "\n" for n, row in enumerate(rows)))
        settings = {section: {**values, **changes.get(section, {})} for section, values in SETTINGS.items()}
        settings["hardware"] = changes.get("hardware", {})
        return start_run(
            Request((str(data),), kind, str(base), settings=settings, output=str(tmp_path / name), workflow="align")
        )

    return made


@pytest.fixture
def alone(make: Callable[..., Run]) -> list[float]:
    """The curve of one process."""
    with closing(make("alone")) as run:
        workflow.run_stage(run, "sft")
        return curve(run, "sft")


def row_of(n: int, first: str, second: str, kind: str) -> dict[str, Any]:
    prompt = f"Which name stands first in line {n}: {first}, {second}?"
    if kind == "rlvr":
        return {"id": str(n), "prompt": prompt, "answer": first, "verifier": {"name": "exact"}}
    judged = {judge: {"straight": [1.0, 0.2], "swapped": [1.0, 0.2]} for judge in ("expert", "user", "safety")}
    return {
        "id": str(n),
        "prompt": prompt,
        "chosen": first,
        "rejected": f"{second}, then {first}",
        "scores": {"judges": judged},
    }


def together(folder: Path, *spoiled: str, stalled_after: float = 300.0, frozen_after: float = 30.0) -> Any:
    return train_on(hosts(folder, *(spoiled or ("", ""))), stalled_after, frozen_after)


def curve(run: Run, stage: str) -> list[float]:
    return [step.values["loss"] for step in run.records("step") if step.stage == stage]


def left(run: Run, stage: str) -> Checkpoint:
    found: Checkpoint = [each for each in run.records("checkpoint") if each.stage == stage][-1]
    return found


def once_it_trains(run: Run, rank: int, number: int) -> threading.Thread:
    """A thread that sends a rank a signal after the sixth step."""

    def act() -> None:
        with closing(Run.open(run.folder)) as watched:
            until(lambda: watched.count("step") > 5, 60.0)
            os.kill(ranks_of(os.getpid())[rank], number)

    thread = threading.Thread(target=act)
    thread.start()
    return thread


def lose(run: Run, rank: int, number: int, lockstep: Any) -> str:
    """Run sft with a rank lost on the way; what it ends in, in words."""
    thread = once_it_trains(run, rank, number)
    with pytest.raises(StageFailed) as caught:
        workflow.run_stage(run, "sft", lockstep=lockstep)
    thread.join()
    assert ranks_of(os.getpid()) == {}
    assert run.stage("sft").status == "failed"
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "stages"), [("dpo", ("sft", "reward", "optimize")), ("rlvr", ("optimize",))], ids=["dpo", "rlvr"]
)
def test_two_machines_train_to_the_curve_of_one_process(
    kind: str, stages: tuple[str, ...], make: Callable[..., Run], tmp_path: Path
) -> None:
    one = make("one", kind)
    for stage in [stage.name for stage in workflow.stages_of(one)][:5]:
        if stage in stages:
            shutil.copytree(one.folder, tmp_path / stage)
        workflow.run_stage(one, stage)
        if stage in stages:
            with closing(Run.open(tmp_path / stage)) as two:
                workflow.run_stage(two, stage, lockstep=together(tmp_path))
                assert curve(two, stage) == pytest.approx(curve(one, stage), abs=1e-4), stage
                assert [part["share"] for part in two.noted(f"machines of {stage}")] == [0.5, 0.5]
                if stage != "reward":  # its head's bias has no gradient: rounding alone says where it goes
                    assert_close(weights(one, stage), weights(two, stage))


def assert_close(one: dict[str, Any], two: dict[str, Any]) -> None:
    assert one.keys() == two.keys()
    for name, array in one.items():
        assert mx.allclose(array, two[name], atol=1e-3), name


def weights(run: Run, stage: str) -> dict[str, Any]:
    (file, *_) = sorted((run.folder / left(run, stage).folder).glob("*.safetensors"))
    found: dict[str, Any] = mx.load(str(file))  # type: ignore[assignment]
    return found


def test_a_killed_machine_ends_the_training_in_words_and_the_same_command_goes_on_to_the_same_weights(
    make: Callable[..., Run], tmp_path: Path
) -> None:
    dropping = {"adapter": {"dropout": 0.2}}  # so that the random state matters
    file = tmp_path / "hosts.json"
    file.write_text(json.dumps([{"ssh": LOCAL, "ips": [LOCAL]}] * 2))
    unbroken, broken = make("unbroken", **dropping, hardware={"hosts": str(file)}), make("broken", **dropping)
    assert run_stages(unbroken, "sft", lambda: False) == ("sft", 0)  # by the door of a worker, pre-flight and all
    assert [check["name"] for check in unbroken.noted("preflight")] == list(CHECKS)
    assert len(unbroken.noted("machines of sft")) == 2
    error = lose(broken, 1, signal.SIGKILL, together(tmp_path, SLOW, SLOW))
    assert "host 2 (127.0.0.1) died" in error
    assert "the checkpoint of step" in error
    assert "in sft, attempt 1, after step" in error
    workflow.run_stage(broken, "sft", lockstep=together(tmp_path))
    assert left(broken, "sft").sha256 == left(unbroken, "sft").sha256
    assert curve(broken, "sft") == curve(unbroken, "sft")
    assert list((tmp_path / "temporary").glob("realign-rank-*")) == []


@pytest.mark.parametrize(
    ("rank", "number", "how"),
    [
        (1, signal.SIGSTOP, "host 2 (127.0.0.1) gave no sign of life for 4 s"),
        (0, signal.SIGKILL, "host 1 (127.0.0.1) died"),
    ],
    ids=["frozen", "the first, killed"],
)
def test_a_lost_machine_never_hangs_the_others_and_one_process_goes_on_alone(
    rank: int, number: int, how: str, make: Callable[..., Run], alone: list[float], tmp_path: Path
) -> None:
    run = make("run")
    error = lose(run, rank, number, together(tmp_path, SLOW, SLOW, frozen_after=4.0))
    assert how in error
    assert "the checkpoint of step 5 is kept" in error
    workflow.run_stage(run, "sft")
    assert curve(run, "sft") == pytest.approx(alone, abs=1e-4)


def test_a_machine_that_lives_and_does_nothing_is_named(make: Callable[..., Run], tmp_path: Path) -> None:
    with pytest.raises(StageFailed, match=r"host 2 .* did not get any further for 12 s .* after step 3 of 24"):
        workflow.run_stage(make("run"), "sft", lockstep=together(tmp_path, "", HUNG, stalled_after=12.0))
    assert ranks_of(os.getpid()) == {}


def test_an_error_of_one_machine_is_told_as_it_is(make: Callable[..., Run], tmp_path: Path) -> None:
    with pytest.raises(OutOfMemory, match=r"On host 2 \(127.0.0.1\): One row of 9 tokens does not fit"):
        workflow.run_stage(make("run"), "sft", lockstep=together(tmp_path, "", BROKEN))


def test_stopping_keeps_a_checkpoint_and_ends_every_rank(make: Callable[..., Run], tmp_path: Path) -> None:
    run = make("run", training={"save_every": 1000, "rows": 1})
    with pytest.raises(Interrupted):
        workflow.run_stage(run, "sft", lambda: run.count("step") > 5, lockstep=together(tmp_path, SLOW, SLOW))
    assert ranks_of(os.getpid()) == {}
    (kept,) = (run.folder / "checkpoints" / "sft" / "attempt_1" / "state").glob("step-*.safetensors")
    assert int(kept.stem[5:]) >= 5
    (event,) = run.events()
    assert "some machines have nothing to do" in event[2]
