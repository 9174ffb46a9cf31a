"""Base and adapter as one folder, and folders converted: mlx-lm loads them, and they are the same function."""

import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx_lm
import mlx_lm.utils
import pytest
from mlx.utils import tree_flatten, tree_map

from realign.align.adapters import save_adapter
from realign.align.fusing import fuse_checked
from realign.align.models import convert, is_quantized, open_model, prepare
from realign.engine.tiny import save_tokenizer
from realign.errors import ModelError, StorageError
from realign.settings import Adapter

PROBE = mx.array([[5, 9, 200, 17, 2]])


def adapter_of(base: Path, root: Path, move: float = 0.05, **settings: Any) -> Path:
    """An adapter on disk that does something."""
    adapter = Adapter.model_validate({"layers": 2, "rank": 4, **settings})
    loaded = open_model(base)
    prepare(loaded.model, adapter, seed=3)
    loaded.model.update(
        tree_map(lambda array: array + move * mx.random.normal(array.shape), loaded.model.trainable_parameters())
    )
    return save_adapter(root, "tides", loaded.model, adapter, base).folder


def logits(folder: Path, adapter: Path | None = None) -> mx.array:
    """What mlx-lm's own loader makes of it."""
    model, _ = mlx_lm.load(str(folder), adapter_path=str(adapter) if adapter else None)
    found: mx.array = model(PROBE).astype(mx.float32)
    return found


def far(one: mx.array, other: mx.array) -> float:
    return float(mx.abs(one - other).max().item())


def weights_of(folder: Path) -> dict[str, mx.array]:
    found: Any = mx.load(str(folder / "model.safetensors"))
    return dict(found)


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_a_fused_model_is_base_and_adapter_in_the_bases_type(base: Path, tmp_path: Path, kind: str) -> None:
    half = convert(base, tmp_path / "half", dtype="bfloat16")
    adapter = adapter_of(half, tmp_path, kind=kind)
    found = fuse_checked(half, adapter, tmp_path / "fused", dequantize=False)
    assert far(logits(half), logits(half, adapter)) > 0.5 > far(logits(tmp_path / "fused"), logits(half, adapter))
    assert 0 <= found["kl"]["value"] < 1e-3 and not found["quantized"]
    assert {array.dtype for array in weights_of(tmp_path / "fused").values()} == {mx.bfloat16}


@pytest.mark.parametrize("dequantize", [False, True])
def test_an_adapter_of_a_quantized_base_fuses_as_mlx_lm_does(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dequantize: bool
) -> None:
    from mlx_lm.fuse import main

    small = convert(base, tmp_path / "small", bits=4, group_size=32)
    adapter = adapter_of(small, tmp_path)
    found = fuse_checked(small, adapter, tmp_path / "ours", dequantize=dequantize)
    words = ["--model", str(small), "--adapter-path", str(adapter), "--save-path", str(tmp_path / "theirs")]
    monkeypatch.setattr(sys, "argv", ["fuse", *words, *["--dequantize"] * dequantize])
    main()
    ours, theirs = weights_of(tmp_path / "ours"), weights_of(tmp_path / "theirs")
    assert ours.keys() == theirs.keys() and all(mx.array_equal(ours[name], theirs[name]) for name in ours)
    assert found["base_quantized"] and found["quantized"] is not dequantize
    assert is_quantized(mlx_lm.load(str(tmp_path / "ours"))[0]) is not dequantize
    moved, kl = far(logits(tmp_path / "ours"), logits(small, adapter)), found["kl"]["value"]
    assert (moved < 1e-3 and kl < 1e-6) if dequantize else (moved > 0.01 and kl > 1e-5)


def test_every_weight_that_mlx_lms_full_training_left_is_fused_too(base: Path, tmp_path: Path) -> None:
    loaded, folder = open_model(base), tmp_path / "full"
    moved = {name: array + 0.1 for name, array in tree_flatten(loaded.model.layers[1].parameters())}
    folder.mkdir()
    mx.save_safetensors(
        str(folder / "adapters.safetensors"), {f"model.layers.1.{name}": array for name, array in moved.items()}
    )
    (folder / "adapter_config.json").write_text(json.dumps({"fine_tune_type": "full", "num_layers": 1}))
    fuse_checked(base, folder, tmp_path / "fused", dequantize=False)
    assert far(logits(tmp_path / "fused"), logits(base, folder)) < 1e-4
    assert far(logits(tmp_path / "fused"), logits(base)) > 0.1


def test_an_adapter_of_numbers_that_are_none_is_refused_and_leaves_nothing(base: Path, tmp_path: Path) -> None:
    adapter = adapter_of(base, tmp_path / "adapters", move=float("nan"))
    with pytest.raises(ModelError, match="numbers that are none"):
        fuse_checked(base, adapter, tmp_path / "fused", dequantize=False)
    assert [path.name for path in tmp_path.iterdir()] == ["adapters"]


@pytest.mark.parametrize("change", [{"num_layers": "two"}, {"lora_parameters": {}}, {"num_layers": None}])
def test_a_config_that_was_tampered_with_is_a_model_error(base: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    adapter = adapter_of(base, tmp_path)
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(config | change))
    with pytest.raises(ModelError, match="can't be put onto this model"):
        open_model(base, adapter)


def test_a_loaded_adapter_drops_nothing_out(base: Path, tmp_path: Path) -> None:
    adapter = adapter_of(base, tmp_path, dropout=0.9)
    loaded = open_model(base, adapter)
    assert far(loaded.model(PROBE), logits(base, adapter)) < 1e-4


