"""Checkpoints: whole or not there, the last three and the best, in a folder or at an address."""

from contextlib import closing
from pathlib import Path

import mlx.core as mx
import pytest
from alignments import largest_file

from realign.align.checkpoints import Checkpoints
from realign.errors import StorageError, UsageError

WEIGHTS = {"w": mx.arange(12, dtype=mx.float32).reshape(3, 4), "half": mx.ones((5,), mx.bfloat16), "one": mx.array(3)}


def place(tmp_path: Path, kind: str) -> str:
    return {"folder": str(tmp_path / "kept"), "address": f"memory://{tmp_path.name}"}[kind]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("kind", ["folder", "address"])
def test_what_is_read_is_what_was_saved(tmp_path: Path, kind: str, compress: bool) -> None:
    with closing(Checkpoints(place(tmp_path, kind), "me", compress=compress)) as checkpoints:
        checkpoints.save(7, WEIGHTS, {"cursor": 21}, score=0.5)
    saved = Checkpoints(place(tmp_path, kind), "me").latest()
    assert saved is not None
    assert (saved.step, saved.score, saved.facts) == (7, 0.5, {"cursor": 21})
    for name, array in WEIGHTS.items():
        assert saved.arrays[name].dtype == array.dtype
        assert mx.array_equal(saved.arrays[name], array)


def test_a_checkpoint_is_of_the_moment_it_was_asked_for(tmp_path: Path) -> None:
    weight = mx.zeros((1000,))
    with closing(Checkpoints(tmp_path, "me")) as checkpoints:
        checkpoints.save(1, {"w": weight}, {})
        weight += 1
        mx.eval(weight)
        checkpoints.flush()
        saved = checkpoints.latest()
    assert saved is not None
    assert mx.all(saved.arrays["w"] == 0)


def test_the_last_three_and_the_best_are_kept(tmp_path: Path) -> None:
    with closing(Checkpoints(tmp_path, "me")) as checkpoints:
        for step, score in enumerate([0.9, 0.2, 0.8, 0.7, 0.6, 0.5], 1):
            checkpoints.save(step, WEIGHTS, {}, score)
    assert [int(name[5:13]) for name in files(tmp_path)] == [2, 4, 5, 6]
    with closing(Checkpoints(tmp_path, "me")) as again:
        assert again.latest() is not None
        assert again.best_step() == 2
        again.save(7, WEIGHTS, {}, 0.1)
    assert [int(name[5:13]) for name in files(tmp_path)] == [5, 6, 7]


@pytest.mark.parametrize("damage", [lambda data: data[:-3], lambda data: data[:20], lambda data: b""])
@pytest.mark.parametrize("compress", [False, True])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path: Path, damage: object, compress: bool) -> None:
    with closing(Checkpoints(tmp_path, "me", compress=compress)) as checkpoints:
        checkpoints.save(1, WEIGHTS, {})
        checkpoints.save(2, WEIGHTS, {})
    newest = max(tmp_path.iterdir())
    newest.write_bytes(damage(newest.read_bytes()))  # type: ignore[operator]
    saved = Checkpoints(tmp_path, "me").latest()
    assert saved is not None
    assert saved.step == 1


def test_another_trainings_checkpoint_is_refused(tmp_path: Path) -> None:
    with closing(Checkpoints(tmp_path, "me")) as checkpoints:
        checkpoints.save(1, WEIGHTS, {})
    with pytest.raises(UsageError, match="another training"):
        Checkpoints(tmp_path, "you").latest()


def test_a_disk_without_room_ends_in_an_error_and_keeps_the_last_good_one(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "me")
    checkpoints.save(1, WEIGHTS, {})
    checkpoints.flush()
    with largest_file(20_000):
        checkpoints.save(2, {"w": mx.zeros((100_000,))}, {})
        with pytest.raises(StorageError, match="the one of step 1 is kept"):
            checkpoints.close()
    assert files(tmp_path) == ["step-00000001.safetensors"]


def test_a_folder_that_can_not_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    checkpoints = Checkpoints(tmp_path / "file" / "kept", "me")
    checkpoints.save(1, WEIGHTS, {})
    with pytest.raises(StorageError, match=r"file/kept .*no earlier checkpoint"):
        checkpoints.close()


def test_half_a_file_of_a_killed_writer_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / "step-00000003.safetensors.partial").write_bytes(b"half")
    with closing(Checkpoints(tmp_path, "me")) as checkpoints:
        assert checkpoints.latest() is None
        checkpoints.save(1, WEIGHTS, {})
    assert files(tmp_path) == ["step-00000001.safetensors"]


def test_an_unknown_protocol_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="nowhere"):
        Checkpoints("nowhere://bucket/x", "me")
