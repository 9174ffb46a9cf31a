"""A trained model beside its base on the same rows: what is better is found better, what is worse worse."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest
from mlx.utils import tree_flatten, tree_map

from realign.align.adapters import save_adapter
from realign.align.comparing import compare_models, open_both, preferences, with_adapter
from realign.align.examples import encode_rows
from realign.align.models import open_model
from realign.align.sft import row_losses, sum_over, train_sft
from realign.engine.mlx import Loaded
from realign.engine.tiny import make_tiny_model
from realign.errors import EmptyInput, ModelError
from realign.records import Row
from realign.settings import Adapter, Evaluating, Training
from realign.views.trained import comparison_lines, verdict

ADAPTER = Adapter(layers=2, rank=8, scale=4.0)
THINGS = ("sand", "silt", "clay", "mud")
EXACT = {"name": "exact"}


def rows(count: int, start: int = 0, **more: Any) -> list[Row]:
    made = [
        {"prompt": f"Box {n % 4}?" + "!" * (n // 4 % 6), "answer": THINGS[n % 4], **more} for n in range(start, count)
    ]
    return [Row(f"row{n}", f"row{n}", "test", data) for n, data in enumerate(made)]


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter that has learned what lies in each box."""
    mx.disable_compile()
    loaded = open_model(base)
    chats = [{"prompt": row.data["prompt"], "completion": row.data["answer"]} for row in rows(24)]
    train_sft(loaded, encode_rows(loaded, chats)[0], [], Training(schedule="50:1e-2", rows=8), ADAPTER)
    return save_adapter(tmp_path_factory.mktemp("adapters"), "boxes", loaded.model, ADAPTER, base).folder


def compared(before: Loaded, after: Loaded, given: list[Row]) -> dict[str, Any]:
    return compare_models(before, after, given, {}, Evaluating(), 6, shown=4)


def test_a_model_that_has_learned_the_rows_is_better_on_them(base: Path, adapter: Path) -> None:
    before, after = open_both(base, base, adapter)
    found = compared(before, after, rows(24, verifier=EXACT))
    loss, scores = found["loss"], found["capability"]["benchmarks"]["held-out tasks"]
    assert verdict(loss["gain"]) == "better" and loss["gain"]["low"] < loss["gain"]["value"] < loss["gain"]["high"]
    examples, _ = encode_rows(before, [{"prompt": r.data["prompt"], "completion": r.data["answer"]} for r in rows(24)])
    assert loss["before"]["value"] == pytest.approx(sum_over(row_losses(before, examples)), abs=1e-4)
    assert found["perplexity"]["after"]["value"] == pytest.approx(math.exp(loss["after"]["value"]))
    assert found["kl"]["value"] > 0.1 and found["rows"] == 24
    assert scores["before"] == 0.0 and scores["after"] > 0.8 and verdict(scores["difference"]) == "better"
    assert [answer["before_right"] for answer in found["answers"]] == [False] * 4
    assert any(answer["after_right"] and answer["after"] in THINGS for answer in found["answers"])
    text = "\n".join(comparison_lines({"trained": "boxes@1", "kind": "lora", "start": "base", "notes": [], **found}))
    assert "better" in text and "(right)" in text and "not measured" in text  # no retention from a score of 0


def test_of_pairs_it_is_told_whether_the_chosen_answers_have_come_to_be_preferred(base: Path, adapter: Path) -> None:
    before, after = open_both(base, base, adapter)
    pairs = [
        replace(row, data={"prompt": row.data["prompt"], "chosen": row.data["answer"], "rejected": THINGS[n % 4 - 1]})
        for n, row in enumerate(rows(24))
    ]
    found, swapped = (
        preferences(before, after, pairs, 2048),
        preferences(before, after, [turned(p) for p in pairs], 2048),
    )
    assert found and swapped and preferences(before, after, rows(4), 2048) is None
    assert found["accuracy"]["value"] > 0.9 > 0.1 > swapped["accuracy"]["value"]
    assert found["margin"]["low"] > 0 and swapped["margin"]["value"] == pytest.approx(-found["margin"]["value"])
    assert found["likelier"]["after"]["value"] > 0.9 > found["likelier"]["before"]["value"]


def turned(pair: Row) -> Row:
    return replace(pair, data={**pair.data, "chosen": pair.data["rejected"], "rejected": pair.data["chosen"]})


def test_the_same_model_twice_shows_no_difference(base: Path) -> None:
    loaded = open_model(base)
    found = compared(loaded, loaded, rows(24))
    assert found["loss"]["gain"]["value"] == 0.0 and verdict(found["loss"]["gain"]) == "no difference shown"
    assert found["kl"]["value"] == pytest.approx(0.0, abs=1e-6)
    assert all(answer["before"] == answer["after"] for answer in found["answers"])


def test_a_harmed_model_is_worse(base: Path, adapter: Path) -> None:
    good, harmed = open_model(base, adapter), open_model(base, adapter)
    harmed.model.update(tree_map(lambda array: array + 0.05 * mx.random.normal(array.shape), harmed.model.parameters()))
    assert verdict(compared(good, harmed, rows(24))["loss"]["gain"]) == "worse"


def test_an_adapter_shares_its_bases_weights_in_memory_and_leaves_the_base_alone(base: Path, adapter: Path) -> None:
    before, probe = open_model(base), mx.array([[5, 9, 200]])
    expected = before.model(probe)
    mx.eval(expected, before.model.parameters())
    held = mx.get_active_memory()
    after = with_adapter(before, adapter)
    mx.eval(after.model.parameters())
    assert mx.get_active_memory() - held < sum(array.nbytes for _, array in tree_flatten(before.model.parameters())) / 2
    assert mx.array_equal(before.model(probe), expected) and not mx.allclose(after.model(probe), expected, atol=0.1)
    assert mx.allclose(after.model(probe), open_model(base, adapter).model(probe), atol=1e-5)


def test_models_of_different_vocabularies_are_not_compared(base: Path, tmp_path: Path) -> None:
    other = make_tiny_model(tmp_path / "other", "Quite another text, of whales and of ships.", vocabulary=300)
    with pytest.raises(ModelError, match="different vocabularies"):
        open_both(base, other, other)


def test_rows_that_can_not_be_measured_are_named_and_none_is_an_error(loaded: Loaded) -> None:
    long = Row("long", "long", "test", {"prompt": "Box?", "completion": "sand " * 100})
    found = compare_models(loaded, loaded, [*rows(4), long], {}, Evaluating(), 4, shown=0, longest=64)
    assert found["rows"] == 4 and found["answers"] == []
    assert (
        len(found["left_out"]) == 1
        and found["left_out"][0].startswith("row long: ")
        and "64 fit" in found["left_out"][0]
    )
    with pytest.raises(EmptyInput, match="None of 1 rows"):
        compare_models(loaded, loaded, [long], {}, Evaluating(), 4, longest=64)


def test_a_task_that_no_verifier_can_take_is_named(loaded: Loaded) -> None:
    odd = Row("odd", "odd", "test", {"prompt": "Box?", "answer": "sand", "verifier": {"spec": 1}})
    found = compare_models(loaded, loaded, [*rows(2, verifier=EXACT), odd], {}, Evaluating(), 4, shown=3)
    assert sorted(str(answer["after_right"]) for answer in found["answers"]) == ["False", "False", "None"]
    assert found["left_out"] == ["row odd: field 'verifier': expected an object with a name"]
    assert found["capability"]["benchmarks"]["held-out tasks"]["difference"]["n"] == 2
