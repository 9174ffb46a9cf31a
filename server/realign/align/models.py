"""Any mlx-lm model, opened for training: which weights move, what is kept in memory, and how it is written again.

    loaded = open_model(Path("models/qwen"))
    prepare(loaded.model, Adapter(kind="lora", layers=8), seed=0)
    write_model(loaded, Path("models/qwen"), Path("out/model"))       a whole folder, as mlx_lm.save writes it
    convert(Path("from-the-hub"), Path("models/small"), bits=4)       what mlx_lm.convert does

On a CPU weights are float32 and quantized ones are unpacked, which only there is faster (engine/mlx.py).
"""

from __future__ import annotations

import copy
import functools
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx import nn
from mlx.utils import tree_flatten, tree_unflatten

from realign.align.stores import to_disk
from realign.engine.accel import use_fast_blas
from realign.engine.folders import check_folder, read_config
from realign.engine.mlx import Loaded, load
from realign.errors import ModelError, StorageError
from realign.settings import Adapter


def open_model(folder: Path, adapter: Path | None = None) -> Loaded:
    """A model folder in memory, with an adapter's folder attached if one is named. Raises ModelError."""
    use_fast_blas()
    loaded = load(folder)
    if adapter is not None:
        attach(loaded.model, adapter)
    return loaded


def require_end(loaded: Loaded, folder: Path) -> None:
    """Raise ModelError where a model has no end token: its answers would go on until they are cut."""
    if not {token for token in loaded.tokenizer.eos_token_ids if token is not None}:
        raise ModelError(
            f"The tokenizer of {folder} names no end token, so that no answer would ever end",
            "eos_token in tokenizer_config.json, or eos_token_id in config.json",
            "name there the token that ends an answer in the model's chat template",
        )


def attach(model: Any, adapter: Path) -> None:
    """Put a trained adapter onto its model, in place, its dropout off. Raises ModelError for one that does not fit."""
    from mlx_lm.tuner.utils import load_adapters

    try:
        load_adapters(model, str(adapter))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise ModelError(
            f"The adapter at {adapter} can't be put onto this model ({str(error)[:300]})",
            "adapters.safetensors and adapter_config.json that were trained on it",
            "the model that adapter_config.json names",
        ) from error
    model.eval()
    mx.eval(model.parameters())


def prepare(model: Any, adapter: Adapter, seed: int = 0) -> int:
    """Freeze what stays and add what is trained. Returns how many numbers are trained.

    Equal seeds give equal adapters. Raises ModelError for full training of packed weights, which have no gradient, and
    for DoRA on layers that mlx-lm has none for.
    """
    from mlx_lm.tuner.utils import linear_to_lora_layers

    mx.random.seed(seed)
    if adapter.kind == "full":
        if is_quantized(model):
            found = "Full training was asked for, and this model's weights are quantized"
            raise ModelError(found, "weights in 16 or 32 bit", "kind lora, or `realign convert --dequantize` first")
        model.unfreeze()
        model.set_dtype(mx.float32)  # in 16 bit most weights are further apart than a step of 1e-5, which is lost
    else:
        model.freeze()
        try:
            linear_to_lora_layers(model, blocks_of(model, adapter), lora_parameters(adapter), adapter.kind == "dora")
        except ValueError as error:  # mixtures of experts have no DoRA in mlx-lm
            found = f"{adapter.kind} can't be put onto this model ({error})"
            raise ModelError(found, "layers that mlx-lm can adapt that way", "--set adapter.kind=lora") from error
    if adapter.checkpointing:
        checkpoint_blocks(model)
    mx.eval(model.parameters())
    return sum(array.size for _, array in tree_flatten(model.trainable_parameters()))


def is_quantized(model: Any) -> bool:
    """Whether some of the weights are packed into fewer bits."""
    return any("scales" in module for _, module in model.named_modules())


def blocks_of(model: Any, adapter: Adapter) -> int:
    """How many of the last blocks get an adapter: never more than there are."""
    return min(adapter.layers or len(model.layers), len(model.layers))


def lora_parameters(adapter: Adapter) -> dict[str, Any]:
    """As mlx-lm's adapter_config.json has them."""
    return {"rank": adapter.rank, "dropout": adapter.dropout, "scale": adapter.scale}


def checkpoint_blocks(model: Any) -> None:
    """Let each block keep its input alone, and compute the rest again for the gradient.

    mlx-lm replaces the block class's __call__, so doing it twice computes twice and every other model of that class is
    changed too. Here each block of this model gets a subclass of its class, once.
    """
    for block in model.layers:
        if not hasattr(type(block), "checkpointed"):
            kind: Any = type(block)
            block.__class__ = _checkpointed(kind)


@functools.cache
def _checkpointed(kind: Any) -> Any:
    call: Callable[..., Any] = kind.__call__

    def checkpointed_call(block: Any, *arguments: Any, **named: Any) -> Any:
        def inner(parameters: Any, *arguments: Any, **named: Any) -> Any:
            block.update(parameters)
            return call(block, *arguments, **named)

        return mx.checkpoint(inner)(block.trainable_parameters(), *arguments, **named)

    return type(kind.__name__, (kind,), {"__call__": checkpointed_call, "checkpointed": True})


def twin(model: Any) -> Any:
    """The same model once more, frozen, that shares its memory: what is trained from then on is not shared.

    Arrays of its own name the same memory: a compiled step must tell those of the model that it trains from others.
    """
    shared = {id(array): mx.stop_gradient(array) for _, array in tree_flatten(model.parameters())}
    mx.eval(list(shared.values()))
    other = copy.deepcopy(model, shared)
    other.freeze()
    other.eval()
    return other


