"""What a decoder is made of, read from its config.json: every weight matrix, and the cache a token leaves behind.

    shape = read_shape(json.loads(text))
    count_parameters(shape)                 -> (46702792704, 12879675392) of Mixtral 8x7B: all, and active for a token

Standard library only. Norms count two a layer and biases not at all, which is under 0.1 % of any model it was checked
on (CHECKED). Raises ValueError that names the entry for a config that describes no decoder.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MOST, MOST_LAYERS = 10**8, 2000  # an entry above these is no size of a model
# Families whose count was compared with what mlx-lm builds from the same config.
CHECKED = (
    "llama", "mistral", "qwen2", "qwen3", "qwen2_moe", "qwen3_moe", "mixtral", "deepseek_v2", "deepseek_v3", "gemma",
    "gemma2", "gemma3_text", "gpt_oss", "glm4_moe", "llama4", "llama4_text", "olmoe", "cohere", "cohere2", "phi",
    "starcoder2",
)  # fmt: skip
TIED = ("gemma", "cohere", "starcoder2")  # families that leave the entry out and share embeddings with the head
EXPANDED = ("deepseek_v2", "minicpm3")  # families whose keys and values mlx-lm caches rebuilt, not as latent vectors
TWO_MATRICES = ("phi", "gpt_neox", "starcoder2", "nemotron")  # feed-forward without a gate


@dataclass(frozen=True, slots=True)
class Latent:
    """Multi-head latent attention: ranks and head sizes. query is 0 where queries are not compressed."""

    query: int
    kv: int
    rope: int
    nope: int
    value: int


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes that decide memory. dense: layers without experts; windowed: layers that cache `window` tokens only.

    inner, expert_inner, shared_inner: widths of a dense feed-forward, of one expert, of what all tokens go through.
    """

    family: str
    width: int
    layers: int
    vocabulary: int
    heads: int
    kv_heads: int
    head: int
    inner: int
    tied: bool
    experts: int
    used: int
    expert_inner: int
    shared_inner: int
    dense: frozenset[int]
    latent: Latent | None
    cached: int
    windowed: int
    window: int


@dataclass(frozen=True, slots=True)
class Matrix:
    """`copies` of inputs x outputs weights, `used` of them for a token. path: the end of mlx-lm's name for it."""

    path: str
    inputs: int
    outputs: int
    copies: int = 1
    used: int = 1

    @property
    def weights(self) -> int:
        """Of all copies."""
        return self.inputs * self.outputs * self.copies


