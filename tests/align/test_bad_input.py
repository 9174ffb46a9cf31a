"""What can't be trained ends in a named error, nothing half written, and goes on when that is mended."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest
from alignments import begin, go, largest_file, pairs, weights

from realign.align.models import convert, open_model
from realign.errors import Diverged, EmptyInput, ModelError, StorageError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALIGN_HOME", str(tmp_path / "home"))


def changed(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def without_end(folder: Path) -> None:
    changed(folder / "tokenizer_config.json", lambda config: config.pop("eos_token"))
    changed(folder / "config.json", lambda config: config.pop("eos_token_id"))


def refusing_template(folder: Path) -> None:
    changed(folder / "tokenizer_config.json", lambda config: config.pop("chat_template", None))
    (folder / "chat_template.jinja").write_text("{{ raise_exception('no roles here') }}")


def spoiled(change: Callable[[dict[str, mx.array]], object]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        arrays: Any = mx.load(str(folder / "model.safetensors"))
        change(arrays)
        mx.save_safetensors(str(folder / "model.safetensors"), arrays, metadata={"format": "mlx"})

    return spoil


def nan_norm(arrays: dict[str, mx.array]) -> None:
    arrays["model.norm.weight"] = arrays["model.norm.weight"] * float("nan")


BROKEN = {
    "no end token": (without_end, ModelError, "names no end token"),
    "no weights of a layer": (spoiled(lambda arrays: arrays.pop("model.norm.weight")), ModelError, "Missing 1 param"),
    "weights that are no numbers": (spoiled(nan_norm), Diverged, "the model itself gives no numbers"),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), ModelError, "can't be loaded"),
    "a template that refuses": (refusing_template, EmptyInput, "refused by the chat template: no roles here"),
    "half a file": (
        lambda folder: (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:50_000]),
        ModelError, "can't be loaded",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_a_model_that_lacks_what_is_needed_is_a_named_error(tmp_path: Path, base: Path, fault: str) -> None:
    spoil, kind, words = BROKEN[fault]
    shutil.copytree(base, tmp_path / "model")
    spoil(tmp_path / "model")
    run = begin(tmp_path, pairs(30), str(tmp_path / "model"))
    with pytest.raises(kind, match=words):
        go(run, "sft")
    assert run.stage("sft").status == "failed" and not weights(run)


def test_a_model_without_padding_token_and_template_in_any_script_is_trained(tmp_path: Path, base: Path) -> None:
    shutil.copytree(base, tmp_path / "model")
    for name in ("pad_token", "chat_template"):
        changed(tmp_path / "model" / "tokenizer_config.json", lambda config, name=name: config.pop(name, None))
    (tmp_path / "model" / "chat_template.jinja").unlink(missing_ok=True)
    rows = [
        {**row, "prompt": f"哪个在前？🙂 {row['prompt']}", "chosen": row["chosen"] + " é العربية"} for row in pairs(60)
    ]
    assert go(begin(tmp_path, rows, str(tmp_path / "model")), "sft").stage("sft").status == "passed"


def test_quantized_weights_are_trained_in_full_where_they_are_unpacked(tmp_path: Path, base: Path) -> None:
    packed = convert(base, tmp_path / "packed", bits=4, group_size=32)
    run = go(begin(tmp_path, pairs(60), str(packed), adapter={"kind": "full"}), "sft")
    assert run.stage("sft").status == "passed"
    left = next(run.folder.glob("checkpoints/sft/attempt_1/model"))
    assert not any("scales" in name for name, _ in open_model(left).model.named_modules())


def test_an_absurd_rate_diverges_and_a_lower_one_goes_on_from_what_had_passed(tmp_path: Path) -> None:
    absurd = {"rewarding": {"schedule": "6:1e30"}}
    run = go(begin(tmp_path, pairs(60), **absurd), "sft", "preferences", "reference")
    before = weights(run)
    with pytest.raises(Diverged, match="lower learning rate"):
        go(run, "reward")
    assert run.stage("reward").status == "failed" and weights(run) == before
    assert go(begin(tmp_path), "reward").stage("reward").status in ("passed", "warned")
    assert before.items() <= weights(run).items()


def test_a_full_disk_keeps_what_is_whole_and_the_stage_goes_on_when_there_is_room(tmp_path: Path) -> None:
    run, straight = begin(tmp_path / "one", pairs(60)), go(begin(tmp_path / "two", pairs(60)), "sft")
    for room in (1_000_000, 4_000_000):  # bytes of a file: for no base model, then for it but no checkpoint
        with largest_file(room), pytest.raises(StorageError, match="can't be written"):
            go(run, "sft")
        assert run.stage("sft").status == "failed"
        assert not [path for path in run.folder.rglob("*") if "partial" in path.name]
    assert weights(go(run, "sft")) == weights(straight)