# -- writing --------------------------------------------------------------------------------------------------------


UNWRITTEN = "[write]"  # how MLX begins what it says of a full disk, as a RuntimeError


def write_folder(folder: Path, fill: Callable[[Path], object]) -> Path:
    """A new folder with what `fill` writes into it, whole or not there. Raises StorageError."""
    if folder.exists():
        raise StorageError(f"{folder} exists already", "a new folder", "another name, or remove it first")
    beside = folder.with_name(f".{folder.name}.partial")
    try:
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        fill(beside)
        to_disk(beside)
        beside.rename(folder)
    except (OSError, RuntimeError) as error:
        reasons = error.args[0] if isinstance(error, shutil.Error) else error  # of a copied folder: one a file
        reason = getattr(error, "strerror", None) or (reasons[0][-1] if isinstance(reasons, list) else reasons)
        if isinstance(error, RuntimeError) and UNWRITTEN not in str(error):
            raise
        raise StorageError(
            f"{folder} can't be written ({reason}); nothing half written is left",
            "a folder that can be written, with room for the whole model",
            "make room, then the same command: it goes on where it stopped",
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def write_model(loaded: Loaded, source: Path, folder: Path) -> Path:
    """The whole model as a new folder that mlx_lm.load opens. source: the folder it came from.

    Adapters are fused into the weights first, which are written in the float type that they came in. A model that was
    unpacked for a CPU is written unpacked.
    """
    fuse_in_place(loaded.model)
    return write_weights(loaded.model, loaded.tokenizer, source, folder)


def write_weights(model: Any, tokenizer: Any, source: Path, folder: Path) -> Path:
    """The same of a model without adapters and a tokenizer."""
    import mlx_lm.utils

    config = read_config(source)
    if not is_quantized(model):
        config = {name: value for name, value in config.items() if not name.startswith("quantization")}
    round_to(model, float_type(source))

    def fill(beside: Path) -> None:
        mlx_lm.utils.save(beside, source, model, tokenizer, config, donate_model=False)

    return write_folder(folder, fill)


def float_type(folder: Path) -> mx.Dtype:
    """The float type that most of a model folder's numbers have; float32 where none is a float. No weight is read."""
    sizes = Counter({mx.float32: 0})
    for file in folder.glob("*.safetensors"):
        arrays: Any = mx.load(str(file))
        for array in arrays.values():
            if mx.issubdtype(array.dtype, mx.floating):
                sizes[array.dtype] += array.size
    return sizes.most_common(1)[0][0]


def round_to(model: Any, kind: mx.Dtype) -> None:
    """Give the weights a float type, in place, except those that mlx-lm never rounds (the biases of some routers)."""
    rounds = getattr(model, "cast_predicate", lambda name: True)
    floats = [
        (name, array) for name, array in tree_flatten(model.parameters()) if mx.issubdtype(array.dtype, mx.floating)
    ]
    model.update(tree_unflatten([(name, array.astype(kind)) for name, array in floats if rounds(name)]))


def fuse_in_place(model: Any, dequantize: bool = False) -> None:
    """Turn each adapted layer into a plain one of the same function, as mlx_lm.fuse does.

    A layer whose weights are packed is packed again, which rounds the sum; dequantize leaves it unpacked.
    """
    fused = [(name, module.fuse(dequantize=dequantize)) for name, module in _adapted(model)]
    if fused:
        model.update_modules(tree_unflatten(fused))
        mx.eval(model.parameters())


def _adapted(model: nn.Module) -> Iterator[tuple[str, Any]]:
    return ((name, module) for name, module in model.named_modules() if hasattr(module, "fuse"))


def convert(
    source: Path,
    folder: Path,
    bits: int | None = None,
    group_size: int = 64,
    dtype: str | None = None,
    dequantize: bool = False,
) -> Path:
    """A Hugging Face folder as an MLX one, quantized to `bits` where they are given. Nothing is downloaded.

    dtype: of weights that are not packed; None is what config.json says. dequantize: unpack a quantized folder. Raises
    ModelError for a folder that brings code or no safetensors, that mlx-lm does not know, or that is packed already.
    """
    from mlx_lm import convert as convert_folder
    from mlx_lm.utils import load_model

    if "quantization" in read_config(check_folder(source)) and bits is not None:
        raise ModelError(f"{source} is quantized already", "weights in 16 or 32 bit", "--dequantize it first")

    def fill(beside: Path) -> None:
        beside.rmdir()  # mlx-lm wants to make it itself
        try:
            convert_folder(
                str(source), str(beside), quantize=bits is not None, q_bits=bits, q_group_size=group_size,
                dtype=dtype, dequantize=dequantize,
            )  # fmt: skip
            load_model(beside, lazy=True)  # names and shapes, before anybody trusts it
        except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
            if UNWRITTEN in str(error):
                raise
            raise ModelError(
                f"{source} can't be converted ({type(error).__name__}: {str(error)[:300]})",
                "a model whose architecture mlx-lm knows" + (f", in weights that {bits} bit can hold" if bits else ""),
                "no quantization, or another group size" if bits else "a version of mlx-lm that knows it",
            ) from error
        if bits is not None and not _quantized(beside):
            found = f"No weight of {source} can be cut into groups of {group_size}, so none was quantized"
            raise ModelError(found, "rows of a multiple of the group size", "a smaller group size, or no quantization")

    return write_folder(folder, fill)


def _quantized(folder: Path) -> bool:
    files: list[Any] = [mx.load(str(file)) for file in folder.glob("*.safetensors")]
    return any(name.endswith(".scales") for weights in files for name in weights)
