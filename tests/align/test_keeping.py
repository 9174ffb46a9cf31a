"""Several adapters, each trained on what the one before left, as one adapter on the base."""

import json
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx_lm
import pytest
from mlx.utils import tree_map
from test_fusing import MIXTRAL, hugging_face_folder

from realign.align.adapters import fuse, save_adapter
from realign.align.keeping import keep
from realign.align.models import convert, open_model, prepare
from realign.errors import ModelError, UsageError
from realign.settings import Adapter

PROBE = mx.array([[5, 9, 200, 17, 2]])


def trained(base: Path, root: Path, **settings: Any) -> Path:
    adapter = Adapter.model_validate({"layers": 2, **settings})
    loaded = open_model(base)
    prepare(loaded.model, adapter, seed=adapter.rank)
    loaded.model.update(
        tree_map(lambda array: array + 0.04 * mx.random.normal(array.shape), loaded.model.trainable_parameters())
    )
    return save_adapter(root, "part", loaded.model, adapter, base).folder


def logits(folder: Path, adapter: Path) -> mx.array:
    found: mx.array = mlx_lm.load(str(folder), adapter_path=str(adapter))[0](PROBE)
    return found


@pytest.mark.parametrize("experts", [False, True])
def test_lora_adapters_of_other_ranks_and_scales_add_up(base: Path, tmp_path: Path, experts: bool) -> None:
    if experts:
        hugging_face_folder(tmp_path / "hub", MIXTRAL)
        base = convert(tmp_path / "hub", tmp_path / "experts", dtype="float32")
    first = trained(base, tmp_path, rank=4, scale=20.0)
    between = fuse(base, first, tmp_path / "between")
    second = trained(between, tmp_path, rank=2, scale=5.0)
    info = keep(base, [first, second], tmp_path / "kept", "tides", {"from": "a run"})
    assert (info.name, info.version, info.base, info.facts) == ("tides", 1, str(base), {"from": "a run"})
    assert json.loads((info.folder / "adapter_config.json").read_text())["lora_parameters"]["rank"] == 6
    assert mx.allclose(logits(base, info.folder), logits(between, second), atol=2e-3)
    assert not mx.allclose(logits(base, info.folder), logits(base, first), atol=0.05)


def test_one_adapter_is_kept_as_it_is_whatever_its_kind(base: Path, tmp_path: Path) -> None:
    dora = trained(base, tmp_path, kind="dora")
    for version in (1, 2):
        info = keep(base, [dora], tmp_path / "kept", "tides", {})
        assert (info.version, info.kind) == (version, "dora")
        assert mx.array_equal(logits(base, info.folder), logits(base, dora))


@pytest.mark.parametrize("other", [{"kind": "dora"}, {"layers": 1}])
def test_adapters_that_do_not_add_up_are_refused_and_leave_nothing(
    base: Path, tmp_path: Path, other: dict[str, Any]
) -> None:
    parts = [trained(base, tmp_path), trained(base, tmp_path, **other)]
    with pytest.raises(ModelError, match="don't add up"):
        keep(base, parts, tmp_path / "kept", "tides", {})
    with pytest.raises(UsageError, match="no name for an adapter"):
        keep(base, parts[:1], tmp_path / "kept", "../tides", {})
    assert not (tmp_path / "kept").exists()
