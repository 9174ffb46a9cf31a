"""Models and adapters: what is trained, and files that mlx-lm's own tools open."""

import json
import shutil
import sys
from pathlib import Path

import mlx.core as mx
import mlx_lm
import numpy as np
import pytest
from mlx import optimizers
from mlx.utils import tree_flatten, tree_map

from realign.align.adapters import find_adapter, fuse, list_adapters, save_adapter
from realign.align.models import convert, float_type, open_model, prepare, round_to, twin, write_model
from realign.engine.mlx import Loaded
from realign.errors import ModelError, StorageError, UsageError
from realign.settings import Adapter

PROBE = mx.array([[5, 9, 300, 17, 2]])
LORA = Adapter(layers=1, rank=4)


def adapted(base: Path, adapter: Adapter) -> Loaded:
    """The base with an adapter that does something."""
    loaded = open_model(base)
    prepare(loaded.model, adapter, seed=3)
    moved = tree_map(lambda array: array + 0.02 * mx.random.normal(array.shape), loaded.model.trainable_parameters())
    loaded.model.update(moved)
    mx.eval(loaded.model.parameters())
    return loaded


def same(one: mx.array, other: mx.array) -> bool:
    return bool(mx.allclose(one, other, atol=1e-4))


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_mlx_lm_loads_our_adapter(base: Path, tmp_path: Path, kind: str) -> None:
    settings = Adapter.model_validate({"kind": kind, "layers": 1, "rank": 4})
    loaded = adapted(base, settings)
    info = save_adapter(tmp_path, "tides", loaded.model, settings, base)
    assert sorted(path.name for path in info.folder.iterdir()) == ["adapter_config.json", "adapters.safetensors"]
    model, _ = mlx_lm.load(str(base), adapter_path=str(info.folder))
    assert same(model(PROBE), loaded.model(PROBE))
    assert not same(model(PROBE), open_model(base).model(PROBE))


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_our_fused_model_is_the_one_that_mlx_lms_fuse_writes(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    from mlx_lm.fuse import main

    settings = Adapter.model_validate({"kind": kind, "layers": 2})
    loaded = adapted(base, settings)
    info = save_adapter(tmp_path, "tides", loaded.model, settings, base)
    words = ["fuse", "--model", str(base), "--adapter-path", str(info.folder), "--save-path", str(tmp_path / "theirs")]
    monkeypatch.setattr(sys, "argv", words)
    main()
    ours = fuse(base, info.folder, tmp_path / "ours")
    expected = loaded.model(PROBE)
    for folder in (tmp_path / "theirs", ours):
        model, tokenizer = mlx_lm.load(str(folder))
        assert same(model(PROBE), expected)
        assert tokenizer.has_chat_template
    names = [{path.name for path in folder.iterdir()} for folder in (tmp_path / "theirs", ours)]
    assert names[0] == names[1]


def test_a_fully_trained_model_is_written_as_a_whole_folder(base: Path, tmp_path: Path) -> None:
    loaded = adapted(base, Adapter(kind="full"))
    model, _ = mlx_lm.load(str(write_model(loaded, base, tmp_path / "whole")))
    assert same(model(PROBE), loaded.model(PROBE))


def test_a_small_step_moves_weights_of_16_bit_which_are_written_as_they_came(base: Path, tmp_path: Path) -> None:
    narrow = shutil.copytree(base, tmp_path / "narrow")
    loaded = open_model(base)
    round_to(loaded.model, mx.bfloat16)
    loaded.model.save_weights(str(narrow / "model.safetensors"))
    prepare(loaded.model, Adapter(kind="full"))
    before = loaded.model.layers[0].mlp.up_proj.weight
    step = tree_map(mx.ones_like, loaded.model.trainable_parameters())
    optimizers.AdamW(1e-5, weight_decay=0.0, bias_correction=True).update(loaded.model, step)
    moved = np.array(before - loaded.model.layers[0].mlp.up_proj.weight)
    assert np.allclose(moved, 1e-5, rtol=0.1)
    assert float_type(base) == mx.float32
    assert float_type(write_model(loaded, narrow, tmp_path / "written")) == mx.bfloat16


def test_adapters_are_versioned_listed_and_found(base: Path, tmp_path: Path) -> None:
    model = adapted(base, LORA).model
    for name in ("tides", "tides", "rivers"):
        save_adapter(tmp_path, name, model, LORA, base, {"loss": 1.5})
    (tmp_path / "broken" / "v1").mkdir(parents=True)
    (tmp_path / "broken" / "v1" / "adapter_config.json").write_text("{")
    assert [(info.name, info.version) for info in list_adapters(tmp_path)] == [
        ("rivers", 1),
        ("tides", 1),
        ("tides", 2),
    ]
    newest = find_adapter(tmp_path, "tides")
    assert (newest.version, newest.kind, newest.facts) == (2, "lora", {"loss": 1.5})
    assert find_adapter(tmp_path, "tides@1").folder == tmp_path / "tides" / "v1"
    with pytest.raises(UsageError, match="one of: rivers@1, tides@1, tides@2"):
        find_adapter(tmp_path, "tides@3")
    with pytest.raises(UsageError, match="no name"):
        save_adapter(tmp_path, "../tides", model, LORA, base)


def test_an_adapter_of_another_model_is_refused(base: Path, tmp_path: Path) -> None:
    info = save_adapter(tmp_path, "tides", adapted(base, LORA).model, LORA, base)
    config = json.loads((info.folder / "adapter_config.json").read_text())
    (info.folder / "adapter_config.json").write_text(
        json.dumps(config | {"lora_parameters": {"rank": 2, "scale": 1.0}})
    )
    with pytest.raises(ModelError, match="can't be put onto this model"):
        open_model(base, info.folder)


def test_a_folder_that_is_there_is_never_written_over(base: Path, tmp_path: Path, loaded: Loaded) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(StorageError, match="exists already"):
        write_model(loaded, base, tmp_path / "mine")
    assert list(tmp_path.iterdir()) == [tmp_path / "mine"]


def test_only_the_adapter_is_trained_and_only_in_the_last_blocks(loaded: Loaded) -> None:
    count = prepare(loaded.model, LORA)
    names = [name for name, _ in tree_flatten(loaded.model.trainable_parameters())]
    assert count == sum(array.size for _, array in tree_flatten(loaded.model.trainable_parameters()))
    assert names
    assert all(name.startswith("model.layers.1.") and name.endswith(("lora_a", "lora_b")) for name in names)


def test_more_layers_than_there_are_means_all(base: Path, tmp_path: Path) -> None:
    settings = Adapter(layers=100)
    info = save_adapter(tmp_path, "all", adapted(base, settings).model, settings, base)
    assert json.loads((info.folder / "adapter_config.json").read_text())["num_layers"] == 2


def test_checkpointing_twice_wraps_once_and_leaves_other_models_alone(base: Path) -> None:
    one, other = open_model(base), open_model(base)
    for _ in range(2):
        prepare(one.model, Adapter(kind="full", checkpointing=True))
    kinds = [type(loaded.model.layers[0]) for loaded in (one, other)]
    assert kinds[0].__mro__[1] is kinds[1]
    assert not hasattr(kinds[1], "checkpointed")
    assert same(one.model(PROBE), other.model(PROBE))


def test_a_twin_shares_memory_compiles_beside_its_model_and_is_not_trained(loaded: Loaded) -> None:
    held = mx.get_active_memory()
    other = twin(loaded.model)
    assert mx.get_active_memory() == held
    expected = loaded.model(PROBE)
    prepare(loaded.model, LORA)
    mx.enable_compile()
    apart = mx.compile(lambda tokens: abs(loaded.model(tokens) - other(tokens)).max(), inputs=[loaded.model.state])
    assert apart(PROBE).item() < 1e-4
    loaded.model.update(tree_map(lambda array: array + 1, loaded.model.trainable_parameters()))
    assert not tree_flatten(other.trainable_parameters())
    assert same(other(PROBE), expected)
    assert not same(loaded.model(PROBE), expected)


def test_a_model_is_converted_and_quantized_to_four_bits(base: Path, tmp_path: Path) -> None:
    folder = convert(base, tmp_path / "small", bits=4, group_size=32)
    model, _ = mlx_lm.load(str(folder))
    assert model.model.embed_tokens.bits == 4
    prepare(model, LORA)
    assert tree_flatten(model.trainable_parameters())
    with pytest.raises(ModelError, match="weights are quantized"):
        prepare(model, Adapter(kind="full"))


def test_what_can_not_be_converted_is_named_and_leaves_nothing(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="can't be converted"):
        convert(base, tmp_path / "odd", bits=7, group_size=32)
    with pytest.raises(ModelError, match="groups of 48"):
        convert(base, tmp_path / "odd", bits=4, group_size=48)
    with pytest.raises(ModelError, match="No model folder"):
        convert(tmp_path / "nowhere", tmp_path / "odd")
    assert list(tmp_path.iterdir()) == []