def with_little_room(act: Callable[[], object]) -> None:
    """Do it where no file may grow beyond 100 kB: the nearest thing to a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        act()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_said_and_nothing_half_written_stays(base: Path, tmp_path: Path) -> None:
    adapter = adapter_of(base, tmp_path / "adapters")
    with pytest.raises(StorageError, match="can't be written"):
        with_little_room(lambda: fuse_checked(base, adapter, tmp_path / "fused", dequantize=False))
    with pytest.raises(StorageError, match="can't be written"):
        with_little_room(lambda: convert(base, tmp_path / "converted"))
    assert [path.name for path in tmp_path.iterdir()] == ["adapters"]


# -- conversion -----------------------------------------------------------------------------------------------------

LLAMA = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2,
    "intermediate_size": 128, "num_attention_heads": 2, "num_key_value_heads": 1, "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False, "rope_theta": 10000.0, "max_position_embeddings": 512, "torch_dtype": "bfloat16",
    "transformers_version": "4.44.0",
}  # fmt: skip
MIXTRAL = LLAMA | {
    "architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "num_local_experts": 4, "num_experts_per_tok": 2,
}  # fmt: skip
EXPERT = {"w1": "gate_proj", "w2": "down_proj", "w3": "up_proj"}


def hugging_face_names(name: str, array: mx.array) -> dict[str, mx.array]:
    """What MLX stacks in one array Hugging Face has as one for each expert; the rest is called the same."""
    for theirs, ours in EXPERT.items():
        if f"switch_mlp.{ours}" in name:
            place = name.replace(f"switch_mlp.{ours}", "experts.{}." + theirs)
            return {place.format(n): array[n] for n in range(array.shape[0])}
    return {name: array}


def hugging_face_folder(folder: Path, config: dict[str, Any]) -> Any:
    """A folder as the hub has them: two shards with their index, bfloat16, tensors that nobody reads. Gives the model
    in MLX, from which it was written."""
    folder.mkdir()
    config = config | {"vocab_size": save_tokenizer(folder, "Sand settles in the bay.", 400, 512, True)}
    kind, arguments = mlx_lm.utils._get_classes(config)
    model = kind(arguments.from_dict(config))
    model.set_dtype(mx.bfloat16)
    flat = [hugging_face_names(name, array) for name, array in tree_flatten(model.parameters())]
    weights = {name: array for found in flat for name, array in found.items()}
    if config["model_type"] == "llama":
        weights["model.layers.0.self_attn.rotary_emb.inv_freq"] = mx.ones((16,))
    names = sorted(weights)
    shards = {f"model-0000{n + 1}-of-00002.safetensors": names[n::2] for n in range(2)}
    for file, mine in shards.items():
        mx.save_safetensors(str(folder / file), {name: weights[name] for name in mine}, metadata={"format": "pt"})
    index = {"weight_map": {name: file for file, mine in shards.items() for name in mine}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "config.json").write_text(json.dumps(config))
    return model


@pytest.mark.parametrize("config", [LLAMA, MIXTRAL], ids=["llama", "mixtral"])
def test_a_hugging_face_folder_is_converted_to_the_same_function(tmp_path: Path, config: dict[str, Any]) -> None:
    model = hugging_face_folder(tmp_path / "hub", config)
    whole = convert(tmp_path / "hub", tmp_path / "whole", dtype="float32")
    model.set_dtype(mx.float32)  # the experts of a mixture multiply in no other type on a CPU
    assert far(logits(whole), model(PROBE)) < 1e-5
    half = convert(tmp_path / "hub", tmp_path / "half")
    assert {array.dtype for array in weights_of(half).values()} == {mx.bfloat16}
    small, tokenizer = mlx_lm.load(str(convert(tmp_path / "hub", tmp_path / "small", bits=4, group_size=32)))
    assert is_quantized(small) and isinstance(mlx_lm.generate(small, tokenizer, "Sand?", max_tokens=2), str)


def test_where_a_fused_model_can_not_be_run_its_distance_is_not_measured(tmp_path: Path) -> None:
    hugging_face_folder(tmp_path / "hub", MIXTRAL)
    base = convert(tmp_path / "hub", tmp_path / "base")
    adapter = adapter_of(base, tmp_path)
    found = fuse_checked(base, adapter, tmp_path / "fused", dequantize=False)
    if mx.metal.is_available():
        assert found["kl"]["value"] < 1e-3
    else:
        assert found["kl"]["value"] is None and "can't run" in found["kl"]["reason"]
    assert far(open_model(tmp_path / "fused").model(PROBE), open_model(base, adapter).model(PROBE)) < 0.1


def test_a_quantized_folder_is_unpacked_but_never_packed_twice(base: Path, tmp_path: Path) -> None:
    small = convert(base, tmp_path / "small", bits=8, group_size=32)
    with pytest.raises(ModelError, match="quantized already"):
        convert(small, tmp_path / "smaller", bits=4)
    plain = convert(small, tmp_path / "plain", dequantize=True)
    assert not is_quantized(mlx_lm.load(str(plain))[0])
    assert far(logits(plain), logits(small)) < 1e-3


def test_a_folder_that_lacks_a_tensor_is_no_conversion(tmp_path: Path) -> None:
    hugging_face_folder(tmp_path / "hub", LLAMA)
    (tmp_path / "hub" / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ModelError, match="can't be converted"):
        convert(tmp_path / "hub", tmp_path / "mlx")
    assert [path.name for path in tmp_path.iterdir()] == ["hub"]