def read_shape(config: Mapping[str, Any]) -> Shape:
    """The shape that a config.json describes; of a vision model, its text part. Raises ValueError."""
    if not isinstance(config, Mapping):
        raise ValueError(f"it holds a {type(config).__name__}, not an object")
    if isinstance(config.get("text_config"), Mapping):
        config = {**config, **config["text_config"]}
    family = str(config.get("model_type", ""))
    width, layers = _size(config, "hidden_size"), _size(config, "num_hidden_layers", most=MOST_LAYERS)
    heads = _size(config, "num_attention_heads")
    experts = _size(config, "n_routed_experts", "num_local_experts", "num_experts", default=0)
    inner = _size(config, "intermediate_size_mlp", "intermediate_size", default=0 if experts else None)
    expert_inner = _size(config, "moe_intermediate_size", "intermediate_size") if experts else 0
    cached, windowed, window = _attention_kinds(config, layers)
    return Shape(
        family=family,
        width=width,
        layers=layers,
        vocabulary=_size(config, "vocab_size"),
        heads=heads,
        kv_heads=_size(config, "num_key_value_heads", default=heads),
        head=_size(config, "head_dim", default=max(1, width // heads)),
        inner=inner,
        tied=_flag(config, "tie_word_embeddings", family.startswith(TIED)),
        experts=experts,
        used=min(experts, _size(config, "num_experts_per_tok", default=1)),
        expert_inner=expert_inner,
        shared_inner=_shared_inner(config, family, expert_inner) if experts else 0,
        dense=frozenset(layer for layer in range(layers) if not experts or _is_dense(config, layer)),
        latent=_latent(config),
        cached=cached,
        windowed=windowed,
        window=window,
    )


def matrices(shape: Shape) -> Iterator[Matrix]:
    """Every weight matrix: embeddings, head, then layer by layer."""
    yield Matrix("embed_tokens", shape.vocabulary, shape.width)
    if not shape.tied:
        yield Matrix("lm_head", shape.width, shape.vocabulary)
    attention = tuple(_latent_attention(shape, shape.latent) if shape.latent else _attention(shape))
    dense, sparse = tuple(_gated(shape, "mlp", shape.inner)), tuple(_experts(shape))
    for layer in range(shape.layers):
        for each in (*attention, *(dense if layer in shape.dense else sparse)):
            yield dataclasses.replace(each, path=f"layers.{layer}.{each.path}")


def count_parameters(shape: Shape) -> tuple[int, int]:
    """(all, active for a token) weights. The whole embedding counts as active, as publishers count it."""
    norms = (2 * shape.layers + 1) * shape.width
    every = tuple(matrices(shape))
    total = sum(each.weights for each in every)
    return total + norms, norms + sum(each.weights // each.copies * each.used for each in every)


def count_adapters(shape: Shape, rank: int) -> int:
    """Weights of LoRA adapters of this rank on every linear layer of every block; routed experts have none."""
    inside = (each for each in matrices(shape) if each.path.startswith("layers.") and each.copies == 1)
    return sum(rank * (each.inputs + each.outputs) for each in inside if not each.path.endswith(".gate"))


def cache_bytes(shape: Shape) -> tuple[int, int]:
    """Bytes of key-value cache at 16 bit that a token leaves in (all layers it stays in, all that keep a window)."""
    latent = shape.latent
    numbers = 2 * shape.kv_heads * shape.head
    if latent:
        rebuilt = shape.heads * (latent.nope + latent.rope + latent.value)
        numbers = rebuilt if shape.family in EXPANDED else latent.kv + latent.rope
    return 2 * numbers * shape.cached, 2 * numbers * shape.windowed


# -- the matrices of a layer -------------------------------------------------------------------------------------


def _attention(shape: Shape) -> Iterator[Matrix]:
    yield Matrix("q_proj", shape.width, shape.heads * shape.head)
    yield Matrix("k_proj", shape.width, shape.kv_heads * shape.head)
    yield Matrix("v_proj", shape.width, shape.kv_heads * shape.head)
    yield Matrix("o_proj", shape.heads * shape.head, shape.width)


def _latent_attention(shape: Shape, latent: Latent) -> Iterator[Matrix]:
    """DeepSeek-V2's attention: keys and values are rebuilt from one small vector a token, and only that is cached."""
    queries = shape.heads * (latent.nope + latent.rope)
    if latent.query:
        yield Matrix("q_a_proj", shape.width, latent.query)
        yield Matrix("q_b_proj", latent.query, queries)
    else:
        yield Matrix("q_proj", shape.width, queries)
    yield Matrix("kv_a_proj_with_mqa", shape.width, latent.kv + latent.rope)
    yield Matrix("embed_q", latent.kv, shape.heads * latent.nope)
    yield Matrix("unembed_out", latent.kv, shape.heads * latent.value)
    yield Matrix("o_proj", shape.heads * latent.value, shape.width)


def _gated(shape: Shape, name: str, inner: int, copies: int = 1, used: int = 1) -> Iterator[Matrix]:
    if not inner:
        return
    if shape.family not in TWO_MATRICES:
        yield Matrix(f"{name}.gate_proj", shape.width, inner, copies, used)
    yield Matrix(f"{name}.up_proj", shape.width, inner, copies, used)
    yield Matrix(f"{name}.down_proj", inner, shape.width, copies, used)


def _experts(shape: Shape) -> Iterator[Matrix]:
    if not shape.experts:
        return
    yield Matrix("gate", shape.width, shape.experts)
    name = "experts" if shape.family == "gpt_oss" else "switch_mlp"
    yield from _gated(shape, name, shape.expert_inner, shape.experts, shape.used)
    yield from _gated(shape, "shared_experts", shape.shared_inner)


# -- reading entries ---------------------------------------------------------------------------------------------


def _size(config: Mapping[str, Any], *names: str, default: int | None = None, most: int = MOST) -> int:
    """The first of the entries that is there, as a whole number from 1 (0 where 0 is the default) to `most`."""
    name = next((name for name in names if config.get(name) is not None), None)
    if name is None:
        if default is None:
            raise ValueError(f"{' or '.join(names)} is missing")
        return default
    value = config[name]
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole or not (0 if default == 0 else 1) <= value <= most:
        raise ValueError(f"{name} is {str(value)[:40]!r}, not a whole number from 1 to {most:,}")
    return int(value)


def _flag(config: Mapping[str, Any], name: str, default: bool) -> bool:
    value = config.get(name, default)
    if not isinstance(value, bool):
        raise ValueError(f"{name} is {str(value)[:40]!r}, not true or false")
    return value


def _is_dense(config: Mapping[str, Any], layer: int) -> bool:
    """Whether a layer of a mixture of experts has a plain feed-forward: the first ones, listed ones, or every n-th."""
    first = _size(config, "first_k_dense_replace", default=0)
    listed = config.get("mlp_only_layers") or ()
    if not isinstance(listed, list | tuple):
        raise ValueError(f"mlp_only_layers is {str(listed)[:40]!r}, not a list")
    from_zero = layer % _size(config, "moe_layer_freq", default=1)
    from_one = (layer + 1) % _size(config, "decoder_sparse_step", "interleave_moe_layer_step", default=1)
    return layer < first or layer in listed or from_zero > 0 or from_one > 0


def _shared_inner(config: Mapping[str, Any], family: str, expert_inner: int) -> int:
    """Width of the feed-forward that every token goes through beside its experts; 0 for none."""
    if family.startswith("llama4"):
        return expert_inner
    several = _size(config, "n_shared_experts", default=0) * expert_inner
    return several or _size(config, "shared_expert_intermediate_size", default=0)


def _latent(config: Mapping[str, Any]) -> Latent | None:
    if config.get("kv_lora_rank") is None:
        return None
    return Latent(
        _size(config, "q_lora_rank", default=0),
        _size(config, "kv_lora_rank"),
        _size(config, "qk_rope_head_dim"),
        _size(config, "qk_nope_head_dim"),
        _size(config, "v_head_dim"),
    )


def _attention_kinds(config: Mapping[str, Any], layers: int) -> tuple[int, int, int]:
    """(layers that cache every token, layers that cache a window, its tokens). Linear attention caches no tokens.

    A window counts only where the config says which layers have one: elsewhere mlx-lm caches everything.
    """
    window = _size(config, "sliding_window", "attention_chunk_size", default=0)
    kinds, pattern = config.get("layer_types"), _size(config, "sliding_window_pattern", default=0)
    if isinstance(kinds, list) and len(kinds) == layers:
        windowed = sum(kind in ("sliding_attention", "chunked_attention") for kind in kinds) if window else 0
        return layers - windowed - kinds.count("linear_attention"), windowed, window
    windowed = layers - layers // pattern if window and pattern else 0
    return layers - windowed, windowed, window
