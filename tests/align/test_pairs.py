"""Pairs as tokens, their log-probabilities, and the reference on disk."""

import dataclasses
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from boxes import pairs_of, rows
from mlx import nn
from mlx.utils import tree_flatten

from realign.align.forward import make_scorer
from realign.align.levels import can_share
from realign.align.models import checkpoint_blocks, prepare
from realign.align.pairs import PairTokens, answer_logps, both, collate, encode_pairs
from realign.align.reference import reference_logps
from realign.engine.mlx import Loaded
from realign.engine.scoring import token_logprobs
from realign.errors import Interrupted
from realign.settings import Adapter


def test_the_three_parts_are_the_conversations_own_tokens(loaded: Loaded) -> None:
    pair = pairs_of(loaded, 1)[0]
    texts = [loaded.tokenizer.decode(part) for part in (pair.prompt, pair.chosen, pair.rejected)]
    assert texts[0].endswith("Box 0?<|im_end|>\n<|im_start|>assistant\n")
    assert texts[1:] == ["It is sand.<|im_end|>\n", "It is silt.<|im_end|>\n"]


def test_prompts_and_answers_may_be_lists_of_turns(loaded: Loaded) -> None:
    row = rows(1)[0]
    turns = {
        "prompt": [{"role": "user", "content": row["prompt"]}],
        "chosen": [{"role": "assistant", "content": row["chosen"]}],
        "rejected": [{"role": "assistant", "content": row["rejected"]}],
    }
    assert encode_pairs(loaded, [turns]) == encode_pairs(loaded, [row])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"rejected": None}, "rejected"),
        ({"chosen": ""}, "chosen"),
        ({"rejected": "It is sand."}, "rejected"),
        ({"prompt": 5}, "prompt"),
        ({"prompt": "x " * 3000}, "prompt"),
        ({"chosen": [{"role": "robot"}]}, "chosen[0].role"),
    ],
)
def test_a_pair_that_can_not_be_used_is_named_and_the_rest_goes_on(loaded: Loaded, change: Any, field: str) -> None:
    good = rows(1)[0]
    pairs, faults = encode_pairs(loaded, [good, good | change, good])
    assert [pair.line for pair in pairs] == [1, 3]
    assert [(fault.line, fault.field) for fault in faults] == [(2, field)]


def test_missing_fields_are_named(loaded: Loaded) -> None:
    assert [fault.field for fault in encode_pairs(loaded, [{"prompt": "a", "chosen": "b"}, {}, 3])[1]] == [  # type: ignore[list-item]
        "rejected",
        "prompt",
        "row",
    ]


def test_sharing_the_prompt_gives_the_numbers_of_whole_sequences_one_by_one(loaded: Loaded) -> None:
    pairs = uneven(loaded)
    scorer = make_scorer(loaded.model, 0)
    logps, tokens = answer_logps(scorer, collate(pairs))
    for row, (pair, found) in enumerate(zip(pairs, both(logps), strict=True)):
        alone = [token_logprobs(scorer, pair.prompt, [answer])[0].sum() for answer in (pair.chosen, pair.rejected)]
        assert found == pytest.approx(alone, abs=2e-3)
        assert both(tokens)[row].tolist() == [len(pair.chosen), len(pair.rejected)]


def uneven(loaded: Loaded) -> list[PairTokens]:
    """Pairs of short and long prompts, short and long answers, with common beginnings of every kind."""
    return [
        *pairs_of(loaded, 12),
        *(
            PairTokens(tuple(range(5, 6 + 7 * n)), (*range(9, 9 + 11 * n), 7), (*range(9, 9 + 5 * n), 8, 8, 6), n)
            for n in range(6)
        ),
    ]


def test_sharing_gives_the_gradient_of_whole_sequences(loaded: Loaded) -> None:
    prepare(loaded.model, Adapter(kind="full"))
    scorer, pairs = make_scorer(loaded.model, 0), uneven(loaded)

    def gradient(share: bool) -> dict[str, np.ndarray]:
        arrays = collate(pairs, share=share)
        assert (len(arrays[0]) > 1) == share
        tree = nn.value_and_grad(loaded.model, lambda: answer_logps(scorer, arrays)[0].sum() / 100)()[1]
        return {name: np.array(array) for name, array in tree_flatten(tree)}

    shared = gradient(True)
    assert all(np.allclose(array, shared[name], atol=1e-4) for name, array in gradient(False).items())


def test_models_whose_cache_can_not_be_repeated_get_whole_sequences(loaded: Loaded) -> None:
    scorer, pairs = make_scorer(loaded.model, 0), uneven(loaded)
    sliding = dataclasses.replace(scorer, plain=False)
    assert (can_share(scorer), can_share(sliding)) == (True, False)
    expected = answer_logps(scorer, collate(pairs))[0]
    whole = collate(pairs, share=can_share(sliding))
    assert mx.allclose(answer_logps(sliding, whole)[0], expected, atol=1e-3)
    checkpoint_blocks(loaded.model)
    assert not can_share(scorer)
    assert mx.allclose(answer_logps(scorer, whole)[0], expected, atol=1e-3)


def test_the_reference_is_computed_once_and_kept(loaded: Loaded, tmp_path: Path) -> None:
    pairs = pairs_of(loaded)
    counts: list[int] = []
    first = reference_logps(loaded, pairs, tmp_path, "me", tokens=256, progress=lambda done, all_: counts.append(done))
    again = reference_logps(loaded, pairs, tmp_path, "me", stopping=lambda: True)  # nothing is left to be stopped
    assert np.array_equal(first, again)
    assert counts == sorted(counts)
    assert counts[-1] == len(pairs)
    with pytest.raises(Interrupted):
        reference_logps(loaded, pairs, tmp_path, "another model", stopping=lambda: True)


def test_an_interrupted_reference_keeps_what_was_done(loaded: Loaded, tmp_path: Path) -> None:
    pairs = pairs_of(loaded)
    asked = iter([False, False, True])
    with pytest.raises(Interrupted):
        reference_logps(loaded, pairs, tmp_path, "me", tokens=256, stopping=lambda: next(asked))
    counts: list[int] = []
    found = reference_logps(loaded, pairs, tmp_path, "me", tokens=256, progress=lambda done, all_: counts.append(done))
    assert counts[0] >= 9
    assert np.allclose(found, reference_logps(loaded, pairs, tmp_path / "other", "me"), atol=1e-3)
